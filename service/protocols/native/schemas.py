"""The types of requests and answers in the OpenAPI document, built from the served model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    WithJsonSchema,
    create_model,
    with_config,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from model.artifact.artifact import Artifact
from model.schema.features import Feature, FeatureSet
from model.schema.rules import RuleTable
from service.faults import EXPECTED_ID, kept_names

ID = f"Chosen by the client and returned with the result: {EXPECTED_ID}."


@dataclass(frozen=True)
class Cell:
    """Describes the values of a feature that may be of several types."""

    feature: Feature

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        kinds = _codes(self.feature) if self.feature.is_coded else [_number(self.feature)]
        if self.feature.is_optional:
            kinds += _missing(self.feature)
        if len(kinds) == 1:
            return {name: value for name, value in kinds[0].items() if name != "title"}
        return {"anyOf": kinds}


def _number(feature: Feature) -> dict[str, Any]:
    number: dict[str, Any] = {
        "type": "number",
        "minimum": feature.minimum,
        "maximum": feature.maximum,
    }
    if feature.kind == "count":
        number["multipleOf"] = 1
    if feature.rule.missing_numbers and not feature.is_optional:
        number["not"] = {"enum": feature.rule.missing_numbers}
    return number


def _codes(feature: Feature) -> list[dict[str, Any]]:
    # Types of one kind each: generators of clients stop at an enum of numbers and texts, and name
    # the types by their titles.
    codes, names = zip(*feature.codes, strict=True)
    coded = {"title": f"{feature.name} code", "type": "integer", "enum": [*codes]}
    named = {"title": f"{feature.name} name", "type": "string", "enum": [*names]}
    return [
        *([] if feature.takes_names_only else [coded]),
        named if feature.other is None else {"type": "string"},
        *([{"type": "boolean"}] if feature.is_boolean else []),
    ]


def _missing(feature: Feature) -> list[dict[str, Any]]:
    """Describe what means a missing value and is not described as a value."""
    texts, numbers = feature.rule.missing_texts, feature.rule.missing_numbers
    has_texts = texts and feature.other is None
    title = f"{feature.name} missing"
    return [
        *({"type": "number", "minimum": number, "maximum": number} for number in sorted(numbers)),
        *([{"title": title, "type": "string", "enum": sorted(texts)}] if has_texts else []),
        {"type": "null"},
    ]


class Fault(BaseModel):
    """A fault or a warning, and its location in the request."""

    loc: list[str | int] = Field(
        description="Location: `body`, then field names and row numbers, counted from 0.",
        examples=[["body", "age"]],
    )
    msg: str = Field(description="What was expected, or what is unusual.")
    type: str = Field(description="Kind of fault; docs/problems.md lists them.")


class Problem(BaseModel):
    """An error in the format of RFC 9457. It never repeats a submitted value."""

    type: str = Field(description="Kind of problem; docs/problems.md lists them.")
    title: str = Field(description="Summary of the kind of problem.")
    status: int = Field(description="HTTP status code.")
    detail: str = Field(description="What to change.")
    errors: list[Fault] = Field([], description="Every fault that was found in the request.")


class Alive(BaseModel):
    """The process runs its event loop."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The model of the process reproduces its golden rows."""

    status: Literal["ready"] = "ready"
    model_version: str


def _without_default(schema: dict[str, Any]) -> None:
    """Remove the default: a response leaves the member out in its place."""
    del schema["default"]


class Row(BaseModel):
    """The prediction for one record."""

    id: int | str = Field(
        "",
        description="The `id` of the record, if it has one.",
        json_schema_extra=_without_default,
    )
    label: str = Field(description="Name of the predicted class.")
    warnings: list[Fault] = Field(
        description="Missing values, and plausible values outside the training data."
    )


class RejectedRow(BaseModel):
    """The faults of one record, in its place; only with `on_error=report`."""

    id: int | str = Field(
        "",
        description="The `id` of the record, if it has a valid one.",
        json_schema_extra=_without_default,
    )
    errors: list[Fault] = Field(
        description="The first faults of the record; or `cut_short` if the results end here."
    )


class Answer(BaseModel):
    """The model that made a prediction."""

    model_version: str = Field(description="First 12 hex digits of the SHA-256 of the model.")


class TableRows(BaseModel):
    """The predictions for a table."""

    columns: list[str] = Field(
        description="`id`, if the table has this column; `probability`, or `probability_` and the "
        "label for each class; `predicted_class` and `label`."
    )
    data: list[list[float | str | None]] = Field(
        description="The values of each row in this order; null in a row with faults."
    )
    warnings: list[Fault] = Field(
        description="Missing values, and plausible values outside the training data, with row "
        "numbers."
    )
    errors: list[Fault] = Field(
        [],
        description="Faults, with row numbers; only with `on_error=report`.",
        json_schema_extra=_without_default,
    )


