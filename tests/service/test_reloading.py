from __future__ import annotations

import pickle
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

import anyio
import httpx
import pytest
from fastapi import FastAPI

from model.artifact.artifact import Artifact
from model.artifact.card import card_path
from model.errors import HeartlineError
from model.inference.predictor import Predictor
from service.app import create_app
from service.http.documents import Document
from service.inference import model_file
from service.inference.model_file import ModelFile, OtherInputs
from service.inference.reloading import Reload, Reloader
from service.inference.served_model import UnservableError
from service.observability.metrics.model_info import ModelMeter
from service.observability.metrics.registry import Registry
from service.observability.metrics.slots import SharedSlots
from service.protocols.native import native
from service.protocols.native.answers import Answers
from service.protocols.native.streams import CsvStream, NdjsonStream
from service.server.supervisor import Supervisor
from service.settings import Settings
from service.validation.batch_validation import BatchValidator
from service.validation.record_validation import Validator
from service.wire.decoding import Decoder
from service.wire.record_reader import RecordReader
from tests.conftest import ROOT
from tests.exposition import read, series, total
from tests.service.samples import FEATURES, example
from tests.variants import shifted, with_feature

PATIENCE = 30.0


@pytest.fixture
def path(tmp_path: Path, artifact: Artifact) -> Path:
    path = tmp_path / "model.npz"
    artifact.save(path)
    return path


@pytest.fixture
def file(path: Path) -> ModelFile:
    return ModelFile(Settings(artifact=path))


def accept(_: Artifact) -> None:
    """Use any model."""


def changes_by_the_third_look(file: ModelFile) -> bool:
    return any(file.has_changed() for _ in range(3))


def test_a_file_that_stays_as_it_is_has_not_changed(file: ModelFile) -> None:
    assert not changes_by_the_third_look(file)


def test_a_change_counts_when_two_looks_find_the_same(
    file: ModelFile, path: Path, artifact: Artifact
) -> None:
    shifted(artifact, 0.5).save(path)
    assert not file.has_changed()
    path.write_bytes(path.read_bytes()[:-1])
    assert not file.has_changed()
    card_path(path).unlink()
    assert not file.has_changed()
    assert file.has_changed()


def test_a_file_read_again_has_changed_no_longer(
    file: ModelFile, path: Path, artifact: Artifact
) -> None:
    other = shifted(artifact, 0.5).save(path)
    assert changes_by_the_third_look(file)
    assert file.read_again(accept)
    assert file.artifact.version == other.version
    assert not changes_by_the_third_look(file)
    assert not file.read_again(accept)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def deleted(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def of_another_card(path: Path) -> None:
    shifted(Artifact.load(path), 0.5).save(path.with_name("other.npz"))
    shutil.copy(path.with_name("other.npz"), path)


def with_other_columns(path: Path) -> None:
    Artifact.load(ROOT / "artifacts" / "moons.npz").save(path)


@pytest.mark.parametrize(
    "spoil", [cut_short, empty, deleted, a_folder, of_another_card, with_other_columns]
)
def test_a_bad_file_is_refused_once_until_it_changes_again(
    file: ModelFile, path: Path, artifact: Artifact, spoil: Callable[[Path], None]
) -> None:
    served = file.artifact
    spoil(path)
    assert changes_by_the_third_look(file)
    with pytest.raises(HeartlineError, match=path.name):
        file.read_again(accept)
    assert file.artifact is served
    assert not changes_by_the_third_look(file)
    if path.is_dir():
        path.rmdir()
    good = shifted(artifact, 1.0).save(path)
    assert changes_by_the_third_look(file)
    assert file.read_again(accept)
    assert file.artifact.version == good.version


def test_a_new_file_beside_the_old_card_is_taken_when_its_own_card_comes(
    file: ModelFile, path: Path
) -> None:
    of_another_card(path)
    assert changes_by_the_third_look(file)
    with pytest.raises(HeartlineError, match="the digest check failed"):
        file.read_again(accept)
    shutil.copy(path.with_name("other.json"), card_path(path))
    assert changes_by_the_third_look(file)
    assert file.read_again(accept)


def test_a_file_that_is_written_while_it_is_read_is_read_again(
    file: ModelFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_another_card(path)
    load = Artifact.load

    def load_as_the_card_comes(*arguments: Any) -> Artifact:
        try:
            return load(*arguments)
        finally:
            shutil.copy(path.with_name("other.json"), card_path(path))

    with monkeypatch.context() as slowly:
        slowly.setattr(Artifact, "load", load_as_the_card_comes)
        assert not file.read_again(accept)
    assert changes_by_the_third_look(file)
    assert file.read_again(accept)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "years"},
        {"unit": "months"},
        {"aliases": ("years",)},
        {"maximum": 120.0},
        {"minimum": 17.0},
        {"kind": "count" if FEATURES[0].kind == "continuous" else "continuous"},
        {"example": 60.0},
    ],
)
def test_a_model_with_another_feature_is_refused(
    file: ModelFile, path: Path, artifact: Artifact, changes: dict[str, Any]
) -> None:
    assert getattr(artifact.features[0], next(iter(changes))) != next(iter(changes.values()))
    with_feature(artifact, "age", **changes).save(path)
    with pytest.raises(OtherInputs, match="restart the service"):
        file.read_again(accept)


