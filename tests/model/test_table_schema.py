"""Schema files: what is written is read, and what is wrong is named with its line."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from model.data.dataset import Costs, Subgroup
from model.data.schema_file import JSON_SCHEMA_FILE, SchemaError, faults, json_schema
from model.data.schema_text import as_toml
from model.data.table_schema import FEATURE_KEYS, PLAIN_KEYS, Ignored, TableSchema, Target
from model.schema.features import MAX_NAME, Feature, is_name
from tests.examples import examples

SMALL = """
name = "own"

[target]
name = "ill"
classes = ["no", "yes"]

[columns.age]
kind = "count"
minimum = 0
maximum = 120
"""


def read(folder: Path, text: str) -> TableSchema:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return TableSchema.read(path)


def fault(folder: Path, text: str) -> str:
    with pytest.raises(SchemaError) as caught:
        read(folder, text)
    said = str(caught.value)
    assert said.startswith(str(folder / "own.toml"))
    assert len(said.splitlines()) == 1
    return said.removeprefix(str(folder / "own.toml"))


def test_what_a_file_leaves_out_follows_from_the_rest(tmp_path: Path) -> None:
    schema = read(tmp_path, SMALL)
    assert schema == TableSchema(
        name="own",
        target=Target(
            Feature("ill", "ill", "binary", 0, codes=((0, "no"), (1, "yes")), texts_only=True)
        ),
        columns=(Feature("age", "age", "count", 60, minimum=0, maximum=120),),
    )
    assert (schema.target.threshold, schema.target.threshold_reason) == (
        0.5,
        "The more probable class is predicted.",
    )
    assert {*schema.card} == {"intended_use", "not_for", "limits"}
    assert schema.data_path is None
    assert (schema.path, schema.group, schema.weight) == (tmp_path / "own.toml", "", "")


def test_the_data_lie_beside_the_schema(tmp_path: Path) -> None:
    schema = read(tmp_path, 'data = "rows/own.csv"\n' + SMALL)
    assert schema.data_path == tmp_path / "rows" / "own.csv"


def test_every_key_has_its_effect(tmp_path: Path) -> None:
    text = """
        name = "all"
        group = "patient"
        weight = "w"
        limits = ["One."]

        [target]
        name = "from"
        classes = ["yes", "no"]
        positive = "yes"
        costs = { false_negative = 4, false_positive = 1 }

        [columns."alk.phos"]
        kind = "continuous"
        minimum = 0.5
        maximum = 9
        missing = "indicator"
        missing_cells = [-9, "?"]
        can_change = false

        [columns."a b"]
        kind = "nominal"
        codes = ["r", "g", "other"]
        other = "other"

        [columns.flag]
        kind = "binary"
        codes = ["False", "True"]
        boolean = true

        [columns.sex]
        kind = "binary"
        codes = { f = 1, m = 2 }

        [columns.id]
        ignore = "An id."

        [[subgroups]]
        name = "green"
        column = "a b"
        value = "g"

        [[subgroups]]
        name = "low"
        column = "alk.phos"
        from = 0
        below = 2.5
    """
    schema = read(tmp_path, text)
    phos, colour, flag, sex = schema.features
    assert schema.target.feature.codes == ((1, "no"), (0, "yes"))
    assert schema.target.costs == Costs(4, 1)
    assert schema.target.threshold == 0.2
    assert "4 times" in schema.target.threshold_reason
    assert (phos.missing, phos.missing_cells, phos.can_change) == ("indicator", (-9, "?"), False)
    assert (colour.texts_only, colour.other) == (True, 2)
    assert (flag.is_boolean, flag.texts_only) == (True, True)
    assert (sex.texts_only, sex.codes) == (False, ((1, "f"), (2, "m")))
    assert schema.ignored == (Ignored("id", "An id."),)
    assert schema.subgroups == (Subgroup("green", "a b", 1, 2), Subgroup("low", "alk.phos", 0, 2.5))
    assert (schema.group, schema.weight, schema.limits) == ("patient", "w", ("One.",))


FAULTS = {
    "an unknown key": (
        SMALL.replace("minimum", "minimun"),
        ", line 10, columns.age.minimun: unknown key; did you mean minimum?",
    ),
    "an unknown key at the top": (
        "groop = 'a'\n" + SMALL,
        ", line 1, groop: unknown key; did you mean group?",
    ),
    "a key like no other": (
        SMALL.replace('classes', 'zzz = 1\nclasses'),
        ", line 6, target.zzz: unknown key; the keys are name, description, aliases, classes, "
        "texts_only, boolean, positive, costs, threshold, threshold_reason",
    ),
    "another kind": (
        SMALL.replace("count", "ordinal"),
        ", line 9, columns.age.kind: expected one of continuous, count, binary, nominal",
    ),
    "another type": (
        SMALL.replace("120", '"120"'),
        ", line 11, columns.age.maximum: expected a number",
    ),
    "true is no number": (
        SMALL.replace("120", "true"),
        ", line 11, columns.age.maximum: expected a number",
    ),
    "codes of another type": (
        SMALL.replace('["no", "yes"]', "2"),
        ", line 6, target.classes: expected a list or a table",
    ),
    "a class that is no text": (
        SMALL.replace('"no"', "0"),
        ", target.classes.0: expected a text",
    ),
    "no target": ('name = "a"\n[columns]\n', ": target is missing"),
    "no kind": (
        SMALL.replace('kind = "count"', ""),
        ", line 8, columns.age: give kind, or ignore",
    ),
    "no range": (
        SMALL.replace("minimum = 0", ""),
        ", line 8, columns.age: give minimum and maximum, or codes",
    ),
    "a range that is none": (
        SMALL.replace("120", "-1"),
        ", line 8, columns.age: the minimum must be less than the maximum",
    ),
    "a range that is not a number": (
        SMALL.replace("120", "nan"),
        ", line 8, columns.age: the minimum must be less than the maximum",
    ),
    "another level": (
        SMALL + "[columns.c]\nkind = 'binary'\ncodes = ['a', 'b']\nother = 'c'\n",
        ", line 12, columns.c: other is not one of the codes",
    ),
    "one class": (
        SMALL.replace('"no", ', ""),
        ": ill: a target needs two classes",
    ),
    "no class": (
        SMALL.replace('"no", "yes"', ""),
        ", line 6, target.classes: a target needs two classes",
    ),
    "a positive class that is none": (
        SMALL.replace("classes", "positive = 'maybe'\nclasses"),
        ", line 6, target.positive: positive is not one of the classes",
    ),
    "one name twice": (SMALL + 'aliases = ["ill"]\n', ": ill is the name or alias of two columns"),
    "the group is a feature": (
        "group = 'age'\n" + SMALL,
        ": age is the name or alias of two columns",
    ),
    "nothing to predict from": (
        SMALL.partition("[columns.age]")[0] + "[columns.id]\nignore = 'an id'\n",
        ": no column remains to predict from",
    ),
    "a threshold": (
        SMALL.replace("classes", "threshold = 1.0\nclasses"),
        ": the threshold must be between 0 and 1",
    ),
    "costs": (
        SMALL.replace("classes", "costs = { false_negative = 0, false_positive = 1 }\nclasses"),
        ": costs must be positive",
    ),
    "costs of three classes": (
        SMALL.replace("yes", 'yes", "so').replace(
            "classes", "costs = { false_negative = 2, false_positive = 1 }\nclasses"
        ),
        ": costs and thresholds need exactly two classes",
    ),
    "a subgroup of no column": (
        SMALL + "[[subgroups]]\nname = 'a'\ncolumn = 'agee'\nfrom = 0\nbelow = 1\n",
        ": subgroup a: there is no column agee",
    ),
    "half a subgroup": (
        SMALL + "[[subgroups]]\nname = 'a'\ncolumn = 'age'\nfrom = 0\n",
        ", subgroups.0: give value, or from and below",
    ),
    "no TOML": ("name = \n", ": not TOML: Invalid value (at line 1, column 8)"),
    "a column twice": (
        SMALL + "[columns.age]\n",
        ": not TOML: Cannot declare ('columns', 'age') twice (at line 12, column 13)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_what_is_wrong_is_named_with_its_place(case: str, tmp_path: Path) -> None:
    text, expected = FAULTS[case]
    assert fault(tmp_path, text) == expected


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    for name, reason in (
        ("none", "No such file or directory"),
        ("latin", "not a text file in UTF-8"),
    ):
        with pytest.raises(SchemaError, match=reason):
            TableSchema.read(tmp_path / f"{name}.toml")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters=':"\\,'), min_size=1, max_size=12
).filter(is_name)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20)
NUMBERS = st.one_of(
    st.integers(-1000, 1000),
    st.floats(-1e6, 1e6, allow_nan=False),
    st.sampled_from([1e300, -1e-300]),
)


@st.composite
def coded(draw: st.DrawFn, name: str, *, is_target: bool = False) -> Feature:
    size = 2 if draw(st.booleans()) else draw(st.integers(3, 5))
    texts_only = draw(st.booleans())
    names = (
        NAMES
        if texts_only
        else NAMES.filter(lambda text: not text[0].isnumeric() and not is_float(text))
    )
    levels = draw(st.lists(names, min_size=size, max_size=size, unique=True))
    is_boolean = size == 2 and draw(st.booleans())
    numbers = [*range(size)]
    if not is_boolean and draw(st.booleans()):
        numbers = draw(st.permutations(range(-3, 6)))[:size]
    codes = tuple(zip(numbers, levels, strict=True))
    rest: dict[str, Any] = {} if is_target else draw(common())
    if not is_target:
        rest["other"] = draw(st.sampled_from([None, *numbers]))
    return Feature(
        name,
        draw(TEXTS),
        "binary" if size == 2 else "nominal",
        codes[0][0],
        codes=codes,
        texts_only=texts_only,
        is_boolean=is_boolean,
        **rest,
    )


def is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def common() -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"missing": st.sampled_from(["refuse", "indicator"]), "can_change": st.booleans()},
    )


@st.composite
def measured(draw: st.DrawFn, name: str) -> Feature:
    low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS).filter(lambda of: of[0] != of[1])))
    unit = draw(st.just("") | NAMES)
    cells: list[float | str] = draw(
        st.lists(st.sampled_from([-9, 999.5, "?", "n/a"]), unique=True, max_size=3)
    )
    return Feature(
        name,
        draw(TEXTS),
        "continuous",
        draw(st.sampled_from([low, high])),
        unit,
        low,
        high,
        missing_cells=tuple(cells),
        foreign=(high + 1,) if high < 1000 else (),
        foreign_note=draw(TEXTS),
        **draw(common()),
    )


@st.composite
def schemas(draw: st.DrawFn) -> TableSchema:
    names = draw(st.lists(NAMES, min_size=6, max_size=6, unique=True))
    columns: list[Feature | Ignored] = [
        draw(st.one_of(coded(name), measured(name))) for name in names[:2]
    ]
    columns.append(Ignored(names[2], draw(TEXTS)))
    target = draw(coded(names[3], is_target=True))
    of_two: dict[str, Any] = {}
    if len(target.codes) == 2 and draw(st.booleans()):
        of_two = {"costs": Costs(draw(st.integers(1, 9)), 0.5), "threshold": 0.25}
    texts: dict[str, Any] = {
        key: draw(TEXTS) for key in ("data", "source", "intended_use", "not_for", "citation")
    }
    return TableSchema(
        name=names[4],
        target=Target(
            target,
            threshold_reason=draw(TEXTS) if of_two else "The more probable class is predicted.",
            **of_two,
        ),
        columns=tuple(draw(st.permutations(columns))),
        limits=tuple(draw(st.lists(TEXTS, max_size=3))),
        group=draw(st.sampled_from(["", names[5]])),
        subgroups=(Subgroup(draw(TEXTS), names[0], 0, 1.5),) if draw(st.booleans()) else (),
        published_costs=draw(st.dictionaries(TEXTS, NUMBERS, max_size=2)),
        **texts,
    )


@settings(deadline=None, max_examples=examples(60))
@given(schemas(), TEXTS)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, schema: TableSchema, note: str
) -> None:
    path = tmp_path_factory.mktemp("schema") / "own.toml"
    notes = {column.name: [" ".join(note.split())] for column in schema.columns}
    path.write_text(as_toml(schema, notes, ["A comment."]), encoding="utf-8", newline="")
    read = TableSchema.read(path)
    assert read == schema
    assert read.features.to_json() == schema.features.to_json()


def test_the_schema_for_editors_has_every_key() -> None:
    schema = json_schema()
    assert {*PLAIN_KEYS} < {*schema["properties"]}
    missing = {field.name for field in fields(TableSchema)} - {*schema["properties"]}
    assert missing == {"path"}
    keys = {*schema["properties"]["columns"]["additionalProperties"]["properties"]}
    assert keys == {*FEATURE_KEYS, "ignore", "codes", "texts_only", "other", "boolean"}
    # What training saw and what the operator decides are in no schema.
    unwritten = {field.name for field in fields(Feature)} - keys
    assert unwritten == {"name", "observed", "named_only", "is_boolean"}


def described(schema: Any) -> bool:
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict):
        return all("description" in of and described(of) for of in schema["properties"].values())
    return True


def test_the_schema_for_editors_is_one_and_describes_every_key() -> None:
    schema = json.loads(JSON_SCHEMA_FILE.read_text(encoding="utf-8"))
    Draft7Validator.check_schema(schema)
    assert described(schema)


VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-3, 3), st.floats(allow_nan=False), st.text(max_size=3)),
    lambda of: st.lists(of, max_size=2) | st.dictionaries(st.text(max_size=3), of, max_size=2),
    max_leaves=4,
)


@st.composite
def documents(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Return what a schema allows, or with one in eight parts something else."""
    if draw(st.integers(0, 7)) == 0:
        return draw(VALUES)
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    schema = draw(st.sampled_from(schema["anyOf"])) if "anyOf" in schema else schema
    kind = schema["type"]
    if kind == "array":
        return draw(st.lists(documents(schema["items"]), max_size=2))
    if kind != "object":
        return draw(st.sampled_from([True, 1, 1.5, "a"]) if draw(st.booleans()) else VALUES)
    known = schema.get("properties", {})
    keys = draw(st.lists(st.sampled_from([*known, "x"]), max_size=4, unique=True))
    keys = [*keys, *(key for key in schema.get("required", ()) if key not in keys)]
    others = schema["additionalProperties"]
    return {key: draw(documents(known.get(key, others or {"type": "string"}))) for key in keys}


@settings(deadline=None, max_examples=examples(100))
@given(st.data())
def test_a_file_is_refused_where_editors_mark_it(data: st.DataObject) -> None:
    document = data.draw(documents(json_schema()))
    strict = Draft7Validator(json_schema())
    found = {place for place, _ in faults(document, json_schema())}
    # JSON Schema takes 1.0 for a whole number, which TOML and we do not.
    expected = strict.is_valid(document)
    assert expected == (not found) or has_whole_float(document)


def has_whole_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(has_whole_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and value.is_integer()


def test_names_and_texts_are_escaped_as_toml_has_it() -> None:
    hostile = '"]\n[target]\\\x7f\u2028\t#'
    schema = TableSchema(
        name="a",
        target=Target(Feature("t", "t", "binary", 0, codes=((0, "x"), (1, "y")))),
        columns=(
            Feature("f", hostile, "count", 0, minimum=0, maximum=1),
            Ignored(hostile, hostile),
        ),
    )
    text = as_toml(schema, {hostile: [hostile]}, [hostile])
    assert text.count("\n[target]\n") == 1
    assert len(hostile) < MAX_NAME
