"""The neural network: its parameters, the forward pass, and the backward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.arrays import Array
from model.network.activations import ACTIVATIONS
from model.network.parameters import Parameters


class NeuralNetwork:
    """A fully connected network of any depth, or a stack of networks of one form.

    Parameters
    ----------
    layer_sizes : sequence of int
        Units of every layer: inputs, hidden layers, outputs.
    hidden_activation, output_activation : str
        Names in `model.network.activations.ACTIVATIONS`.
    parameters : mapping of str to Array
        ``W1`` of shape (fan_in, fan_out), ``b1`` of shape (fan_out,), ``W2``, ...; copied.

    Attributes
    ----------
    parameters : Parameters
        The network's own, which training changes.

    Raises
    ------
    KeyError
        When there is no activation of a name.
    ValueError
        When the hidden activation is softmax.

    Notes
    -----
    Layer l computes a[l] = f(a[l-1] @ Wl + bl) from a[0] = X.

    All shapes may have one more axis in front: with ``W1`` of shape (K, fan_in, fan_out) and ``b1``
    of shape (K, fan_out) K networks are computed at once, each on its own X of (K, n, n_inputs) or
    all on one of (n, n_inputs). Nothing below this line speaks of it again.

    Examples
    --------
    >>> parameters = {"W1": np.array([[1.0], [-1.0]]), "b1": np.array([0.0])}
    >>> network = NeuralNetwork([2, 1], "relu", "sigmoid", parameters)
    >>> network.predict_proba(np.array([[3.0, 3.0]]))
    array([[0.5]])
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        hidden_activation: str,
        output_activation: str,
        parameters: Mapping[str, Array],
    ) -> None:
        if hidden_activation == "softmax":
            raise ValueError("softmax can be used only in the output layer")
        self.layer_sizes = tuple(layer_sizes)
        self.hidden_activation = hidden_activation
        self.output_activation = output_activation
        self.parameters = Parameters.of(layer_sizes, parameters)
        self._hidden = ACTIVATIONS[hidden_activation]
        self._output = ACTIVATIONS[output_activation]

    def __reduce__(self) -> tuple[type[NeuralNetwork], tuple[Any, ...]]:
        """Let a network go to another process: its activations by name, for they are functions."""
        form = (self.layer_sizes, self.hidden_activation, self.output_activation)
        return NeuralNetwork, (*form, dict(self.parameters))

    @property
    def depth(self) -> int:
        """Number of layers that have weights."""
        return len(self.layer_sizes) - 1

    def with_parameters(self, parameters: Mapping[str, Array]) -> NeuralNetwork:
        """Return a network of the same form with other parameters."""
        return NeuralNetwork(
            self.layer_sizes, self.hidden_activation, self.output_activation, parameters
        )

    def forward(self, inputs: Array) -> tuple[list[Array], Array]:
        """Return what every layer reads, which `backward` needs, and the last weighted sums.

        Parameters
        ----------
        inputs : Array of shape (n, layer_sizes[0] + 1)
            One row a sample; what `with_ones` makes of X.

        Returns
        -------
        list of Array
            ``[inputs, a1, ...]``, the hidden ones of shapes (n, layer_sizes[l]).
        Array of shape (n, layer_sizes[-1])
            Weighted sums of the output layer: its activation is left to the loss.
        """
        read, z = [inputs], inputs @ self.parameters.layers[0]
        for layer in range(2, self.depth + 1):
            read.append(self._hidden.function(z, out=z))
            z = z @ self.parameters[f"W{layer}"]
            z += self.parameters[f"b{layer}"][..., np.newaxis, :]
        return read, z

    def backward(self, read: Sequence[Array], output_delta: Array, gradient: Parameters) -> None:
        """Compute the gradient of a loss.

        Parameters
        ----------
        read : sequence of Array
            What `forward` returned.
        output_delta : Array of shape (n, layer_sizes[-1])
            Derivative of each row's loss by the weighted sums of the output layer.
        gradient : Parameters
            Where the SUM over the rows of the derivatives of their losses by every parameter is
            written.

        Notes
        -----
        From the last layer to the first: `layer_gradient`, then `carried_back`.

        References
        ----------
        Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors",
        Nature 323 (1986) 533-536.
        """
        delta = output_delta
        for layer in range(self.depth, 1, -1):
            self.layer_gradient(layer, read, delta, gradient)
            delta = self.carried_back(layer, read, delta)
        self.layer_gradient(1, read, delta, gradient)

    def layer_gradient(
        self, layer: int, read: Sequence[Array], delta: Array, gradient: Parameters
    ) -> None:
        """Write the derivatives by the parameters of a layer; see `backward`.

        Notes
        -----
        dWl = a[l-1].T @ delta[l]; dbl = sum of delta[l] over the rows. The inputs of the first
        layer end in ones, so that its product is both.
        """
        if layer == 1:
            np.matmul(read[0].mT, delta, out=gradient.layers[0])
        else:
            np.matmul(read[layer - 1].mT, delta, out=gradient[f"W{layer}"])
            np.einsum("...ij->...j", delta, out=gradient[f"b{layer}"])

    def carried_back(self, layer: int, read: Sequence[Array], delta: Array) -> Array:
        """Return the derivatives by the weighted sums of the layer before; see `backward`.

        Notes
        -----
        delta[l-1] = (delta[l] @ Wl.T) * f'(a[l-1]).
        """
        before = delta @ self.parameters[f"W{layer}"].mT
        before *= self._hidden.derivative(read[layer - 1])
        return before

    def predict_proba(self, X: Array) -> Array:
        """Return the outputs, each row computed as if it were alone.

        Parameters
        ----------
        X : Array of shape (n, layer_sizes[0])
            One row a sample.

        Returns
        -------
        Array of shape (n, layer_sizes[-1])
            What the output activation makes of the last weighted sums of `forward`, but for
            rounding.

        Notes
        -----
        A matrix product may add in another order for another number of rows, so that a sample's
        last digits would hang on the company it is in. `numpy.vecmat` multiplies the matrix with
        one row after the other, each in the same order, as long as they lie in memory as rows.
        """
        outputs = np.ascontiguousarray(X)
        for layer in range(1, self.depth + 1):
            W = self.parameters[f"W{layer}"][..., np.newaxis, :, :]
            b = self.parameters[f"b{layer}"][..., np.newaxis, :]
            activation = self._hidden if layer < self.depth else self._output
            outputs = activation.function(np.vecmat(outputs, W) + b)
        return outputs