def test_a_model_with_other_codes_or_labels_is_refused(
    file: ModelFile, path: Path, artifact: Artifact
) -> None:
    with_feature(artifact, "sex", codes=((0, "f"), (1, "m"))).save(path)
    with pytest.raises(OtherInputs):
        file.read_again(accept)
    replace(artifact, labels=("healthy", "ill")).save(path)
    with pytest.raises(OtherInputs):
        file.read_again(accept)


def test_a_model_that_has_seen_other_rows_is_taken(
    file: ModelFile, path: Path, artifact: Artifact
) -> None:
    with_feature(artifact, "age", observed=(20.0, 90.0)).save(path)
    assert file.read_again(accept)


def test_a_pinned_digest_refuses_every_other_file(path: Path, artifact: Artifact) -> None:
    pinned = Artifact.load(path).sha256
    file = ModelFile(Settings(artifact=path, artifact_sha256=pinned))
    shifted(artifact, 0.5).save(path)
    with pytest.raises(HeartlineError, match=", required is"):
        file.read_again(accept)
    artifact.save(path)
    assert not file.read_again(accept)


def test_the_threshold_of_the_settings_outlasts_the_model(path: Path, artifact: Artifact) -> None:
    file = ModelFile(Settings(artifact=path, threshold=0.25))
    shifted(artifact, 0.5).save(path)
    assert file.read_again(accept)
    assert file.artifact.threshold == 0.25


@pytest.fixture
def app(path: Path) -> FastAPI:
    return create_app(Settings(artifact=path, reload_seconds=0.1))


@pytest.fixture
def reloads(file: ModelFile) -> Iterator[tuple[Reloader, SimpleQueue[Reload]]]:
    reported: SimpleQueue[Reload] = SimpleQueue()
    with Reloader(file, accept, 0.1, reported.put) as reloader:
        yield reloader, reported


def test_a_reloader_shows_what_became_of_each_change(
    reloads: tuple[Reloader, SimpleQueue[Reload]], path: Path, artifact: Artifact
) -> None:
    _, reported = reloads
    other = shifted(artifact, 0.5).save(path)
    reload = reported.get(timeout=PATIENCE)
    assert (reload.outcome, reload.artifact.version) == ("swapped", other.version)
    cut_short(path)
    reload = reported.get(timeout=PATIENCE)
    assert (reload.outcome, reload.artifact.version) == ("refused", other.version)
    assert reload.reason.startswith(f"{path}: the digest check failed")


def test_a_reloader_reads_when_requested(
    reloads: tuple[Reloader, SimpleQueue[Reload]],
) -> None:
    reloader, reported = reloads
    reloader.reload()
    assert reported.get(timeout=PATIENCE).outcome == "unchanged"


def test_a_reloader_outlives_a_failure_to_report(
    file: ModelFile, caplog: pytest.LogCaptureFixture
) -> None:
    reported: SimpleQueue[Reload] = SimpleQueue()
    faults = iter([MemoryError()])

    def fail_once(reload: Reload) -> None:
        reported.put(reload)
        for fault in faults:
            raise fault

    with Reloader(file, accept, PATIENCE, fail_once) as reloader:
        for _ in range(2):
            reloader.reload()
            reported.get(timeout=PATIENCE)
    assert "a check for a new model file failed" in caplog.text


def refuse(_: Artifact) -> NoReturn:
    raise MemoryError


def test_a_model_that_cannot_be_used_leaves_the_old_one_in_the_file_and_in_its_copies(
    file: ModelFile, path: Path, artifact: Artifact
) -> None:
    served, reloads = file.artifact, SimpleQueue[Reload]()
    shifted(artifact, 0.5).save(path)
    with Reloader(file, refuse, PATIENCE, reloads.put) as reloader:
        reloader.reload()
        reload = reloads.get(timeout=PATIENCE)
    assert reload == Reload("refused", served, "MemoryError, see above")
    assert file.artifact is served
    assert pickle.loads(pickle.dumps(file)).artifact.sha256 == served.sha256  # noqa: S301
    assert not changes_by_the_third_look(file)


