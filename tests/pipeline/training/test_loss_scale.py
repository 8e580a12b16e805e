"""Training in mixed_float16: Keras scales the loss, and a checkpoint holds the scale.

On the processor, which is slow in float16 and as right as a GPU.
"""

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from pipeline import backend
from pipeline.training import fitting, schedules
from tests.pipeline.training.test_fitting import IMAGES, LABELS, killed, phases, train


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


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd", "muon"])
def test_every_optimizer_is_wrapped_and_learns_at_its_own_rates(tmp_path, name):
    # At ten times the rate a step of RMSprop's overflows; it is left out, and not counted.
    options = {"optimizer": name, "epochs": 2, "warmup_epochs": 0.0, "learning_rate": 1e-3}
    optimizer = compiled(**options).optimizer
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    assert float(optimizer.dynamic_scale) == 2**15
    before = phases(**options)[0].get_weights()
    after, history, _ = train(tmp_path, **options)
    assert all(np.isfinite(weight).all() for weight in after)
    assert any((a != b).any() for a, b in zip(after, before, strict=True))
    # The schedule's, at the first and the fifth of eight steps, not the wrapper's own, which is 0.
    schedule = schedules.learning_rate(1e-3, "cosine", 4, 2, 0)
    rates = [float(f"{float(schedule(step)):.7g}") for step in (0, 4)]
    assert [row["learning_rate"] for row in history] == rates * 2


def test_it_learns_what_float32_learns(tmp_path):
    """The losses agree to what float16 has of digits."""
    _, history, _ = train(tmp_path / "float16", learning_rate=1e-3, epochs=1)
    keras.config.set_dtype_policy("float32")
    try:
        _, exact, _ = train(tmp_path / "float32", learning_rate=1e-3, epochs=1)
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


class Growing(keras.optimizers.LossScaleOptimizer):
    """A scale that doubles at every second step, so that a lost one would be seen."""

    def __init__(self, inner_optimizer, name=None):
        super().__init__(inner_optimizer, initial_scale=2.0**4, dynamic_growth_steps=2, name=name)


def test_a_killed_run_goes_on_to_the_same_weights_and_scale(tmp_path, monkeypatch):
    monkeypatch.setattr("keras.src.trainers.trainer.LossScaleOptimizer", Growing)
    whole, history, _ = train(tmp_path / "whole", epochs=2)
    resumed, resumed_history, epochs = train(killed(tmp_path / "whole", 3), epochs=2)
    assert (resumed_history, epochs) == (history, [4])
    for ours, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with (
        np.load(tmp_path / "whole" / fitting.CHECKPOINT) as theirs,
        np.load(killed(tmp_path / "whole", 3) / fitting.CHECKPOINT) as ours,
    ):
        names = [name for name in theirs.files if name.startswith("optimizer_")]
        assert [name for name in ours.files if name.startswith("optimizer_")] == names
        for name in names:
            np.testing.assert_array_equal(ours[name], theirs[name])
        # Eight steps of the phase: four times doubled.
        assert 2.0**8 in [float(theirs[name]) for name in names if theirs[name].ndim == 0]
