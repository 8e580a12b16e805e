"""Images of several requests in one batch, and what happens when there are too many."""

import asyncio
import time

import numpy as np
import pytest

from tools.serving.batching import Batcher
from tools.serving.engine import Answer
from tools.serving.limits import MOST_IMAGES, RefusedError


class Engine:
    """Says of an image its number, and keeps how many images came together."""

    def __init__(self, seconds: float = 0.02) -> None:
        self.seconds = seconds
        self.batches: list[list[int]] = []

    def __call__(self, pixels: np.ndarray) -> list[Answer]:
        self.batches.append(pixels[:, 0].tolist())
        time.sleep(self.seconds)
        return [Answer(row) for row in pixels]


def numbered(*numbers: int) -> list[np.ndarray]:
    return [np.array([number]) for number in numbers]


async def asked(batcher: Batcher, *numbers: int) -> list[float]:
    return [float(one.row[0]) for one in await batcher.ask(numbered(*numbers))]


def test_one_that_is_alone_does_not_wait_and_others_share_a_batch():
    engine = Engine()

    async def main() -> None:
        batcher = Batcher(engine, 4, 10.0, lambda: 1)
        assert await asked(batcher, 1) == [1]
        batcher = Batcher(engine, 4, 10.0, lambda: 3)
        found = await asyncio.gather(
            asked(batcher, 2), asked(batcher, 3, 4), asked(batcher, 5, 6, 7)
        )
        assert found == [[2], [3, 4], [5, 6, 7]]

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 5  # nobody waited for ten seconds
    assert engine.batches == [[1], [2, 3, 4, 5], [6, 7]]


def test_a_moment_for_the_others_that_are_open():
    engine = Engine()

    async def main() -> None:
        batcher = Batcher(engine, 8, 0.05, lambda: 3)
        first = asyncio.create_task(asked(batcher, 1))
        await asyncio.sleep(0.01)
        assert await asked(batcher, 2) == [2]  # the third does not come
        assert await first == [1]

    asyncio.run(main())
    assert engine.batches == [[1, 2]]


def test_what_comes_meanwhile_is_the_next_batch_and_the_late_are_left_out():
    engine = Engine(0.1)

    async def main() -> None:
        batcher = Batcher(engine, 8, 0.0, lambda: 1)
        first = asyncio.create_task(asked(batcher, 1))
        await asyncio.sleep(0.02)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asked(batcher, 2)
        assert await asyncio.gather(asked(batcher, 3), asked(batcher, 4)) == [[3], [4]]
        assert await first == [1]

    asyncio.run(main())
    assert engine.batches == [[1], [3, 4]]


def test_too_many():
    engine = Engine(0.2)

    async def main() -> None:
        batcher = Batcher(engine, MOST_IMAGES, 0.0, lambda: 1)
        first = asyncio.create_task(asked(batcher, 0))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(asked(batcher, *range(1, MOST_IMAGES)))
        await asyncio.sleep(0)
        with pytest.raises(
            RefusedError, match=r"^busy: 1023 images are waiting; ask later$"
        ) as said:
            await asked(batcher, 7, 8)
        assert said.value.status == 429
        assert len(await second) == MOST_IMAGES - 1
        assert await first == [0]

    asyncio.run(main())


def test_an_engine_that_fails_fails_its_own_batch_alone():
    def engine(pixels: np.ndarray) -> list[Answer]:
        if pixels[0, 0] == 13:
            raise RuntimeError("no 13")
        return [Answer(row) for row in pixels]

    async def main() -> None:
        batcher = Batcher(engine, 1, 0.0, lambda: 1)
        with pytest.raises(RuntimeError, match="no 13"):
            await asked(batcher, 13)
        assert await asked(batcher, 14) == [14]

    asyncio.run(main())
