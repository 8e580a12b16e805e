"""The optimizers by name: Keras' own, and Muon for networks that are trained in few steps."""

from typing import Any

import keras
from keras import ops

from pipeline.training.schedules import Schedule

# Of Newton and Schulz' iteration: x ↦ a·x + b·x³ + c·x⁵ on every singular value.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 3


class Muon(keras.optimizers.Optimizer):
    """Orthogonal steps for convolution kernels, Nesterov's momentum for the rest.

    A kernel, as a matrix with a column a filter, is first brought to filters
    of mean square length 1, and then moved by `learning_rate` along the nearest
    orthogonal matrix to its momentum (Jordan, kellerjordan.github.io/posts/muon;
    the settings are those of airbench94_muon, its per-example rates times its
    batch of 2,000). Keras' own Muon keeps the kernels' length and moves the
    rest by Adam.

    Args:
        learning_rate: of the kernels. Dense kernels learn at DENSE times of it,
            biases at BIASES, and offsets of normalisations at OFFSETS times.
        weight_decay: as in Keras, the share by which weights shrink a step is
            `learning_rate` times this. Kernels keep their length anyway.
    """

    KERNEL_MOMENTUM = 0.6
    MOMENTUM = 0.85
    DENSE = 0.085
    BIASES = 0.085
    OFFSETS = 440.0

    def __init__(
        self,
        learning_rate: float | Schedule = 0.24,
        weight_decay: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate=learning_rate, weight_decay=weight_decay, name="muon", **options
        )

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self._momenta = self.add_optimizer_variables(variables, "momentum")
        self._shares = [self._share(variable) for variable in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        index = self._get_variable_index(variable)
        momentum = self._momenta[index]
        if len(variable.shape) == 4:
            step = self._nesterov(momentum, gradient, self.KERNEL_MOMENTUM)
            length = ops.sqrt(ops.sum(ops.square(variable)))
            self.assign(variable, variable * (variable.shape[-1] ** 0.5 / length))
            self.assign_sub(variable, rate * orthogonal(step))
            return
        step = self._nesterov(momentum, gradient, self.MOMENTUM)
        self.assign_sub(variable, rate * self._shares[index] * step)

    def _share(self, variable: Any) -> float:
        if variable.path.endswith("beta"):
            return self.OFFSETS
        return self.DENSE if len(variable.shape) > 1 else self.BIASES

    def _nesterov(self, momentum: Any, gradient: Any, share: float) -> Any:
        now = share * momentum + gradient
        self.assign(momentum, now)
        return gradient + share * now


def orthogonal(kernel: Any) -> Any:
    """The nearest orthogonal matrix, roughly, to a kernel as a matrix.

    Newton and Schulz' iteration brings the singular values near 1 (0.7 to 1.2
    is what the coefficients aim at) without a decomposition.

    Args:
        kernel: (h, w, in, out), taken as (h · w · in, out).
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    tall = matrix.shape[0] > matrix.shape[1]
    if tall:
        matrix = ops.transpose(matrix)
    a, b, c = COEFFICIENTS
    matrix = matrix / (ops.sqrt(ops.sum(ops.square(matrix))) + 1e-7)
    for _ in range(ITERATIONS):
        gram = ops.matmul(matrix, ops.transpose(matrix))
        matrix = a * matrix + ops.matmul(b * gram + c * ops.matmul(gram, gram), matrix)
    if tall:
        matrix = ops.transpose(matrix)
    return ops.reshape(matrix, kernel.shape)


def optimizer(
    name: str,
    learning_rate: float | Schedule,
    weight_decay: float,
    momentum: float = 0.0,
    ema: float | None = None,
) -> keras.optimizers.Optimizer:
    """The optimizer of that name in params.yaml.

    A `weight_decay` of 0 is none; only sgd and rmsprop take a `momentum`; with
    `ema` it keeps the exponential mean of the weights with that decay.
    """
    kinds = {
        "adam": keras.optimizers.Adam,
        "rmsprop": keras.optimizers.RMSprop,
        "sgd": keras.optimizers.SGD,
        "muon": Muon,
    }
    options: dict[str, Any] = {"momentum": momentum} if momentum else {}
    if ema is not None:
        options |= {"use_ema": True, "ema_momentum": ema}
    return kinds[name](learning_rate=learning_rate, weight_decay=weight_decay or None, **options)


def swap_mean(model: keras.Model) -> None:
    """Let the trained weights and their exponential mean change places."""
    kept = getattr(model.optimizer, "inner_optimizer", model.optimizer)  # of float16's scaling
    pairs = zip(kept._trainable_variables, kept._model_variables_moving_average, strict=True)
    for weight, mean in pairs:
        value = ops.convert_to_numpy(weight)
        weight.assign(mean)
        mean.assign(value)
