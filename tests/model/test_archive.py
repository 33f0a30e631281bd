"""Corrupt artifacts: every one is refused, by the check that is meant for it."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from model.artifact.archive import MAX_BYTES, MAX_MEMBERS, MAX_METADATA_BYTES, MAX_VALUES
from model.artifact.artifact import CHECKS, Artifact
from model.artifact.card import card_path
from model.errors import ArtifactError
from tests.conftest import ARTIFACT, ROOT
from tests.model import corruption as c

CARD = card_path(ARTIFACT).read_bytes()
F8 = "{'descr': '<f8', 'fortran_order': False, 'shape': %s, }"
W1 = c.array("W1")
FEATURES = c.metadata()["features"]
ENCODING = c.metadata()["encoding"]


def compressed_npz() -> bytes:
    return c.zipped(c.members().items(), zipfile.ZIP_DEFLATED)


def zip_bomb() -> bytes:
    zeros = c.npy(np.zeros(6_000_000))
    return c.zipped((c.members() | {"W1": zeros}).items(), zipfile.ZIP_DEFLATED)


def with_first(name: str, value: float) -> bytes:
    changed = c.array(name).copy()
    changed.flat[0] = value
    return c.with_members(**{name: c.npy(changed)})


def with_feature(**changed: object) -> bytes:
    return c.with_metadata({"features": [FEATURES[0] | changed, *FEATURES[1:]]})


def with_code(place: int, pair: list[object]) -> bytes:
    return c.with_metadata({"encoding": [*ENCODING[:place], pair, *ENCODING[place + 1 :]]})


def cut_to(length: int) -> bytes:
    return c.ORIGINAL[:length]


def lacking(key: str) -> bytes:
    rest = {name: value for name, value in c.metadata().items() if name != key}
    return c.with_document(json.dumps(rest))


def with_later_zip_version() -> bytes:
    """Flip the bit that makes the directory's first entry need version 8.4 of the format."""
    return c.with_bit_flipped_at(c.ORIGINAL.index(b"PK\x01\x02") + 6, bit=6)


WRONG_METADATA: list[tuple[str, object]] = [
    ("hidden_activation", "softmax"),
    ("hidden_activation", ["tanh"]),
    ("output_activation", None),
    ("layer_sizes", [22, 24, 3]),
    ("layer_sizes", [21, 24, 1]),
    ("layer_sizes", []),
    ("layer_sizes", 22),
    ("layer_sizes", None),
    ("features", []),
    ("features", {}),
    ("features", [1]),
    ("encoding", []),
    ("encoding", [[0]] * 22),
    ("encoding", 5),
    ("labels", ["absence"]),
    ("labels", ["a", "b", "c"]),
    ("labels", 2),
    ("threshold", 0),
    ("threshold", 1.0),
    ("threshold", "0.5"),
    ("threshold", None),
    ("golden_rows", 0),
    ("golden_rows", -16),
    ("golden_rows", "16"),
    ("golden_rows", None),
    ("about", 3),
    ("about", None),
]

