"""The design: a network and how it is fitted, without the data and the seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sklearn.preprocessing import StandardScaler

from model.arrays import Array
from model.data import Dataset
from model.evaluation.validation import Mask, Rows
from model.inference.pipeline import Pipeline, scaled
from model.network.batches import Reduction
from model.network.descent import Descent
from model.network.initializers import Initializer
from model.network.losses import Loss, l2_penalty
from model.network.network import NeuralNetwork
from model.network.optimizers import Optimizer
from model.network.training import History, fit, mean_loss
from model.schema.encoding import Encoding
from model.schema.features import FeatureSet


@dataclass(frozen=True)
class Fitted:
    """The result of a fit.

    Parameters
    ----------
    pipeline : Pipeline
        The network with its encoding and scaler.
    history : History
        The loss in each iteration.
    settings : mapping
        Settings of the design for the model card.
    progress : sequence of mapping
        Figures noted during the fit.
    """

    pipeline: Pipeline
    history: History = field(default_factory=History)
    settings: Mapping[str, str | float | list[float]] = field(default_factory=dict)
    progress: Sequence[Mapping[str, float]] = ()


@dataclass(frozen=True)
class Watch:
    """Callbacks while a fit runs.

    Parameters
    ----------
    iterations : range
        The iterations after which `note` is called.
    note : callable
        Takes the iteration, the training loss, and the pipeline at that point.
    on_progress : callable
        Called with the share of all iterations since the last call.
    """

    iterations: range
    note: Callable[[int, float, Pipeline], None]
    on_progress: Callable[[float], None]


@dataclass(frozen=True)
class Design:
    """A network and how it is fitted, without the data and the seed.

    Parameters
    ----------
    encode : callable
        Makes the encoding for a feature set.
    hidden_layer_sizes : tuple of int
        Units of the hidden layers.
    hidden_activation : str
        Name in `model.network.activations.ACTIVATIONS`. The loss determines that of the outputs.
        Two classes with a sigmoid have one output; otherwise there is one for each class.
    initializer, loss, optimizer, iterations, reduction, l2, batch_size, descent
        See `model.network.training.fit`; every fit has a new optimiser.
    is_scaled : bool
        Whether measurements and counts are standardised.
    """

    encode: Callable[[FeatureSet], Encoding]
    hidden_layer_sizes: tuple[int, ...]
    hidden_activation: str
    initializer: Initializer
    loss: Loss
    optimizer: Callable[[], Optimizer]
    iterations: int
    reduction: Reduction = "mean"
    l2: float = 0.0
    batch_size: int | None = None
    descent: Callable[[NeuralNetwork, Optimizer], Descent] = Descent
    is_scaled: bool = True

    def fit(
        self,
        dataset: Dataset,
        rows: Rows,
        random_state: int,
        watch: Watch | None = None,
    ) -> Fitted:
        """Fit a network on some rows of a data set, in their order.

        Parameters
        ----------
        dataset : Dataset
            The data set.
        rows : Rows of shape (n,)
            Numbers of the rows.
        random_state : int
            Seed of the initialisation.
        watch : Watch, optional
            Callbacks while it runs.
        """
        encoding = self.encode(dataset.features)
        encoded = encoding.transform(dataset.X[rows])
        mean, scale = self.scaler(encoding, encoded)
        X, y = scaled(encoding, encoded, mean, scale), self.targets(dataset)[rows]
        network = self._network(len(encoding), y.shape[1], random_state)
        pipeline = Pipeline(encoding, mean, scale, network)

        def callback(iteration: int) -> None:
            """Pass the iteration to the watch."""
            if watch is not None:
                watch.on_progress(1 / self.iterations)
                if iteration in watch.iterations:
                    watch.note(iteration, self._objective(network, X, y), pipeline)

        history = self._train(network, X, y, callback=callback)
        return Fitted(pipeline, history, {"l2": self.l2})

    def fit_stack(self, dataset: Dataset, training: Mask, random_state: int) -> Pipeline:
        """Return a stack of pipelines, each as `fit` would give it for some of the rows.

        Parameters
        ----------
        dataset : Dataset
            The data set.
        training : Mask of shape (K, n)
            The rows of each fit, taken in the order of `row_order`.
        random_state : int
            Seed of all initialisations.
        """
        encoding = self.encode(dataset.features)
        encoded = encoding.transform(dataset.X)
        targets = self.targets(dataset)
        scalers = [self.scaler(encoding, encoded[mask]) for mask in training]
        mean, scale = (np.stack(parts) for parts in zip(*scalers, strict=True))
        rows, weights = _gather(training, self.row_order(len(dataset), random_state))
        single = self._network(len(encoding), targets.shape[1], random_state)
        network = single.with_parameters(
            {key: np.stack([array] * len(training)) for key, array in single.parameters.items()}
        )
        X = scaled(encoding, encoded[rows], mean, scale)
        self._train(network, X, targets[rows], weights)
        return Pipeline(encoding, mean, scale, network)

    def fit_folds(self, dataset: Dataset, training: Mask, random_state: int) -> list[Pipeline]:
        """Return the members of `fit_stack`, each by itself."""
        stack = self.fit_stack(dataset, training, random_state)
        return [stack.member(index) for index in range(len(training))]

    def row_order(self, rows: int, random_state: int) -> Rows:
        """Return the order of the rows of a stack, of shape (rows,).

        Notes
        -----
        It matters where a step takes a batch: with rows sorted by class the last class is fitted
        best. Where a step takes all rows, the order of the data set is kept.
        """
        if self.batch_size is None:
            return np.arange(rows)
        return np.random.default_rng(random_state).permutation(rows)

    def targets(self, dataset: Dataset) -> Array:
        """Return the target outputs, of shape (n, n_outputs)."""
        indicators = np.eye(len(dataset.labels))[dataset.classes]
        is_single = len(dataset.labels) == 2 and self.loss.output_activation == "sigmoid"
        return indicators[:, 1:] if is_single else indicators

    def scaler(self, encoding: Encoding, encoded: Array) -> tuple[Array, Array]:
        """Return mean and scale of each encoded column, 0 and 1 for unscaled columns.

        Notes
        -----
        Indicators stay unscaled: one that is 1 for two patients only would be eleven standard
        deviations for them. Missing values are left out of the mean and the scale. A column in
        which all are missing contain no information on these.
        """
        scaler = StandardScaler().fit(np.where(np.isnan(encoded).all(axis=0), 0.0, encoded))
        as_is = encoding.is_indicator | (not self.is_scaled)
        return np.where(as_is, 0.0, scaler.mean_), np.where(as_is, 1.0, scaler.scale_)

    def _network(self, inputs: int, outputs: int, random_state: int) -> NeuralNetwork:
        sizes = (inputs, *self.hidden_layer_sizes, outputs)
        parameters = self.initializer(sizes, random_state)
        return NeuralNetwork(sizes, self.hidden_activation, self.loss.output_activation, parameters)

    def _objective(self, network: NeuralNetwork, X: Array, y: Array) -> float:
        penalty = l2_penalty(network.parameters, self.l2) / len(X)
        return float(mean_loss(network, X, y, self.loss) + penalty)

    def _train(
        self,
        network: NeuralNetwork,
        X: Array,
        y: Array,
        sample_weight: Array | None = None,
        callback: Callable[[int], None] | None = None,
    ) -> History:
        return fit(
            network,
            X,
            y,
            sample_weight=sample_weight,
            loss=self.loss,
            optimizer=self.optimizer(),
            iterations=self.iterations,
            l2=self.l2,
            reduction=self.reduction,
            batch_size=self.batch_size,
            descent=self.descent,
            callback=callback,
        )


def _gather(training: Mask, order: Rows) -> tuple[Rows, Array]:
    """Return the row numbers of each set, and weights that are 0 where a shorter set is filled."""
    last_if_out = np.argsort(~training[:, order], axis=1, kind="stable")
    rows = order[last_if_out[:, : training.sum(axis=1).max()]]
    return rows, np.take_along_axis(training, rows, axis=1).astype(np.float64)
