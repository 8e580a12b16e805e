"""One phase of training, epoch by epoch, each of them safe on disk before the next begins."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from pipeline import backend, distribution
from pipeline.errors import PipelineError
from pipeline.runtime import estimate
from pipeline.runtime.stage import say
from pipeline.training import checkpoint, divided, schedules
from pipeline.training.batches import Batches
from pipeline.training.checkpoint import Progress, Row
from pipeline.training.history import best_epoch
from pipeline.training.optimizers import optimizer, swap_mean

CHECKPOINT = "checkpoint.npz"
BEST = "best_{phase}.npz"


@dataclass(frozen=True)
class Phase:
    """What is trained in one go.

    `model` is the part of the network that is run (a chain that shares the
    whole model's layers), on `train` and, if there is one, `validation`.
    `early_stopping` is the patience in epochs; None never stops. With `ema`, a decay,
    the exponential mean of the weights is validated and kept. `mixed` says that
    labels are shared between classes. `steps_at_once` is above 1 where a step is so short
    that starting one costs as much.
    """

    name: str
    model: keras.Model
    train: Batches
    validation: Batches | None
    epochs: int
    optimizer: str
    momentum: float
    weight_decay: float
    learning_rate: float
    learning_rate_schedule: str
    warmup_epochs: float
    label_smoothing: float
    early_stopping: int | None
    best_weights: bool
    ema: float | None = None
    mixed: bool = False
    steps_at_once: int = 1


def fit(
    phases: Iterable[Phase], folder: Path, progress: Progress, on_epoch: Callable[[Progress], None]
) -> None:
    """Train the phases one after the other, from where `progress` is.

    A phase is drawn from `phases` when it begins, so that the layers that it
    trains can be chosen then.

    After every epoch `progress` has a row more, a checkpoint is in `folder`,
    and `on_epoch(progress)` is called. The epochs count on from phase to phase.
    Of several processes that share the batches one writes.
    """
    path = folder / CHECKPOINT
    resumed = bool(progress.history)
    for number, phase in enumerate(phases):
        if number < progress.phase:
            continue
        share = phase.train.share
        compile_phase(phase)
        if resumed and number == progress.phase:
            checkpoint.restore(path, phase.model)
        else:
            progress.phase = number
        before = sum(row["phase"] != phase.name for row in progress.history)
        keeper = _Keeper(phase, folder, progress, on_epoch)
        trained = not keeper.finished()
        if trained:
            phase.model.fit(
                backend.feed(phase.train),
                shuffle=False,  # the batches are shuffled already, by seed and epoch
                initial_epoch=len(progress.history),
                epochs=before + phase.epochs,
                validation_data=backend.feed(phase.validation) if phase.validation else None,
                callbacks=[keeper],
                # A progress bar for a person, a line an epoch for a log file.
                verbose=(1 if sys.stdout.isatty() else 2) if share.first else 0,
            )
        elif phase.ema is not None:  # Keras does it at the end of `fit`
            phase.model.optimizer.finalize_variable_values(phase.model.trainable_weights)
        if phase.best_weights:
            best = best_epoch(keeper.rows())
            if share.processes > 1:
                distribution.meet(f"the best weights of phase {number}")
            checkpoint.load_weights(folder / BEST.format(phase=number), phase.model)
            if trained and share.first:
                say("train", f"kept the weights of epoch {keeper.rows()[best]['epoch']}, the best")


def compile_phase(phase: Phase) -> None:
    """Give the phase's model its optimizer, loss and metric."""
    rate = schedules.learning_rate(
        phase.learning_rate,
        phase.learning_rate_schedule,
        len(phase.train),
        phase.epochs,
        phase.warmup_epochs,
    )
    binary = phase.model.output_shape[-1] == 1
    loss = keras.losses.BinaryCrossentropy if binary else keras.losses.CategoricalCrossentropy
    accuracy: Any = _accuracy if binary and phase.mixed else "accuracy"
    shared = phase.train.share.replicas > 1
    phase.model.compile(
        optimizer=optimizer(phase.optimizer, rate, phase.weight_decay, phase.momentum, phase.ema),
        loss=loss(label_smoothing=phase.label_smoothing),
        metrics=None if shared else [accuracy],
        weighted_metrics=[divided.accuracy(accuracy, binary)] if shared else None,
        # PyTorch's trainer takes one step alone, and JAX's brings back what it gains.
        steps_per_execution=phase.steps_at_once if keras.backend.backend() == "tensorflow" else 1,
    )
    if shared:
        divided.divide(phase.model)


def _accuracy(true: Any, predicted: Any) -> Any:
    """Of one sigmoid unit, where a label may be 0.7 of class 1: the larger share counts."""
    same = keras.ops.equal(true > 0.5, predicted > 0.5)
    return keras.ops.mean(keras.ops.cast(same, "float32"), axis=-1)


_accuracy.__name__ = "accuracy"  # what Keras calls it in the history


def should_stop(rows: Sequence[Row], patience: int | None) -> bool:
    """Whether the last `patience` epochs brought no better validation loss."""
    return patience is not None and bool(rows) and len(rows) - 1 - best_epoch(rows) >= patience


class _Keeper(keras.callbacks.Callback):
    """Keeps what an epoch has found: the history's row, the checkpoint, the best weights."""

    def __init__(
        self,
        phase: Phase,
        folder: Path,
        progress: Progress,
        on_epoch: Callable[[Progress], None],
    ) -> None:
        super().__init__()
        self._phase = phase
        self._share = phase.train.share
        self._folder = folder
        self._progress = progress
        self._on_epoch = on_epoch
        self._start = 0.0
        self._rate = 0.0
        self._forecast = False

    def rows(self) -> list[Row]:
        """The history of this phase alone."""
        return [row for row in self._progress.history if row["phase"] == self._phase.name]

    def finished(self) -> bool:
        rows = self.rows()
        return len(rows) >= self._phase.epochs or should_stop(rows, self._phase.early_stopping)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._phase.train.epoch = epoch
        backend.seed_epoch(self._phase.train.seed, epoch)
        self._start = time.perf_counter()
        # Seven digits are all that a float32 has: 2e-05, not 1.9999999494757503e-05.
        self._rate = float(f"{float(self.model.optimizer.learning_rate):.7g}")

    def on_test_begin(self, logs: Any = None) -> None:
        self._swap_mean()

    def on_test_end(self, logs: Any = None) -> None:
        self._swap_mean()

    def _swap_mean(self) -> None:
        if self._phase.ema is not None:
            swap_mean(self._phase.model)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._start
        figures = {name: float(value) for name, value in sorted((logs or {}).items())}
        row = {"epoch": epoch + 1, "phase": self._phase.name, **figures}
        row["learning_rate"] = self._rate
        if not all(map(math.isfinite, figures.values())):
            raise PipelineError(
                f"learning_rate: {self._rate:g} is too high: the loss is not a finite number "
                f"after epoch {epoch + 1}; try a tenth of it"
            )
        progress = self._progress
        progress.history.append(row)
        progress.seconds += seconds
        if self._phase.best_weights and best_epoch(self.rows()) == len(self.rows()) - 1:
            self._swap_mean()
            if self._share.first:
                checkpoint.save_weights(
                    self._folder / BEST.format(phase=progress.phase), self._phase.model
                )
            self._swap_mean()
        if self._share.first:
            checkpoint.save(self._folder / CHECKPOINT, self._phase.model, progress)
        self._on_epoch(progress)
        if not self._forecast and self._share.first:
            self._forecast = True
            soon = estimate.of_epochs(seconds, self._phase.epochs - len(self.rows()))
            if soon:
                say("train", soon)
        if should_stop(self.rows(), self._phase.early_stopping):
            if self._share.first:
                say("train", f"stopped after epoch {epoch + 1}: no better validation loss")
            self.model.stop_training = True
