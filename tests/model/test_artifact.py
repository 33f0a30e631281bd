"""Artifacts: what is saved comes back, and nothing half-written is ever left."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.artifact import artifact as artifact_module
from model.artifact.artifact import CHECKS, Artifact
from model.artifact.card import card_path
from model.data import load_heart
from model.errors import ArtifactError, HeartlineError
from model.inference.pipeline import Pipeline
from model.network.initializers import standard_normal
from model.network.network import NeuralNetwork
from model.recipes.recipes import find_recipe
from model.schema.encoding import Encoding
from tests.conftest import ARTIFACT, ROOT
from tests.model import corruption as c
from tests.model.conftest import Run
from tests.model.properties import PROPERTY, random_network

RECIPES = ["heart-tutorial", "heart-tutorial-wide"]


def arrays(artifact: Artifact) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    return {
        **artifact.pipeline.network.parameters,
        "mean": artifact.pipeline.mean,
        "scale": artifact.pipeline.scale,
        "golden_inputs": artifact.golden_inputs,
        "golden_probabilities": artifact.golden_probabilities,
    }


def assert_same(one: Artifact, other: Artifact) -> None:
    assert arrays(one).keys() == arrays(other).keys()
    for name, array in arrays(one).items():
        assert array.shape == arrays(other)[name].shape
        assert array.tobytes() == arrays(other)[name].tobytes(), name
    assert one.name == other.name
    assert list(one.features) == list(other.features)
    assert one.labels == other.labels
    assert one.threshold == other.threshold
    assert one.threshold_reason == other.threshold_reason
    assert one.pipeline.encoding.columns == other.pipeline.encoding.columns
    assert one.pipeline.network.layer_sizes == other.pipeline.network.layer_sizes
    assert one.pipeline.network.hidden_activation == other.pipeline.network.hidden_activation
    assert one.pipeline.network.output_activation == other.pipeline.network.output_activation
    assert one.about == other.about


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_a_recipe_made_comes_back_bit_for_bit(recipe: str, tmp_path: Path) -> None:
    made = find_recipe(recipe).train()
    saved = made.save(tmp_path / "model.npz")
    loaded = Artifact.load(tmp_path / "model.npz")
    assert_same(loaded, made)
    assert loaded.sha256 == saved.sha256
    assert loaded.card() == saved.card()


def test_the_product_comes_back_bit_for_bit(heart_run: Run, tmp_path: Path) -> None:
    heart_run.artifact.save(tmp_path / "heart.npz")
    assert_same(Artifact.load(tmp_path / "heart.npz"), heart_run.artifact)


@PROPERTY
@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    activation=st.sampled_from(["relu", "tanh", "sigmoid"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_network_comes_back_bit_for_bit(
    hidden: list[int],
    activation: str,
    seed: int,
    artifact: Artifact,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    network = random_network((len(artifact.pipeline.encoding), *hidden, 1), activation, seed)
    made = replace(artifact, pipeline=replace(artifact.pipeline, network=network))
    made = replace(made, golden_probabilities=made.predict_proba(made.golden_inputs))
    path = tmp_path_factory.mktemp("any") / "any.npz"
    made.save(path)
    assert_same(Artifact.load(path), made)


def of_classes(like: Artifact, classes: int, output: str, hidden: list[int], seed: int) -> Artifact:
    """Return an artifact of a random network with an output for each of so many classes."""
    sizes = (len(like.features), *hidden, classes)
    network = NeuralNetwork(sizes, "tanh", output, standard_normal(sizes, seed))
    ones = np.ones(len(like.features))
    pipeline = Pipeline(Encoding.plain(like.features), 0.5 * ones, 2.0 * ones, network)
    return replace(
        like,
        labels=tuple(f"class {number}" for number in range(classes)),
        threshold=0.3 if classes == 2 else None,
        threshold_reason="Because." if classes == 2 else "",
        pipeline=pipeline,
        golden_probabilities=pipeline.class_probabilities(like.golden_inputs),
    )


@PROPERTY
@given(
    classes=st.integers(2, 7),
    output=st.sampled_from(["softmax", "sigmoid"]),
    hidden=st.lists(st.integers(1, 9), max_size=2),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_network_of_several_classes_comes_back_bit_for_bit(
    classes: int,
    output: str,
    hidden: list[int],
    seed: int,
    artifact: Artifact,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = of_classes(artifact, classes, output, hidden, seed)
    rows = len(made.golden_inputs)
    assert made.golden_probabilities.shape == ((rows,) if classes == 2 else (rows, classes))
    path = tmp_path_factory.mktemp("any") / "any.npz"
    saved = made.save(path)
    loaded = Artifact.load(path)
    assert_same(loaded, made)
    assert loaded.card() == saved.card()
    X = made.features.golden_inputs(50)
    assert loaded.predict_proba(X).tobytes() == made.predict_proba(X).tobytes()


@pytest.mark.parametrize(("name", "classes"), [("moons", 2), ("iris", 3)])
def test_the_other_committed_artifacts_pass_every_check_beside_their_cards(
    name: str, classes: int
) -> None:
    path = ARTIFACT.with_name(f"{name}.npz")
    loaded = Artifact.load(path)
    assert (loaded.name, len(loaded.labels)) == (name, classes)
    assert (loaded.threshold is None) == (classes > 2)
    assert loaded.pipeline.network.layer_sizes[-1] == classes
    reported = json.loads(card_path(path).read_text(encoding="utf-8"))
    assert reported["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest() == loaded.sha256


ABSENT = object()


def committed(name: str) -> dict[str, np.ndarray[Any, Any]]:
    with np.load(ARTIFACT.with_name(f"{name}.npz"), allow_pickle=False) as members:
        return dict(members)


def rewritten(name: str, reported: Mapping[str, object], **members: object) -> bytes:
    """Return a committed artifact of which some metadata and members are others, or absent."""
    stored = committed(name)
    metadata = {**json.loads(stored["metadata"].tobytes()), **reported}
    document = json.dumps({key: value for key, value in metadata.items() if value is not ABSENT})
    parts = {key: c.npy(array) for key, array in stored.items()}
    parts |= {key: c.npy(np.asarray(array)) for key, array in members.items()}
    return c.zipped((parts | {"metadata": c.document(document)}).items())


IRIS_OUTPUTS = Artifact.load(ARTIFACT.with_name("iris.npz")).pipeline.predict_proba(
    committed("iris")["golden_inputs"]
)
IRIS_PROBABILITIES = committed("iris")["golden_probabilities"]
MOONS_PROBABILITIES = committed("moons")["golden_probabilities"]

OF_SEVERAL_CLASSES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a label repeated": ("metadata", partial(rewritten, "iris", {"labels": ["a", "b", "a"]})),
    "one label": ("metadata", partial(rewritten, "iris", {"labels": ["a"]})),
    "no labels": ("metadata", partial(rewritten, "iris", {"labels": []})),
    "labels that are numbers": ("metadata", partial(rewritten, "iris", {"labels": [0, 1, 2]})),
    "labels that are a text": ("metadata", partial(rewritten, "iris", {"labels": "abc"})),
    "a label too few": (
        "metadata",
        partial(rewritten, "iris", {"labels": ["a", "b"], "threshold": 0.5}),
    ),
    "a label too many": ("metadata", partial(rewritten, "iris", {"labels": ["a", "b", "c", "d"]})),
    "a third label for two outputs": (
        "metadata",
        partial(rewritten, "moons", {"labels": ["a", "b", "c"], "threshold": None}),
    ),
    "a threshold for three": ("metadata", partial(rewritten, "iris", {"threshold": 0.5})),
    "no word of a threshold for three": (
        "metadata",
        partial(rewritten, "iris", {"threshold": ABSENT}),
    ),
    "no threshold for two": ("metadata", partial(rewritten, "moons", {"threshold": None})),
    "no word of a threshold for two": (
        "metadata",
        partial(rewritten, "moons", {"threshold": ABSENT}),
    ),
    "no reason of the threshold": (
        "metadata",
        partial(rewritten, "moons", {"threshold_reason": ABSENT}),
    ),
    **{
        f"{activation} outputs of {name}": (
            "metadata",
            partial(rewritten, name, {"output_activation": activation}),
        )
        for activation in ("tanh", "relu", "identity")
        for name in ("moons", "iris")
    },
    "softmax in place of sigmoids": (
        "golden",
        partial(rewritten, "iris", {"output_activation": "softmax"}),
    ),
    "sigmoids in place of softmax": (
        "golden",
        partial(rewritten, "moons", {"output_activation": "sigmoid"}),
    ),
    "an output too few": ("metadata", partial(rewritten, "iris", {"layer_sizes": [4, 5, 10, 2]})),
    "an output too many": ("metadata", partial(rewritten, "moons", {"layer_sizes": [2, 3, 3]})),
    "the weights of two outputs": (
        "shape",
        partial(rewritten, "iris", {}, W3=np.zeros((10, 2))),
    ),
    "the bias of four outputs": ("shape", partial(rewritten, "iris", {}, b3=np.zeros(4))),
    "golden probabilities of one class of three": (
        "shape",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_PROBABILITIES[:, 1]),
    ),
    "golden probabilities of two classes of three": (
        "shape",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_PROBABILITIES[:, 1:]),
    ),
    "golden probabilities turned round": (
        "shape",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_PROBABILITIES.T.copy()),
    ),
    "golden probabilities in one row": (
        "shape",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_PROBABILITIES.ravel()),
    ),
    "golden probabilities of both classes": (
        "shape",
        partial(
            rewritten,
            "moons",
            {},
            golden_probabilities=np.column_stack([1 - MOONS_PROBABILITIES, MOONS_PROBABILITIES]),
        ),
    ),
    "golden probabilities as a column": (
        "shape",
        partial(rewritten, "moons", {}, golden_probabilities=MOONS_PROBABILITIES[:, np.newaxis]),
    ),
    "golden probabilities of the other class": (
        "golden",
        partial(rewritten, "moons", {}, golden_probabilities=1.0 - MOONS_PROBABILITIES),
    ),
    "golden probabilities of classes in another order": (
        "golden",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_PROBABILITIES[:, ::-1].copy()),
    ),
    "golden outputs that are not divided by their sum": (
        "golden",
        partial(rewritten, "iris", {}, golden_probabilities=IRIS_OUTPUTS),
    ),
}


@pytest.mark.parametrize("name", ["moons", "iris"])
def test_an_artifact_put_together_again_is_taken(name: str, tmp_path: Path) -> None:
    path = tmp_path / "again.npz"
    path.write_bytes(rewritten(name, {}))
    assert_same(Artifact.load(path), Artifact.load(ARTIFACT.with_name(f"{name}.npz")))


@pytest.mark.parametrize("corruption", OF_SEVERAL_CLASSES)
def test_a_corrupt_artifact_of_several_classes_is_refused_by_its_check(
    corruption: str, tmp_path: Path
) -> None:
    check, corrupt = OF_SEVERAL_CLASSES[corruption]
    path = tmp_path / "corrupt.npz"
    path.write_bytes(corrupt())
    with pytest.raises(ArtifactError) as caught:
        Artifact.load(path)
    assert caught.value.check == check
    assert str(caught.value).startswith(f"{path}: the {check} check failed: ")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["moons", "iris"])
def test_a_change_of_any_weight_of_several_classes_is_noticed_on_the_golden_rows(
    name: str, tmp_path: Path
) -> None:
    path = tmp_path / "changed.npz"
    members = committed(name)
    for member in members.keys() - {"metadata", "golden_inputs"}:
        for index in np.ndindex(members[member].shape):
            changed = members[member].copy()
            changed[index] += 0.5
            path.write_bytes(rewritten(name, {}, **{member: changed}))
            with pytest.raises(ArtifactError, match="the golden check failed"):
                Artifact.load(path)


def test_the_order_of_numbers_in_memory_is_no_part_of_the_file(
    artifact: Artifact, tmp_path: Path
) -> None:
    network = artifact.pipeline.network
    other = NeuralNetwork(
        network.layer_sizes,
        network.hidden_activation,
        network.output_activation,
        {key: np.asfortranarray(weights) for key, weights in network.parameters.items()},
    )
    moved = replace(artifact, pipeline=replace(artifact.pipeline, network=other))
    assert moved.save(tmp_path / "moved.npz").sha256 == artifact.save(tmp_path / "a.npz").sha256
    assert_same(Artifact.load(tmp_path / "moved.npz"), artifact)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    recipe, contents = find_recipe("heart-tutorial"), []
    for place, seed in enumerate((1, 1, 2)):
        path = tmp_path / f"{place}.npz"
        recipe.train(random_state=seed).save(path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.npz", tmp_path / "theirs.npz"
    find_recipe("heart-tutorial").train().save(ours)
    program = (
        "import sys; from pathlib import Path; from model.recipes.recipes import find_recipe; "
        "find_recipe('heart-tutorial').train().save(Path(sys.argv[1]))"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(theirs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Pacific/Apia", "LC_ALL": "C"},
        check=True,
        timeout=60,
    )
    assert ours.read_bytes() == theirs.read_bytes()


def test_no_patient_is_inside(artifact: Artifact) -> None:
    patients = {tuple(row) for row in load_heart().X.tolist()}
    assert len(patients) == 270
    shown = [*artifact.golden_inputs.tolist(), list(artifact.features.example().values())]
    assert not patients & {tuple(row) for row in shown}


def test_the_file_holds_no_more_than_its_parts(artifact: Artifact, tmp_path: Path) -> None:
    artifact.save(tmp_path / "heart.npz")
    with np.load(tmp_path / "heart.npz", allow_pickle=False) as members:
        numbers = sum(members[name].size for name in members.files if name != "metadata")
        assert numbers == sum(array.size for array in arrays(artifact).values())
        reported = json.loads(members["metadata"].tobytes())
    assert set(reported) == {
        "format_version", "name", "features", "encoding", "layer_sizes", "hidden_activation",
        "output_activation", "labels", "threshold", "threshold_reason", "golden_rows", "about",
        "sections",
    }  # fmt: skip


def test_the_checks_are_those_that_the_module_explains() -> None:
    table = str(artifact_module.__doc__).partition("==========")[2].splitlines()[1:-1]
    assert tuple(line.split()[0] for line in table) == CHECKS


def test_the_version_is_the_beginning_of_the_digest_of_the_file(
    artifact: Artifact, tmp_path: Path
) -> None:
    saved = artifact.save(tmp_path / "a.npz")
    digest = hashlib.sha256((tmp_path / "a.npz").read_bytes()).hexdigest()
    assert saved.sha256 == digest
    assert saved.version == digest[:12]
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["sha256"] == digest


@pytest.fixture
def umask_022() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


def test_everyone_may_read_what_is_saved(
    artifact: Artifact, tmp_path: Path, umask_022: None
) -> None:
    artifact.save(tmp_path / "new" / "directory" / "heart.npz")
    for path in (tmp_path / "new" / "directory").iterdir():
        assert path.stat().st_mode & 0o777 == 0o644, path
    assert {path.name for path in (tmp_path / "new" / "directory").iterdir()} == {
        "heart.npz",
        "heart.json",
        "heart.md",
    }


class PulledPlug(Exception):
    """Stands for a crash, a full disk, Ctrl-C."""


@pytest.mark.parametrize("call", range(6))
@pytest.mark.parametrize("fault", [PulledPlug, OSError, KeyboardInterrupt])
def test_a_save_cut_short_leaves_a_whole_artifact_and_never_anothers_card(
    fault: type[BaseException], call: int, artifact: Artifact, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path = tmp_path / "heart.npz"
    old = artifact.save(path)
    new = replace(artifact, name="another")
    calls = iter(range(10))
    fsync, move = os.fsync, Path.replace

    def fail_at_its_turn() -> None:
        if next(calls) == call:
            raise fault

    def failing_fsync(descriptor: int) -> None:
        fail_at_its_turn()
        fsync(descriptor)

    def failing_replace(self: Path, target: Path) -> Path:
        fail_at_its_turn()
        return move(self, target)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    monkeypatch.setattr(Path, "replace", failing_replace)
    with pytest.raises(fault):
        new.save(path)
    # All are on the disk before one is renamed: the artifact, its card, its page.
    assert Artifact.load(path).name == (old.name if call < 4 else "another")
    left = {
        3: ["heart.npz"], 4: ["heart.npz"], 5: ["heart.json", "heart.npz"]
    }.get(call, ["heart.json", "heart.md", "heart.npz"])  # fmt: skip
    assert sorted(file.name for file in tmp_path.iterdir()) == left


def test_at_no_moment_of_a_save_does_a_card_stand_beside_another_file(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "heart.npz"
    artifact.save(path)
    seen: list[str] = []
    move = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append(Artifact.load(path).name)
        moved = move(self, target)
        seen.append(Artifact.load(path).name)
        return moved

    monkeypatch.setattr(Path, "replace", watched)
    replace(artifact, name="another").save(path)
    assert seen == ["heart", *["another"] * 5]


def test_an_artifact_is_not_overwritten_by_its_own_card(artifact: Artifact, tmp_path: Path) -> None:
    path = tmp_path / "heart.json"
    with pytest.raises(HeartlineError):
        artifact.save(path)
    assert not path.exists()


def test_metadata_that_json_cannot_hold_is_refused_before_anything_is_written(
    artifact: Artifact, tmp_path: Path
) -> None:
    path = tmp_path / "heart.npz"
    saved = artifact.save(path)
    broken = replace(artifact, about={"metrics": {"accuracy": float("nan")}})
    with pytest.raises(ValueError, match="JSON"):
        broken.save(path)
    assert Artifact.load(path).sha256 == saved.sha256
    assert card_path(path).exists()


@pytest.mark.parametrize(
    ("changed", "check"),
    [
        ({"name": "heart\udc80"}, "text"),
        ({"labels": ("a", "a ")}, "metadata"),
        ({"threshold_reason": "a" * 2001}, "limits"),
        ({"golden_probabilities": np.zeros(16)}, "golden"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(
    changed: dict[str, Any], check: str, artifact: Artifact, tmp_path: Path
) -> None:
    path = tmp_path / "heart.npz"
    saved = artifact.save(path)
    with pytest.raises((ArtifactError, UnicodeEncodeError)) as caught:
        replace(artifact, **changed).save(path)
    assert getattr(caught.value, "check", "text") == check
    assert Artifact.load(path).sha256 == saved.sha256
    assert card_path(path).exists()


@pytest.mark.parametrize("name", ["heart", "moons", "iris"])
def test_no_possible_row_of_the_committed_artifacts_overflows(name: str) -> None:
    artifact = Artifact.load(ARTIFACT.with_name(f"{name}.npz"))
    largest = artifact.features.rules.largest
    assert artifact.pipeline.is_finite(largest)
    assert not artifact.pipeline.is_finite(np.full_like(largest, 1e308))
    extremes = np.stack([-largest, largest])
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(artifact.predict_proba(extremes)).all()


@pytest.mark.parametrize("activation", ["relu", "identity", "tanh", "sigmoid"])
def test_the_bound_on_the_sums_holds_for_every_activation(
    activation: str, artifact: Artifact
) -> None:
    network = random_network((len(artifact.pipeline.encoding), 5, 5, 1), activation, 0)
    large = {key: value * 1e160 for key, value in network.parameters.items()}
    for parameters, expected in (
        (network.parameters, True),
        (large, activation in ("tanh", "sigmoid")),
    ):
        pipeline = replace(artifact.pipeline, network=network.with_parameters(parameters))
        assert pipeline.is_finite(artifact.features.rules.largest) is expected


@pytest.mark.slow
def test_the_core_of_the_model_imports_no_library_of_training() -> None:
    program = (
        "import sys, model.inference.predictor, model.artifact.artifact, model.network.training; "
        "print({'pandas', 'sklearn', 'scipy', 'matplotlib', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
