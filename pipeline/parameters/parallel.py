"""`replicas`: what a batch can be divided over, and where its parts are computed."""

import os

from pipeline import backend
from pipeline.errors import PipelineError, did_you_mean

# Where the replicas are is no parameter, for it changes no byte of the model.
PLACE = "IMAGE_PIPELINE_REPLICAS"
PLACES = ("devices", "processes", "ray")
# Why Keras' other backends cannot.
REASONS = {
    "tensorflow": "Keras 3 trains on several workers of TensorFlow not at all, and on several "
    "devices each normalises its own part of a batch",
    "torch": "with Keras on PyTorch the replicas drift apart without a word",
}


def check(replicas: int, batch_size: int, wanted: str | None) -> None:
    """Whether a batch can be divided.

    Args:
        wanted: the parameter `backend`; None leaves it to KERAS_BACKEND.

    Raises:
        PipelineError: it cannot.
    """
    if replicas == 1:
        return
    chosen = backend.chosen(wanted)
    if chosen != "jax":
        raise PipelineError(
            f"replicas: {replicas} of them need JAX, not {chosen}: {REASONS[chosen]}; add "
            "`-S backend=jax` (`make setup EXTRA=jax` installs it), or set replicas to 1"
        )
    if batch_size % replicas:
        below = batch_size - batch_size % replicas
        near = " or ".join(str(size) for size in (below, below + replicas) if size)
        raise PipelineError(
            f"batch_size: {batch_size} cannot be divided over {replicas} replicas; it counts the "
            f"images of all of them: {near} can"
        )


def place() -> str:
    """Where the replicas are: devices of one process, processes of this machine, or Ray's workers.

    Raises:
        PipelineError: the variable names no such place.
    """
    named = os.environ.get(PLACE) or PLACES[0]
    if named not in PLACES:
        raise PipelineError(f"{PLACE}: {named}: unknown{did_you_mean(named, PLACES)}")
    return named
