"""A folder, archive or bucket of a person's own into data/raw: the encoded images as they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from pipeline.datasets import shards
from pipeline.datasets.folder import Folder
from pipeline.datasets.layout import Image, Layout, arrange
from pipeline.datasets.names import counted, listed
from pipeline.datasets.pool import Workers, workers
from pipeline.datasets.raw import MOST_NAMES, Ignored, RawDataset
from pipeline.datasets.tree import Tree
from pipeline.datasets.work import Report
from pipeline.runtime import estimate, files


def write_own(name: str, place: Path | str, folder: Path, report: Report) -> None:
    """Write the shards of images, index.csv and dataset.json into `folder`/out.

    Args:
        name: of the data set; `place` is the folder or archive, or the URL of a bucket.
        folder: of the running stage; what is written stays in it after a kill.

    Raises:
        PipelineError: an archive that is refused, or no class folders with images.
    """
    tree = _open(place, folder)
    layout = arrange(tree)
    _say_layout(tree.title, tree, layout, report)
    out, listing = folder / "out", folder / "listing"
    if not listing.exists() or listing.read_text() != tree.fingerprint:
        for stale in (out, folder / "records"):
            files.fresh_folder(stale)
        files.write_text(listing, tree.fingerprint)
    if not (out / "dataset.json").exists():
        _copy(tree, layout, out, folder / "records", report)
        kind = (
            "objects" if isinstance(place, str) else "a folder" if place.is_dir() else "an archive"
        )
        _describe(name, f"{kind} of one's own, {tree.title}", tree, layout, out).write(out)


def _open(place: Path | str, scratch: Path) -> Tree:
    if isinstance(place, str):
        from pipeline.datasets.bucket import Bucket

        return Bucket(place)
    if place.is_dir():
        return Folder(place)
    from pipeline.datasets.tarball import open_archive

    return open_archive(place, scratch)


@dataclass(frozen=True)
class ShardTask:
    """One shard to be written into `out`, from where a killed writer of it stood; `record` is its
    table (see `ShardWriter`)."""

    tree: Tree
    images: list[Image]
    out: Path
    number: int
    record: Path

    def run(self) -> int:
        """How many images were written."""
        from pipeline.datasets.archive import damage_in_one_line

        with shards.ShardWriter(self.out, self.number, self.record) as writer:
            left = self.images[writer.done :]
            opened = self.tree.read([image.entry for image in left])
            for image in left:
                with damage_in_one_line(f"{self.tree.title}: {image.name}"), next(opened) as file:
                    writer.add(image.name, image.label, image.part, file)
        return len(left)


def _copy(tree: Tree, layout: Layout, out: Path, records: Path, report: Report) -> None:
    """Write the shards and index.csv, from where a killed run of the same files stood.

    `records` is a folder for the record of each shard.
    """
    done = sum(1 for record in records.glob("*.csv") for _ in shards.read_index(record))
    if done:
        report(f"resuming after {counted(done, 'image')}, from a run that was stopped")
    estimate.check_disk(out, sum(image.entry.size for image in layout.images))
    out, records, images = out.absolute(), records.absolute(), layout.images
    starts = range(0, len(images), shards.SHARD_IMAGES)
    written = [records / f"{number:05}.csv" for number in range(len(starts))]
    unlisted = tree.unlisted()
    tasks = (
        ShardTask(unlisted, images[at : at + shards.SHARD_IMAGES], out, number, written[number])
        for number, at in enumerate(starts)
    )
    # One process, unless a pool is asked for: it is the disk that a copy waits for.
    pool = workers(parallel=False) if tree.portable else Workers(1)
    with (
        pool,
        tqdm(
            desc="download",
            total=len(images),
            initial=done,
            unit=" images",
            mininterval=0.5,
        ) as bar,
    ):
        for count in pool.run(tasks):
            bar.update(count)
    shards.write_index(out / "index.csv", written)


def _describe(name: str, source: str, tree: Tree, layout: Layout, out: Path) -> RawDataset:
    # The index holds the SHA-256 of every image, and so stands for them all.
    digest = hashlib.sha256("\n".join(layout.classes).encode())
    with (out / "index.csv").open("rb") as index:
        hashlib.file_digest(index, lambda: digest)
    return RawDataset(
        kind="files",
        name=name,
        title=name,
        classes=layout.classes,
        source=source,
        licence="not stated",
        mirrored=True,
        digest=f"sha256:{digest.hexdigest()}",
        ignored=Ignored(
            hidden=tree.hidden,
            others=len(layout.ignored),
            names=layout.ignored[:MOST_NAMES],
        ),
    )


def _say_layout(title: str, tree: Tree, layout: Layout, report: Report) -> None:
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
