"""The schema of a table: what its columns hold, what is predicted, and where the rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

from model.artifact.metadata import (
    MAX_CLASSES,
    MAX_CODES,
    MAX_FEATURES,
    MAX_OTHER_COLUMNS,
    can_be_held,
)
from model.data.dataset import OWN_FILE_CARD, Costs, Subgroup
from model.data.schema_file import Place, SchemaError, SchemaFile
from model.schema.features import Feature, FeatureSet, is_name

Document: TypeAlias = dict[str, Any]

DEFAULT_THRESHOLD = 0.5
DEFAULT_REASON = "The more probable class."

PLAIN_KEYS = (
    "name",
    "data",
    "source",
    "intended_use",
    "not_for",
    "limits",
    "citation",
    "group",
    "weight",
)
"""Keys at the top of a file that are fields of the same name."""

FEATURE_KEYS = (
    "kind",
    "description",
    "unit",
    "minimum",
    "maximum",
    "example",
    "aliases",
    "missing",
    "missing_cells",
    "can_change",
    "foreign",
    "foreign_note",
)
"""Keys of a column that are fields of the same name."""


@dataclass(frozen=True)
class Ignored:
    """A column that is not used.

    Parameters
    ----------
    name : str
        Its name in the file.
    reason : str
        Why it is not used.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class Target:
    """The column that is predicted.

    Parameters
    ----------
    feature : Feature
        Its codes are the classes; of two the last is the positive one.
    costs : Costs, optional
        Of the wrong decisions between two classes.
    threshold : float
        Above which probability the positive class of two is predicted.
    threshold_reason : str
        Why.
    """

    feature: Feature
    costs: Costs | None = None
    threshold: float = DEFAULT_THRESHOLD
    threshold_reason: str = DEFAULT_REASON


