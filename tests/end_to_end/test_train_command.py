import json
import os
import pty
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from model.artifact.artifact import Artifact
from model.data import Dataset
from model.data.heart import HEART_FILE
from model.errors import DivergenceError
from model.evaluation.validation import all_rows
from model.network.optimizers import GradientDescent
from model.recipes import recipes
from model.recipes.procedures import SingleFit
from model.recipes.reruns import OtherModel
from service.cli import cli
from service.inference.model_file import ModelFile
from service.settings import Settings
from tests.end_to_end.processes import COMMAND, environment, run
from tests.terminal import read_all


def train(*arguments: str) -> None:
    """Run the command in this process, which has all that it imports already."""
    CliRunner().invoke(cli, ["train", *arguments], catch_exceptions=False)


def test_training_writes_artifact_and_card_and_says_so_in_a_quiet_pipe(tmp_path: Path) -> None:
    path = tmp_path / "new" / "tutorial.npz"
    ended = run("train", "heart-tutorial", "--output", str(path))
    artifact = Artifact.load(path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:3] == [
        f"artifact   {path}",
        f"card       {path.with_suffix('.json')}",
        f"version    {artifact.version}",
    ]
    assert "test_accuracy          0.759259" in ended.stdout
    assert json.loads(path.with_suffix(".json").read_text())["version"] == artifact.version


def test_training_shows_a_progress_bar_on_a_terminal(tmp_path: Path) -> None:
    controller, terminal = pty.openpty()
    subprocess.run(
        [COMMAND, "train", "heart-tutorial", "--output", str(tmp_path / "t.npz")],
        env=environment(TERM="xterm"),
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        check=True,
    )
    os.close(terminal)
    assert "100%" in read_all(controller)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    files = []
    for number, seed in enumerate(("3", "3", "4")):
        files.append(tmp_path / f"{number}.npz")
        train("heart-tutorial", "--seed", seed, "--output", str(files[-1]))
    first, second, third = (path.read_bytes() for path in files)
    assert first == second
    assert first != third


def test_a_recipe_that_does_not_exist_lists_those_that_do() -> None:
    ended = run("train", "hart")
    assert ended.returncode == 1
    assert (
        ended.stderr
        == f"heartline: there is no recipe 'hart'; the recipes are {', '.join(recipes.RECIPES)}\n"
    )


def test_a_bad_file_trains_nothing_and_overwrites_nothing(tmp_path: Path) -> None:
    data, path = tmp_path / "own.dat", tmp_path / "own.npz"
    rows = HEART_FILE.read_text().splitlines()
    data.write_text("\n".join([*rows[:2], rows[2].replace("124.0", "1240.0"), *rows[3:]]))
    train("heart-tutorial", "--output", str(path))
    before = path.read_bytes()
    ended = run("train", "heart-tutorial", "--data", str(data), "--output", str(path))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"heartline: {data}, line 3, column resting_blood_pressure: not a value of this column; "
        "expected a number from 50 to 260 (mm Hg)\n"
    )
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "own.dat",
        "own.json",
        "own.md",
        "own.npz",
    ]


def test_a_run_that_diverges_leaves_the_old_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "old.npz"
    recipes.find_recipe("heart-tutorial").train().save(path)
    before = path.read_bytes(), path.with_suffix(".json").read_bytes()
    wild = replace(recipes.TUTORIAL, optimizer=partial(GradientDescent, learning_rate=1e308))
    recipe = replace(recipes.find_recipe("heart-tutorial"), procedure=SingleFit(wild, all_rows))
    monkeypatch.setitem(recipes.RECIPES, "heart-tutorial", recipe)
    ended = CliRunner().invoke(cli, ["train", "heart-tutorial", "--output", str(path)])
    assert isinstance(ended.exception, DivergenceError)
    assert "iteration 1 (learning rate 1e+308)" in str(ended.exception)
    assert (path.read_bytes(), path.with_suffix(".json").read_bytes()) == before


def other_model(path: Path) -> Artifact:
    """Return a model, saved at the path, that the recipe heart-tutorial does not make."""
    return recipes.find_recipe("heart-tutorial-wide").train().save(path)


@pytest.mark.parametrize("is_link", [False, True])
def test_the_model_that_a_service_serves_is_replaced_with_force_alone(
    is_link: bool, tmp_path: Path
) -> None:
    served, path = tmp_path / "served.npz", tmp_path / "path.npz"
    old = other_model(served)
    if is_link:
        path.symlink_to(served)
    else:
        path = served
    file = ModelFile(Settings(artifact=path))
    refused = CliRunner().invoke(cli, ["train", "heart-tutorial", "--output", str(path)])
    assert isinstance(refused.exception, OtherModel)
    assert str(refused.exception).endswith("give another --output, or --force to replace it")
    assert not file.read_again(lambda _: pytest.fail("another model"))
    assert Artifact.load(path).sha256 == old.sha256
    train("heart-tutorial", "--output", str(path), "--force")
    assert Artifact.load(path).name == "heart-tutorial"


def test_a_model_that_was_put_in_place_during_the_training_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, recipe = tmp_path / "path.npz", recipes.find_recipe("heart-tutorial")

    def load_late(data: Path | None) -> Dataset:
        if not path.exists():
            other_model(path)
        return recipe.load(data)

    monkeypatch.setitem(recipes.RECIPES, "heart-tutorial", replace(recipe, load=load_late))
    refused = CliRunner().invoke(cli, ["train", "heart-tutorial", "--output", str(path)])
    assert isinstance(refused.exception, OtherModel)
    assert Artifact.load(path).name == "heart-tutorial-wide"


def test_verify_names_the_model_and_the_checks(tmp_path: Path) -> None:
    path = tmp_path / "tutorial.npz"
    artifact = recipes.find_recipe("heart-tutorial").train().save(path)
    good = run("verify", str(path), "--sha256", artifact.sha256)
    assert good.returncode == 0
    assert f"model heart-tutorial, version {artifact.version}" in good.stdout
    assert "golden" in good.stdout
    path.with_suffix(".json").unlink()
    assert "digest not checked" in run("verify", str(path)).stdout
    bad = run("verify", str(path), "--sha256", "0" * 64)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith(f"heartline: {path}: the digest check failed: ")
