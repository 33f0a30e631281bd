"""Sizes: how many bytes the longest record of a model has."""

from __future__ import annotations

import json

from model.schema.features import MAX_NAME, Feature, FeatureSet

NUMBER = 26
"""Characters of the longest number that a float is written as, and two to spare."""
LONGEST_TEXT = "\uffff" * MAX_NAME
"""In place of texts that are not known."""
BLANKS = 16
"""Line end, indentation, colon and comma of a field."""
AROUND = 1024
"""The braces of a record, and its id."""


def longest_record(features: FeatureSet) -> int:
    """Return the bytes of a record of the longest names and values, each on a line of its own."""
    return AROUND + sum(map(_longest_field, features))


def _longest_field(feature: Feature) -> int:
    # With escapes in place of all that is not ASCII, a text is longest.
    names = [len(json.dumps(name)) for name in feature.accepted_names]
    texts = [name for _, name in feature.codes]
    texts += [cell for cell in feature.missing_cells if isinstance(cell, str)]
    if feature.other is not None:
        texts.append(LONGEST_TEXT)
    values = [*map(len, map(json.dumps, texts))]
    return max(names) + max([NUMBER, *values]) + BLANKS
