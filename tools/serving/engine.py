"""What computes the probabilities in a worker: ONNX Runtime, or Keras itself.

An engine takes uint8 pixels (n, height, width, channels) and gives float32
probabilities (n, classes), two columns for two classes.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

Engine = Callable[[np.ndarray], np.ndarray]


def of_onnx(path: Path, threads: int) -> Engine:
    """ONNX Runtime on the processor.

    A thread that waits for work sleeps: other workers use the same processors.
    """
    import onnxruntime

    from pipeline.networks.predicting import both_columns

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory that grew for a large batch is given back, not kept for the next one.
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()

    def probabilities(pixels: np.ndarray) -> np.ndarray:
        return both_columns(session.run([given.name], {taken.name: pixels})[0])

    return probabilities


def of_keras(path: Path, threads: int) -> Engine:
    """The model as the pipeline saved it, in Keras' safe mode."""
    from pipeline import backend
    from pipeline.networks.predicting import both_columns, predict

    backend.configure(0, threads, deterministic=True, dtype="float32")
    from pipeline.networks.saving import load_model

    model = load_model(path)

    def probabilities(pixels: np.ndarray) -> np.ndarray:
        return both_columns(predict(model, pixels))

    return probabilities
