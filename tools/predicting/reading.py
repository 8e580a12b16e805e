"""Many images to probabilities, with no more than a chunk of them in memory."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pipeline.datasets.decode import UnreadableError
from pipeline.datasets.pool import processors
from pipeline.datasets.resizing import Resize
from tools.serving import images
from tools.serving.engine import Answer, Engine


def predictions(
    engine: Engine, paths: Sequence[Path], resize: Resize
) -> Iterator[tuple[Path, Answer | UnreadableError]]:
    """Each image with its answer, or why it cannot be read."""
    step = images.chunks(engine.shape)
    quiet = True if len(paths) <= step else None
    with (
        ThreadPoolExecutor(processors()) as pool,  # Pillow decodes without Python's lock
        tqdm(total=len(paths), desc="predict", unit=" images", disable=quiet) as bar,
    ):
        for start in range(0, len(paths), step):
            part = paths[start : start + step]
            read = list(pool.map(lambda path: _read(path, engine.shape, resize), part))
            good = [one for one in read if not isinstance(one, UnreadableError)]
            rows = iter(engine(np.stack(good)) if good else ())
            for path, one in zip(part, read, strict=True):
                yield path, one if isinstance(one, UnreadableError) else next(rows)
            bar.update(len(part))


def _read(path: Path, shape: tuple[int, int, int], resize: Resize) -> np.ndarray | UnreadableError:
    try:
        return images.read(path, shape, resize)
    except UnreadableError as error:
        return error
