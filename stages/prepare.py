"""Split the data set, decode and resize its images, and fit the normalisation.

Reads data/params/prepare.json and data/raw. Writes data/prepared: for train,
validation and test images (uint8) and one-hot labels (float32) as .npy,
split.csv, dataset.json and, for a data set of one's own, audit.json. With
`groups` or `label_fixes` it reads those lists too, and fixes.csv says what was
changed. The pixels are not normalised: the model's first layer does that.
"""

from functools import partial

from pipeline import tracking
from pipeline.datasets.preparation import prepare
from pipeline.datasets.raw import RawDataset
from pipeline.datasets.work import building
from pipeline.parameters.lists import file_of
from pipeline.parameters.stages import PrepareParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import run_stage, say


def main() -> None:
    parameters = PrepareParameters.read()
    raw = RawDataset.read(paths.RAW)
    named = [name for name in (parameters.groups, parameters.label_fixes) if name]
    lists = [files.sha256(file_of(name)) for name in named]
    ingredients = (parameters.model_dump(), raw.model_dump(), lists)
    with building("prepare", "preparing images", paths.PREPARED, ingredients) as folder:
        if not (folder / "out" / "dataset.json").exists():
            prepare(parameters, raw, folder, partial(say, "prepare"))


if __name__ == "__main__":
    run_stage("prepare", main, __doc__, tracking.record_failure)