class ThresholdAnswer(Answer):
    """The model and the threshold of a prediction of two classes."""

    threshold: float = Field(
        description="The positive class is predicted above this probability; `GET /model` has the "
        "reason."
    )


class Figure(BaseModel):
    """A metric, estimated by cross-validation."""

    value: float = Field(description="Mean over the repeats.")
    low: float = Field(description="Lower end of the 95 % interval over rows.")
    high: float = Field(description="Upper end of the interval.")
    spread: float = Field(description="Standard deviation between the repeats.")


class Subgroup(BaseModel):
    """The metrics of a subgroup of the rows."""

    rows: int
    positives: int = Field(description="Rows of the positive class.")
    metrics: dict[str, Figure]


class CodeCard(BaseModel):
    """A code of a feature."""

    code: int
    name: str


class FeatureCard(BaseModel):
    """A field of a record."""

    name: str
    aliases: list[str] = Field(description="Other accepted names of the field.")
    description: str
    kind: Literal["continuous", "count", "binary", "nominal"]
    unit: str
    minimum: float | None = Field(
        description="Minimum accepted value; null for a field with codes."
    )
    maximum: float | None = Field(
        description="Maximum accepted value; null for a field with codes."
    )
    codes: list[CodeCard] = Field(
        description="Codes of the field; empty for a measurement or a count."
    )
    named_only: bool = Field(description="Whether only the names of codes are accepted.")
    missing: Literal["refuse", "indicator"] = Field(
        description="`refuse`: null is a fault. `indicator`: a value may be missing; the training "
        "mean replaces it, and an indicator column shows the network that it is missing."
    )
    missing_cells: list[float | str] = Field(
        description="Values that, like null, mean a missing value."
    )
    texts_only: bool = Field(
        description="Whether only texts are accepted, because the codes were made from texts."
    )
    is_boolean: bool = Field(
        description="Whether true and false are accepted for the codes 1 and 0."
    )
    other: int | None = Field(
        description="Code of every text that is not listed; null: such a text is a fault."
    )
    can_change: bool = Field(description="Whether a person can change the value.")
    expected: str = Field(description="What a value must be, in words.")
    observed: list[float] = Field(
        description="Lowest and highest value in the training data, or all codes in it."
    )


class ModelCard(BaseModel):
    """What the model is for, what it was trained on, and how good it is."""

    model_config = ConfigDict(extra="allow")

    name: str
    version: str = Field(description="First 12 hex digits of the SHA-256 of the file.")
    sha256: str
    intended_use: str
    not_for: str
    limits: list[str]
    labels: list[str] = Field(description="Names of the classes.")
    threshold: float | None = Field(
        description="With two classes, the last one is predicted above this probability; null with "
        "more classes."
    )
    threshold_reason: str = Field(description="Why the threshold has this value.")
    metrics: dict[str, float | Figure]
    subgroups: dict[str, Subgroup] = Field({}, description="The metrics of subgroups of the rows.")
    features: list[FeatureCard] = Field(description="The fields of a record.")


def record_type(features: FeatureSet) -> Any:
    """Return the type of one record: every feature once, by its name or an alias."""
    # "Record" alone is a type of TypeScript's own.
    fields = {feature.name: _field_type(feature) for feature in features}
    ids = dict.fromkeys(kept_names(features), Annotated[int | str, Field(description=ID)])
    return _object_type("InputRecord", fields, ids)


def batch_type(record: Any, max_rows: int) -> Any:
    """Return the type of a batch of records."""
    instances = Annotated[list[record], Field(max_length=max_rows, description="The records.")]
    return _object_type("Batch", {"instances": instances})


def table_type(record: Any, rules: RuleTable, max_rows: int) -> Any:
    """Return the type of a batch as the names of its columns, and its rows.

    It is shown with the columns in the model's own order, where each has its own schema.
    """
    shown = TypeAdapter(record).json_schema(mode="serialization")
    columns = {name: shown["properties"][name] for name in shown["required"]}
    kinds = ["number", "string"]
    kinds += ["boolean"] if rules.takes_booleans else []
    kinds += ["null"] if rules.optional else []
    row = _tuple([*columns.values()], {"anyOf": [{"type": kind} for kind in kinds]})
    # Not `const`: of several, openapi-python-client accepts the first alone.
    heads = [{"title": f"{name} column", "type": "string", "enum": [name]} for name in columns]
    names: Any = Annotated[
        list[Any],
        WithJsonSchema(_tuple(heads, {"type": "string"})),
        Field(
            description="The names of all columns. They are shown in the order of the model; every "
            "order is accepted, and so are aliases and a column `id`."
        ),
    ]
    rows: Any = Annotated[
        list[Annotated[Any, WithJsonSchema(row)]],
        Field(
            max_length=max_rows,
            description="The rows, each with its values in the order of `columns`.",
        ),
    ]
    return _object_type("Table", {"columns": names, "data": rows})


