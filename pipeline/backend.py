"""The one room that knows Keras' backend: threads, determinism, precision.

Nothing else in the tree imports TensorFlow, JAX or PyTorch, so a run with JAX
or PyTorch differs from one with TensorFlow in this file only.
"""

import contextlib
import importlib.util
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.errors import PipelineError, did_you_mean
from pipeline.runtime import machine
from pipeline.runtime.imports import absent, silent_stderr, uncollected

# Keras' backends that have gradients, each by the name of its package.
BACKENDS = ("tensorflow", "jax", "torch")
# What Keras imports for pictures, wrappers and tables, and nobody here uses.
UNUSED = ("matplotlib", "sklearn", "pandas")
# What the driver of an NVIDIA GPU leaves, on Linux or below Windows.
DRIVERS = ("/proc/driver/nvidia", "/dev/dxg")


def configure(seed: int, threads: int, deterministic: bool, dtype: str) -> None:
    """Make Keras ready: before the first model, once a process.

    With `deterministic`, the same seed gives the same weights, bit by bit, on
    processors with the same flags and with the same number of `threads`: another
    number of threads splits the sums another way. So many operations run beside
    each other, too, which changes no sum: TensorFlow's two gradients of a
    convolution fill the cores better together.

    Raises:
        PipelineError: KERAS_BACKEND names no backend, or one that is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    backend = os.environ["KERAS_BACKEND"] = chosen()
    _set_environment(backend, threads, deterministic)
    # TensorFlow Lite imports JAX where it is installed.
    unused = (*UNUSED, "jax") if backend == "tensorflow" else UNUSED
    with silent_stderr(), uncollected(), absent(*unused):
        import keras

    if backend == "tensorflow":
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # set already, by an earlier call
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(threads)
        if deterministic:
            tf.config.experimental.enable_op_determinism()
    elif backend == "jax":
        import jax

        # Where there is no GPU its plugin for CUDA says so in a traceback, and goes on without.
        with contextlib.nullcontext() if has_nvidia() else silent_stderr():
            jax.devices()
    elif backend == "torch":
        import torch

        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
    with silent_stderr():  # beside another backend TensorFlow is imported here, to be seeded too
        keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(dtype)


def choose(wanted: str | None) -> None:
    """Settle the backend for this process and those that it starts, before any of them has Keras.

    Args:
        wanted: the parameter `backend`; None leaves it to KERAS_BACKEND.

    Raises:
        PipelineError: as `chosen` does.
    """
    os.environ["KERAS_BACKEND"] = chosen(wanted)


def chosen(wanted: str | None = None) -> str:
    """The backend that is wanted, else the one that KERAS_BACKEND names, else TensorFlow.

    Raises:
        PipelineError: there is no such backend, or it is not installed.
    """
    where = "backend" if wanted else "KERAS_BACKEND"
    name = wanted or os.environ.get("KERAS_BACKEND") or BACKENDS[0]
    if name not in BACKENDS:
        raise PipelineError(f"{where}: {name}: unknown{did_you_mean(name, BACKENDS)}")
    if importlib.util.find_spec(name) is None:
        how = "" if name == BACKENDS[0] else f" EXTRA={name}"
        raise PipelineError(f"{where}: {name} is not installed; run `make setup{how}`")
    return name


def _set_environment(backend: str, threads: int, deterministic: bool) -> None:
    """Set what a backend reads from the environment, once, when it is imported."""
    if deterministic:
        os.environ.setdefault("TF_DETERMINISTIC_OPS", "1")
        # cuBLAS is deterministic with a workspace of its own, and PyTorch insists on it.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if backend != "jax":
        return
    os.environ["NPROC"] = str(threads)  # the size of XLA's thread pool; it has no other setting
    # Else it takes three quarters of a GPU's memory at once, and no second run has room.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    flags = os.environ.get("XLA_FLAGS", "")
    if deterministic and "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".lstrip()


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


def batch_norm(inputs: Any, scale: Any, offset: Any, epsilon: float) -> tuple[Any, Any, Any] | None:
    """A batch normalised by its own mean and variance in one operation, where the backend has one.

    Args:
        inputs: (n, height, width, channels), float32 or of half precision; `scale` and
            `offset`: float32 (channels,).

    Returns:
        The normalised batch in the dtype of `inputs`, and its mean and variance, float32
        (channels,); None where there is no such operation.
    """
    import keras

    if keras.backend.backend() != "tensorflow" or len(inputs.shape) != 4:
        return None
    import tensorflow as tf

    found, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=epsilon
    )
    # It gives the variance of the population that the batch is a sample of.
    count = tf.cast(tf.size(inputs) // tf.size(scale), tf.float32)
    return found, mean, variance * (count - 1) / count


def seed_epoch(seed: int, epoch: int) -> None:
    """Make what an epoch draws at random a function of the seed and the epoch.

    With PyTorch Keras draws dropout from the device's own generator, which no
    checkpoint holds. With the others the draws come from the layers' variables.
    """
    import keras

    if keras.backend.backend() == "torch":
        import numpy as np
        import torch

        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))


def feed(batches: Any) -> Any:
    """`batches` (a `keras.utils.PyDataset`) as `fit` reads them best, in their order.

    TensorFlow gets a tf.data.Dataset, two batches ahead on a thread of its own,
    without the autotuning that Keras' own datasets have, for PyDatasets and arrays
    alike. That one's thread sleeps 10 ms, 20, 40, ... up to a minute between looks,
    now and then misses that the epoch is over, and the epoch waits for it: 6 s of
    work took 10.3 s (10 ms × (2^10 - 1)) in 8 of 16 epochs, without it in none of 40
    (two_block_cnn, two cores, TensorFlow 2.21).
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    first = batches[0]

    def read(number: Any) -> tuple[Any, ...]:
        batch = tf.numpy_function(
            lambda i: batches[int(i)], [number], [array.dtype for array in first]
        )
        for tensor, array in zip(batch, first, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return tuple(batch)

    options = tf.data.Options()
    options.autotune.enabled = False
    return tf.data.Dataset.range(len(batches)).map(read).prefetch(2).with_options(options)


def has_nvidia() -> bool:
    """Whether there is a driver of an NVIDIA GPU."""
    return any(Path(path).exists() for path in DRIVERS)


def cpu_flags() -> list[str]:
    """The processor's instruction sets that change a sum (x86 on Linux; else none)."""
    known = ("avx", "amx", "fma", "sse4", "bf16", "f16c")
    return sorted(flag for flag in machine.flags() if any(part in flag for part in known))


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
