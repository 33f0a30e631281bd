"""The ONNX graph of a model: from rows of numbers to the probability of each class."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from model.artifact.artifact import Artifact
from model.inference.pipeline import Pipeline
from model.network.network import NeuralNetwork
from model.schema.encoding import IF_MISSING, Encoding, Made

INPUT, PROBABILITIES, LABEL = "X", "probabilities", "label"
OPSET = 17
IR_VERSION = 8
"""The format of ONNX 1.12, so that runtimes since 2022 read the file."""


class Nodes:
    """Nodes of a graph, each with a name for its output, and the constants that they take."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str | NDArray[Any], name: str = "", **of: Any) -> str:
        """Add a node and return the name of its output.

        Parameters
        ----------
        operator : str
            Operator of ONNX.
        *inputs : str or NDArray
            Outputs of other nodes, by their names, and constants.
        name : str
            Name of the output; if left out, the operator and a number.
        **of
            Attributes of the node.
        """
        names = [item if isinstance(item, str) else self._constant(item) for item in inputs]
        output = name or f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], output, **of))
        return output

    def _constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name


Columns: TypeAlias = Sequence[tuple[int, Made]]
"""Some columns of an encoding."""

Step: TypeAlias = Callable[[Nodes, Columns], str]


def onnx_model(artifact: Artifact) -> ModelProto:
    """Return a model as an ONNX graph that computes in float64 what the predictor computes.

    Parameters
    ----------
    artifact : Artifact
        The model. Its calibration is in the weights.

    Notes
    -----
    The scaler is not folded into the first layer as in the predictor: where a column's mean is
    many times its spread, the sums of a folded layer lose digits, and which ones depends on the
    order in which a runtime adds.
    """
    pipeline, nodes = artifact.pipeline, Nodes()
    encoded, order = _encoded(nodes, pipeline.encoding)
    outputs = _outputs(nodes, pipeline.network, _scaled(nodes, pipeline, encoded, order), order)
    probabilities = _probabilities(nodes, outputs, pipeline.network)
    nodes.add("Identity", probabilities, name=PROBABILITIES)
    _add_label(nodes, artifact.labels, artifact.threshold)
    classes = len(artifact.labels)
    graph = helper.make_graph(
        nodes.nodes,
        artifact.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.DOUBLE, ["N", len(artifact.features)])],
        [
            helper.make_tensor_value_info(PROBABILITIES, TensorProto.DOUBLE, ["N", classes]),
            helper.make_tensor_value_info(LABEL, TensorProto.STRING, ["N"]),
        ],
        nodes.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(
        graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="heartline"
    )
    helper.set_model_props(model, _properties(artifact))
    checker.check_model(model, full_check=True)
    return model


def _properties(artifact: Artifact) -> dict[str, str]:
    """Return what the file says of the model: two texts, and JSON."""
    return {
        "name": artifact.name,
        "version": artifact.version,
        "feature_names": json.dumps(artifact.features.names),
        "features": json.dumps(artifact.features.to_json()),
        "classes": json.dumps(artifact.labels),
        "threshold": json.dumps(artifact.threshold),
    }


def _encoded(nodes: Nodes, encoding: Encoding) -> tuple[str, list[int]]:
    """Add what `Encoding.transform` does, first all copies, then the indicators.

    Returns
    -------
    str
        Name of the encoded rows.
    list of int
        For each of their columns its place in the encoding.
    """
    places: dict[Step, list[int]] = {_copies: [], _codes: [], _missing: []}
    for place, (_, made) in enumerate(encoding.columns):
        places[_step_for(made)].append(place)
    encoded = [
        step(nodes, [encoding.columns[place] for place in of_step])
        for step, of_step in places.items()
        if of_step
    ]
    return nodes.add("Concat", *encoded, axis=1), [*chain(*places.values())]


def _step_for(made: Made) -> Step:
    if made is None or isinstance(made, tuple):
        return _copies
    return _missing if made == IF_MISSING else _codes


def _copies(nodes: Nodes, columns: Columns) -> str:
    """Add copied columns, clipped where they are."""
    copies = _gathered(nodes, columns)
    if all(made is None for _, made in columns):
        return copies
    unbounded = (-np.inf, np.inf)
    low, high = np.array([unbounded if made is None else made for _, made in columns]).T
    return nodes.add("Min", nodes.add("Max", copies, low), high)


