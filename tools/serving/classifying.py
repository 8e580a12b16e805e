"""Encoded images to rows of answers, the work kept away from the connections' thread."""

import asyncio
import io
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from pipeline.datasets import heic
from pipeline.datasets.decode import FORMATS, UnreadableError
from pipeline.datasets.resizing import Resize
from tools.serving import answers, images
from tools.serving.batching import Batcher
from tools.serving.engine import Answer, Engine
from tools.serving.limits import Limits, RefusedError

# Up to here a body is read and its images decoded at once (2 ms): to another thread and back
# takes as long. One thread does what is larger, so that one large picture is in memory.
QUICK_PIXELS = 400_000
QUICK_BYTES = 300_000


class Classifying:
    """The model of a worker.

    Args:
        resize: how the images of its training got their size.
        classes: in the order of its probabilities.
    """

    def __init__(
        self,
        engine: Engine,
        resize: Resize,
        classes: Sequence[str],
        limits: Limits,
    ) -> None:
        self.open_requests = 0
        self._shape = engine.shape
        self._resize = resize
        self._classes = classes
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, "decoding")
        self._batcher = Batcher(engine, limits.batch, limits.wait, lambda: self.open_requests)

    def on_batch(self, call: Callable[[int], None]) -> None:
        """Call with the number of images of each batch."""
        self._batcher.on_batch = call

    async def warm(self) -> None:
        """Read and classify a grey picture: what is loaded late is loaded now."""
        from PIL import Image

        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), "grey").save(buffer, "JPEG")
        await self.classify(lambda: [buffer.getvalue()], 0)

    async def classify(self, given: Callable[[], list[bytes]], size: int) -> list[dict[str, Any]]:
        """An answer for each image: `class`, `probability`, `p_<class>` for each class, and
        `unlike_training` of a model with a reference.

        Args:
            given: the encoded images, from a body of `size` bytes.

        Raises:
            RefusedError: what is wrong with the request.
        """
        encoded = await self._done(given, size <= QUICK_BYTES)
        declared = await self._done(
            lambda: sum(self._pixels(row, data) for row, data in enumerate(encoded)),
            len(encoded) <= 8,
        )
        found: list[dict[str, Any]] = []
        step = images.chunks(self._shape)
        for start in range(0, len(encoded), step):
            part = range(start, min(start + step, len(encoded)))
            pixels = await self._done(
                lambda part=part: [self._decoded(row, encoded[row]) for row in part],  # type: ignore[misc]
                declared <= QUICK_PIXELS,
            )
            found += [self._described(one) for one in await self._batcher.ask(pixels)]
        return found

    async def _done(self, work: Callable[[], Any], quick: bool) -> Any:
        if quick:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _pixels(self, row: int, data: bytes) -> int:
        """How many pixels an image declares; nothing of them is decoded."""
        from PIL import Image

        formats = (*FORMATS, heic.FORMAT) if heic.is_heic(data) else FORMATS
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(io.BytesIO(data), formats=formats) as image:
                    declared = image.width * image.height
        except Image.DecompressionBombError:
            declared = self._limits.pixels + 1
        except Exception:  # the decoder says what is wrong
            return 0
        if declared > self._limits.pixels:
            raise RefusedError(413, f"image {row}: over {self._limits.pixels / 1e6:g} megapixels")
        return declared

    def _decoded(self, row: int, data: bytes) -> np.ndarray:
        try:
            return images.pixels(data, self._shape, self._resize)
        except UnreadableError as error:
            raise RefusedError(400, f"image {row}: {error}; send an image file in base64") from None

    def _described(self, answer: Answer) -> dict[str, Any]:
        best = int(answer.row.argmax())
        found = {"class": self._classes[best], "probability": answers.number(answer.row[best])}
        for name, value in zip(self._classes, answer.row.tolist(), strict=True):
            found[f"p_{name}"] = answers.number(value)
        return found if answer.unlike is None else {**found, answers.UNLIKE: answer.unlike}
