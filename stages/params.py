"""Check params.yaml as a whole and write what each stage uses of it.

Reads params.yaml and the code. Writes data/params/<stage>.json, one file a stage,
with the parameters that the stage uses and the digest of the code that decides
its result, so that a change re-runs only the stages that it concerns. That of
`report` has all resolved parameters, which MLflow shows too.
"""

import os
from pathlib import Path

from pipeline import tracking
from pipeline.parameters.code import stage_code
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import cut, resolve
from pipeline.runtime import files
from pipeline.runtime.stage import run_stage


def main() -> None:
    values = resolve(read_parameters(Path("params.yaml")))
    for own in cut(values, stage_code(values)):
        files.write_json(own.path(), own.model_dump())


if __name__ == "__main__":
    # A mistyped key of a workspace run is the terminal's business alone; that of
    # a queued experiment would vanish.
    recorded = tracking.record_failure if os.environ.get("DVC_EXP_NAME") else None
    run_stage("params", main, __doc__, recorded)