def averaged(networks: Sequence[NeuralNetwork]) -> NeuralNetwork:
    """Return one network whose output layer's weighted sums are the mean of those of several.

    Parameters
    ----------
    networks : sequence of NeuralNetwork
        Of one form, stacks of them too.

    Notes
    -----
    The hidden units of all stand side by side: the weights of a layer are block diagonal, those of
    the first read the same inputs, and the last takes the mean.
    """
    first, units = networks[0], np.eye(len(networks))
    parameters: dict[str, Array] = {}
    for layer in range(1, first.depth + 1):
        W = np.stack([network.parameters[f"W{layer}"] for network in networks])
        b = np.stack([network.parameters[f"b{layer}"] for network in networks], axis=-2)
        blocks = np.einsum("k...io,kl->...kilo", W, units)
        if layer == 1:
            blocks = blocks.sum(axis=-4, keepdims=True)
        if layer == first.depth:
            blocks = blocks.mean(axis=-2, keepdims=True)
            b = b.mean(axis=-2, keepdims=True)
        fan_in, fan_out = blocks.shape[-4] * blocks.shape[-3], blocks.shape[-2] * blocks.shape[-1]
        parameters[f"W{layer}"] = blocks.reshape(*blocks.shape[:-4], fan_in, fan_out)
        parameters[f"b{layer}"] = b.reshape(*b.shape[:-2], fan_out)
    hidden = [len(networks) * size for size in first.layer_sizes[1:-1]]
    sizes = (first.layer_sizes[0], *hidden, first.layer_sizes[-1])
    return NeuralNetwork(sizes, first.hidden_activation, first.output_activation, parameters)


def with_ones(X: Array) -> Array:
    """Return rows with a last column of ones.

    The bias of the first layer is the weight of this input, so that it is added, and its
    derivatives are summed, within products of matrices: NumPy needs more time to add a bias to
    many rows than for all of a small product.

    Parameters
    ----------
    X : Array of shape (..., n, columns)
        One row a sample.

    Returns
    -------
    Array of shape (..., n, columns + 1)
    """
    return np.concatenate([X, np.ones((*X.shape[:-1], 1))], axis=-1)