def _tuple(items: list[Any], item: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an array with one schema for each place.

    No item is left for `item`, which describes any of them: it is for generators and linters that
    ask for the one schema of all items.
    """
    width = {"minItems": len(items), "maxItems": len(items)}
    return {"type": "array", "prefixItems": items, "items": item, **width}


def prediction_types(artifact: Artifact) -> tuple[type[BaseModel], ...]:
    """Return the types of the responses to a record, a batch and a table."""
    is_binary = artifact.threshold is not None
    fields = _probability_field(artifact.labels, is_binary=is_binary)
    numbers: Any = Literal[tuple(range(len(artifact.labels)))]
    labels: Any = Literal[artifact.labels]
    rule = (
        "1, the positive class, if the probability exceeds the threshold; otherwise 0."
        if is_binary
        else "Number of the most probable class, counted from 0."
    )
    fields["predicted_class"] = (numbers, Field(description=rule))
    fields["label"] = (labels, Field(description="Name of the predicted class."))
    row = create_model("BatchRow", __base__=Row, **fields)
    rows: Any = (
        list[row | RejectedRow],
        Field(description="One prediction for each record, in the same order."),
    )
    answer = ThresholdAnswer if is_binary else Answer
    return (
        create_model("Prediction", __base__=(row, answer)),
        create_model("BatchPrediction", __base__=answer, predictions=rows),
        create_model("TablePrediction", __base__=(TableRows, answer)),
    )


def _probability_field(labels: tuple[str, ...], *, is_binary: bool) -> dict[str, Any]:
    probability = Annotated[float, Field(ge=0, le=1)]
    if is_binary:
        description = f"Probability of the positive class, {labels[-1]}."
        return {"probability": (probability, Field(description=description))}
    members: dict[str, Any] = dict.fromkeys(labels, probability)
    each = TypedDict("Probabilities", members)  # type: ignore[misc]
    return {"probabilities": (each, Field(description="Probability of each class, by label."))}


def prediction_schemas(artifact: Artifact, max_rows: int) -> dict[str, Any]:
    """Return the types of requests and predictions by their names in the OpenAPI document."""
    record = record_type(artifact.features)
    prediction, batch_prediction, table_prediction = prediction_types(artifact)
    return {
        "InputRecord": record,
        "Batch": batch_type(record, max_rows),
        "Table": table_type(record, artifact.features.rules, max_rows),
        "Prediction": prediction,
        "BatchPrediction": batch_prediction,
        "TablePrediction": table_prediction,
    }


SHARED_SCHEMAS: dict[str, Any] = {
    "ModelCard": ModelCard,
    "Alive": Alive,
    "Ready": Ready,
    "Problem": Problem,
}
"""The types that every contract shares, by their names in the OpenAPI document."""


def _object_type(name: str, fields: dict[str, Any], optional: dict[str, Any] | None = None) -> Any:
    shown: Any = {"additionalProperties": False, "required": list(fields)}
    config = ConfigDict(json_schema_extra=shown)
    members = fields | (optional or {})
    return with_config(config)(TypedDict(name, members, total=False))  # type: ignore[operator]


def _field_type(feature: Feature) -> Any:
    field: dict[str, Any] = {
        "validation_alias": AliasChoices(*feature.accepted_names),
        "title": feature.description,
        "description": _description(feature),
        "examples": [feature.example_sent if feature.takes_names_only else feature.example],
    }
    if feature.unit:
        field["json_schema_extra"] = {"x-unit": feature.unit}
    if feature.is_coded or feature.is_optional or feature.rule.missing_numbers:
        return Annotated[float, Cell(feature), Field(**field)]
    bounded = Annotated[float, Field(ge=feature.minimum, le=feature.maximum, **field)]
    if feature.kind == "count":
        return Annotated[bounded, Field(json_schema_extra={"multipleOf": 1})]
    return bounded


def _description(feature: Feature) -> str:
    also = f" Also accepted as {' or '.join(feature.aliases)}." if feature.aliases else ""
    return f"{feature.description}: {feature.expected}.{also}"
