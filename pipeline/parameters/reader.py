"""Reading params.yaml."""

from pathlib import Path

from pipeline.parameters.checked import check, read_yaml
from pipeline.parameters.schema import Parameters


def read_parameters(path: Path) -> Parameters:
    """Read and check params.yaml.

    Raises:
        PipelineError: one line that names the first wrong parameter, what is
            wrong with it and what would be right.
    """
    return check(Parameters, path.name, read_yaml(path, path.name))
