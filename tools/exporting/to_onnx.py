"""ONNX, by tf2onnx.

Keras' own `model.export(format="onnx")` (3.15) makes inputs of the constants that a
Normalization holds, and numbers its names anew each time: so tf2onnx is called here, on a
frozen graph, and the names are given by the layers.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tools.exporting import graph
from tools.exporting.quiet import quiet
from tools.serving.engine import FEATURES, PROBABILITIES

OUTPUTS = (PROBABILITIES, FEATURES)
OPSET = 17  # of 2022: runtimes of today and those of some years ago read it
PRODUCER = "image-classification-pipeline"


def write(model: keras.Model, path: Path) -> None:
    """Write the model as ONNX, with the names `pixels`, `probabilities` and, where it gives
    them, `features`.

    Raises:
        UnconvertibleError: an operation that ONNX lacks, with its layer.
    """
    path.write_bytes(converted(model).SerializeToString(deterministic=True))


def write_int8(model: keras.Model, path: Path, images: np.ndarray) -> None:
    """The same with 8-bit weights and activations; see `quantized.eight_bits`."""
    from tools.exporting import quantized

    quantized.eight_bits(converted(model), path, images)


@lru_cache(maxsize=1)
def converted(model: keras.Model) -> Any:
    """The model as an onnx.ModelProto, which stays as it is: other formats begin with it, too."""
    import onnx

    found = _convert(model)
    _rename(found, {layer.name for layer in model.layers})
    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    for node in found.graph.node:
        if node.op_type not in known or node.domain not in ("", "ai.onnx"):
            raise graph.refuse(model, "onnx", node.op_type, node.name)
    onnx.checker.check_model(found, full_check=True)
    return found


def _convert(model: keras.Model) -> Any:
    import tensorflow as tf

    with quiet():
        from tf2onnx import optimizer, tf_loader, tfonnx

        frozen = graph.frozen(model)
        inputs, names = [frozen.inputs[0].name], graph.output_names(model)
        given = {name: each.name for name, each in zip(names, frozen.outputs, strict=True)}
        outputs = [given[name] for name in OUTPUTS if name in given]
        with tf.Graph().as_default():
            folded = tf_loader.tf_optimize(inputs, outputs, frozen.graph.as_graph_def())
        with tf.Graph().as_default() as own:
            tf.import_graph_def(folded, name="")
            mapped = tfonnx.process_tf_graph(
                own,
                opset=OPSET,
                input_names=inputs,
                output_names=outputs,
                tensors_to_rename={
                    inputs[0]: graph.INPUT,
                    **dict(zip(given.values(), given, strict=True)),
                },
                continue_on_error=True,
                custom_op_handlers={"Erfc": (_erfc, [])},
            )
            return optimizer.optimize_graph(mapped).make_model(model.name)


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> Any:
    """1 − erf(x): tf2onnx (1.17) does not know TensorFlow's Erfc, of which Keras makes gelu."""
    erf = context.make_node("Erf", [node.input[0]], name=f"{name}/erf")
    one = context.make_const(f"{name}/one", np.ones((), "float32"))
    context.remove_node(node.name)
    return context.make_node(
        "Sub", [one.output[0], erf.output[0]], outputs=[node.output[0]], name=node.name
    )


def _rename(found: Any, layers: set[str]) -> None:
    """Give every value a name of its layer, operation and place, the same in every process."""
    found.producer_name, found.producer_version = PRODUCER, ""
    found.doc_string = found.graph.doc_string = ""
    for value in (*found.graph.input, *found.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del found.graph.value_info[:]
    names = {name: name for name in (graph.INPUT, *OUTPUTS, "")}
    counts: dict[str, int] = {}
    nodes = _ordered(found.graph)
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    for node in found.graph.node:
        layer = graph.layer_of(node.name or node.output[0], layers) or "model"
        for source in node.input:
            if source not in names:  # a constant: those of operations are named before
                names[source] = _numbered(f"{layer}/constant", counts)
        node.name = _numbered(f"{layer}/{node.op_type}", counts)
        for place, output in enumerate(node.output):
            names.setdefault(output, f"{node.name}:{place}" if place else node.name)
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]
    for constant in found.graph.initializer:
        constant.name = names[constant.name]
    ordered = sorted(found.graph.initializer, key=lambda constant: constant.name)
    del found.graph.initializer[:]
    found.graph.initializer.extend(ordered)


def _ordered(found: Any) -> list[Any]:
    """The nodes as they are met on the ways to the outputs: the converter's order varies."""
    makers = {output: node for node in found.node for output in node.output}
    ordered: list[Any] = []
    done: set[int] = set()
    waiting = [(makers[output.name], False) for output in reversed(found.output)]
    while waiting:
        node, ready = waiting.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            ordered.append(node)
            continue
        waiting.append((node, True))
        waiting += [(makers[name], False) for name in reversed(node.input) if name in makers]
    return [type(node).FromString(node.SerializeToString()) for node in ordered]


def _numbered(name: str, counts: dict[str, int]) -> str:
    counts[name] = counts.get(name, 0) + 1
    return name if counts[name] == 1 else f"{name}_{counts[name]}"
