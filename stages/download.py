"""Bring the data set: a named one by its digests, or a folder or archive of one's own.

Reads data/params/download.json and what `dataset` names. Writes data/raw:
dataset.json (classes, source, licence, digest, published parts) and, for a
named set, images.npy (uint8) and labels.npy; for one's own images.zip, with
the encoded images as they came, and index.csv.
"""

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages import tracking
from stages.datasets import registry
from stages.datasets.folder import Folder
from stages.datasets.imagezip import ImageZipWriter
from stages.datasets.layout import Layout, arrange
from stages.datasets.names import counted, listed
from stages.datasets.raw import MOST_NAMES, Ignored, RawDataset
from stages.datasets.tree import Tree
from stages.datasets.work import building
from stages.parameters.stages import DownloadParameters
from stages.runtime import files, paths
from stages.runtime.stage import run_stage, say

CODE = ("datasets", "download.py")
report = partial(say, "download")


def main() -> None:
    source = registry.find(DownloadParameters.read().dataset)
    if source.descriptor:
        _named(source.name, source.descriptor)
    elif source.path:
        _own(source.name, source.path)


def _named(name: str, descriptor: registry.Descriptor) -> None:
    """A named data set: its files by their digests, made into arrays."""
    from stages.datasets import readers

    ingredients = (name, descriptor.model_dump())
    with building("download", f"fetching {name}", paths.RAW, ingredients, CODE) as folder:
        found: dict[str, Path] = {}
        if descriptor.files:
            from stages.datasets.fetch import fetch  # 0.1 s that the packaged sets need not

            found = fetch(name, descriptor, folder, report)
        arrays = readers.read(descriptor, found)
        out = files.fresh_folder(folder / "out")
        np.save(out / "images.npy", arrays.images, allow_pickle=False)
        np.save(out / "labels.npy", arrays.labels, allow_pickle=False)
        RawDataset(
            kind="arrays",
            name=name,
            title=descriptor.title,
            classes=list(descriptor.classes),
            source=descriptor.source,
            licence=descriptor.licence,
            mirrored=descriptor.mirrored,
            digest=f"sha256:{files.sha256(out / 'images.npy', out / 'labels.npy')}",
            image_shape=descriptor.image_shape,
            parts=arrays.parts,
        ).write(out)
    images = counted(len(arrays.labels), "image")
    report(f"{name}: {images} in {len(descriptor.classes):,} classes")


def _own(name: str, path: Path) -> None:
    """A folder or archive of one's own: the encoded images as they are, in one .zip."""
    status = path.stat()
    # A folder's own time and size say nothing of the files in it: their listing,
    # which the writer below is bound to, does.
    version = (status.st_size, status.st_mtime_ns) if path.is_file() else ()
    ingredients = (str(path), *version)
    with building("download", f"reading {path.name}", paths.RAW, ingredients, CODE) as folder:
        tree = _open(path, folder)
        layout = arrange(tree)
        _say_layout(path.name, tree, layout)
        out = folder / "out"
        if not (out / "dataset.json").exists():
            _copy(tree, layout, folder, out)
            _describe(name, path, tree, layout, out).write(out)


def _open(path: Path, scratch: Path) -> Tree:
    if path.is_dir():
        return Folder(path)
    from stages.datasets.tarball import open_archive

    return open_archive(path, scratch)


def _copy(tree: Tree, layout: Layout, folder: Path, out: Path) -> None:
    """Write images.zip and index.csv, from where a killed run of the same files stood."""
    from stages.datasets.archive import damage_in_one_line

    listing = folder / "listing"
    if not listing.exists() or listing.read_text() != tree.fingerprint:
        files.fresh_folder(out)
        files.write_text(listing, tree.fingerprint)
    with ImageZipWriter(out) as writer:
        if writer.done:
            report(f"going on after {counted(writer.done, 'image')}, from a run that was stopped")
        with tqdm(
            desc="download",
            total=len(layout.images),
            initial=writer.done,
            unit=" images",
            mininterval=0.5,
        ) as bar:
            for image in layout.images[writer.done :]:
                with damage_in_one_line(f"{tree.title}: {image.name}"), tree.open(image.entry) as f:
                    writer.add(image.name, image.label, image.part, f)
                bar.update()
        writer.finish()


def _describe(name: str, path: Path, tree: Tree, layout: Layout, out: Path) -> RawDataset:
    # The index holds the SHA-256 of every image, and so stands for them all.
    digest = hashlib.sha256("\n".join(layout.classes).encode())
    digest.update((out / "index.csv").read_bytes())
    return RawDataset(
        kind="files",
        name=name,
        title=name,
        classes=layout.classes,
        source=f"{'a folder' if path.is_dir() else 'an archive'} of one's own, {path.name}",
        licence="not stated",
        mirrored=True,
        digest=f"sha256:{digest.hexdigest()}",
        ignored=Ignored(
            hidden=tree.hidden,
            others=len(layout.ignored),
            names=layout.ignored[:MOST_NAMES],
        ),
    )


def _say_layout(title: str, tree: Tree, layout: Layout) -> None:
    parts: dict[str, int] = {}
    for image in layout.images:
        parts[image.part] = parts.get(image.part, 0) + 1
    split = ", ".join(f"{count:,} {part}" for part, count in parts.items() if part)
    images = counted(len(layout.images), "image")
    report(f"{title}: {images} in {len(layout.classes):,} classes{f' ({split})' if split else ''}")
    if layout.ignored:
        many = counted(len(layout.ignored), "file")
        report(
            f"{title}: {many} left out, being no image or in no class folder: "
            f"{listed(layout.ignored, 3)}"
        )
    if tree.hidden:
        report(f"{title}: {counted(tree.hidden, 'hidden file')} left out")


if __name__ == "__main__":
    run_stage("download", main, __doc__, tracking.record_failure)
