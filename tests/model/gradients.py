"""The gradient check: every entry of every parameter against central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from model.arrays import Array

STEP = 1e-5
TOLERANCE = 1e-6
SMALLEST_SCALE = 1e-4  # Below it the rounding of the objective itself outweighs the tolerance.


def assert_gradients(
    objective: Callable[[], float], parameters: Mapping[str, Array], gradients: Mapping[str, Array]
) -> None:
    assert parameters.keys() == gradients.keys()
    for key, parameter in parameters.items():
        assert gradients[key].shape == parameter.shape, key
        for index in np.ndindex(parameter.shape):
            analytic = float(gradients[key][index])
            numeric = central_difference(objective, parameter, index)
            scale = max(abs(analytic), abs(numeric), SMALLEST_SCALE)
            assert abs(analytic - numeric) <= TOLERANCE * scale, (
                f"{key}{list(index)}: analytic {analytic!r}, numeric {numeric!r}"
            )


def central_difference(
    objective: Callable[[], float], parameter: Array, index: tuple[int, ...]
) -> float:
    kept = parameter[index]
    parameter[index] = kept + STEP
    above = objective()
    parameter[index] = kept - STEP
    below = objective()
    parameter[index] = kept
    return float(above - below) / (2.0 * STEP)