@dataclass(frozen=True)
class TableSchema:
    """What the columns of a table hold, what is predicted, and where the rows are.

    Parameters
    ----------
    name : str
        Name of the model.
    target : Target
        The column that is predicted.
    columns : tuple of Feature and Ignored
        The other columns.
    data : str
        Path of the rows, relative to the schema's file.
    source, intended_use, not_for, citation : str
        For the model card.
    limits : tuple of str
        For the model card.
    group, weight : str
        Names of the columns with the group and the weight of each row; empty where there is none.
    subgroups : tuple of Subgroup
        Rows for which figures are reported separately.
    published_costs : mapping of str to float
        Cost per row of other methods, by name, in a published study of the same rows.
    path : Path, optional
        The schema's file, where there is one.

    Raises
    ------
    ValueError
        When the parts contradict each other.
    """

    name: str
    target: Target
    columns: tuple[Feature | Ignored, ...]
    data: str = ""
    source: str = ""
    intended_use: str = OWN_FILE_CARD["intended_use"]
    not_for: str = OWN_FILE_CARD["not_for"]
    limits: tuple[str, ...] = tuple(OWN_FILE_CARD["limits"])
    citation: str = ""
    group: str = ""
    weight: str = ""
    subgroups: tuple[Subgroup, ...] = ()
    published_costs: Mapping[str, float] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not is_name(self.name):
            raise ValueError("the name is empty, too long, or has blanks around it")
        names = [name for column in self.used for name in column.accepted_names]
        names += [column.name for column in self.ignored]
        names += [name for name in (self.group, self.weight) if name]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"{twice} is the name or alias of two columns")
        if not self.features_of:
            raise ValueError("no column is left to predict from")
        self._check_limits()
        self._check_decision()
        known = {feature.name for feature in self.features_of}
        for subgroup in self.subgroups:
            if subgroup.feature not in known:
                raise ValueError(f"subgroup {subgroup.name}: there is no column {subgroup.feature}")

    def _check_limits(self) -> None:
        """Check what the artifact of a model can hold, before one is fitted."""
        features, classes = len(self.features_of), len(self.target.feature.codes)
        if features > MAX_FEATURES:
            raise ValueError(f"{features} columns; a model has at most {MAX_FEATURES}")
        if classes > MAX_CLASSES:
            raise ValueError(f"{classes} classes; a model has at most {MAX_CLASSES}")
        if len(self.other_columns) > MAX_OTHER_COLUMNS:
            raise ValueError(
                f"{len(self.other_columns)} columns that are not predicted from; a model holds the "
                f"names of at most {MAX_OTHER_COLUMNS}: remove some from the file"
            )
        for feature in self.features_of:
            if len(feature.codes) > MAX_CODES:
                raise ValueError(f"{feature.name}: a column has at most {MAX_CODES} codes")

    def _check_decision(self) -> None:
        target, classes = self.target, self.target.feature.codes
        if len(classes) < 2:
            raise ValueError(f"{target.feature.name}: a target needs two classes")
        is_default = (target.threshold, target.threshold_reason) == (
            DEFAULT_THRESHOLD,
            DEFAULT_REASON,
        )
        if len(classes) > 2 and not (is_default and target.costs is None):
            raise ValueError("costs and thresholds are for two classes")
        if not 0.0 < target.threshold < 1.0:
            raise ValueError("the threshold must lie between 0 and 1")
        if target.costs and not (target.costs.false_negative > 0 < target.costs.false_positive):
            raise ValueError("costs must be positive")

    @property
    def features_of(self) -> tuple[Feature, ...]:
        """The columns that are predicted from."""
        return tuple(column for column in self.columns if isinstance(column, Feature))

    @property
    def features(self) -> FeatureSet:
        """The columns that are predicted from, as a model has them."""
        return FeatureSet(self.features_of)

    @property
    def ignored(self) -> tuple[Ignored, ...]:
        """The columns that are not used."""
        return tuple(column for column in self.columns if isinstance(column, Ignored))

    @property
    def used(self) -> tuple[Feature, ...]:
        """The columns that are predicted from, and the target."""
        return (*self.features_of, self.target.feature)

    @property
    def other_columns(self) -> tuple[str, ...]:
        """The names of columns that are not predicted from, as far as a model can hold them."""
        names = (
            *self.target.feature.accepted_names,
            *(name for name in (self.group, self.weight) if name),
            *(column.name for column in self.ignored),
        )
        return tuple(filter(can_be_held, names))

    @property
    def card(self) -> dict[str, Any]:
        """The texts of the model card."""
        card: dict[str, Any] = {
            "intended_use": self.intended_use,
            "not_for": self.not_for,
            "limits": list(self.limits),
        }
        return {**card, "citation": self.citation} if self.citation else card

    @property
    def data_path(self) -> Path | None:
        """The file of the rows, where the schema names one."""
        folder = self.path.parent if self.path else Path()
        return folder / self.data if self.data else None

    @classmethod
    def read(cls, path: Path) -> TableSchema:
        """Read a schema file.

        Raises
        ------
        SchemaError
            When it cannot be used; its text names file, line and key.
        """
        file = SchemaFile(path)
        document = file.document
        target = _target(file, document["target"])
        columns = tuple(
            _column(file, ("columns", name), name, keys)
            for name, keys in document["columns"].items()
        )
        plain = {key: document[key] for key in PLAIN_KEYS if key in document}
        plain["limits"] = tuple(plain["limits"]) if "limits" in plain else cls.limits
        codes = {of.name: of.codes for of in columns if isinstance(of, Feature)}
        subgroups = tuple(
            _subgroup(file, number, keys, codes)
            for number, keys in enumerate(document.get("subgroups", ()))
        )
        costs = document.get("published_costs", {})
        try:
            return cls(
                **plain,
                target=target,
                columns=columns,
                subgroups=subgroups,
                published_costs=costs,
                path=path,
            )
        except ValueError as error:
            raise file.error(str(error)) from None


def _column(file: SchemaFile, place: Place, name: str, keys: Document) -> Feature | Ignored:
    if "ignore" in keys:
        return Ignored(name, keys["ignore"])
    if "kind" not in keys:
        raise file.error("kind or ignore is missing", place)
    fields = {key: keys[key] for key in FEATURE_KEYS if key in keys}
    return _feature(file, place, name, fields, keys, keys.get("codes", []))


