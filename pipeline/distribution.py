"""The processes and devices that share a training: JAX's, as Keras' DataParallel sees them.

Imported before Keras; JAX only by what it does.
"""

import functools
import os
import re
import socket

from pipeline.errors import PipelineError
from pipeline.training.share import Share


def connect(share: Share, address: str | None, host: str | None) -> None:
    """Join the processes that train together, before Keras is imported.

    Args:
        address: where the first of them listens, 'host:port'; None for one process alone.
        host: the address of this machine that the others reach; None where all are on it, and
            each takes the GPU of its rank, if there are any.
    """
    flags = re.sub(r"--xla_force_host_platform_device_count=\d+", "", _flags())
    count = share.replicas // share.processes
    os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count={count}".strip()
    if address is None:
        return
    import jax
    from jax._src import xla_bridge

    # gloo would listen at the address that the machine's name has; that has no public setting.
    make = xla_bridge._jax.make_gloo_tcp_collectives
    xla_bridge._jax.make_gloo_tcp_collectives = functools.partial(
        make, hostname=host or "127.0.0.1"
    )
    jax.distributed.initialize(
        coordinator_address=address,
        coordinator_bind_address=address if share.first else None,
        num_processes=share.processes,
        process_id=share.rank,
        local_device_ids=[share.rank] if host is None else None,
    )


def _flags() -> str:
    return os.environ.get("XLA_FLAGS", "")


def distribute(share: Share) -> None:
    """Let what Keras makes from here on be on the devices of all processes.

    Raises:
        PipelineError: there are fewer than replicas.
    """
    import keras

    devices = keras.distribution.list_devices()
    if len(devices) < share.replicas:
        raise PipelineError(
            f"replicas: {share.replicas} of them need as many devices, and {len(devices)} "
            f"are there ({', '.join(devices)}); set replicas to {len(devices)}"
        )
    keras.distribution.set_distribution(
        keras.distribution.DataParallel(devices=devices[: share.replicas], auto_shard_dataset=False)
    )


def free_port(host: str) -> int:
    """A port on which nothing listens now."""
    with socket.socket() as taken:
        taken.bind((host, 0))
        port: int = taken.getsockname()[1]
        return port


def meet(where: str) -> None:
    """Wait until all processes are here: what one has written before, all can read."""
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices(where)


def leave() -> None:
    """Wait for the other processes, so that none takes the end of another for its death."""
    import jax

    jax.distributed.shutdown()
