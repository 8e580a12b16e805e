"""Where the answers go: a line each, a table, or the images themselves into folders."""

import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.datasets.names import counted, listed, shown
from pipeline.errors import PipelineError
from pipeline.runtime import files
from tools.serving import answers
from tools.serving.engine import Answer

UNSURE = "unsure"
Keep = Callable[[Path, Answer], None]


def line(path: Path, top: list[dict[str, Any]], unlike: bool | None, as_json: bool) -> str:
    """What is printed of an image."""
    if as_json:
        more = {} if unlike is None else {answers.UNLIKE: unlike}
        return json.dumps({"image": str(path), **top[0], "top": top, **more}, ensure_ascii=False)
    classes = ", ".join(f"{one['class']} {one['probability']:.4f}" for one in top)
    return f"{shown(str(path))}: {classes}{' (unlike the training images)' * bool(unlike)}"


@contextmanager
def table(path: Path, classes: Sequence[str], measured: bool) -> Iterator[Keep]:
    """A CSV file with a row an image: its path, class and probability, and those of all classes.

    It takes its place when all is done.

    Args:
        measured: whether the model has a reference; then `unlike_training` is true or false.
    """
    with files.atomic(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        more = [answers.UNLIKE] * measured
        columns = (f"p_{name}" for name in classes)
        writer.writerow(("image", "class", "probability", *columns, *more))

        def keep(image: Path, answer: Answer) -> None:
            best = int(answer.row.argmax())
            numbers = [answers.number(value) for value in answer.row]
            more = [json.dumps(answer.unlike)] * measured
            writer.writerow((image, classes[best], numbers[best], *numbers, *more))

        yield keep


class Sorter:
    """Copies, or symbolic links, of images in a folder for each class.

    With `unsure`, images whose probability is lower go to a folder of their own.

    Raises:
        PipelineError: the folder has something in it, or is one of those that are read.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        read: Sequence[Path],
        *,
        link: bool = False,
        unsure: float | None = None,
    ) -> None:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise PipelineError(f"--sort-into: {shown(str(folder))}: not an empty folder")
        inside = folder.resolve()
        if any(path.resolve().is_relative_to(inside) for path in read):
            raise PipelineError(
                f"--sort-into: {shown(str(folder))}: images are read from this folder"
            )
        self.folder = folder
        self.classes = classes
        self.link = link
        self.unsure = unsure
        self.names = _folders(classes)
        self.counts: Counter[str] = Counter()

    def keep(self, image: Path, answer: Answer) -> None:
        """Put an image where its probabilities say."""
        best = int(answer.row.argmax())
        doubtful = self.unsure is not None and float(answer.row[best]) < self.unsure
        name = self.names[-1] if doubtful else self.names[best]
        target = _free(self.folder / name / image.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        if self.link:
            target.symlink_to(image.resolve())
        else:
            shutil.copy2(image, target)
        self.counts[UNSURE if doubtful else self.classes[best]] += 1

    def in_words(self) -> str:
        """How many went where."""
        parts = [f"{count:,} {name}" for name, count in self.counts.most_common()]
        done = "linked" if self.link else "copied"
        total = counted(self.counts.total(), "image")
        return f"{total} {done} into {shown(str(self.folder))}: {listed(parts)}"


def _folders(classes: Sequence[str]) -> list[str]:
    """A folder's name for each class, and one for what is unsure."""
    found: list[str] = []
    for name in (*classes, UNSURE):
        plain = name.replace(os.sep, "-").replace("\0", "-").lstrip(".") or "class"
        while plain in found:
            plain += "_"
        found.append(plain)
    return found


def _free(path: Path) -> Path:
    """This path, or a numbered one beside it where it is taken: images of several folders."""
    number, found = 1, path
    while os.path.lexists(found):
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
