"""A page that classifies without a server, see `page`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from pipeline.runtime import files
from tools.exporting import page, quantized, to_onnx


def write(
    model: keras.Model, path: Path, description: Mapping[str, Any], images: np.ndarray | None
) -> None:
    """Write the page, with the model's weights in float16; with `images` (uint8, of the
    training part) the model has 8 bits.

    Raises:
        PipelineError: see `page.render`.
        UnconvertibleError: an operation that ONNX lacks, with its layer.
    """
    plain = to_onnx.converted(model)
    if images is None:
        inside = quantized.sixteen_bits(plain)
    else:
        with tempfile.TemporaryDirectory() as folder:
            small = Path(folder) / "model.onnx"
            quantized.eight_bits(plain, small, images)
            inside = small.read_bytes()
    files.write_text(path, page.render(description, inside))
