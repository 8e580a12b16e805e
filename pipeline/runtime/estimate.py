"""What a stage will take, in minutes and GB, and whether the disk can hold it at all.

Nothing here decides a byte of a result.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import NoRoomError

# What takes no longer than this is not worth a word; a block that is measured takes this long.
WORTH_SECONDS = 60.0
BLOCK_SECONDS = 5.0


def check_disk(folder: Path, needed: int, instead: str = "") -> None:
    """Refuse work for which there is no room.

    Args:
        folder: where it will be written; what stands there already is part of it, from a
            run that was stopped.
        needed: bytes in the end.
        instead: what else would help, as in 'or choose a smaller image_size'.

    Raises:
        NoRoomError: with the folder, the bytes needed and those that are free.
    """
    place = folder.resolve()
    there = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    while not place.exists():
        place = place.parent
    free, missing = shutil.disk_usage(place).free, needed - there
    if missing > free:
        raise NoRoomError(
            f"{folder}: {size(missing)} are needed there and {size(free)} free; "
            f"make room{f' {instead}' * bool(instead)}"
        )


class Forecast:
    """Says once, after a first measured block, what all of a stage's images will take.

    Args:
        images: how many there are to do.
        written: bytes that they become.
        report: gets the line.
        clock: seconds that pass.
    """

    def __init__(
        self,
        images: int,
        written: int,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._images, self._written = images, written
        self._report, self._clock = report, clock
        self._done = 0
        self._start: float | None = None
        self._said = False

    def skip(self, images: int) -> None:
        """These were done by a run that was stopped."""
        self._images -= images

    def add(self, images: int) -> None:
        """So many more are done. The first call only starts the clock: until then processes
        were started and programs compiled."""
        now = self._clock()
        if self._start is None:
            self._start = now
            self._images -= images
            return
        self._done += images
        seconds = now - self._start
        if self._said or seconds < BLOCK_SECONDS:
            return
        self._said = True
        whole = seconds / self._done * self._images
        if whole > WORTH_SECONDS:
            rate = self._done / seconds
            self._report(
                f"{self._images:,} images at {rate:,.3g} a second: about {minutes(whole)} and "
                f"{size(self._written)} of disk"
            )


def of_epochs(seconds: float, left: int) -> str | None:
    """What the epochs that are left will take at `seconds` each; None where it is soon."""
    if seconds * left <= WORTH_SECONDS:
        return None
    many = "the one left" if left == 1 else f"the {left:,} left up to"
    return f"an epoch takes {seconds:,.3g} s, {many} {minutes(seconds * left)}"


def minutes(seconds: float) -> str:
    """'2 minutes', '3.5 hours'."""
    if seconds < 90 * 60:
        many = max(1, round(seconds / 60))
        return f"{many} minute{'s' * (many != 1)}"
    return f"{seconds / 3600:,.1f} hours"


def size(written: int) -> str:
    """Bytes as '0.32 GB'."""
    return f"{written / 1e9:,.2f} GB"
