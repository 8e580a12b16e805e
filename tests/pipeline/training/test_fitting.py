"""Training in phases: resumed to the same weights, stopped early, the best kept."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline import backend
from pipeline.errors import PipelineError
from pipeline.networks import build
from pipeline.training import checkpoint
from pipeline.training.batches import Batches
from pipeline.training.checkpoint import Progress
from pipeline.training.fitting import CHECKPOINT, Phase, compile_phase, fit, should_stop
from pipeline.training.history import best_epoch

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (40, 8, 8, 1), dtype="uint8")
NORMALIZATION = {"method": "minmax", "mean": [], "variance": []}
LABELS = np.eye(3, dtype="float32")[GENERATOR.integers(0, 3, 40)]


@pytest.fixture(autouse=True, scope="module")
def deterministic() -> None:
    backend.configure(0, 2, True, "float32")


def small_network() -> keras.Model:
    """A convolution, dropout and a layer that answers: to compile more of them takes longer."""
    layers = [
        keras.Input((8, 8, 1), dtype="uint8"),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(8, 3, 2, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3),
        keras.layers.Activation("softmax", dtype="float32"),
    ]
    return keras.Sequential(layers)


def phases(seed: int = 1, **options):
    """Two phases of a small network with dropout; the first trains the last layers alone."""
    keras.utils.set_random_seed(seed)
    model = small_network()
    settings = {
        "epochs": 3,
        "optimizer": "adam",
        "learning_rate": 1e-2,
        "learning_rate_schedule": "cosine",
        "weight_decay": 0.0,
        "momentum": 0.0,
        "warmup_epochs": 0.5,
        "label_smoothing": 0.1,
        "early_stopping": None,
        "best_weights": False,
    } | options

    def draw():
        for name, frozen in (("head", 2), ("fine_tune", 0)):
            for layer in model.layers[:frozen]:
                layer.trainable = False
            for layer in model.layers[frozen:]:
                layer.trainable = True
            train = Batches(
                IMAGES[:30], LABELS[:30], 8, seed=5, shuffle=True, augmentation="affine"
            )
            validation = Batches(IMAGES[30:], LABELS[30:], 8)
            yield Phase(name=name, model=model, train=train, validation=validation, **settings)

    return model, draw()


def train(folder: Path, **options):
    """Train (or go on) in `folder`; returns the weights, the history, the epochs trained.

    What a kill after epoch N leaves of the folder is there as `killed(folder, N)`.
    """
    folder.mkdir(exist_ok=True)
    model, drawn = phases(**options)
    progress = checkpoint.read_progress(folder / CHECKPOINT) or Progress()
    epochs = []

    def on_epoch(progress):
        epochs.append(progress.history[-1]["epoch"])
        shutil.copytree(folder, killed(folder, epochs[-1]))

    fit(drawn, folder, progress, on_epoch)
    return model.get_weights(), progress.history, epochs


def killed(folder: Path, epoch: int) -> Path:
    return folder.with_name(f"{folder.name}, killed after {epoch}")


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Weights and history of a run that nobody killed, and its folder."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    weights, history, epochs = train(folder)
    assert epochs == [1, 2, 3, 4, 5, 6]
    return weights, history, folder


# In the first phase, between the two, in the second.
@pytest.mark.parametrize("epoch", [2, 3, 5])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, undisturbed, epoch):
    whole, history, folder = undisturbed
    left = shutil.copytree(killed(folder, epoch), tmp_path / "run")
    resumed, resumed_history, epochs = train(left)
    assert epochs == list(range(epoch + 1, 7))
    assert resumed_history == history
    for ours, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)


# Four batches an epoch, the last of them shorter.
@pytest.mark.parametrize("steps", [3, 100])
def test_several_steps_in_a_call_are_the_same_steps(tmp_path, undisturbed, steps):
    weights, history, _ = train(tmp_path, steps_at_once=steps)
    assert history == undisturbed[1]
    for ours, theirs in zip(weights, undisturbed[0], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_weights_depend_on_the_seed(tmp_path, undisturbed):
    other, _, _ = train(tmp_path, seed=2)
    assert any((a != b).any() for a, b in zip(other, undisturbed[0], strict=True))


def test_the_best_weights_survive_a_kill(tmp_path):
    options = {"best_weights": True, "learning_rate": 0.1}
    whole, history, _ = train(tmp_path / "whole", **options)
    resumed, _, _ = train(killed(tmp_path / "whole", 2), **options)
    for ours, theirs in zip(resumed, whole, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    last = [row["val_loss"] for row in history if row["phase"] == "fine_tune"]
    model, _ = phases()
    model.set_weights(whole)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    of_kept = float(loss(LABELS[30:], model.predict(IMAGES[30:], verbose=0)))
    assert of_kept == pytest.approx(min(last), rel=1e-4)


def test_the_frozen_layers_of_a_phase_do_not_change(undisturbed):
    model, _ = phases()
    before = model.get_weights()
    with np.load(killed(undisturbed[2], 3) / CHECKPOINT) as arrays:
        kept = [arrays[name] for name in sorted(arrays) if name.startswith("model_")]
    kept = [array for array in kept if array.shape != (2,)]  # but the states of dropout
    same = [np.array_equal(a, b) for a, b in zip(kept, before, strict=True)]
    assert same == [True, True, *[False] * (len(same) - 2)]


def test_early_stopping_ends_each_phase(tmp_path):
    _, history, _ = train(tmp_path / "run", epochs=30, early_stopping=2, learning_rate=0.05)
    assert len(history) < 60
    for name in ("head", "fine_tune"):
        rows = [row for row in history if row["phase"] == name]
        assert should_stop(rows, 2)
        assert not should_stop(rows[:-1], 2)


def test_should_stop_waits_for_patience():
    rows = [{"val_loss": loss} for loss in (3.0, 2.0, 2.5, 2.0, 2.1)]
    assert best_epoch(rows) == 1
    assert [should_stop(rows[:n], 2) for n in range(6)] == [False, False, False, False, True, True]
    assert not should_stop(rows, None)


def test_a_loss_that_is_not_finite_stops_with_the_parameter(tmp_path):
    with pytest.raises(PipelineError, match=r"^learning_rate: .* is too high: the loss is not a"):
        train(tmp_path / "run", optimizer="sgd", learning_rate=1e38, warmup_epochs=0)


def test_half_a_checkpoint_is_none(tmp_path, undisturbed):
    path = Path(shutil.copy(killed(undisturbed[2], 1) / CHECKPOINT, tmp_path))
    assert checkpoint.read_progress(path).history[0]["epoch"] == 1
    path.write_bytes(path.read_bytes()[:1000])
    assert checkpoint.read_progress(path) is None
    assert checkpoint.read_progress(tmp_path / "nothing.npz") is None


@pytest.mark.parametrize("options", [{}, {"best_weights": True}])
def test_a_killed_run_keeps_the_mean_of_the_weights(tmp_path, options):
    options = {"ema": 0.9, **options}
    whole, history, _ = train(tmp_path / "whole", **options)
    for epoch in (1, 3, 6):
        folder = killed(tmp_path / "whole", epoch)
        resumed, resumed_history, _ = train(folder, **options)
        assert resumed_history == history, folder.name
        for ours, theirs in zip(resumed, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs, folder.name)


def test_one_sigmoid_and_labels_that_are_shared(tmp_path):
    """Cross-entropy takes the shares; right is who answers the larger of them."""
    model = build("tiny_cnn", (8, 8, 1), 2, normalization=NORMALIZATION)
    shares = np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.8, 0.2]], "float32")
    batches = Batches(IMAGES[:4], shares, 4)
    phase = Phase(
        "train", model, batches, None, 1, "sgd", 0.0, 0.0, 0.1, "constant", 0, 0.0, None, False,
        mixed=True,
    )  # fmt: skip
    compile_phase(phase)
    answers = model.predict(IMAGES[:4], verbose=0)[:, 0].astype("float64")
    loss, accuracy = model.evaluate(*batches[0], verbose=0)
    entropy = -(shares[:, 1] * np.log(answers) + shares[:, 0] * np.log(1 - answers)).mean()
    assert loss == pytest.approx(entropy, rel=1e-4)
    assert accuracy == ((answers > 0.5) == [False, True, True, False]).mean()


@pytest.mark.parametrize(("worth", "said"), [(0.0, 2), (60.0, 0)])
def test_what_an_epoch_takes_is_said_after_the_first(tmp_path, monkeypatch, capsys, worth, said):
    monkeypatch.setattr("pipeline.runtime.estimate.WORTH_SECONDS", worth)
    train(tmp_path, epochs=2)
    lines = [line for line in capsys.readouterr().out.splitlines() if "an epoch takes" in line]
    assert len(lines) == said  # once a phase
    assert all(line.endswith("the one left 1 minute") for line in lines)


def test_the_exponential_mean_is_what_it_says(tmp_path):
    """By hand from the weights after each step: m ← 0.8·m + 0.2·w, beginning at the first w."""
    seen = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append([np.array(w) for w in self.model.trainable_weights])

    model, drawn = phases(optimizer="sgd", ema=0.8, epochs=2)
    phase = next(drawn)
    compiled = phase.model.fit
    phase.model.fit = lambda *a, callbacks, **k: compiled(*a, callbacks=[*callbacks, Watch()], **k)
    progress = Progress()
    fit([phase], tmp_path, progress, lambda progress: None)
    mean = seen[0]
    for weights in seen[1:]:
        mean = [0.8 * m + 0.2 * w for m, w in zip(mean, weights, strict=True)]
    for ours, theirs in zip(model.trainable_weights, mean, strict=True):
        np.testing.assert_allclose(np.array(ours), theirs, atol=1e-6)
    assert np.abs(np.array(model.trainable_weights[0]) - seen[-1][0]).max() > 1e-5
    # What was validated is the mean, too.
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.1)
    of_mean = float(loss(LABELS[30:], model.predict(IMAGES[30:], verbose=0)))
    assert of_mean == pytest.approx(progress.history[-1]["val_loss"], rel=1e-4)
