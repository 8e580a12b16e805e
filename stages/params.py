"""Check params.yaml as a whole and write what each stage uses of it.

Reads params.yaml. Writes data/params/<stage>.json, one file a stage, so that a
change re-runs only the stages that use it, and data/params/report.json with
all resolved parameters, which the report and MLflow show.
"""

import os
from pathlib import Path

from stages import tracking
from stages.parameters.reader import read_parameters
from stages.parameters.resolve import cut, resolve
from stages.runtime import files, paths
from stages.runtime.stage import run_stage


def main() -> None:
    values = resolve(read_parameters(Path("params.yaml")))
    for own in cut(values):
        files.write_json(own.path(), own.model_dump())
    files.write_json(paths.PARAMS / "report.json", values)


if __name__ == "__main__":
    # A mistyped key of a workspace run is the terminal's business alone; that of
    # a queued experiment would vanish.
    recorded = tracking.record_failure if os.environ.get("DVC_EXP_NAME") else None
    run_stage("params", main, __doc__, recorded)
