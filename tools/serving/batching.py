"""Images of many requests computed together, in the order in which they came."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tools.serving.engine import Answer
from tools.serving.limits import MOST_IMAGES, RefusedError

# To another thread and back takes a third of a millisecond, on a busy machine several.
QUICK_SECONDS = 0.002


class _Question:
    """The images of one request, answered in one batch or several."""

    def __init__(
        self, images: Sequence[np.ndarray], answer: "asyncio.Future[list[Answer]]"
    ) -> None:
        self.images = images
        self.answer = answer
        self.answers: list[Answer] = []


Batch = list[tuple[_Question, np.ndarray]]
Engine = Callable[[np.ndarray], list[Answer]]


class Batcher:
    """One thread that computes; what comes meanwhile is the next batch.

    A batch that takes next to no time is computed at once, without the thread. One
    waits for `wait` seconds when other requests are open, for they will bring images
    soon, and not at all when there are none.

    Args:
        most: images in a batch.
        open_requests: how many requests are being read or answered, this one among them.
    """

    def __init__(
        self, engine: Engine, most: int, wait: float, open_requests: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._most = most
        self._wait = wait
        self._open = open_requests
        self._waiting: deque[tuple[_Question, np.ndarray]] = deque()
        self._thread = ThreadPoolExecutor(1, "computing")
        self._timer: asyncio.TimerHandle | None = None
        self._busy = False
        self._each = 1.0  # seconds that an image takes, about
        self.on_batch: Callable[[int], None] = lambda images: None

    async def ask(self, images: Sequence[np.ndarray]) -> list[Answer]:
        """The answers for at least one image.

        Raises:
            RefusedError: 429, too many are waiting.
        """
        if self._waiting and len(self._waiting) + len(images) > MOST_IMAGES:
            raise RefusedError(429, f"busy: {len(self._waiting)} images are waiting; ask later")
        question = _Question(images, asyncio.get_running_loop().create_future())
        self._waiting.extend((question, image) for image in images)
        self._look()
        return await question.answer

    def _look(self) -> None:
        """Compute now, or a moment later, or when the batch before is through."""
        if self._busy or not self._waiting:
            return
        alone = len({id(question) for question, _ in self._waiting}) >= self._open()
        if alone or len(self._waiting) >= self._most:
            self._compute()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._wait, self._compute)

    def _compute(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch: Batch = []
        while self._waiting and len(batch) < self._most:
            question, image = self._waiting.popleft()
            if not question.answer.done():  # else its time is over
                batch.append((question, image))
        if not batch:
            return
        self.on_batch(len(batch))
        if len(batch) * self._each <= QUICK_SECONDS:
            self._hand_out(batch, *self._computed(batch))
            return
        self._busy = True
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._computed, batch)
        work.add_done_callback(lambda done: self._hand_out(batch, *done.result()))

    def _computed(self, batch: Batch) -> tuple[list[Answer] | None, Exception | None]:
        started = time.perf_counter()
        try:
            answers = self._engine(np.stack([image for _, image in batch]))
        except Exception as error:
            return None, error
        # What else runs on the machine can only make it longer.
        self._each = min(1.1 * self._each, (time.perf_counter() - started) / len(batch))
        return answers, None

    def _hand_out(
        self, batch: Batch, answers: list[Answer] | None, failure: Exception | None
    ) -> None:
        self._busy = False
        for number, (question, _) in enumerate(batch):
            if question.answer.done():
                continue
            if answers is None:
                question.answer.set_exception(failure or RuntimeError("no answer"))
                continue
            question.answers.append(answers[number])
            if len(question.answers) == len(question.images):
                question.answer.set_result(question.answers)
        if self._waiting:  # these have waited while the others were computed
            self._compute()
