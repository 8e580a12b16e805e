"""Muon: orthogonal steps of kernels of one length; the rest by momentum. The others' own."""

import keras
import numpy as np
import pytest

from pipeline.training.optimizers import Muon, optimizer, orthogonal


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (3, 3, 2, 64), (1, 1, 4, 4)])
def test_a_step_has_singular_values_near_one_and_the_gradients_directions(shape):
    kernel = np.random.default_rng(0).normal(size=shape).astype("float32")
    step = keras.ops.convert_to_numpy(orthogonal(kernel)).reshape(-1, shape[-1])
    left, _, right = np.linalg.svd(kernel.reshape(-1, shape[-1]), full_matrices=False)
    in_its_directions = left.T @ step @ right.T
    values = np.diag(in_its_directions)
    np.testing.assert_allclose(in_its_directions - np.diag(values), 0, atol=1e-3)
    assert values.min() > 0.3
    assert values.max() < 1.3


def variable(values, name: str) -> keras.Variable:
    return keras.Variable(np.asarray(values, "float32"), name=name)


def test_kernels_keep_the_length_of_unit_filters():
    kernel = variable(np.random.default_rng(1).normal(size=(3, 3, 4, 8)) * 5, "kernel")
    muon = Muon(learning_rate=1e-6)
    muon.apply([np.ones((3, 3, 4, 8), "float32")], [kernel])
    assert float(np.square(kernel).sum()) == pytest.approx(8, rel=1e-4)


def test_a_kernel_moves_against_its_gradient_whatever_the_gradients_size():
    moves = []
    for size in (1e-3, 1e3):
        kernel = variable(np.random.default_rng(1).normal(size=(3, 3, 4, 8)), "kernel")
        gradient = np.random.default_rng(2).normal(size=(3, 3, 4, 8)).astype("float32") * size
        still = np.array(kernel) * (8**0.5 / np.linalg.norm(np.array(kernel)))
        Muon(learning_rate=0.1).apply([gradient], [kernel])
        moves.append(np.array(kernel) - still)
        assert (moves[-1] * gradient).sum() < 0
    np.testing.assert_allclose(moves[0], moves[1], atol=1e-4)


def test_the_rest_moves_by_nesterovs_momentum_at_its_own_share():
    dense, bias, offset = (
        variable(np.zeros((2, 2)), "kernel"),
        variable(np.zeros(2), "bias"),
        variable(np.zeros(2), "beta"),
    )
    gradients = [np.ones(v.shape, "float32") for v in (dense, bias, offset)]
    muon = Muon(learning_rate=0.1)
    for _ in range(2):
        muon.apply(gradients, [dense, bias, offset])
    m = Muon.MOMENTUM
    moved = -0.1 * ((1 + m) + (1 + m * (1 + m)))
    np.testing.assert_allclose(dense, moved * Muon.DENSE, rtol=1e-5)
    np.testing.assert_allclose(bias, moved * Muon.BIASES, rtol=1e-5)
    np.testing.assert_allclose(offset, moved * Muon.OFFSETS, rtol=1e-5)


def test_momentum_of_sgd_adds_up_the_steps():
    moved = variable([[1.0]], "kernel")
    sgd = optimizer("sgd", 0.1, 0.0, momentum=0.9)
    for _ in range(3):
        sgd.apply([np.ones((1, 1), "float32")], [moved])
    np.testing.assert_allclose(moved, [[1 - 0.1 * (1 + 1.9 + 2.71)]], rtol=1e-6)


def test_momentum_of_rmsprop_lengthens_its_steps():
    ends = []
    for momentum in (0.0, 0.9):
        moved = variable([[1.0]], "kernel")
        rmsprop = optimizer("rmsprop", 0.01, 0.0, momentum=momentum)
        for _ in range(5):
            rmsprop.apply([np.ones((1, 1), "float32")], [moved])
        ends.append(1 - float(np.array(moved)[0, 0]))
    assert ends[1] > 1.8 * ends[0] > 0


@pytest.mark.parametrize("name", ["adam", "rmsprop", "sgd", "muon"])
def test_weights_shrink_by_the_decay_times_the_learning_rate(name):
    weight = variable([[1.0, -2.0]], "kernel")
    optimizer(name, 0.1, 0.5).apply([np.zeros((1, 2), "float32")], [weight])
    np.testing.assert_allclose(weight, [[0.95, -1.9]], rtol=1e-6)
    still = variable([[1.0, -2.0]], "kernel")
    optimizer(name, 0.1, 0.0).apply([np.zeros((1, 2), "float32")], [still])
    np.testing.assert_allclose(still, [[1.0, -2.0]], rtol=1e-6)
