"""Types by which pydantic checks records, batches and tables: a judge of the rules of the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    AliasChoices,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    with_config,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema
from typing_extensions import TypedDict

from model.schema.features import Feature, FeatureSet
from service.faults import FaultType

Record: TypeAlias = dict[str, float]

STRICT = ConfigDict(strict=True, allow_inf_nan=False, extra="ignore")
"""pydantic checks the values alone. The names, too many, too few or twice, are checked apart."""

KINDS: Mapping[str, FaultType] = {
    "json_invalid": "json_invalid",
    "dict_type": "not_an_object",
    "list_type": "not_a_list",
    "float_type": "not_a_number",
    "finite_number": "not_finite",
    "greater_than_equal": "out_of_range",
    "less_than_equal": "out_of_range",
    "not_whole": "not_whole",
    "unknown_code": "unknown_code",
    "string_type": "unknown_field",
    "wrong_length": "wrong_length",
}
"""pydantic's name of an error in a value, and ours; and null, for any of them."""


@dataclass(frozen=True)
class CodeOrName:
    """Validates a coded value: a number that is one of the codes, or the name of a code.

    Where the feature accepts names alone, no number is valid. A strict literal takes true for 1,
    so a value must first pass for a number.
    """

    feature: Feature

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        codes = {name: float(code) for code, name in self.feature.codes}
        number = core_schema.float_schema(strict=True, allow_inf_nan=False)
        code = core_schema.literal_schema(list(codes.values()))
        name = core_schema.no_info_after_validator_function(
            codes.__getitem__, core_schema.literal_schema(list(codes))
        )
        either: list[Any] = [core_schema.chain_schema([number, code]), name]
        return core_schema.custom_error_schema(
            name
            if self.feature.named_only
            else core_schema.union_schema(either, mode="left_to_right"),
            custom_error_type="unknown_code",
            custom_error_message="Unknown code",
        )


def record_type(features: FeatureSet) -> Any:
    return _object_type("Record", {feature.name: _field_type(feature) for feature in features})


def batch_type(record: Any, max_rows: int) -> Any:
    return _object_type("Batch", {"instances": Annotated[list[record], Field(max_length=max_rows)]})


def table_type(max_rows: int) -> Any:
    rows: Any = Annotated[list[Any], Field(max_length=max_rows)]
    return _object_type("Table", {"columns": list[Any], "data": rows})


def _object_type(name: str, fields: dict[str, Any]) -> Any:
    return with_config(STRICT)(TypedDict(name, fields, total=False))  # type: ignore[operator]


def _field_type(feature: Feature) -> Any:
    names = AliasChoices(*feature.accepted_names)
    if feature.is_coded:
        return Annotated[float, CodeOrName(feature), Field(validation_alias=names)]
    low, high = feature.minimum, feature.maximum
    bounded = Annotated[float, Field(ge=low, le=high, validation_alias=names)]
    return Annotated[bounded, AfterValidator(_whole)] if feature.kind == "count" else bounded


def _whole(value: float) -> float:
    # pydantic's multiple_of lets 2.9999999999 pass.
    if not value.is_integer():
        raise PydanticCustomError("not_whole", "Not a whole number")
    return value
