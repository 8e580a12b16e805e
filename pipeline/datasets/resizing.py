"""How an image is brought to the size that the model takes: one rule, for training and for use.

stretch   height and width each to the model's; the ratio of the sides is not kept
crop      the centre: of a square the short side is brought to size / 0.875, and the middle cut
          out, so that 1/16 is lost at each end of it and more of the long side
pad       the whole image, as large as it fits, in the middle of a grey ground (128, 128, 128)

An image that has the model's size already stays as it is. All interpolate
bilinearly, over all pixels that fall into one of the result's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from PIL import Image

Method = Literal["stretch", "crop", "pad"]
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Resize:
    """The rule, as dataset.json and a logged model hold it (`described`, `read`).

    `share` is the part of the short side that crop keeps of a square, `grey` (0…255)
    the colour of pad's ground.
    """

    method: Method = "stretch"
    share: float = 0.875
    grey: int = 128

    @classmethod
    def read(cls, described: Mapping[str, Any] | None) -> "Resize":
        """What `described` wrote; None, as models of earlier versions have it, is stretch.

        Raises:
            PipelineError: a method that this version does not know.
        """
        values = dict(described or {})
        if values.get("method", "stretch") not in get_args(Method):
            raise PipelineError(
                f"resize: {values['method']}: unknown here; use the version that trained the model"
            )
        return cls(**values)

    def described(self) -> dict[str, Any]:
        """The rule with its numbers, for JSON."""
        own: dict[str, dict[str, Any]] = {"crop": {"share": self.share}, "pad": {"grey": self.grey}}
        return {"method": self.method, **own.get(self.method, {})}

    def in_words(self, height: int, width: int) -> str:
        """What is done to get images of height × width."""
        size = f"{height}×{width} pixels"
        if self.method == "crop":
            return f"cropped to {size} around the centre, without a margin of {1 - self.share:.1%}"
        if self.method == "pad":
            grey = ", ".join([str(self.grey)] * 3)
            return f"padded with grey ({grey}) to {size}"
        return f"stretched to {size}"

    def refusal(self, came: tuple[int, int], height: int, width: int) -> str | None:
        """Why nothing would be left of an image of this (width, height); None if it is not so."""
        if came == (width, height) or self.method == "stretch":
            return None
        if self.method == "pad":
            left: float = min(self._fitted(came, height, width))
        else:
            x0, y0, x1, y1 = self._cut(came, height, width)
            left = min(x1 - x0, y1 - y0)
        if left >= 1:
            return None
        return f"{came[0]}×{came[1]} pixels, of which {self.method} leaves nothing"

    def fit(self, image: "Image.Image", height: int, width: int) -> "Image.Image":
        """A loaded image of mode L or RGB at height × width.

        It must be one that `refusal` has nothing against.
        """
        from PIL import Image

        bilinear = Image.Resampling.BILINEAR
        if image.size == (width, height):
            return image
        if self.method == "crop":
            # Read from the box at once: the whole of 1×10,000 pixels would be huge on the way.
            return image.resize((width, height), bilinear, self._cut(image.size, height, width))
        if self.method == "pad":
            fitted = image.resize(self._fitted(image.size, height, width), bilinear)
            colour = self.grey if image.mode == "L" else (self.grey,) * 3
            ground = Image.new(image.mode, (width, height), colour)
            ground.paste(fitted, ((width - fitted.width) // 2, (height - fitted.height) // 2))
            return ground
        return image.resize((width, height), bilinear)

    def _cut(self, came: tuple[int, int], height: int, width: int) -> Box:
        """The part of an image of (width, height) that crop keeps: left, top, right, bottom."""
        scale = max(width / came[0], height / came[1]) / self.share
        kept = width / scale, height / scale
        left, top = (came[0] - kept[0]) / 2, (came[1] - kept[1]) / 2
        return left, top, left + kept[0], top + kept[1]

    @staticmethod
    def _fitted(came: tuple[int, int], height: int, width: int) -> tuple[int, int]:
        """The width and height that pad gives an image of (width, height)."""
        scale = min(width / came[0], height / came[1])
        return round(came[0] * scale), round(came[1] * scale)


def sides(size: int | list[int] | None, own: tuple[int, int] = (0, 0)) -> tuple[int, int]:
    """Height and width that `image_size` stands for; None for `own`."""
    if size is None:
        return own
    height, width = (size, size) if isinstance(size, int) else size
    return height, width
