"""Bring the data set: a named one by its digests, or a folder, archive or bucket of one's own.

Reads data/params/download.json and what `dataset` names. Writes data/raw:
dataset.json (classes, source, licence, digest, published parts) and, for a
named set, images.npy (uint8) and labels.npy; for one's own shards (.tar) of the
encoded images as they came, and index.csv.
"""

from functools import partial
from pathlib import Path

from pipeline import tracking
from pipeline.datasets import registry
from pipeline.datasets.work import building
from pipeline.parameters.stages import DownloadParameters
from pipeline.runtime import paths
from pipeline.runtime.stage import run_stage, say

report = partial(say, "download")


def main() -> None:
    parameters = DownloadParameters.read()
    source = registry.find(parameters.dataset)
    place = source.url or source.path
    if source.descriptor:
        doing, what = f"fetching {source.name}", (source.name, source.descriptor.model_dump())
    else:
        # A folder's own time and size say nothing of the files in it: their listing,
        # which the writer is bound to, does; so does that of a bucket.
        is_file = source.path is not None and source.path.is_file()
        status = Path(str(place)).stat() if is_file else None
        version = (status.st_size, status.st_mtime_ns) if status else ()
        doing, what = f"reading {Path(str(place)).name}", (str(place), *version)
    with building("download", doing, paths.RAW, (parameters.code, *what)) as folder:
        if source.descriptor:
            from pipeline.datasets.named_set import write_named

            write_named(source.name, source.descriptor, folder, report)
        else:
            assert place is not None
            from pipeline.datasets.own_images import write_own

            write_own(source.name, place, folder, report)


if __name__ == "__main__":
    run_stage("download", main, __doc__, tracking.record_failure)
