"""Optimisers: how a gradient moves the parameters."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from model.arrays import Array


class Optimizer(Protocol):
    """What the fit loop asks of an optimiser."""

    learning_rate: float

    def step(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move the parameters in place, each along the gradient under its key."""
        ...


class GradientDescent:
    """Steepest descent, w <- w - learning_rate * g."""

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def step(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move the parameters in place, each along the gradient under its key."""
        for key, gradient in gradients.items():
            parameter = parameters[key]
            parameter -= self.learning_rate * gradient


class Momentum:
    """Gradient descent with a velocity, u <- momentum * u - learning_rate * g; w <- w + u.

    References
    ----------
    Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    """

    def __init__(self, learning_rate: float, momentum: float = 0.9) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self._velocities: dict[str, Array] = {}

    def step(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move the parameters in place, each along the gradient under its key."""
        for key, gradient in gradients.items():
            if key not in self._velocities:
                self._velocities[key] = np.zeros_like(gradient)
            velocity = self._velocities[key]
            velocity *= self.momentum
            velocity -= self.learning_rate * gradient
            parameters[key][...] += velocity


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
        self._means: dict[str, Array] = {}
        self._squares: dict[str, Array] = {}

    def step(self, parameters: Mapping[str, Array], gradients: Mapping[str, Array]) -> None:
        """Move the parameters in place, each along the gradient under its key."""
        self._steps += 1
        mean_correction = 1.0 - self.beta1**self._steps
        square_correction = 1.0 - self.beta2**self._steps
        for key, gradient in gradients.items():
            if key not in self._means:
                self._means[key], self._squares[key] = np.zeros((2, *gradient.shape))
            mean, square = self._means[key], self._squares[key]
            mean += (1.0 - self.beta1) * (gradient - mean)
            square += (1.0 - self.beta2) * (gradient * gradient - square)
            scale = np.sqrt(square / square_correction) + self.epsilon
            parameters[key][...] -= self.learning_rate * (mean / mean_correction) / scale
