"""From data/raw to data/prepared: the split, the parts' pixels and labels, their description."""

from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from pipeline.datasets import audit, fixes, groups, heic
from pipeline.datasets import index as indices
from pipeline.datasets.index import Index
from pipeline.datasets.labels import one_hot
from pipeline.datasets.names import counted, listed, shown
from pipeline.datasets.pixels import FilePixels, Indices, Sizes
from pipeline.datasets.pool import workers
from pipeline.datasets.raw import RawDataset
from pipeline.datasets.resizing import Resize
from pipeline.datasets.split import Wish, split
from pipeline.datasets.statistics import channel_statistics
from pipeline.datasets.work import Report
from pipeline.errors import PipelineError
from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import estimate, files, paths
from pipeline.runtime.arrays import ArrayWriter, load_array, read_in_steps

LABEL_BYTES = 16 << 20
MOST_NAMED = 10
Parts = dict[str, Indices]


def prepare(parameters: PrepareParameters, raw: RawDataset, folder: Path, report: Report) -> None:
    """Write the parts' images and labels, split.csv and dataset.json into `folder`/out.

    Args:
        folder: of the running stage; after a kill the next run resumes in it.

    Raises:
        PipelineError: too few images in a class, unreadable ones, or a list
            of groups or fixes that does not fit the data.
    """
    resize = Resize(parameters.resize)
    index = indices.read(paths.RAW, raw, parameters.image_size, parameters.channels, resize)
    heic.check(index.names or ())
    if raw.image_shape and raw.image_shape[2] < index.pixels.shape[2]:
        report("grey images get three equal channels")
    together = groups.read(parameters, index)
    fixed = fixes.read(parameters.label_fixes, index, raw.classes)
    out, unreadable_file = folder / "out", folder / "unreadable.json"
    unreadable = files.read_json(unreadable_file) if unreadable_file.exists() else []
    whole = _split(index, parameters, raw, unreadable, together)
    told, parts = fixed.apply(index, whole, raw.classes) if fixed else (index, whole)
    each = int(np.prod(index.pixels.shape)) + 4 * len(raw.classes)
    estimate.check_disk(folder, len(index.labels) * each, "or choose a smaller image_size")
    if resize.method != "stretch":
        report(f"images are {resize.in_words(*index.pixels.shape[:2])}")
    sizes = _write_images(index, parts, folder, report)
    found = np.sort(np.concatenate([parts[part][sizes[part][:, 0] == 0] for part in paths.PARTS]))
    if found.size:
        _report_unreadable(index, found, parameters.unreadable, report)
        # Images are left out before the split: split again, without them.
        unreadable = found.tolist()
        files.fresh_folder(out)
        files.write_json(unreadable_file, unreadable)
        whole = _split(index, parameters, raw, unreadable, together)
        told, parts = fixed.apply(index, whole, raw.classes) if fixed else (index, whole)
        sizes = _write_images(index, parts, folder, report)
    counts = {
        part: np.bincount(told.labels[parts[part]], minlength=len(raw.classes)).tolist()
        for part in paths.PARTS
    }
    _write_labels(told, parts, len(raw.classes), out)
    _write_split(told, parts, raw.classes, out / "split.csv")
    if raw.kind == "files":
        twins = audit.duplicates(index, parts)
        _warn_of_leaks(twins, report)
        reasons = _reasons(index, unreadable)
        np.save(out / "test_sizes.npy", sizes["test"])  # width and height as they came
        of_all = np.concatenate([sizes[part] for part in paths.PARTS])
        files.write_json(out / "audit.json", audit.audit(raw, counts, of_all, reasons, twins))
    skipped = [_name(index, row) for row in unreadable]
    described = _describe(raw, index, counts, parameters.normalization, skipped, out)
    if together:
        described["groups"] = together.describe(parts)
        groups.write(together, index, parts, out / "groups.csv")
        groups.warn(together, parts, report)
    if fixed:
        changes = fixed.changes(index, whole, raw.classes)
        fixes.write(changes, out / "fixes.csv")
        described["label_fixes"] = fixes.describe(fixed.file, changes)
        fixes.tell(described["label_fixes"], report)
    files.write_json(out / "dataset.json", described)
    report(", ".join(f"{sum(counts[part]):,} {part}" for part in paths.PARTS) + " images")


def _split(
    index: Index,
    parameters: PrepareParameters,
    raw: RawDataset,
    unreadable: list[int],
    together: groups.Groups | None,
) -> Parts:
    """The rows of each part, without the unreadable ones."""
    readable = np.ones(len(index.labels), bool)
    readable[unreadable] = False
    rows = np.flatnonzero(readable)
    # The split knows nothing of rows that are not there: number the others anew.
    number = np.cumsum(readable) - 1
    published = {part: number[chosen[readable[chosen]]] for part, chosen in index.published.items()}
    wish = Wish(
        parameters.validation_fraction,
        parameters.test_fraction,
        parameters.split_seed,
        parameters.folds,
        parameters.fold,
    )
    of_group = together.of[rows] if together else None
    parts = split(index.labels[rows], published, wish, raw.classes, of_group)
    return {part: rows[chosen] for part, chosen in parts.items()}


