"""ONNX with fewer bits: weights and activations in 8, or the weights alone in 16."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.exporting import graph
from tools.exporting.quiet import quiet

# What is computed in 8 bits. The probabilities are not, for they would be multiples of 1/256.
OPERATIONS = (
    *("Add", "AveragePool", "Clip", "Concat", "Conv", "Gemm", "GlobalAveragePool"),
    *("MatMul", "MaxPool", "Mul", "Relu", "Transpose"),
)
# Smaller constants stay: shapes, scales, biases.
HALVED_FROM = 256


def eight_bits(model: Any, path: Path, images: NDArray[np.uint8]) -> None:
    """Write a float32 onnx.ModelProto with 8-bit weights (a scale a channel) and activations.

    Args:
        images: uint8 (n, height, width, channels), of the training part: the ranges of the
            activations are those of these images.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

    class Images(CalibrationDataReader):
        def __init__(self) -> None:
            self.left: Iterator[NDArray[np.uint8]] = iter(images)

        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            image = next(self.left, None)
            return None if image is None else {graph.INPUT: image[None]}

    own = onnx.ModelProto()
    own.CopyFrom(model)  # its constants are moved out while the images are run
    with quiet():
        quantize_static(
            own,
            str(path),
            Images(),
            op_types_to_quantize=list(OPERATIONS),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def sixteen_bits(model: Any) -> bytes:
    """A float32 onnx.ModelProto with its weights in float16; what is computed stays float32.

    A runtime makes float32 of them when it loads the model, so the answers are the same
    wherever it runs.
    """
    import onnx
    from onnx import helper, numpy_helper

    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    first = []
    for constant in halved.graph.initializer:
        values = numpy_helper.to_array(constant)
        if values.dtype != np.float32 or values.size < HALVED_FROM:
            continue
        name = constant.name
        constant.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}/16"))
        cast = helper.make_node(
            "Cast", [f"{name}/16"], [name], f"{name}/32", to=onnx.TensorProto.FLOAT
        )
        first.append(cast)
    rest = list(halved.graph.node)
    del halved.graph.node[:]
    halved.graph.node.extend([*first, *rest])
    onnx.checker.check_model(halved)
    return bytes(halved.SerializeToString(deterministic=True))
