"""stretch, crop and pad: the right part of the image, at the right place, in any shape."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.datasets.decode import UnreadableError, decode
from pipeline.datasets.resizing import Resize, sides
from pipeline.errors import PipelineError
from tests.pipeline.datasets.pictures import encoded

METHODS = ("stretch", "crop", "pad")
SIDES = st.integers(1, 60)


def noise(width: int, height: int) -> Image.Image:
    pixels = np.random.default_rng(width * height).integers(0, 256, (height, width, 3), "uint8")
    return Image.fromarray(pixels)


def fitted(image: Image.Image, method: str, height: int, width: int) -> np.ndarray:
    return np.asarray(Resize(method).fit(image, height, width))


@pytest.mark.parametrize(("width", "height"), [(512, 256), (256, 320), (64, 64)])
def test_crop_is_the_usual_resizing_and_cutting(width: int, height: int) -> None:
    """The short side to 256 and the 224 in the middle, but for the rest of the image's way."""
    image = noise(width, height)
    scale = 256 / min(width, height)
    whole = image.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (whole.width - 224) // 2, (whole.height - 224) // 2
    cut = np.asarray(whole.crop((left, top, left + 224, top + 224))).astype(int)
    assert np.abs(fitted(image, "crop", 224, 224) - cut).max() <= 1


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pad_keeps_the_whole_image_on_documented_grey(mode: str) -> None:
    white = Image.new(mode, (40, 20), "white")
    wide = fitted(white, "pad", 16, 16)
    assert (wide[4:12] == 255).all()
    assert (wide[:4] == 128).all()
    assert (wide[12:] == 128).all()
    high = fitted(white.rotate(90, expand=True), "pad", 8, 20)
    assert (high[:, 8:12] == 255).all()
    assert (high[:, :8] == 128).all()
    assert (high[:, 12:] == 128).all()


def test_stretch_is_pillows_bilinear_in_both_directions() -> None:
    image = noise(33, 21)
    expected = np.asarray(image.resize((12, 30), Image.Resampling.BILINEAR))
    assert fitted(image, "stretch", 30, 12).tolist() == expected.tolist()


@pytest.mark.parametrize("method", METHODS)
def test_an_image_that_has_the_size_stays_as_it_is(method: str) -> None:
    image = noise(9, 7)
    assert fitted(image, method, 7, 9).tolist() == np.asarray(image).tolist()


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(METHODS), SIDES, SIDES, SIDES, SIDES)
def test_any_image_gets_any_shape_about_its_centre(
    method: str, width: int, height: int, out_height: int, out_width: int
) -> None:
    """An image that is its own mirror image stays one, both ways, to rounding."""
    rule = Resize(method)
    quarter = np.asarray(noise(width, height))
    image = np.concatenate([quarter, quarter[:, ::-1]], axis=1)
    image = np.concatenate([image, image[::-1]])
    came = (2 * width, 2 * height)
    assume(rule.refusal(came, out_height, out_width) is None)
    found = np.asarray(rule.fit(Image.fromarray(image), out_height, out_width)).astype(int)
    assert found.shape == (out_height, out_width, 3)
    if method == "pad":  # the ground may be a pixel wider at one side
        found = found[(found != 128).any(axis=(1, 2))][:, (found != 128).any(axis=(0, 2))]
    for mirrored in (found[::-1], found[:, ::-1]):
        assert np.abs(found - mirrored).max(initial=0) <= 2


class Asked:
    """In place of an image of a size: keeps the part of it that is asked for."""

    def __init__(self, width: int, height: int) -> None:
        self.size = (width, height)
        self.box = (0.0, 0.0, 0.0, 0.0)

    def resize(self, size: tuple[int, int], _: Image.Resampling, box: tuple[float, ...]) -> None:
        self.box = box


@settings(max_examples=200, deadline=None)
@given(SIDES, SIDES, SIDES, SIDES)
def test_crop_keeps_the_ratio_and_seven_eighths_of_the_side_that_limits_it(
    width: int, height: int, out_height: int, out_width: int
) -> None:
    assume((width, height) != (out_width, out_height))
    image = Asked(width, height)
    Resize("crop").fit(image, out_height, out_width)
    left, top, right, bottom = image.box
    assert left + right == pytest.approx(width)
    assert top + bottom == pytest.approx(height)
    assert (right - left) / (bottom - top) == pytest.approx(out_width / out_height)
    assert max((right - left) / width, (bottom - top) / height) == pytest.approx(0.875)


@pytest.mark.parametrize("method", ["crop", "pad"])
@pytest.mark.parametrize("size", [(1, 10_000), (10_000, 1)])
def test_what_leaves_nothing_is_refused(method: str, size: tuple[int, int]) -> None:
    data = encoded(Image.new("L", size))
    with pytest.raises(UnreadableError) as error:
        decode(data, (224, 224, 3), Resize(method))
    assert str(error.value) == f"{size[0]}×{size[1]} pixels, of which {method} leaves nothing"
    assert decode(data, (8, 8, 1), Resize())[0].shape == (8, 8, 1)
    assert decode(encoded(Image.new("L", (2, 400))), (224, 224, 1), Resize(method))[1] == (2, 400)


@pytest.mark.parametrize("method", METHODS)
def test_the_rule_is_written_down_with_its_numbers_and_read_again(method: str) -> None:
    rule = Resize(method)
    assert Resize.read(rule.described()) == rule
    assert Resize.read(None) == Resize("stretch")
    assert Resize.read({"method": "pad", "grey": 0}).grey == 0
    assert Resize("crop").described() == {"method": "crop", "share": 0.875}
    assert Resize("pad").described() == {"method": "pad", "grey": 128}


def test_a_rule_of_another_version_is_one_line() -> None:
    with pytest.raises(PipelineError, match=r"^resize: seam: unknown here; use the version that"):
        Resize.read({"method": "seam"})


def test_sides_of_a_number_a_pair_and_nothing() -> None:
    assert sides(7) == (7, 7)
    assert sides([7, 9]) == (7, 9)
    assert sides(None, (3, 4)) == (3, 4)
