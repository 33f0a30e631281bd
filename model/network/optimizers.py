"""Optimisers: how a gradient moves the parameters."""

from typing import Protocol

import numpy as np

from model.arrays import Array


class Optimizer(Protocol):
    """What the fit loop asks of an optimiser."""

    learning_rate: float

    def step(self, parameters: Array, gradient: Array) -> None:
        """Move parameters in place, along a gradient of the same shape."""
        ...


class GradientDescent:
    """Steepest descent, w <- w - learning_rate * g."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def step(self, parameters: Array, gradient: Array) -> None:
        """Move parameters in place, along a gradient of the same shape."""
        parameters -= self.learning_rate * gradient


class Momentum:
    """Gradient descent with a velocity, u <- momentum * u - learning_rate * g; w <- w + u.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def __init__(self, learning_rate: float, momentum: float = 0.9) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self._velocity: Array | None = None

    def step(self, parameters: Array, gradient: Array) -> None:
        """Move parameters in place; at every step the same ones."""
        if self._velocity is None:
            self._velocity = np.zeros_like(gradient)
        self._velocity *= self.momentum
        self._velocity -= self.learning_rate * gradient
        parameters += self._velocity


class Adam:
    """Adaptive moment estimation.

    Parameters
    ----------
    learning_rate : float
        Size of a step, roughly the change of a weight in one iteration.
    beta1, beta2 : float
        Decay of the running means of the gradient and of its square.
    epsilon : float
        Keeps the division finite.

    Notes
    -----
    m <- beta1 m + (1 - beta1) g;  v <- beta2 v + (1 - beta2) g^2;
    w <- w - learning_rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon).

    References
    ----------
    Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015.
    """

    def __init__(
        self,
        learning_rate: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.learning_rate = learning_rate
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self._steps = 0
        self._moments: Array | None = None

    def step(self, parameters: Array, gradient: Array) -> None:
        """Move parameters in place; at every step the same ones."""
        if self._moments is None:
            self._moments = np.zeros((2, *gradient.shape))
        self._steps += 1
        mean, square = self._moments
        mean += (1.0 - self.beta1) * (gradient - mean)
        square += (1.0 - self.beta2) * (gradient * gradient - square)
        mean_correction = 1.0 - self.beta1**self._steps
        square_correction = 1.0 - self.beta2**self._steps
        scale = np.sqrt(square / square_correction) + self.epsilon
        parameters -= self.learning_rate * (mean / mean_correction) / scale
