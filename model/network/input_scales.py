"""Input scales: a learned scale for each input of a network, with which it drops useless ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.arrays import Array
from model.network.descent import Descent
from model.network.losses import l2_penalty
from model.network.network import NeuralNetwork
from model.network.optimizers import Optimizer
from model.network.parameters import Parameters


class ScaledInputs(Descent):
    """Moves the weights of the first layer as products of weights and of a scale for each input.

    Parameters
    ----------
    network : NeuralNetwork
        Its parameters are changed. Its first weights are the products, so that it is served like
        any other.
    optimizer : Optimizer
        Moves weights and scales.

    Notes
    -----
    W1 = s v, row by row, with s = 1 at the start; dv = s dW1 and ds = sum over the units of
    v dW1. The penalty takes the squares of s and of v. Of all s and v with the same product, the
    smallest (s^2 + |v|^2) / 2 is |s v|: that is the group lasso, which takes an input out of all
    units at once where the plain penalty makes its weights smaller.

    References
    ----------
    Hoff, "Lasso, fractional norm and structured sparse estimation using a Hadamard product
    parametrization", Computational Statistics & Data Analysis 115 (2017) 186-198. Holzmueller,
    Grinsztajn and Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees on
    tabular data", NeurIPS 2024, whose first layer has such scales.
    """

    def __init__(self, network: NeuralNetwork, optimizer: Optimizer) -> None:
        super().__init__(network, optimizer)
        *stack, weights = network.parameters.vector.shape
        inputs = network.layer_sizes[0]
        self._moved = np.ones((*stack, weights + inputs))
        self._moved[..., :weights] = network.parameters.vector
        self._gradients = np.empty_like(self._moved)
        self.factors = Parameters(network.layer_sizes, self._moved[..., :weights])
        self.gradient = Parameters(network.layer_sizes, self._gradients[..., :weights])
        self.scales = self._moved[..., weights:]
        self._of_scales = self._gradients[..., weights:]

    def step(self, read: Sequence[Array], output_delta: Array, decay: Array | None) -> None:
        """Move factors and scales by the losses of a batch; see `Descent.step`."""
        self.network.backward(read, output_delta, self.gradient)
        of_weights = self.gradient["W1"]
        np.einsum("...io,...io->...i", of_weights, self.factors["W1"], out=self._of_scales)
        of_weights *= self.scales[..., np.newaxis]
        if decay is not None:
            for key in self._weights:
                self.gradient[key][...] += decay * self.factors[key]
            self._of_scales += decay[..., 0] * self.scales
        self.optimizer.step(self._moved, self._gradients)
        self.network.parameters.vector[...] = self.factors.vector
        self.network.parameters["W1"][...] *= self.scales[..., np.newaxis]

    def penalty(self, l2: float | Array) -> Array:
        """Return l2 / 2 times the sum of the squared factors and scales, of each network."""
        squares = np.vecdot(self.scales, self.scales)
        return np.asarray(l2_penalty(self.factors, l2) + 0.5 * l2 * squares)

    @property
    def _weights(self) -> list[str]:
        return [key for key in self.gradient if key[0] == "W"]
