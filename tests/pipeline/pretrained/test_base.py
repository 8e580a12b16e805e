"""The 26 arrays: their names and shapes, what is refused, their digest."""

import hashlib

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.pretrained import base


def test_the_arrays_are_those_of_vgg16():
    shapes = base.shapes()
    assert len(shapes) == 26
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == 14_714_688
    assert list(shapes)[:3] == ["block1_conv1_kernel", "block1_conv1_bias", "block1_conv2_kernel"]
    assert shapes["block1_conv1_kernel"] == (3, 3, 3, 64)
    assert shapes["block5_conv3_kernel"] == (3, 3, 512, 512)
    assert base.layer_names()[-1] == "block5_conv3"


def test_the_digest_is_over_the_bytes_in_layer_order(arrays):
    plain = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()
    assert base.digest(arrays) == plain
    assert base.digest(dict(reversed(arrays.items()))) == plain
    flipped = arrays["block3_conv2_bias"].copy()
    flipped[7] = -flipped[7]
    assert base.digest(arrays | {"block3_conv2_bias": flipped}) != plain


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"block2_conv1_kernel": None},
            "not the weights of VGG16's base: block2_conv1_kernel is missing (25 of its 26 arrays are there)",
        ),
        (
            {"block1_conv1_kernel": np.zeros((5, 5, 3, 64), "float32")},
            "not the weights of VGG16's base: block1_conv1_kernel is 5×5×3×64, expected 3×3×3×64",
        ),
        (
            {"block1_conv1_bias": np.zeros(64, "int32")},
            "block1_conv1_bias is int32, expected float32",
        ),
        (
            {"block1_conv1_bias": np.full(64, np.nan, "float32")},
            "block1_conv1_bias holds values that are not finite",
        ),
    ],
)
def test_other_arrays_are_refused(arrays, change, line):
    found = {name: array for name, array in (arrays | change).items() if array is not None}
    with pytest.raises(PipelineError) as error:
        base.checked(found, "a.h5")
    assert str(error.value) == f"a.h5: {line}"


def test_other_precisions_become_float32_in_layer_order(arrays):
    found = dict(
        reversed({name: array.astype("float64") for name, array in arrays.items()}.items())
    )
    checked = base.checked(found, "a.h5")
    assert list(checked) == list(base.shapes())
    assert {array.dtype for array in checked.values()} == {np.dtype("float32")}
    assert base.digest(checked) == base.digest(arrays)
