"""The descent: how the losses of a batch move the parameters of a network."""

from __future__ import annotations

from collections.abc import Sequence

from model.arrays import Array
from model.network.losses import l2_penalty
from model.network.network import NeuralNetwork
from model.network.optimizers import Optimizer


class Descent:
    """Moves the parameters of a network along the gradient, step by step.

    Parameters
    ----------
    network : NeuralNetwork
        Its parameters are changed.
    optimizer : Optimizer
        Says how far they go.
    """

    def __init__(self, network: NeuralNetwork, optimizer: Optimizer) -> None:
        self.network = network
        self.optimizer = optimizer
        self.gradient = network.parameters.empty_like()

    def step(self, read: Sequence[Array], output_delta: Array, decay: Array | None) -> None:
        """Move the parameters by the losses of a batch.

        Parameters
        ----------
        read : sequence of Array
            What `NeuralNetwork.forward` returned.
        output_delta : Array of shape (n, n_outputs)
            Derivative of each row's loss by the weighted sums of the output layer.
        decay : Array, optional
            What part of a weight the penalty adds to its gradient.
        """
        self.network.backward(read, output_delta, self.gradient)
        if decay is not None:
            for layer in range(1, self.network.depth + 1):
                self.add_decay(layer, decay)
        self.optimizer.step(self.network.parameters.vector, self.gradient.vector)

    def penalty(self, l2: float | Array) -> Array:
        """Return what the penalty adds to the summed losses, of each network."""
        return l2_penalty(self.network.parameters, l2)

    def add_decay(self, layer: int, decay: Array) -> None:
        """Add the penalty's part to the gradient of a layer: of its weights, not of its biases."""
        self.gradient[f"W{layer}"][...] += decay * self.network.parameters[f"W{layer}"]
