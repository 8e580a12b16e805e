"""The learning rate as a function of the step, so that nothing but the step has to be resumed."""

from typing import Any

import keras
from keras import ops

# The share of one-cycle's steps in which the rate rises.
RISE = 0.25


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up to `peak`, then a shape over the steps that remain.

    constant stays at `peak`; linear goes down to 0 in a straight line, cosine
    along half a cosine (Loshchilov and Hutter, arXiv 1608.03983); one_cycle
    goes up in a straight line for a quarter of the steps and down to 0 in
    another (Smith and Topin, arXiv 1708.07120, without its last phase).
    """

    def __init__(self, peak: float, shape: str, steps: int, warmup_steps: int = 0) -> None:
        self.peak = peak
        self.shape = shape
        self.steps = steps
        self.warmup_steps = warmup_steps

    def __call__(self, step: Any) -> Any:
        done = ops.cast(step, "float32")
        warmup = ops.minimum(1.0, (done + 1) / max(self.warmup_steps, 1))
        share = (done - self.warmup_steps) / max(self.steps - self.warmup_steps, 1)
        return self.peak * warmup * self._factor(ops.clip(share, 0.0, 1.0))

    def _factor(self, share: Any) -> Any:
        if self.shape == "cosine":
            return 0.5 * (1 + ops.cos(3.141592653589793 * share))
        if self.shape == "linear":
            return 1 - share
        if self.shape == "one_cycle":
            return ops.minimum(share / RISE, (1 - share) / (1 - RISE))
        return ops.ones_like(share)

    def get_config(self) -> dict[str, Any]:
        return {
            "peak": self.peak,
            "shape": self.shape,
            "steps": self.steps,
            "warmup_steps": self.warmup_steps,
        }


def learning_rate(
    peak: float, shape: str, steps_per_epoch: int, epochs: int, warmup_epochs: float
) -> float | Schedule:
    """A plain number where it never changes, else a `Schedule` over `epochs`."""
    warmup_steps = round(warmup_epochs * steps_per_epoch)
    if shape == "constant" and not warmup_steps:
        return peak
    return Schedule(peak, shape, steps_per_epoch * epochs, warmup_steps)
