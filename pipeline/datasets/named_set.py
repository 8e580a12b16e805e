"""A named data set into data/raw: its files by their digests, made into arrays."""

from pathlib import Path

import numpy as np

from pipeline.datasets import readers
from pipeline.datasets.names import counted
from pipeline.datasets.raw import RawDataset
from pipeline.datasets.registry import Descriptor
from pipeline.datasets.work import Report
from pipeline.runtime import files


def write_named(name: str, descriptor: Descriptor, folder: Path, report: Report) -> None:
    """Write images.npy, labels.npy and dataset.json into `folder`/out.

    Args:
        folder: of the running stage; what has been fetched of a file stays in it after a kill.

    Raises:
        PipelineError: a file that no place has, or that is not what it should be.
    """
    found: dict[str, Path] = {}
    if descriptor.files:
        from pipeline.datasets.fetch import fetch  # 0.1 s that the packaged sets need not

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
