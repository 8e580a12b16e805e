"""The one room that knows Keras' backend: threads, determinism, precision.

Nothing else in the tree imports TensorFlow, JAX or PyTorch, so a run with
KERAS_BACKEND=jax or =torch differs from one with TensorFlow in this file only.
"""

import contextlib
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def configure(seed: int, threads: int, deterministic: bool, dtype: str) -> None:
    """Make Keras ready: before the first model, once a process.

    With `deterministic`, the same seed gives the same weights, bit by bit, on
    processors with the same flags and with the same number of `threads`: another
    number of threads splits the sums another way. Inter-op parallelism stays
    TensorFlow's own, for it does not change a sum.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if deterministic:
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    with _silent_stderr():
        import keras

    if backend == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # set already, by an earlier call
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)


def gradient(function: Callable[[Any], Any], inputs: Any) -> Any:
    """The derivative of `function`, which gives one number, at the tensor `inputs`.

    Returns a tensor of the backend, of the shape and dtype of `inputs`.
    """
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(inputs)
            number = function(inputs)
        return tape.gradient(number, inputs)
    if backend == "jax":
        import jax

        return jax.grad(function)(inputs)
    if backend == "torch":
        import torch

        leaf = inputs.detach().requires_grad_(True)
        return torch.autograd.grad(function(leaf), leaf)[0]
    raise NotImplementedError(f"no gradients with KERAS_BACKEND={backend}")


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """No lines of TensorFlow's C++ while it is imported: it has not read its log level yet.

    An import that fails raises as ever.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def cpu_flags() -> list[str]:
    """The processor's instruction sets that change a sum (x86 on Linux; else none)."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                known = ("avx", "amx", "fma", "sse4", "bf16", "f16c")
                return sorted(flag for flag in line.split(":")[1].split() if _starts(flag, known))
    return []


def native_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; else it is slower than float32."""
    return any("bf16" in flag for flag in cpu_flags()) or platform.machine() == "arm64"


def environment() -> dict[str, str]:
    """What decides the bytes of a run beside its parameters: versions, backend, processor."""
    import keras
    import numpy as np

    found = {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "cpu_flags": " ".join(cpu_flags()),
        "cpus": str(os.cpu_count()),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
    found[found["backend"]] = _backend_version(found["backend"])
    return found


def _backend_version(name: str) -> str:
    module: Any = __import__(name)
    return str(module.__version__)


def _starts(flag: str, known: tuple[str, ...]) -> bool:
    return any(part in flag for part in known)
