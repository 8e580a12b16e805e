"""OpenVINO (.xml and .bin), from the ONNX model."""

import re
import tempfile
from pathlib import Path

import keras

from tools.exporting import to_onnx

# The names that OpenVINO gives with a number of the process: Constant_10758.
_NUMBERED = re.compile(r"[A-Z]\w*_\d+")


def write(model: keras.Model, path: Path) -> None:
    """Write the model as OpenVINO's two files, the weights in float32.

    Raises:
        UnconvertibleError: an operation that ONNX lacks, with its layer.
    """
    import openvino as ov

    with tempfile.TemporaryDirectory() as folder:
        plain, simple = Path(folder) / "model.onnx", Path(folder) / "model.xml"
        to_onnx.write(model, plain)
        ov.save_model(ov.convert_model(str(plain)), str(simple), compress_to_fp16=False)
        made = ov.Core().read_model(str(simple))
        for place, operation in enumerate(made.get_ordered_ops()):
            if _NUMBERED.fullmatch(operation.get_friendly_name()):
                operation.set_friendly_name(f"{operation.get_type_name()}_{place}")
        ov.serialize(made, str(path))