def _write_images(index: Index, parts: Parts, folder: Path, report: Report) -> dict[str, Sizes]:
    """Write {part}_images.npy, resuming where a killed run stood; returns the images' sizes."""
    out, pixels = folder / "out", index.pixels
    total = sum(len(rows) for rows in parts.values())
    forecast = estimate.Forecast(total, total * int(np.prod(pixels.shape)), report)
    sizes: dict[str, Sizes] = {}
    with (
        workers(pixels.is_long(np.concatenate(list(parts.values())))) as pool,
        tqdm(desc="prepare", total=total, unit=" images", mininterval=0.5) as bar,
    ):
        for part in paths.PARTS:
            rows, sizes_path = parts[part], folder / f"{part}_sizes.npy"
            with (
                ArrayWriter(out / f"{part}_images.npy", (len(rows), *pixels.shape), "uint8") as to,
                ArrayWriter(sizes_path, (len(rows), 2), "int32") as sizes_to,
            ):
                done = min(to.done, sizes_to.done)
                for writer in (to, sizes_to):
                    writer.rewind(done)
                if 0 < done < len(rows):
                    report(
                        f"resuming after {done:,} of {len(rows):,} {part} images, from a run "
                        "that was stopped"
                    )
                bar.update(done)
                forecast.skip(done)
                for images, image_sizes in pool.run(pixels.tasks(rows[done:])):
                    to.append(images)
                    sizes_to.append(image_sizes)
                    bar.update(len(images))
                    forecast.add(len(images))
            sizes[part] = np.array(load_array(sizes_path))
    return sizes


def _report_unreadable(index: Index, rows: Indices, wanted: str, report: Report) -> None:
    """Name the images that cannot be read; stop unless they are to be skipped."""
    named = [f"{name} ({reason})" for name, reason in _reasons(index, rows[:MOST_NAMED].tolist())]
    names = listed(named, MOST_NAMED, len(rows))
    found = f"{counted(len(rows), 'image')} cannot be read: {names}"
    if wanted == "error":
        raise PipelineError(f"dataset: {found}; repair or remove them, or set unreadable to skip")
    report(f"{found}; left out")


def _reasons(index: Index, rows: list[int]) -> list[tuple[str, str]]:
    """Name and reason of images that cannot be read."""
    if not isinstance(index.pixels, FilePixels):
        return []
    return [(shown(_name(index, row)), shown(index.pixels.reason(row))) for row in rows]


def _warn_of_leaks(groups: list[list[tuple[str, str]]], report: Report) -> None:
    leaking = audit.leaks(groups)
    if leaking:
        images = sum(len(group) for group in leaking)
        first = [name for name, _ in leaking[0]]
        report(
            f"warning: {images:,} images stand in more than one part with the same bytes "
            f"({counted(len(leaking), 'group')}; the first is {listed(first)}): "
            "the scores will be too good"
        )


def _write_labels(index: Index, parts: Parts, classes: int, out: Path) -> None:
    step = max(1, LABEL_BYTES // (4 * classes))
    for part, rows in parts.items():
        path = out / f"{part}_labels.npy"
        with ArrayWriter(path, (len(rows), classes), "float32") as writer:
            for start in range(writer.done, len(rows), step):
                writer.append(one_hot(index.labels[rows[start : start + step]], classes))


def _write_split(index: Index, parts: Parts, classes: list[str], path: Path) -> None:
    table = (
        (part, row, _name(index, row), classes[index.labels[row]])
        for part in paths.PARTS
        for row in parts[part].tolist()
    )
    files.write_csv(path, ("part", "index", "name", "label"), table)


def _name(index: Index, row: int) -> str:
    return index.names[row] if index.names else ""


def _describe(
    raw: RawDataset,
    index: Index,
    counts: dict[str, list[int]],
    normalization: str,
    skipped: list[str],
    out: Path,
) -> dict[str, Any]:
    """data/prepared/dataset.json."""
    arrays = [out / f"{part}_{kind}.npy" for part in paths.PARTS for kind in ("images", "labels")]
    fitted = channel_statistics(read_in_steps(out / "train_images.npy"))
    resize = index.pixels.resize
    return {
        "name": raw.name,
        "title": raw.title,
        "classes": raw.classes,
        "image_shape": list(index.pixels.shape),
        # Where it says nothing, images are stretched.
        **({} if resize.method == "stretch" else {"resize": resize.described()}),
        "mirrored": raw.mirrored,
        "source": raw.source,
        "licence": raw.licence,
        "raw_digest": raw.digest,
        "digest": f"sha256:{files.sha256(*arrays)}",
        "counts": counts,
        "normalization": {
            "method": normalization,
            "mean": fitted.mean,
            "variance": fitted.variance,
        },
        "skipped": skipped,
    }
