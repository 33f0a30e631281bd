"""Parameters: the weights and biases of a network, all in one vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np

from model.arrays import Array


class Parameters(Mapping[str, Array]):
    """The weights and biases of a network, or one number for each of them, as a gradient is.

    As a mapping it has ``W1`` of shape (fan_in, fan_out), ``b1`` of shape (fan_out,), ``W2``, and
    so on: what is done to each of them is a loop, or is done once to `vector`.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer, inputs first.
    vector : Array of shape (..., P)
        All numbers, layer by layer; with an axis in front those of a stack of networks.

    Attributes
    ----------
    layers : list of Array
        The weights of each layer with its biases as the last row, of shape
        (..., fan_in + 1, fan_out). A bias is the weight of an input that is always 1.

    Notes
    -----
    `layers` and the items are views of the vector: who changes one changes all.
    """

    def __init__(self, layer_sizes: Sequence[int], vector: Array) -> None:
        self.vector = vector
        self._layer_sizes = tuple(layer_sizes)
        shapes = _layer_shapes(layer_sizes)
        ends = list(accumulate(rows * columns for rows, columns in shapes))
        self.layers = [
            vector[..., end - shape[0] * shape[1] : end].reshape(*vector.shape[:-1], *shape)
            for end, shape in zip(ends, shapes, strict=True)
        ]
        self._named: dict[str, Array] = {}
        for number, layer in enumerate(self.layers, start=1):
            self._named[f"W{number}"] = layer[..., :-1, :]
            self._named[f"b{number}"] = layer[..., -1, :]

    @classmethod
    def of(cls, layer_sizes: Sequence[int], arrays: Mapping[str, Array]) -> Parameters:
        """Return a copy of weights and biases under their names."""
        size = sum(rows * columns for rows, columns in _layer_shapes(layer_sizes))
        parameters = cls(layer_sizes, np.empty((*arrays["b1"].shape[:-1], size)))
        for key, array in parameters.items():
            array[...] = arrays[key]
        return parameters

    def empty_like(self) -> Parameters:
        """Return as many numbers of the same shapes, of any value."""
        return Parameters(self._layer_sizes, np.empty_like(self.vector))

    def __getitem__(self, key: str) -> Array:
        return self._named[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


def parameter_shapes(layer_sizes: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter of a network with these layers."""
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(layer_sizes), start=1):
        shapes[f"W{layer}"] = (fan_in, fan_out)
        shapes[f"b{layer}"] = (fan_out,)
    return shapes


def _layer_shapes(layer_sizes: Sequence[int]) -> list[tuple[int, int]]:
    return [(fan_in + 1, fan_out) for fan_in, fan_out in pairwise(layer_sizes)]
