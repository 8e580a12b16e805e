"""The steps of a model whose batches are divided over devices, with sums in one order everywhere.

XLA would sum over the devices itself, in the order of whatever carries the numbers: within a
process one after the other, gloo and NCCL around rings, and from three devices on the last
bits differ. Here the collectives only carry numbers (all-gather, all-to-all), which are then
summed by rank: the same weights, bit by bit, wherever the devices are.
"""

import contextlib
import functools
import operator
from collections.abc import Iterator
from typing import Any

import keras

AXIS = "batch"  # what DataParallel calls the axis of its mesh
# Spreads the replicas' streams of random numbers over those that a seed can begin.
STREAM = 0x9E3779B9


def divide(model: Any) -> None:
    """Let a compiled model train and evaluate with every batch divided over the devices."""
    model.train_step = functools.partial(_train_step, model)
    model.test_step = functools.partial(_test_step, model)


def accuracy(kind: Any, binary: bool) -> Any:
    """Accuracy over the images of any weight but 0, which only fill a batch up.

    Args:
        kind: 'accuracy', or a function of labels and predictions.
        binary: whether there is one sigmoid unit.
    """

    class Accuracy(keras.metrics.MeanMetricWrapper):
        def update_state(self, true: Any, predicted: Any, sample_weight: Any = None) -> Any:
            if sample_weight is not None:
                sample_weight = keras.ops.cast(sample_weight > 0, "float32")
            return super().update_state(true, predicted, sample_weight)

    named = keras.metrics.binary_accuracy if binary else keras.metrics.categorical_accuracy
    return Accuracy(kind if callable(kind) else named, name="accuracy")


def _train_step(model: Any, state: Any, data: Any) -> Any:
    """Keras' own, with the gradients of each device's rows summed by `summed`."""
    import jax

    trainable, rest, optimizer, metrics = state
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)
    seeds = [v.path.endswith("seed_generator_state") for v in model.non_trainable_variables]

    def on_a_device(
        trainable: Any, rest: Any, optimizer: Any, metrics: Any, x: Any, y: Any, weights: Any
    ) -> Any:
        stream = jax.numpy.uint32(STREAM) * jax.lax.axis_index(AXIS).astype("uint32")
        apart = [v.at[0].add(stream) if s else v for v, s in zip(rest, seeds, strict=True)]
        with _whole_batch_normalization():
            (_, (loss, predicted, apart, _)), gradients = jax.value_and_grad(
                model.compute_loss_and_updates, has_aux=True
            )(
                trainable,
                apart,
                metrics,
                x,
                y,
                weights,
                training=True,
                optimizer_variables=optimizer,
            )
        rest = [v.at[0].add(-stream) if s else v for v, s in zip(apart, seeds, strict=True)]
        count = jax.lax.axis_size(AXIS)
        loss = _in_order(jax.lax.all_gather(loss, AXIS)) / count
        gradients = [g / count for g in summed(gradients)]
        return gradients, loss, rest, *_rows_of_all(predicted, y, weights)

    gradients, loss, rest, predicted, y, weights = on_every_device(on_a_device, 4)(
        trainable, rest, optimizer, metrics, x, y, weights
    )
    trainable, optimizer = model.optimizer.stateless_apply(optimizer, gradients, trainable)
    logs, metrics = model._update_metrics_variables(metrics, loss, x, y, predicted, weights)
    return logs, (trainable, rest, optimizer, metrics)


def _test_step(model: Any, state: Any, data: Any) -> Any:
    """Keras' own, with each device predicting its rows, and all of them scoring them all."""
    trainable, rest, metrics = state
    x, y, weights = keras.utils.unpack_x_y_sample_weight(data)

    def on_a_device(trainable: Any, rest: Any, x: Any, y: Any, weights: Any) -> Any:
        predicted, _ = model.stateless_call(trainable, rest, x, training=False)
        return _rows_of_all(predicted, y, weights)

    predicted, y, weights = on_every_device(on_a_device, 2)(trainable, rest, x, y, weights)
    loss, _ = model.stateless_compute_loss(
        trainable, rest, metrics, x=x, y=y, y_pred=predicted, sample_weight=weights, training=False
    )
    logs, metrics = model._update_metrics_variables(metrics, loss, x, y, predicted, weights)
    return logs, (trainable, rest, metrics)


def on_every_device(function: Any, shared: int) -> Any:
    """`function` on each device: of the first `shared` arguments all, of the others its rows.
    What it returns is the same on all of them."""
    import jax

    everything, rows = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(AXIS)
    mesh = keras.distribution.distribution().device_mesh.backend_mesh

    def call(*arguments: Any) -> Any:
        specs = tuple(everything if i < shared else rows for i in range(len(arguments)))
        return jax.shard_map(
            function, mesh=mesh, in_specs=specs, out_specs=everything, check_vma=False
        )(*arguments)

    return call


def _in_order(parts: Any) -> Any:
    """The sum of (devices, ...), one after the other."""
    return functools.reduce(operator.add, [parts[i] for i in range(parts.shape[0])])


def _rows_of_all(*arrays: Any) -> tuple[Any, ...]:
    import jax

    return tuple(
        None if each is None else jax.lax.all_gather(each, AXIS, tiled=True) for each in arrays
    )


def summed(arrays: list[Any]) -> list[Any]:
    """The arrays summed over the devices: each sums a part of the numbers, and hands it to all.

    As many bytes as a ring's all-reduce moves, 2 (n − 1) / n of the arrays' from each device.
    """
    from jax import lax, numpy
    from jax.flatten_util import ravel_pytree

    flat, unflatten = ravel_pytree(arrays)
    count = lax.axis_size(AXIS)
    parts = numpy.pad(flat, (0, -flat.size % count)).reshape(count, -1)
    own = _in_order(lax.all_to_all(parts, AXIS, 0, 0))
    summed: list[Any] = unflatten(lax.all_gather(own, AXIS, tiled=True)[: flat.size])
    return summed


@contextlib.contextmanager
def _whole_batch_normalization() -> Iterator[None]:
    """Batch normalisation by the mean and variance of all devices' rows, while it is traced."""
    import jax
    from jax import lax, numpy

    @jax.custom_vjp
    def of_all(own: Any) -> Any:
        return lax.all_gather(own, AXIS)

    # What every device has of the derivative by this one's numbers goes back to it.
    of_all.defvjp(
        lambda own: (of_all(own), None),
        lambda _, found: (_in_order(lax.all_to_all(found, AXIS, 0, 0)),),
    )

    def moments(layer: Any, inputs: Any, mask: Any) -> tuple[Any, Any]:
        assert mask is None
        inputs = inputs.astype("float32")
        axes = tuple(layer._reduction_axes)
        both = of_all(numpy.stack([inputs.mean(axes), inputs.var(axes)]))
        count = both.shape[0]
        mean = _in_order(both[:, 0]) / count
        return mean, _in_order(both[:, 1] + (both[:, 0] - mean) ** 2) / count

    layer: Any = keras.layers.BatchNormalization
    kept = layer._moments
    layer._moments = moments
    try:
        yield
    finally:
        layer._moments = kept