def _codes(nodes: Nodes, columns: Columns) -> str:
    """Add indicators of codes."""
    codes = np.array([code for _, code in columns], np.float64)
    is_code = nodes.add("Equal", _gathered(nodes, columns), codes)
    return nodes.add("Cast", is_code, to=TensorProto.DOUBLE)


def _missing(nodes: Nodes, columns: Columns) -> str:
    """Add indicators of missing values."""
    is_missing = nodes.add("IsNaN", _gathered(nodes, columns))
    return nodes.add("Cast", is_missing, to=TensorProto.DOUBLE)


def _gathered(nodes: Nodes, columns: Columns) -> str:
    return nodes.add("Gather", INPUT, np.array([source for source, _ in columns], np.int64), axis=1)


def _scaled(nodes: Nodes, pipeline: Pipeline, encoded: str, order: list[int]) -> str:
    """Add what `model.inference.pipeline.scaled` does to columns in another order."""
    centred = nodes.add("Sub", encoded, pipeline.mean[order])
    scaled = nodes.add("Div", centred, pipeline.scale[order])
    is_filled = pipeline.encoding.is_filled[order]
    if not is_filled.any():
        return scaled
    return nodes.add("Where", nodes.add("IsNaN", scaled), np.where(is_filled, 0.0, np.nan), scaled)


def _outputs(nodes: Nodes, network: NeuralNetwork, a: str, order: list[int]) -> str:
    """Add the layers of a network whose inputs come in another order."""
    parameters = {**network.parameters, "W1": network.parameters["W1"][order]}
    for layer in range(1, network.depth + 1):
        z = nodes.add("Gemm", a, parameters[f"W{layer}"], parameters[f"b{layer}"])
        is_last = layer == network.depth
        a = _activated(
            nodes, network.output_activation if is_last else network.hidden_activation, z
        )
    return a


def _activated(nodes: Nodes, activation: str, z: str) -> str:
    if activation == "sigmoid":
        return _sigmoid(nodes, z)
    operator = {"identity": "Identity", "relu": "Relu", "softmax": "Softmax", "tanh": "Tanh"}
    return nodes.add(operator[activation], z)


def _sigmoid(nodes: Nodes, z: str) -> str:
    """Add the steps of `model.network.activations.sigmoid`.

    Notes
    -----
    The operator Sigmoid of onnxruntime is 0 for z below -37. Where the outputs are divided by
    their sum, small ones count too.
    """
    one = np.array(1.0)
    of_negative = nodes.add("Exp", nodes.add("Neg", nodes.add("Abs", z)))
    numerator = nodes.add("Exp", nodes.add("Min", z, np.array(0.0)))
    return nodes.add("Div", numerator, nodes.add("Add", of_negative, one))


def _probabilities(nodes: Nodes, outputs: str, network: NeuralNetwork) -> str:
    """Add what `model.schema.classes.class_probabilities` does; two classes have one each."""
    number = network.layer_sizes[-1]
    one = np.array(1.0)
    if number == 1:
        return nodes.add("Concat", nodes.add("Sub", one, outputs), outputs, axis=1)
    if network.output_activation == "softmax":
        return outputs
    total = nodes.add("ReduceSum", outputs, np.array([1]), keepdims=1)
    nothing = nodes.add("Equal", total, np.array(0.0))
    numerator = nodes.add("Where", nothing, one, outputs)
    return nodes.add("Div", numerator, nodes.add("Where", nothing, np.array(float(number)), total))


def _add_label(nodes: Nodes, labels: Sequence[str], threshold: float | None) -> None:
    """Add the label of what `model.schema.classes.predicted_classes` returns."""
    if threshold is None:
        predicted = nodes.add("ArgMax", PROBABILITIES, axis=1, keepdims=0)
    else:
        positive = nodes.add("Gather", PROBABILITIES, np.array(1), axis=1)
        is_positive = nodes.add("Greater", positive, np.array(threshold))
        predicted = nodes.add("Cast", is_positive, to=TensorProto.INT64)
    nodes.add("Gather", np.array(labels, object), predicted, name=LABEL, axis=0)
