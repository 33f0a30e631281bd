"""Models whose encoding clips columns: saved, loaded, predicted, and refused if they are broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.errors import ArtifactError
from model.recipes.own_tables import table_recipe
from model.recipes.tables.plans import Choices
from model.schema.encoding import Encoding
from tests.model.made_tables import made_table
from tests.model.properties import PROPERTY

pytestmark = pytest.mark.slow  # each fits networks


@pytest.fixture(scope="module", params=[2, 3], ids=["one output", "three outputs"])
def model(request: pytest.FixtureRequest) -> Artifact:
    dataset = made_table(90, classes=request.param, missing=True)
    return table_recipe("made", lambda _: dataset, Choices(3, 1)).train()


def with_column(model: Artifact, made: Any) -> Artifact:
    """Return the model with another first column, which is a clipped copy."""
    (source, _), *others = model.pipeline.encoding.columns
    pipeline = replace(model.pipeline, encoding=Encoding([(source, made), *others]))
    golden = model.golden_inputs
    return replace(
        model, pipeline=pipeline, golden_probabilities=pipeline.class_probabilities(golden)
    )


def test_a_model_that_clips_is_loaded_as_it_was_saved(model: Artifact, tmp_path: Path) -> None:
    assert model.pipeline.encoding.is_clipped.sum() > 8
    model.save(tmp_path / "made.npz")
    loaded = Artifact.load(tmp_path / "made.npz")
    assert loaded.pipeline.encoding.columns == model.pipeline.encoding.columns
    rows = model.features.golden_inputs(50)
    found, expected = loaded.predict_proba(rows), model.predict_proba(rows)
    assert found.tobytes() == expected.tobytes()
    assert loaded.predictor().is_sound()


@PROPERTY
@given(seed=st.integers(0, 10**6))
def test_a_row_alone_has_the_bits_of_a_row_among_others(model: Artifact, seed: int) -> None:
    predictor = model.predictor()
    rng = np.random.default_rng(seed)
    rows: Array = model.features.golden_inputs(8)
    rows[:, 0] = rng.choice([*rows[:, 0], -99.0, 99.0, 0.0, -0.0, np.nan], 8)
    together = predictor.predict_proba(rows)
    alone = np.array([predictor.predict_row(row) for row in rows.tolist()])
    assert alone.tobytes() == together.tobytes()


def test_beyond_the_training_range_the_answer_stays_what_it_is_at_its_end(model: Artifact) -> None:
    place = model.features.names.index("x1")
    low, high = list(model.features)[place].observed or (0.0, 0.0)
    rows = np.repeat(model.features.golden_inputs(1), 4, axis=0)
    rows[:, place] = [low, low - 50, high, high + 50]
    found = model.predict_proba(rows)
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])


@pytest.mark.parametrize(
    "made",
    [(1.0, 1.0), (2.0, 1.0), (1.0,), (1.0, 2.0, 3.0), (True, 2.0), ("a", "b"), (None, 1.0)],
    ids=str,
)
def test_a_range_that_is_none_is_refused(model: Artifact, made: Any, tmp_path: Path) -> None:
    path = tmp_path / "made.npz"
    with pytest.raises((ArtifactError, TypeError, ValueError)):
        with_column(model, made).save(path)
    assert not path.exists()


def test_a_clipped_code_is_refused(model: Artifact, tmp_path: Path) -> None:
    place = next(
        index for index, (_, made) in enumerate(model.pipeline.encoding.columns) if made == 1.0
    )
    columns = list(model.pipeline.encoding.columns)
    columns[place] = (columns[place][0], (0.0, 1.0))
    pipeline = replace(model.pipeline, encoding=Encoding(columns))
    with pytest.raises(ArtifactError, match="the encoding does not fit the features"):
        replace(model, pipeline=pipeline).save(tmp_path / "made.npz")