CORRUPTIONS: dict[str, tuple[str, Callable[[], bytes]]] = {
    **{f"bit in {name}": ("archive", partial(c.with_bit_flipped_in, name)) for name in c.NAMES},
    **{
        f"cut to {length} bytes": ("archive", partial(cut_to, length))
        for length in (0, 1, 4, 30, 1000, len(c.ORIGINAL) // 2, len(c.ORIGINAL) - 1)
    },
    "not a zip": ("archive", lambda: b"%PDF-1.7 " * 100),
    "zeros": ("archive", lambda: bytes(10_000)),
    "a bare npy": ("archive", lambda: c.npy(W1)),
    "an empty zip": ("keys", lambda: c.zipped([])),
    "compressed": ("archive", compressed_npz),
    "zip bomb": ("archive", zip_bomb),
    "bit in the directory's version": ("archive", with_later_zip_version),
    "huge declared shape": (
        "shape",
        lambda: c.with_members(W1=c.npy_declaring(F8 % f"({2**40 // 22}, 22)")),
    ),
    "more than the member holds": (
        "shape",
        lambda: c.with_members(W1=c.npy_declaring(F8 % "(22, 24)", bytes(8))),
    ),
    "less than the member holds": ("shape", lambda: c.with_members(W1=c.npy(W1) + bytes(8))),
    "transposed": ("shape", lambda: c.with_members(W1=c.npy(np.ascontiguousarray(W1.T)))),
    "flat": ("shape", lambda: c.with_members(W1=c.npy(W1.ravel()))),
    "a row short": ("shape", lambda: c.with_members(W1=c.npy(W1[:-1]))),
    "a scalar": ("shape", lambda: c.with_members(b2=c.npy(np.array(0.5)))),
    "golden rows short": (
        "shape",
        lambda: c.with_members(golden_probabilities=c.npy(c.array("golden_probabilities")[:-1])),
    ),
    "float32": ("dtype", lambda: c.with_members(W1=c.npy(W1.astype("<f4")))),
    "int64": ("dtype", lambda: c.with_members(W1=c.npy(W1.astype("<i8")))),
    "big-endian": ("dtype", lambda: c.with_members(W1=c.npy(W1.astype(">f8")))),
    "complex": ("dtype", lambda: c.with_members(W1=c.npy(W1.astype("<c16")))),
    "text": ("dtype", lambda: c.with_members(W1=c.npy(W1.astype(str)))),
    "metadata of floats": ("dtype", lambda: c.with_members(metadata=c.npy(W1.ravel()))),
    "extra key": ("keys", lambda: c.with_members(W3=c.npy(W1))),
    **{f"no {name}": ("keys", partial(c.without, name)) for name in c.NAMES},
    "W1 twice": ("keys", lambda: c.zipped([*c.members().items(), ("W1", c.npy(W1))])),
    "NaN": ("finite", lambda: with_first("W1", np.nan)),
    "infinity": ("finite", lambda: with_first("b2", np.inf)),
    "NaN in the scaler": ("finite", lambda: with_first("scaler_mean", np.nan)),
    "NaN in golden rows": ("finite", lambda: with_first("golden_probabilities", np.nan)),
    "next format": ("version", lambda: c.with_metadata({"format_version": 3})),
    "format zero": ("version", lambda: c.with_metadata({"format_version": 0})),
    "format as text": ("metadata", lambda: c.with_metadata({"format_version": "1"})),
    "format true": ("metadata", lambda: c.with_metadata({"format_version": True})),
    "metadata not JSON": ("metadata", lambda: c.with_document("{format_version: 1}")),
    "metadata empty": ("metadata", lambda: c.with_document("")),
    "metadata not UTF-8": (
        "metadata",
        lambda: c.with_members(metadata=c.npy(np.full(9, 255, dtype="u1"))),
    ),
    "metadata a list": ("metadata", lambda: c.with_document("[1]")),
    "metadata a number": ("metadata", lambda: c.with_document("1")),
    "metadata nested": ("metadata", lambda: c.with_document("[" * 100_000 + "]" * 100_000)),
    "metadata of too many values": ("size", lambda: c.with_document(f"[{'1,' * MAX_VALUES}1]")),
    "metadata of too many bytes": (
        "size",
        lambda: c.with_document(f'["{"a" * MAX_METADATA_BYTES}"]'),
    ),
    "metadata in UTF-16": (
        "metadata",
        lambda: c.with_members(
            metadata=c.npy(np.frombuffer(json.dumps(c.metadata()).encode("utf-16"), "u1"))
        ),
    ),
    "metadata with a raw surrogate": (
        "metadata",
        lambda: c.with_members(metadata=c.npy(np.frombuffer(b'["\xed\xa0\x80"]', "u1"))),
    ),
    "more members than are read": (
        "archive",
        lambda: c.zipped((f"member {number}", b"") for number in range(MAX_MEMBERS + 1)),
    ),
    "metadata with NaN": ("metadata", lambda: c.with_metadata({"threshold": np.nan})),
    **{f"no {key} reported": ("metadata", partial(lacking, key)) for key in c.metadata()},
    **{
        f"{key} is {value!r}": ("metadata", partial(c.with_metadata, {key: value}))
        for key, value in WRONG_METADATA
    },
    "a thousand layers": ("limits", lambda: c.with_metadata({"layer_sizes": [22, *[1] * 1000]})),
    "golden rows beyond number": ("limits", lambda: c.with_metadata({"golden_rows": 10**30})),
    "encoding beyond the features": ("metadata", lambda: with_code(0, [13, None])),
    "encoding before the features": ("metadata", lambda: with_code(0, [-1, None])),
    "encoding by a fraction": ("metadata", lambda: with_code(0, [0.0, None])),
    "encoding by true": ("metadata", lambda: with_code(1, [True, None])),
    "feature of an unknown kind": ("metadata", lambda: with_feature(kind="ordinal")),
    "feature of which nothing was seen": ("metadata", lambda: with_feature(observed=[])),
    "feature with minimum above maximum": ("metadata", lambda: with_feature(minimum=200)),
    "feature with another character": ("metadata", lambda: with_feature(name="a\u200bge")),
    "feature with another's name": ("metadata", lambda: with_feature(name="cp")),
    "feature without a name": ("metadata", lambda: with_feature(name="")),
    "other golden probabilities": (
        "golden",
        lambda: c.with_entry_changed("golden_probabilities", (7,), 2e-9),
    ),
    "other golden rows": ("golden", lambda: c.with_entry_changed("golden_inputs", (0, 1), 1.0)),
    "other hidden activation": ("golden", lambda: c.with_metadata({"hidden_activation": "relu"})),
}


def refused(path: Path, pinned: str | None = None) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        Artifact.load(path, pinned)
    text = str(caught.value)
    assert text.startswith(f"{path}: the {caught.value.check} check failed: ")
    assert len(text.splitlines()) == 1
    assert len(text) < len(str(path)) + 300
    assert caught.value.check in CHECKS
    return caught.value


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corrupt_artifact_is_refused_by_its_check(corruption: str, tmp_path: Path) -> None:
    check, corrupt = CORRUPTIONS[corruption]
    path = tmp_path / "heart.npz"
    path.write_bytes(corrupt())
    assert refused(path).check == check


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_beside_its_card_a_corrupt_artifact_is_refused_by_the_digest(
    corruption: str, tmp_path: Path
) -> None:
    path = tmp_path / "heart.npz"
    path.write_bytes(CORRUPTIONS[corruption][1]())
    card_path(path).write_bytes(CARD)
    assert refused(path).check == "digest"


@pytest.mark.slow
def test_whatever_bit_is_flipped_the_artifact_is_refused_or_the_same(
    artifact: Artifact, tmp_path: Path
) -> None:
    # Some bits of a zip file mean nothing: dates, and what made it.
    path = tmp_path / "heart.npz"
    directory = c.ORIGINAL.index(b"PK\x01\x02")
    for place in [*range(0, directory, 7), *range(directory, len(c.ORIGINAL))]:
        path.write_bytes(c.with_bit_flipped_at(place, bit=place % 8))
        try:
            loaded = Artifact.load(path)
        except ArtifactError:
            continue
        X = artifact.golden_inputs
        assert loaded.predict_proba(X).tobytes() == artifact.predict_proba(X).tobytes(), place


@pytest.mark.slow
@pytest.mark.parametrize("name", c.ARRAYS)
def test_a_change_of_any_single_number_is_noticed_on_the_golden_rows(name: str, copy: Path) -> None:
    unnoticed, checks = [], set()
    expected = [*map(tuple, np.argwhere(beyond_the_ends(0.5)))] if name == "golden_inputs" else []
    for index in np.ndindex(c.array(name).shape):
        copy.write_bytes(c.with_entry_changed(name, index, 0.5))
        try:
            Artifact.load(copy)
            unnoticed.append(index)
        except ArtifactError as error:
            checks.add(error.check)
    assert unnoticed == expected
    assert checks == {"golden"}


def beyond_the_ends(by: float) -> NDArray[np.bool_]:
    """Return which numbers of the golden rows are clipped to the same end when they change."""
    artifact = Artifact.load(ARTIFACT)
    rows, is_same = artifact.golden_inputs, np.zeros(artifact.golden_inputs.shape, dtype=bool)
    for source, made in artifact.pipeline.encoding.columns:
        if isinstance(made, tuple):
            column = rows[:, source]
            is_same[:, source] = np.clip(column, *made) == np.clip(column + by, *made)
    assert 0 < is_same.mean() < 0.5
    return is_same


class Grenade:
    """Creates a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return (os.mkdir, (str(self.path),))


@pytest.mark.parametrize("name", c.NAMES)
def test_a_pickle_inside_is_refused_and_not_unpickled(name: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "unpickled", tmp_path / "heart.npz"
    array = np.empty(1, dtype=object)
    array[0] = Grenade(marker)
    path.write_bytes(c.with_members(**{name: c.npy(array, allow_pickle=True)}))
    assert refused(path).check == "dtype"
    path.write_bytes(c.with_members(**{name: pickle.dumps(Grenade(marker))}))
    assert refused(path).check == "archive"
    assert not marker.exists()


@pytest.mark.parametrize("name", ["W1", "metadata"])
@pytest.mark.parametrize(
    "header",
    [
        "",
        "\x00",
        "{}",
        "[1, 2]",
        "import os",
        F8 % "(22, 24.0)",
        F8 % "(22",
        F8 % "(22L, 8L)",
        "(" * 9000,
        "-" * 9000,
        "1+" * 4000 + "1",
        "a b\n  c\n d",
        "{[]: 1}",
        "{1: 2, 'a': 3}",
        "{'descr': ('<f8',), 'fortran_order': False, 'shape': (22, 24), }",
        "{'descr': None, 'fortran_order': False, 'shape': (22, 24), }",
    ],
    ids=lambda header: header[:20],
)
def test_an_npy_header_that_is_no_header_is_refused(header: str, name: str, copy: Path) -> None:
    copy.write_bytes(c.with_members(**{name: c.npy_declaring(header, c.array(name).tobytes())}))
    assert refused(copy).check == "archive"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"labels": ["presence", "presence"]}, "which class is meant"),
        ({"labels": "ab"}, "a text is no list of names"),
        ({"threshold": 0.5, "about": {"metrics": {"cost": np.inf}}}, "no JSON can hold the card"),
        ({"encoding": [*ENCODING[:2], [2, 1.5], *ENCODING[3:]]}, "an indicator of no code"),
        ({"encoding": [*ENCODING[:2], [2, {}], *ENCODING[3:]]}, "an indicator of no code"),
        ({"features": [FEATURES[0] | {"observed": [29, np.inf]}, *FEATURES[1:]]}, "infinity"),
        ({"layer_sizes": [22.0, 24, 1]}, "22.0 units"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_metadata_that_describes_nonsense_is_refused(
    changed: dict[str, object], why: str, copy: Path
) -> None:
    copy.write_bytes(c.with_metadata(changed))
    assert refused(copy).check == "metadata"


def test_a_network_without_layers_is_refused(copy: Path) -> None:
    parts = {
        "scaler_mean": np.zeros(1),
        "scaler_scale": np.ones(1),
        "golden_inputs": np.zeros((1, 1)),
        "golden_probabilities": np.zeros(1),
    }
    described = c.metadata() | {
        "features": FEATURES[:1],
        "encoding": [[0, None]],
        "layer_sizes": [1],
        "golden_rows": 1,
    }
    content = {name: c.npy(values) for name, values in parts.items()}
    content["metadata"] = c.document(json.dumps(described))
    copy.write_bytes(c.zipped(content.items()))
    assert refused(copy).check == "metadata"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_an_output_that_is_no_probability_is_refused(
    activation: str, artifact: Artifact, copy: Path
) -> None:
    pipeline = artifact.pipeline
    scaled = (pipeline.encoding.transform(artifact.golden_inputs) - pipeline.mean) / pipeline.scale
    z = np.tanh(scaled @ c.array("W1") + c.array("b1")) @ c.array("W2") + c.array("b2")
    outputs = np.maximum(z, 0.0) if activation == "relu" else np.tanh(z)
    changed = c.metadata() | {"output_activation": activation}
    copy.write_bytes(
        c.with_members(
            metadata=c.document(json.dumps(changed)), golden_probabilities=c.npy(outputs[:, 0])
        )
    )
    refused(copy)


def test_a_scale_of_zero_is_refused_even_if_the_golden_rows_agree(copy: Path) -> None:
    # Infinite inputs saturate tanh: the probabilities stay finite, and mean nothing.
    rows = len(c.array("golden_inputs"))
    weights, scale, mean = W1.copy(), c.array("scaler_scale").copy(), c.array("scaler_mean").copy()
    weights[0], scale[0], mean[0] = 1.0, 0.0, -1.0
    output = 1.0 / (1.0 + np.exp(-(c.array("W2").sum() + c.array("b2")[0])))
    copy.write_bytes(
        c.with_members(
            W1=c.npy(weights),
            scaler_scale=c.npy(scale),
            scaler_mean=c.npy(mean),
            golden_probabilities=c.npy(np.full(rows, output)),
        )
    )
    refused(copy)


@pytest.mark.parametrize("with_card", [False, True])
def test_what_is_no_regular_file_is_refused_without_waiting(
    with_card: bool, tmp_path: Path
) -> None:
    (tmp_path / "a directory.npz").mkdir()
    os.mkfifo(tmp_path / "a pipe.npz")
    (tmp_path / "a loop.npz").symlink_to(tmp_path / "a loop.npz")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.npz"))
    for name in ("a directory", "a pipe", "a loop", "socket", "missing", "n" * 300):
        path = tmp_path / f"{name}.npz"
        if with_card and len(name) < 200:
            card_path(path).write_bytes(CARD)
        assert refused(path).check == "file"
    assert refused(Path("/dev/zero")).check == "file"


def test_refusing_a_directory_leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        refused(tmp_path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("with_card", [False, True])
def test_a_file_over_the_limit_is_refused_unread(with_card: bool, tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    if with_card:
        card_path(path).write_bytes(CARD)
    assert refused(path).check == "size"


def test_a_file_at_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    path.write_bytes(c.ORIGINAL)
    os.truncate(path, MAX_BYTES)
    assert refused(path).check == "archive"


@pytest.mark.parametrize(
    "card",
    [b"", b"not JSON", b"[]", b"{}", b"null", b"\xff\xfe", b'{"sha256": null}', b"[" * 200_000],
    ids=lambda card: card[:12].decode("latin-1"),
)
def test_a_card_that_does_not_show_the_digest_is_refused(card: bytes, copy: Path) -> None:
    card_path(copy).write_bytes(card)
    assert refused(copy).check == "digest"


def test_a_card_that_is_a_directory_is_refused(copy: Path) -> None:
    card_path(copy).mkdir()
    assert refused(copy).check == "digest"


def test_the_pinned_digest_decides(artifact: Artifact, copy: Path) -> None:
    assert Artifact.load(copy, artifact.sha256).sha256 == artifact.sha256
    assert Artifact.load(copy, artifact.sha256.upper()).sha256 == artifact.sha256
    for wrong in ("0" * 64, artifact.sha256[:-1], artifact.version, ""):
        assert refused(copy, wrong).check == "digest"


def load_in_a_process_of_its_own(*paths: Path) -> tuple[list[str], int]:
    """Return the checks that failed, and the peak of the process's memory in MiB."""
    # VmHWM is the ru_maxrss of this program alone: ru_maxrss itself starts at the parent's.
    program = """
import sys
from pathlib import Path
from model.artifact.artifact import Artifact
from model.errors import ArtifactError
for path in sys.argv[1:]:
    try:
        Artifact.load(Path(path))
    except ArtifactError as error:
        print(error.check)
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=10,
        check=True,
    )
    *checks, peak = done.stdout.split()
    return checks, int(peak)


def many_entries(name_length: int) -> bytes:
    """Return a zip directory as large as a file may be, each entry of it empty."""
    size = 46 + name_length
    entries = (MAX_BYTES - 22) // size
    header = b"PK\x01\x02\x14\x03\x14\x00" + bytes(20) + name_length.to_bytes(2, "little")
    header += bytes(46 - len(header))
    directory = b"".join(header + b"%0*d" % (name_length, n) for n in range(entries))
    end = b"PK\x05\x06" + bytes(4) + 2 * (entries % 2**16).to_bytes(2, "little")
    return directory + end + len(directory).to_bytes(4, "little") + bytes(6)


def huge_json(element: str) -> bytes:
    return c.with_document("[" + element * ((MAX_BYTES - 50_000) // len(element)) + "1]")


def worst_document(element: str, around: str = "[{}1]") -> bytes:
    """Return as many values as metadata may have, which fail a later check."""
    return c.with_document(around.format(element * (MAX_VALUES // 2 - 10)))


def many_layers() -> bytes:
    return c.with_metadata({"layer_sizes": [22, *[1] * 500_000, 1]})


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        zip_bomb,
        CORRUPTIONS["huge declared shape"][1],
        lambda: many_entries(6),
        lambda: huge_json("9,"),
        lambda: huge_json("{},"),
        lambda: worst_document("{},"),
        lambda: worst_document('{"a":1},'),
        lambda: worst_document('["\U0001f600"],'),
        lambda: c.with_document(f'["\U0001f600{"a" * (MAX_METADATA_BYTES - 8)}"]'),
        many_layers,
    ],
    ids=[
        "zip bomb",
        "huge shape",
        "tiny entries",
        "numbers",
        "objects",
        "empty objects",
        "pairs",
        "lists",
        "wide text",
        "layers",
    ],
)
def test_refusing_takes_little_memory(content: Callable[[], bytes], tmp_path: Path) -> None:
    path = tmp_path / "heart.npz"
    path.write_bytes(content())
    assert path.stat().st_size <= MAX_BYTES
    checks, peak = load_in_a_process_of_its_own(path)
    assert peak < 200
    assert len(checks) == 1


@pytest.mark.slow
def test_a_card_of_too_many_values_is_refused_unparsed(copy: Path) -> None:
    card_path(copy).write_bytes(b"[" + b"{}," * (MAX_BYTES // 3 - 10) + b"1]")
    checks, peak = load_in_a_process_of_its_own(copy)
    assert (checks, peak < 200) == (["digest"], True)


@pytest.mark.slow
def test_refusing_a_huge_file_or_a_huge_card_takes_little_memory(copy: Path) -> None:
    sparse = copy.with_name("sparse.npz")
    for huge in (sparse, card_path(copy)):
        huge.touch()
        os.truncate(huge, 2**29)
    checks, peak = load_in_a_process_of_its_own(sparse, copy)
    assert peak < 200
    assert checks == ["size", "digest"]


@pytest.mark.slow
def test_a_card_that_is_a_pipe_is_refused_without_waiting(copy: Path) -> None:
    os.mkfifo(card_path(copy))
    checks, _ = load_in_a_process_of_its_own(copy)
    assert checks == ["digest"]
