"""The files of a model in exports/<run>/, each kept only when it gives what the model gives."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.evaluation.reference import Reference, beside
from pipeline.runtime import files
from tools.exporting import checking, description, page, runtimes
from tools.exporting.formats import Format
from tools.exporting.quiet import quiet
from tools.exporting.source import Source
from tools.serving import engine

FOLDER = Path("exports")
SNIPPETS = Path(__file__).parent / "snippets"
# Free bytes for each byte of the model: the file, the converters' copies, 8 bits beside it.
ROOM = 8
CALIBRATED = 256  # training images
Say = Callable[[str], None]


class Writer:
    """Writes one model in one format after the other."""

    def __init__(self, source: Source, say: Say) -> None:
        self.source = source
        self.say = say
        self.folder = FOLDER / source.name
        self._check_room()
        from tools.exporting import graph

        self.model = graph.rebuilt(source.model.file)
        source.model.check_outputs(self.model.output_shape[-1])
        self.reference = Reference.load(beside(source.model.file))
        layer = self.reference.layer if self.reference else None
        self._with_features = graph.with_features(self.model, layer)
        self.description = description.describe(source)
        self._take_over()
        self._whole: np.ndarray | None = None

    def write(self, wanted: Sequence[Format], int8: bool) -> None:
        """Write these formats, with `int8` their 8-bit files too, and what stands beside them.

        Raises:
            PipelineError: a format cannot hold the model, or a file does not give what it
                should: those that were written before stay.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for one in wanted:
            if one.name == "html":
                self._html(one, int8)
                continue
            # Of the formats ONNX alone says what is unlike the training images.
            model = self._with_features if one.name == "onnx" else self.model
            self._kept(one, one.file, partial(one.writer.write, model))
            if int8 and one.int8:
                images = self._training_images(one)
                self._kept(
                    one,
                    one.int8,
                    partial(one.writer.write_int8, self.model, images=images),
                    exact=False,
                )
        shutil.copyfile(SNIPPETS / "classify.py", self.folder / "classify.py")
        if (self.folder / "model.onnx").exists():
            files.write_text(self.folder / "classify.mjs", page.snippet())

    def _html(self, one: Format, int8: bool) -> None:
        images = self._training_images(one) if int8 else None
        self._kept(
            one,
            one.file,
            partial(one.writer.write, self.model, description=self.description, images=images),
            exact=False,
        )

    def _kept(
        self, one: Format, name: str, write: Callable[[Path], None], *, exact: bool = True
    ) -> None:
        """Write a file aside, check it, and give it its place."""
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as scratch:
            path = Path(scratch) / name
            write(path)
            with quiet():
                found = self._checked(name, one.answer(path, processors()), exact)
                seen = exact and one.name == "onnx" and self._checked_features(name, path)
            moved = [path, *(path.with_name(other) for other in one.also)]
            for part in moved:
                target = self.folder / part.name
                if target.is_dir():
                    shutil.rmtree(target)
                part.replace(target)
            kept = [self.folder / part.name for part in moved]
        size = sum(_size(path) for path in kept)
        for path in kept:
            digest = files.sha256(path) if path.is_file() else None
            self.description["files"][path.name] = {"sha256": digest, "bytes": _size(path)}
        self.description["files"][name]["agrees"] = found
        if seen:
            self.description["files"][name]["features"] = seen
        self._describe()
        self.say(f"{self.folder / name}: {size / 2**20:.1f} MiB; {_in_words(found)}")

    def _checked(self, name: str, answer: runtimes.Answer, exact: bool) -> dict[str, Any]:
        images = self.source.images("test")
        if exact:
            chosen = np.asarray(images[checking.spread_out(len(images))])
            found = runtimes.in_steps(answer, chosen)
            return checking.check_same(name, found, self._predicted(chosen))
        if self._whole is None:
            self._whole = self._predicted(images)
        found = runtimes.in_steps(answer, images)
        return checking.check_accuracy(name, found, self._whole, self.source.labels("test"))

    def _checked_features(self, name: str, path: Path) -> dict[str, Any] | None:
        """What model.json says of a file's features; None where there is no reference."""
        if self.reference is None:
            return None
        images = self.source.images("test")
        chosen = np.asarray(images[checking.spread_out(len(images))])
        engines = (
            engine.of_onnx(path, processors(), self.reference),
            engine.of_keras(self.model, self.reference),
        )
        found, expected = (one.outputs(chosen)[1] for one in engines)
        checking.check_features(name, found, expected)
        return {
            "name": engine.FEATURES,
            "dtype": "float32",
            "size": found.shape[1],
            "layer": self.reference.layer,
            "meaning": "what the layer gives, averaged over the picture",
        }

    def _predicted(self, images: np.ndarray) -> np.ndarray:
        from pipeline.networks.predicting import predict

        return predict(self.model, images)

    def _training_images(self, one: Format) -> np.ndarray:
        try:
            images = self.source.images("train")
        except PipelineError as error:
            raise PipelineError(
                f"--quantize int8: {one.name} wants training images to fit its ranges: {error}"
            ) from None
        return np.asarray(images[checking.spread_out(len(images), CALIBRATED)])

    def _check_room(self) -> None:
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        wanted = ROOM * self.source.model.file.stat().st_size
        free = shutil.disk_usage(self.folder.parent).free
        if free < wanted:
            raise PipelineError(
                f"{FOLDER}/: {free / 2**20:.0f} MiB are free and {wanted / 2**20:.0f} MiB may be "
                "needed; make room and run this again"
            )

    def _take_over(self) -> None:
        """Keep what an earlier export has left of this very model, and remove what is older."""
        path = self.folder / description.FILE
        if not path.is_file():
            return
        before = files.read_json(path)
        known = before.get("files", {})
        if before.get("digests") == self.description["digests"]:
            self.description["files"] = {
                name: entry for name, entry in known.items() if (self.folder / name).exists()
            }
            return
        for name in known:
            old = self.folder / Path(name).name
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        path.unlink()
        if known:
            self.say(f"removed {', '.join(known)}: of another model or an earlier program")

    def _describe(self) -> None:
        self.description["files"] = dict(sorted(self.description["files"].items()))
        files.write_json(self.folder / description.FILE, self.description)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(part.stat().st_size for part in path.rglob("*") if part.is_file())
    return path.stat().st_size


def _in_words(found: dict[str, Any]) -> str:
    if "accuracy" in found:
        return (
            f"test accuracy {found['accuracy']:.4f} on {found['images']:,} images "
            f"(float32: {found['float32_accuracy']:.4f})"
        )
    return (
        f"on {found['images']} test images the model's classes, and its probabilities to "
        f"{found['largest_difference']:.0e}"
    )
