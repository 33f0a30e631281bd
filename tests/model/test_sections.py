"""Sections of artifacts: known ones come back, unknown ones are skipped or refuse the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from model.artifact import sections
from model.artifact.artifact import CHECKS, Artifact
from model.artifact.sections import MAX_DIMENSIONS, MAX_SECTIONS
from model.errors import ArtifactError
from service.cli import cli
from tests.conftest import ARTIFACT
from tests.model import corruption as c
from tests.model.properties import PROPERTY
from tests.model.sectioned import FORMAT_1, Needed, Reference, with_section

REGISTERED = sections.SECTIONS


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "SECTIONS", (Reference, Needed))


@pytest.fixture(scope="module")
def sectioned(artifact: Artifact, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of an artifact with a section."""
    path = tmp_path_factory.mktemp("sectioned") / "heart.npz"
    with_section(artifact).save(path)
    return path.read_bytes()


def load(content: bytes, path: Path) -> Artifact:
    path.write_bytes(content)
    return Artifact.load(path)


def refused(content: bytes, path: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        load(content, path)
    text = str(caught.value)
    assert text.startswith(f"{path}: the {caught.value.check} check failed: ")
    assert len(text.splitlines()) == 1
    assert len(text) < len(str(path)) + 300
    return caught.value


def is_verified(path: Path, checks: tuple[str, ...]) -> bool:
    """Tell whether a file passes; of one that does not, look at the check that it fails."""
    try:
        Artifact.load(path)
    except ArtifactError as error:
        if error.check not in checks:
            raise
        return False
    return True


def verified(path: Path) -> str:
    done = CliRunner().invoke(cli, ["verify", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def assert_same_section(artifact: Artifact, other: Artifact) -> None:
    (one,), (two,) = artifact.sections, other.sections
    assert isinstance(one, Reference)
    assert type(one) is type(two)
    assert one.rows.tobytes() == two.arrays()["rows"].tobytes()
    assert one.probabilities.tobytes() == two.arrays()["probabilities"].tobytes()
    assert one.document() == two.document()


def test_a_section_comes_back_bit_for_bit_under_its_own_names(
    artifact: Artifact, tmp_path: Path
) -> None:
    made, path = with_section(artifact), tmp_path / "heart.npz"
    saved = made.save(path)
    loaded = Artifact.load(path)
    assert_same_section(loaded, made)
    assert (loaded.sha256, loaded.skipped, loaded.format_version) == (saved.sha256, (), 2)
    assert loaded.is_in(saved)
    with np.load(path, allow_pickle=False) as members:
        assert {"reference.rows", "reference.probabilities", *artifact.arrays()} < {*members}
        declared = json.loads(members["metadata"].tobytes())["sections"]
    assert declared == {
        "reference": {
            "required": False,
            "arrays": {"rows": [14, 13], "probabilities": [14]},
            "document": {"origin": "made up"},
        }
    }


def test_verify_names_the_checks_of_the_sections_that_the_file_has(
    artifact: Artifact, tmp_path: Path
) -> None:
    with_section(artifact).save(tmp_path / "heart.npz")
    passed = ", ".join([*CHECKS, "reference.rows", "reference.probabilities"])
    assert f"passed: {passed}\n" in verified(tmp_path / "heart.npz")
    artifact.save(tmp_path / "without.npz")
    assert f"passed: {', '.join(CHECKS)}\n" in verified(tmp_path / "without.npz")


def test_an_optional_section_that_is_not_known_is_skipped_and_not_saved_again(
    artifact: Artifact, sectioned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SECTIONS", ())
    path = tmp_path / "heart.npz"
    loaded = load(sectioned, path)
    assert (loaded.sections, loaded.skipped) == ((), ("reference",))
    X = artifact.golden_inputs
    assert loaded.predict_proba(X).tobytes() == artifact.predict_proba(X).tobytes()
    said = verified(path)
    assert f"passed: {', '.join(CHECKS)}\n" in said
    assert "skipped: reference, which this program does not know\n" in said
    again = loaded.save(tmp_path / "again.npz")
    assert Artifact.load(tmp_path / "again.npz").skipped == ()
    assert again.sha256 == artifact.save(tmp_path / "bare.npz").sha256


def test_a_required_section_that_is_not_known_refuses_the_file(
    artifact: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "heart.npz"
    with_section(artifact, Needed).save(path)
    assert Artifact.load(path).sections[0].is_required
    monkeypatch.setattr(sections, "SECTIONS", (Reference,))
    with pytest.raises(ArtifactError) as caught:
        Artifact.load(path)
    assert str(caught.value) == (
        f"{path}: the sections check failed: the file requires the section needed, which this "
        "program does not know"
    )


@pytest.mark.parametrize("is_known", [True, False])
def test_the_mark_in_the_file_decides_for_a_program_that_does_not_know_the_section(
    is_known: bool, sectioned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = declaring(sectioned, required=True)
    if is_known:
        assert load(content, tmp_path / "heart.npz").sections
        return
    monkeypatch.setattr(sections, "SECTIONS", ())
    assert refused(content, tmp_path / "heart.npz").check == "sections"


def metadata(content: bytes) -> dict[str, Any]:
    document = json.loads(c.array("metadata", content).tobytes())
    assert isinstance(document, dict)
    return document


def described(content: bytes, found: Any) -> bytes:
    """Return the file with something else in the place of its sections."""
    document = c.document(json.dumps(metadata(content) | {"sections": found}))
    return c.zipped((c.members(content) | {"metadata": document}).items())


def declaring(content: bytes, **changed: Any) -> bytes:
    """Return the file with its section declared in another way."""
    ((name, parts),) = metadata(content)["sections"].items()
    return described(content, {name: parts | changed})


def renamed(content: bytes) -> bytes:
    parts = metadata(content)["sections"]["reference"]
    return described(content, {"renamed": parts})


def beside(content: bytes, **members: bytes) -> bytes:
    named = {name.replace("__", "."): member for name, member in members.items()}
    return c.zipped((c.members(content) | named).items())


def lacking(content: bytes, member: str) -> bytes:
    return c.zipped((name, part) for name, part in c.members(content).items() if name != member)


def with_first(content: bytes, name: str, value: float) -> bytes:
    changed = c.array(name, content).copy()
    changed.flat[0] = value
    return beside(content, **{name.replace(".", "__"): c.npy(changed)})


ROWS = c.npy(np.zeros((14, 13)))
SHAPES = {"rows": [14, 13], "probabilities": [14]}

DAMAGED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "no sections": ("metadata", lambda content: described(content, None)),
    "sections that are a list": ("metadata", lambda content: described(content, [])),
    "a section that is a list": (
        "sections", lambda content: described(content, {"reference": [1]})
    ),
    "no mark whether it is required": (
        "sections",
        lambda content: described(content, {"reference": {"arrays": SHAPES, "document": {}}}),
    ),
    "a key too many": ("sections", lambda content: declaring(content, more=1)),
    "required by a number": ("sections", lambda content: declaring(content, required=0)),
    "arrays that are a list": ("sections", lambda content: declaring(content, arrays=["rows"])),
    "a document that is a list": ("sections", lambda content: declaring(content, document=[])),
    "a document of something else": ("sections", lambda content: declaring(content, document={})),
    "a shape that is a number": (
        "sections", lambda content: declaring(content, arrays=SHAPES | {"probabilities": 14})
    ),
    "a shape of true": (
        "sections", lambda content: declaring(content, arrays=SHAPES | {"probabilities": [True]})
    ),
    "a shape of fractions": (
        "sections", lambda content: declaring(content, arrays=SHAPES | {"probabilities": [14.0]})
    ),
    "a shape of zeros": (
        "sections", lambda content: declaring(content, arrays=SHAPES | {"rows": [0, 13]})
    ),
    "a shape of many numbers": (
        "sections",
        lambda content: declaring(content, arrays={"rows": [1] * (MAX_DIMENSIONS + 1)}),
    ),
    "a shape beyond number": (
        "limits", lambda content: declaring(content, arrays=SHAPES | {"rows": [10**30, 13]})
    ),
    "a huge shape": (
        "shape", lambda content: declaring(content, arrays=SHAPES | {"rows": [2**53] * 4})
    ),
    "rows turned round": (
        "shape", lambda content: declaring(content, arrays=SHAPES | {"rows": [13, 14]})
    ),
    "a name with a dot": (
        "sections", lambda content: declaring(content, arrays={"a.b": [14]})
    ),
    "a name with a line feed": (
        "sections", lambda content: declaring(content, arrays={"rows\n": [14, 13]})
    ),
    "a name of 33 characters": (
        "sections", lambda content: declaring(content, arrays={"a" * 33: [14]})
    ),
    "a section with a dot": (
        "sections", lambda content: described(content, {"a.b": {}})
    ),
    "an array that is declared and missing": (
        "keys", lambda content: declaring(content, arrays=SHAPES | {"more": [1]})
    ),
    "an array that is not declared": (
        "keys", lambda content: declaring(content, arrays={"rows": [14, 13]})
    ),
    "arrays of no declared section": ("keys", lambda content: described(content, {})),
    "an array of another section": ("keys", lambda content: beside(content, other__rows=ROWS)),
    "an array beside the declared ones": (
        "keys", lambda content: beside(content, reference__more=ROWS)
    ),
    "a section by another name": ("keys", renamed),
    "no rows": ("keys", lambda content: lacking(content, "reference.rows")),
    "a declared array that the section does not have": (
        "sections",
        lambda content: beside(
            declaring(content, arrays=SHAPES | {"more": [14, 13]}), reference__more=ROWS
        ),
    ),
    "float32": (
        "dtype", lambda content: beside(content, reference__rows=c.npy(np.zeros((14, 13), "<f4")))
    ),
    "NaN": ("finite", lambda content: with_first(content, "reference.rows", np.nan)),
    "a bit of the rows": (
        "archive", lambda content: c.with_bit_flipped_in("reference.rows", content)
    ),
    "rows of other features": (
        "reference.rows",
        lambda content: beside(
            declaring(content, arrays=SHAPES | {"rows": [14, 12]}),
            reference__rows=c.npy(np.zeros((14, 12))),
        ),
    ),
    "another probability": (
        "reference.probabilities",
        lambda content: with_first(content, "reference.probabilities", 0.5),
    ),
    "too many sections": (
        "limits",
        lambda content: described(
            content,
            {
                f"a{n}": {"required": False, "arrays": {}, "document": {}}
                for n in range(MAX_SECTIONS + 1)
            },
        ),
    ),
    "a surrogate in the document": (
        "text", lambda content: declaring(content, document={"origin": "\ud800"})
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_section_is_refused_by_its_check(
    damage: str, sectioned: bytes, tmp_path: Path
) -> None:
    check, damaged = DAMAGED[damage]
    assert refused(damaged(sectioned), tmp_path / "heart.npz").check == check


UNKNOWN_TOO = [
    name for name, (check, _) in DAMAGED.items()
    if check in {"sections", "keys", "archive", "limits", "text", "metadata"}
    and name not in {
        "a document of something else", "a declared array that the section does not have",
        "a section by another name",
    }
]  # fmt: skip
"""What is wrong whatever the section is for."""


@pytest.mark.parametrize("damage", UNKNOWN_TOO)
def test_a_damaged_section_that_is_not_known_is_refused_too(
    damage: str, sectioned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SECTIONS", ())
    check, damaged = DAMAGED[damage]
    assert refused(damaged(sectioned), tmp_path / "heart.npz").check == check


def test_the_numbers_of_a_section_that_is_not_known_are_not_judged(
    sectioned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sections, "SECTIONS", ())
    later = c.npy(np.array([1, 2], dtype="<i4"))
    content = beside(
        with_first(sectioned, "reference.rows", np.nan), reference__probabilities=later
    )
    assert load(content, tmp_path / "heart.npz").skipped == ("reference",)


@pytest.mark.slow
def test_whatever_bit_is_flipped_an_artifact_with_a_section_is_refused_or_the_same(
    artifact: Artifact, sectioned: bytes, tmp_path: Path
) -> None:
    path, original = tmp_path / "heart.npz", load(sectioned, tmp_path / "original.npz")
    start, directory = sectioned.index(b"reference.rows"), sectioned.index(b"PK\x01\x02")
    for place in [*range(start, directory, 13), *range(directory, len(sectioned), 5)]:
        try:
            loaded = load(c.with_bit_flipped_at(place, place % 8, sectioned), path)
        except ArtifactError:
            continue
        assert_same_section(loaded, original)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["rows", "probabilities"])
def test_a_change_of_any_single_number_of_a_section_is_noticed_by_its_own_check(
    name: str, sectioned: bytes, tmp_path: Path
) -> None:
    stored = c.array(f"reference.{name}", sectioned)
    for index in np.ndindex(stored.shape):
        changed = stored.copy()
        changed[index] += 0.5
        if name == "rows" and is_clipped_alike(
            float(stored[index]), float(changed[index]), index[1]
        ):
            continue
        content = beside(sectioned, **{f"reference__{name}": c.npy(changed)})
        assert refused(content, tmp_path / "heart.npz").check == "reference.probabilities"


def is_clipped_alike(one: float, other: float, source: int) -> bool:
    """Return whether the model clips two numbers of a column to the same end."""
    columns = Artifact.load(ARTIFACT).pipeline.encoding.columns
    ends = [made for at, made in columns if at == source and isinstance(made, tuple)]
    return bool(ends) and np.clip(one, *ends[0]) == np.clip(other, *ends[0])


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield at
    if isinstance(value, (dict, list)):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            yield from places(part, (*at, key))


def replaced(value: Any, at: tuple[Any, ...], other: Any) -> Any:
    if not at:
        return other
    copy = value.copy()
    copy[at[0]] = replaced(value[at[0]], at[1:], other)
    return copy


DECLARED = {"reference": {"required": False, "arrays": SHAPES, "document": {"origin": "made up"}}}
SHAPES_AND_MORE = st.sampled_from([[14, 13], [14], [], [1], [182], {"rows": [14, 13]}, {}, SHAPES])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 14) | st.floats() | st.text(max_size=3)
    | SHAPES_AND_MORE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=5,
)  # fmt: skip


@pytest.mark.slow
@settings(PROPERTY, max_examples=150)
@given(at=st.sampled_from([*places(DECLARED)]), other=ANYTHING)
def test_whatever_is_declared_the_file_is_refused_or_the_section_the_same(
    at: tuple[Any, ...], other: Any, sectioned: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("any") / "any.npz"
    original = load(sectioned, path)
    declared = replaced(DECLARED, at, other)
    path.write_bytes(described(sectioned, declared))
    if not is_verified(path, original.checks):
        return
    loaded = Artifact.load(path)
    origin = declared["reference"]["document"]["origin"]
    (section,) = original.sections
    assert isinstance(section, Reference)
    assert_same_section(loaded, replace(original, sections=(replace(section, origin=origin),)))


def test_two_sections_of_one_name_are_not_saved(artifact: Artifact, tmp_path: Path) -> None:
    (section,) = with_section(artifact).sections
    with pytest.raises(ValueError, match="two sections"):
        replace(artifact, sections=(section, section)).save(tmp_path / "heart.npz")
    assert not (tmp_path / "heart.npz").exists()


def test_a_section_that_does_not_fit_the_model_is_not_saved(
    artifact: Artifact, tmp_path: Path
) -> None:
    (section,) = with_section(artifact).sections
    assert isinstance(section, Reference)
    wrong = replace(section, probabilities=1.0 - section.probabilities)
    with pytest.raises(ArtifactError, match=r"the reference\.probabilities check failed"):
        replace(artifact, sections=(wrong,)).save(tmp_path / "heart.npz")
    assert not (tmp_path / "heart.npz").exists()


def test_names_of_the_sections_that_the_program_knows_are_names_and_differ() -> None:
    names = [section.name for section in REGISTERED + sections.SECTIONS]
    checks = [check for section in REGISTERED + sections.SECTIONS for check in section.checks]
    assert len({*names}) == len(names)
    assert all(sections.NAME.fullmatch(name) for name in names + checks)


def test_format_1_is_read_and_is_the_same_model(artifact: Artifact, tmp_path: Path) -> None:
    loaded = Artifact.load(FORMAT_1)
    assert (loaded.format_version, artifact.format_version) == (1, 2)
    assert loaded.arrays().keys() == artifact.arrays().keys()
    # The file is older than the notes on foreign codes.
    assert list(loaded.features) == list(artifact.features)
    assert loaded.are_golden(loaded.predictor().predict_proba(loaded.golden_inputs))
    loaded.save(tmp_path / "heart.npz")
    again = Artifact.load(tmp_path / "heart.npz")
    assert again.format_version == 2
    assert again.document() == loaded.document()
    for name, array in loaded.arrays().items():
        assert array.tobytes() == again.arrays()[name].tobytes(), name
    assert ", format 1\n" in verified(FORMAT_1)
    assert ", format 2\n" in verified(ARTIFACT)


def test_format_1_has_no_sections(sectioned: bytes, tmp_path: Path) -> None:
    document = c.document(json.dumps(metadata(sectioned) | {"format_version": 1}))
    content = beside(sectioned, metadata=document)
    assert refused(content, tmp_path / "heart.npz").check == "keys"
