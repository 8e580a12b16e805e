"""Training in mixed_float16: Keras scales the loss, and a checkpoint holds the scale.

On the processor, which is slow in float16 and as right as a GPU.
"""

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from pipeline import backend
from pipeline.training import fitting
from tests.pipeline.training.test_fitting import IMAGES, LABELS, phases, train


@pytest.fixture(autouse=True, scope="module")
def mixed_float16() -> Iterator[None]:
    backend.configure(0, 2, True, "mixed_float16")
    yield
    keras.config.set_dtype_policy("float32")


def compiled(**options) -> keras.Model:
    """The model of the first phase, as `fit` gets it."""
    model, drawn = phases(**options)
    fitting.compile_phase(next(drawn))
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd", "muon"])
def test_every_optimizer_is_wrapped_and_learns(tmp_path, name, schedule):
    rates = {"warmup_epochs": 0} if schedule == "constant" else {"warmup_epochs": 0.5}
    options = {"optimizer": name, "learning_rate_schedule": schedule, **rates}
    optimizer = compiled(**options).optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(optimizer.dynamic_scale) == 2**15
    before = phases(**options)[0].get_weights()
    after, history, epochs = train(tmp_path, **options)
    assert epochs == [1, 2, 3, 4, 5, 6]
    assert all(np.isfinite(row["loss"]) for row in history)
    assert all(np.isfinite(weight).all() for weight in after)
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
    # The rates are those of the schedule, not of the wrapper, whose own is 0.
    expected = {"constant": [0.01] * 3, "cosine": train_in_float32(tmp_path, **options)}[schedule]
    assert [row["learning_rate"] for row in history[:3]] == expected


def train_in_float32(tmp_path, **options) -> list[float]:
    keras.config.set_dtype_policy("float32")
    try:
        _, history, _ = train(tmp_path / "float32", **options)
    finally:
        keras.config.set_dtype_policy("mixed_float16")
    return [row["learning_rate"] for row in history[:3]]


def test_it_learns_what_float32_learns(tmp_path):
    """The losses agree to what float16 has of digits."""
    _, history, _ = train(tmp_path / "float16", learning_rate=1e-3)
    keras.config.set_dtype_policy("float32")
    try:
        _, exact, _ = train(tmp_path / "float32", learning_rate=1e-3)
    finally:
        keras.config.set_dtype_policy("mixed_float16")
    losses = [row["val_loss"] for row in history]
    assert losses == pytest.approx([row["val_loss"] for row in exact], rel=0.02)
    assert losses != [row["val_loss"] for row in exact]


def test_a_step_that_overflows_is_left_out_and_the_scale_halved():
    model = compiled(learning_rate_schedule="constant", warmup_epochs=0)
    model.optimizer.dynamic_scale.assign(2.0**40)
    before = [np.array(variable) for variable in model.trainable_variables]
    model.fit(IMAGES[:8], LABELS[:8], batch_size=8, verbose=0)
    assert float(model.optimizer.dynamic_scale) == 2.0**39
    assert int(model.optimizer.iterations) == 0
    for ours, theirs in zip(model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(np.array(ours), theirs)


# In the first phase, between the two, in the second.
@pytest.mark.parametrize("die_after", [2, 3, 5])
def test_a_killed_run_goes_on_to_the_same_weights_and_scale(tmp_path, monkeypatch, die_after):
    """With a scale that grows at every second step, or nobody would see it lost."""
    wrapper = keras.optimizers.LossScaleOptimizer
    monkeypatch.setattr(
        "keras.src.trainers.trainer.LossScaleOptimizer",
        type("Growing", (wrapper,), {"__init__": lambda self, inner, name: wrapper.__init__(
            self, inner, initial_scale=2.0**4, dynamic_growth_steps=2, name=name
        )}),
    )  # fmt: skip
    whole, history, _ = train(tmp_path / "whole")
    assert train(tmp_path / "killed", die_after=die_after)[0] is None
    resumed, resumed_history, _ = train(tmp_path / "killed")
    assert resumed_history == history
    for ours, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    ends = [np.load(tmp_path / each / fitting.CHECKPOINT) for each in ("whole", "killed")]
    of_optimizer = [name for name in ends[0].files if name.startswith("optimizer_")]
    assert [name for name in ends[1].files if name.startswith("optimizer_")] == of_optimizer
    for name in of_optimizer:
        np.testing.assert_array_equal(ends[0][name], ends[1][name])
    # 12 steps of a phase: six times doubled.
    assert 2.0**10 in [float(ends[0][name]) for name in of_optimizer if ends[0][name].ndim == 0]