def _feature(
    file: SchemaFile, place: Place, name: str, fields: Document, keys: Document, names: Any
) -> Feature:
    """Return a feature; what the file leaves out follows from the rest."""
    codes = _codes(names)
    fields["is_boolean"] = keys.get("boolean", False)
    fields["texts_only"] = keys.get("texts_only", isinstance(names, list) and bool(codes))
    if "other" in keys:
        numbers = {name: code for code, name in codes}
        if keys["other"] not in numbers:
            raise file.error("other is none of the codes", place)
        fields["other"] = numbers[keys["other"]]
    if not codes and not {"minimum", "maximum"} <= keys.keys():
        raise file.error("minimum and maximum, or codes, are missing", place)
    if codes and {"minimum", "maximum"} & keys.keys():
        raise file.error("minimum and maximum are for numbers, not for codes", place)
    for listed in ("aliases", "missing_cells", "foreign"):
        fields[listed] = tuple(fields.get(listed, ()))
    fields.setdefault("description", name)
    fields.setdefault("example", _example(codes, fields))
    try:
        return Feature(name, codes=codes, **fields)
    except (ValueError, OverflowError) as error:
        raise file.error(str(error).partition(": ")[2] or str(error), place) from None


def _codes(names: Any) -> tuple[tuple[int, str], ...]:
    """Return the codes of a list of texts, or of a table from names to numbers."""
    if isinstance(names, list):
        return tuple(enumerate(names))
    return tuple((code, name) for name, code in names.items())


def _example(codes: tuple[tuple[int, str], ...], fields: Document) -> float:
    """Return the first code, or the middle of the range."""
    if codes:
        return codes[0][0]
    middle: float = (fields["minimum"] + fields["maximum"]) / 2
    return middle // 1 if fields["kind"] == "count" else middle


def _target(file: SchemaFile, keys: Document) -> Target:
    place: Place = ("target",)
    names = keys["classes"]
    fields: Document = {key: keys[key] for key in ("description", "aliases") if key in keys}
    fields["kind"] = "binary" if len(names) == 2 else "nominal"
    if not names:
        raise file.error("a target needs two classes", (*place, "classes"))
    feature = _feature(file, (*place, "classes"), keys["name"], fields, keys, names)
    if "positive" in keys:
        feature = _with_positive(file, feature, keys["positive"])
    costs = Costs(**keys["costs"]) if "costs" in keys else None
    threshold, reason = decision(costs)
    return Target(
        feature,
        costs,
        keys.get("threshold", threshold),
        keys.get("threshold_reason", DEFAULT_REASON if "threshold" in keys else reason),
    )


def decision(costs: Costs | None) -> tuple[float, str]:
    """Return the threshold that follows from costs, and why it is what it is."""
    if costs is None or not (costs.false_negative > 0 < costs.false_positive):
        return DEFAULT_THRESHOLD, DEFAULT_REASON
    return costs.threshold, (
        "The lowest expected cost, where a missed positive costs "
        f"{costs.false_negative / costs.false_positive:g} times as much as a false alarm."
    )


def _with_positive(file: SchemaFile, feature: Feature, positive: str) -> Feature:
    """Return the same target with the positive class as the last of two."""
    place = ("target", "positive")
    if len(feature.codes) != 2:
        raise file.error("only one of two classes is the positive one", place)
    if positive not in dict(feature.codes).values():
        raise file.error("positive is none of the classes", place)
    last = sorted(feature.codes, key=lambda code: code[1] == positive)
    return replace(feature, codes=tuple(last))


def _subgroup(
    file: SchemaFile, number: int, keys: Document, codes: Mapping[str, tuple[tuple[int, str], ...]]
) -> Subgroup:
    place = ("subgroups", number)
    if "value" in keys:
        numbers = {name: code for code, name in codes.get(keys["column"], ())}
        if keys["value"] not in numbers:
            raise file.error("value is none of the column's codes", place)
        code = numbers[keys["value"]]
        return Subgroup(keys["name"], keys["column"], code, code + 1)
    if not {"from", "below"} <= keys.keys():
        raise file.error("value, or from and below, are missing", place)
    return Subgroup(keys["name"], keys["column"], keys["from"], keys["below"])


__all__ = ["Ignored", "SchemaError", "TableSchema", "Target"]
