"""Find the images that are the same picture, within and between the parts.

Reads data/params/twins.json, data/prepared and data/features. Writes data/twins:
twins.json (the pairs, which test images have a twin in another part) and
dropped.json (the training images that are left out, none unless `duplicates` says so).
"""

from functools import partial

from pipeline import tracking
from pipeline.datasets.doubles import write_twins
from pipeline.parameters.stages import TwinsParameters
from pipeline.runtime.stage import run_stage, say


def main() -> None:
    write_twins(TwinsParameters.read().duplicates, partial(say, "twins"))


if __name__ == "__main__":
    run_stage("twins", main, __doc__, tracking.record_failure)