def test_the_parent_of_workers_keeps_the_old_model_where_a_worker_would(
    file: ModelFile, path: Path, artifact: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    served, settings = file.artifact, Settings(artifact=path, workers=2)
    other = shifted(artifact, 0.5).save(path)
    with socket.socket() as listening, monkeypatch.context() as broken:
        parent = Supervisor(settings, file, SharedSlots.create(), listening)
        broken.setattr(native, "answer_examples", refuse)
        with pytest.raises(UnservableError, match="MemoryError"):
            file.read_again(parent._try)
        assert file.artifact is served
        broken.undo()
        assert file.read_again(parent._try)
        assert file.artifact.version == other.version


FAULTS = [MemoryError, RecursionError, ValueError, UnicodeEncodeError("utf-8", "", 0, 1, "")]

STAGES: list[tuple[object, str]] = [
    (Artifact, "load"),
    (model_file, "_interface"),
    (Predictor, "__init__"),
    (Predictor, "is_sound"),
    (Predictor, "predict_row"),
    (Predictor, "predict_proba"),
    (Decoder, "__init__"),
    (Validator, "__init__"),
    (RecordReader, "__init__"),
    (BatchValidator, "__init__"),
    (Answers, "__init__"),
    (Answers, "batch"),
    (Answers, "table"),
    (Answers, "rows"),
    (CsvStream, "written"),
    (NdjsonStream, "written"),
    (Artifact, "card"),
    (Document, "__init__"),
    (native, "answer_examples"),
    (ModelMeter, "serves"),
    (Registry, "serves"),
]


@pytest.mark.slow
@pytest.mark.anyio
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: f"{stage[0].__name__}.{stage[1]}")
async def test_whatever_fails_before_the_swap_the_old_model_goes_on(
    app: FastAPI,
    client: httpx.AsyncClient,
    path: Path,
    artifact: Artifact,
    stage: tuple[object, str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = await everything(client)
    reloader, old = app.state.reloader, artifact.version
    other = shifted(replace(artifact, name="other"), 0.5).save(path)
    for number, fault in enumerate(FAULTS, start=1):

        def fail(*_: object, fault: Any = fault) -> NoReturn:
            raise fault

        with monkeypatch.context() as broken:
            broken.setattr(*stage, fail)
            reloader._on_reload(reloader._read_again())
        assert await everything(client) == before
        assert reloader._file.artifact.version == old
        samples = read((await client.get("/metrics")).text)
        assert samples[series("heartline_model_reloads_total", result="refused")] == number
        assert samples[series("heartline_model_reloads_total", result="swapped")] == 0
        assert [key for key in samples if key[0] == "heartline_model_info"] == [
            series("heartline_model_info", name="heart", version=old)
        ]
        assert caplog.records[-1].message == "model refused"
        assert caplog.records[-1].model_version == old  # type: ignore[attr-defined]
    reloader._on_reload(reloader._read_again())
    assert (await client.get("/readyz")).json()["model_version"] == other.version
    assert all(old != new for old, new in zip(before, await everything(client), strict=True))
    samples = read((await client.get("/metrics")).text)
    assert total(samples, "heartline_rows_predicted_total") == 2 * (2 + len(FAULTS))


@pytest.mark.anyio
async def test_all_that_shows_of_the_model_shows_of_the_new_one(
    app: FastAPI, client: httpx.AsyncClient, path: Path, artifact: Artifact, predictor: Any
) -> None:
    before = await everything(client)
    other = replace(
        shifted(artifact, 0.5),
        name="other",
        threshold=0.3,
        about={**artifact.about, "intended_use": "Another use."},
    ).save(path)
    app.state.reloader.reload()
    deadline = time.monotonic() + PATIENCE
    with app.state.reloader:
        while (await client.get("/readyz")).json()["model_version"] != other.version:
            assert time.monotonic() < deadline
            await anyio.sleep(0.01)
    after = await everything(client)
    fresh = create_app(Settings(artifact=path))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(fresh), base_url="http://heartline"
    ) as restarted:
        assert after == await everything(restarted)
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert after[-1]["info"]["summary"] == f"The model other, version {other.version}"
    assert after[-1]["info"]["description"].startswith("Another use.")


async def everything(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    answers = [
        await client.post("/predict", json=example()),
        await client.post("/predict/batch", json={"instances": [example()]}),
        await client.get("/readyz"),
        await client.get("/model"),
        await client.get("/openapi.json"),
    ]
    return [answer.json() for answer in answers]
