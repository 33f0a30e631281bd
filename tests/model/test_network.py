"""The network: parity with scikit-learn, and probabilities that do not depend on the company."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neural_network import MLPClassifier

from model.arrays import Array
from model.artifact.artifact import Artifact
from model.network.losses import BinaryCrossEntropy
from model.network.network import NeuralNetwork, averaged, with_ones
from model.network.parameters import Parameters, parameter_shapes
from tests.model.properties import (
    PROPERTY,
    random_labels,
    random_network,
    random_rows,
    trained_outputs,
)

LAYERS = [(1, 1), (5, 1), (13, 8, 1), (22, 8, 1), (3, 50, 7, 1), (6, 4, 4, 4, 1)]
LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every third column": lambda X: np.repeat(X, 3, axis=1)[:, ::3],
    "backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
}


def scikit_learn_twin(network: NeuralNetwork) -> MLPClassifier:
    twin = MLPClassifier(network.layer_sizes[1:-1], activation=network.hidden_activation)
    twin.partial_fit(np.zeros((2, network.layer_sizes[0])), [0, 1], classes=[0, 1])
    layers = range(1, network.depth + 1)
    twin.coefs_ = [network.parameters[f"W{layer}"] for layer in layers]
    twin.intercepts_ = [network.parameters[f"b{layer}"] for layer in layers]
    return twin


@pytest.mark.parametrize("hidden", ["relu", "tanh"])
@pytest.mark.parametrize("layer_sizes", [(13, 8, 1), (5, 7, 3, 1), (4, 6, 5, 4, 1)])
def test_scikit_learn_computes_the_same_from_our_weights(
    layer_sizes: tuple[int, ...], hidden: str
) -> None:
    network = random_network(layer_sizes, hidden)
    X = random_rows(200, layer_sizes[0], scale=3.0)
    theirs = scikit_learn_twin(network).predict_proba(X)[:, 1]
    np.testing.assert_allclose(network.predict_proba(X)[:, 0], theirs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trained_outputs(network, X)[:, 0], theirs, rtol=0, atol=1e-12)


def test_scikit_learn_computes_the_same_from_the_served_weights(artifact: Artifact) -> None:
    pipeline = artifact.pipeline
    X = artifact.features.golden_inputs(500)
    scaled = (pipeline.encoding.transform(X) - pipeline.mean) / pipeline.scale
    theirs = scikit_learn_twin(pipeline.network).predict_proba(scaled)[:, 1]
    np.testing.assert_allclose(artifact.predict_proba(X), theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize("stacked", [False, True])
@pytest.mark.parametrize("layer_sizes", LAYERS)
def test_an_average_is_one_network_with_the_mean_of_the_outputs(
    layer_sizes: tuple[int, ...], stacked: bool
) -> None:
    networks = [
        NeuralNetwork(layer_sizes, "tanh", "identity", of_seed.parameters)
        for of_seed in (random_network(layer_sizes, "tanh", seed) for seed in range(6))
    ]
    X = random_rows(20, layer_sizes[0])
    expected = np.mean([network.predict_proba(X) for network in networks], axis=0)
    if stacked:
        pairs = [(networks[index], networks[index + 3]) for index in range(3)]
        expected = np.mean([[n.predict_proba(X) for n in pair] for pair in pairs], axis=0)
        networks = [stack_of(pair) for pair in pairs]
    mean = averaged(networks)
    hidden = [len(networks) * size for size in layer_sizes[1:-1]]
    assert mean.layer_sizes == (layer_sizes[0], *hidden, layer_sizes[-1])
    np.testing.assert_allclose(mean.predict_proba(X), expected, rtol=0, atol=1e-12)


def stack_of(networks: Sequence[NeuralNetwork]) -> NeuralNetwork:
    keys = networks[0].parameters
    return networks[0].with_parameters(
        {key: np.stack([network.parameters[key] for network in networks]) for key in keys}
    )


@pytest.mark.parametrize("layout", LAYOUTS)
@PROPERTY
@given(
    rows=st.integers(1, 150),
    layer_sizes=st.sampled_from(LAYERS),
    hidden=st.sampled_from(["relu", "tanh", "sigmoid"]),
    seed=st.integers(0, 5),
)
def test_a_batch_gives_each_row_what_it_gets_alone_bit_for_bit(
    layout: str, rows: int, layer_sizes: tuple[int, ...], hidden: str, seed: int
) -> None:
    network = random_network(layer_sizes, hidden, seed)
    X = random_rows(rows, layer_sizes[0], seed, scale=2.0)
    batch = network.predict_proba(LAYOUTS[layout](X))
    alone = np.concatenate([network.predict_proba(X[[row]]) for row in range(rows)])
    assert batch.shape == (rows, 1)
    assert batch.tobytes() == alone.tobytes()


@PROPERTY
@given(rows=st.integers(0, 300), layer_sizes=st.sampled_from(LAYERS), seed=st.integers(0, 9))
def test_permuting_the_rows_permutes_the_outputs_bit_for_bit(
    rows: int, layer_sizes: tuple[int, ...], seed: int
) -> None:
    network = random_network(layer_sizes, seed=seed)
    X = random_rows(rows, layer_sizes[0], seed)
    order = np.random.default_rng(seed).permutation(rows)
    assert network.predict_proba(X[order]).tobytes() == network.predict_proba(X)[order].tobytes()


@PROPERTY
@given(rows=st.integers(1, 60), layer_sizes=st.sampled_from(LAYERS))
def test_training_and_serving_compute_the_same_but_for_rounding(
    rows: int, layer_sizes: tuple[int, ...]
) -> None:
    network = random_network(layer_sizes)
    X = random_rows(rows, layer_sizes[0])
    np.testing.assert_allclose(network.predict_proba(X), trained_outputs(network, X), atol=1e-14)


@pytest.mark.parametrize("hidden", ["relu", "tanh", "sigmoid"])
@PROPERTY
@given(st.lists(st.sampled_from([-1e3, -1.0, 0.0, 1.0, 1e3]), min_size=13, max_size=13))
def test_nothing_overflows_for_inputs_of_a_thousand(hidden: str, row: list[float]) -> None:
    network, X, y = random_network((13, 8, 1), hidden), np.array([row, row]), random_labels(2)
    loss = BinaryCrossEntropy()
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        outputs = network.predict_proba(X)
        read, z = network.forward(with_ones(X))
        losses, delta = loss.of_rows(z, loss.prepare(y))
        gradient = gradient_of(network, read, delta)
    assert ((outputs >= 0) & (outputs <= 1)).all()
    assert np.isfinite(losses).all()
    assert np.isfinite(gradient.vector).all()


def gradient_of(network: NeuralNetwork, read: Sequence[Array], delta: Array) -> Parameters:
    gradient = network.parameters.empty_like()
    network.backward(read, delta, gradient)
    return gradient


def test_forward_returns_what_every_layer_reads_and_the_last_sums() -> None:
    inputs = with_ones(random_rows(6, 5))
    assert (inputs[:, -1] == 1.0).all()
    read, z = random_network((5, 4, 3, 1)).forward(inputs)
    assert read[0] is inputs
    assert [a.shape for a in (*read, z)] == [(6, 6), (6, 4), (6, 3), (6, 1)]


def test_a_small_network_computes_what_pencil_and_paper_do() -> None:
    parameters = {
        "W1": np.array([[1.0, -1.0], [2.0, 0.5]]),
        "b1": np.array([-1.0, 0.0]),
        "W2": np.array([[1.0], [2.0]]),
        "b2": np.array([0.5]),
    }
    network = NeuralNetwork((2, 2, 1), "relu", "sigmoid", parameters)
    # Hidden sums 1 + 4 - 1 = 4 and -1 + 1 = 0; output 4 + 0 + 0.5.
    expected = 1.0 / (1.0 + np.exp(-4.5))
    assert network.predict_proba(np.array([[1.0, 2.0]]))[0, 0] == pytest.approx(expected, rel=1e-15)


def test_gradients_have_the_keys_and_shapes_of_the_parameters() -> None:
    layer_sizes = (5, 4, 3, 1)
    network, X = random_network(layer_sizes), random_rows(6, 5)
    read, _ = network.forward(with_ones(X))
    gradient = gradient_of(network, read, np.ones((6, 1)))
    shapes = {key: of_one.shape for key, of_one in gradient.items()}
    assert shapes == parameter_shapes(layer_sizes)
    assert shapes == {key: weights.shape for key, weights in network.parameters.items()}


def test_a_network_that_goes_to_another_process_computes_the_same(artifact: Artifact) -> None:
    network = artifact.pipeline.network
    arrived = pickle.loads(pickle.dumps(network))  # noqa: S301
    X = np.random.default_rng(0).normal(size=(50, network.layer_sizes[0]))
    assert (arrived.predict_proba(X) == network.predict_proba(X)).all()
