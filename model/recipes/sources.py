"""The sources: what the systems that the recipes go back to do otherwise than textbooks.

A recipe that is to give the figures of its source needs these; no other does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from model.arrays import Array
from model.network.descent import Descent
from model.network.losses import (
    LARGE,
    SMALLEST_PROBABILITY,
    CategoricalCrossEntropy,
    summed,
)
from model.network.network import NeuralNetwork
from model.network.optimizers import GradientDescent, Optimizer


class ClippedBinaryCrossEntropy:
    """Binary cross-entropy with the gradient of the tutorial.

    Notes
    -----
    The tutorial multiplies dL/dp by dp/dz, with p and 1 - p in the denominators kept above 1e-10.
    With q, the probability of the row's label, that is the exact gradient p - y times
    q / max(q, 1e-10): on a saturated row, where q is 0 and the exact gradient +-1, it is 0, and
    such a row is never learned. Where the label is 0, q is 1 - p with what the difference rounds
    off, as in the tutorial.
    """

    output_activation = "sigmoid"

    def prepare(self, targets: Array) -> Array:
        """Return labels y and 1 - y, of shape (2, ..., n, 1)."""
        return np.stack([targets, 1.0 - targets])

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and the tutorial's derivatives; see `model.network.losses.Loss.of_rows`."""
        y, absent = prepared
        p = 1.0 / (1.0 + np.exp(np.minimum(-z, LARGE)))
        q = np.abs(absent - p)
        clipped = np.maximum(q, SMALLEST_PROBABILITY)
        return summed(-np.log(clipped)), (p - y) * (q / clipped)


class UnshiftedCrossEntropy(CategoricalCrossEntropy):
    """Cross-entropy of a softmax that takes the row maximum off only where it is large.

    Notes
    -----
    To take it off changes nothing but the last bits. The published run of the moons network ends
    in one of two minima according to them.
    """

    def of_rows(self, z: Array, prepared: Array) -> tuple[Array, Array]:
        """Return losses and derivatives; see `model.network.losses.Loss.of_rows`."""
        top = z.max(axis=-1, keepdims=True)
        e = np.exp(z - np.where(np.abs(top) > LARGE, top, 0.0))
        return self.of_outputs(e / e.sum(axis=-1, keepdims=True), prepared)


class LayerwiseDescent(Descent):
    """Moves each layer before the derivative is carried back through it, as the iris network does.

    Notes
    -----
    delta[l-1] = (delta[l] @ Wl.T) * f'(a[l-1]) takes the weights Wl that have just been moved, so
    that what the layers before l are moved along is not the gradient.
    """

    def __init__(self, network: NeuralNetwork, optimizer: Optimizer) -> None:
        if type(optimizer) is not GradientDescent:
            raise ValueError("updating layer by layer needs gradient descent without momentum")
        super().__init__(network, optimizer)

    def step(self, read: Sequence[Array], output_delta: Array, decay: Array | None) -> None:
        """Move the parameters by the losses of a batch; see `Descent.step`."""
        network, delta = self.network, output_delta
        for layer in range(network.depth, 0, -1):
            network.layer_gradient(layer, read, delta, self.gradient)
            if decay is not None:
                self.add_decay(layer, decay)
            moved = network.parameters.layers[layer - 1], self.gradient.layers[layer - 1]
            self.optimizer.step(*moved)
            if layer > 1:
                delta = network.carried_back(layer, read, delta)
