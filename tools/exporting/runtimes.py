"""Exported files to probabilities. Nothing here imports Keras or TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tools.serving.engine import PROBABILITIES

# uint8 (n, height, width, channels) to float32 (n, classes).
Answer = Callable[[np.ndarray], np.ndarray]
# Images a step.
BATCH = 64


def in_steps(answer: Answer, pixels: np.ndarray, batch: int = BATCH) -> np.ndarray:
    """The answer for many images, some at a time; `pixels` may be a memory map."""
    starts = range(0, len(pixels), batch)
    return np.concatenate([answer(np.asarray(pixels[i : i + batch])) for i in starts])


def onnx(model: Path | bytes, threads: int) -> Answer:
    """ONNX Runtime on the processor, for a file or its bytes."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model if isinstance(model, bytes) else str(model),
        options,
        providers=["CPUExecutionProvider"],
    )
    (taken,) = session.get_inputs()
    return lambda pixels: session.run([PROBABILITIES], {taken.name: pixels})[0]


def litert(model: Path, threads: int) -> Answer:
    """LiteRT with its built-in operations."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model), num_threads=threads)
    taken = interpreter.get_input_details()[0]["index"]
    given = interpreter.get_output_details()[0]["index"]
    shape: list[Any] = [None]

    def answer(pixels: np.ndarray) -> np.ndarray:
        if shape[0] != pixels.shape:
            interpreter.resize_tensor_input(taken, pixels.shape)
            interpreter.allocate_tensors()
            shape[0] = pixels.shape
        interpreter.set_tensor(taken, pixels)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(given)
        return found

    return answer


def openvino(model: Path, threads: int) -> Answer:
    """OpenVINO on the processor, in float32: by itself it takes bfloat16 where there is AMX."""
    import openvino as ov

    options = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    compiled = ov.Core().compile_model(str(model), "CPU", options)
    return lambda pixels: np.array(compiled(pixels)[compiled.output(0)])


def saved_model(model: Path, threads: int) -> Answer:
    """TensorFlow's SavedModel, by its one signature."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    signature = loaded.signatures["serving_default"]

    def answer(pixels: np.ndarray) -> np.ndarray:
        (found,) = signature(pixels=tf.constant(pixels)).values()
        return np.asarray(found)

    return answer
