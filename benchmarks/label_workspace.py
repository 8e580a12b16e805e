"""A folder under .state in which stages run one by one, on data whose labels are changed."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.runtime import files, paths
from tools.experiments.experiment import PARAMS_FILE, Base
from tools.experiments.worker import why


def overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """`key=value` words as parameters, values read as YAML.

    Raises:
        PipelineError: a word without an equals sign.
    """
    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise PipelineError(f"{pair}: expected key=value, such as model=vgg16")
        found[key] = YAML(typ="safe", pure=True).load(value)
    return found


@contextmanager
def workspace(name: str, changes: Mapping[str, Any]) -> Iterator[Path]:
    """Be in the folder `.state/NAME`, a workspace with these parameters; the stages up to
    `features` have run there.

    Raises:
        PipelineError: a wrong parameter, or a stage fails.
    """
    here, root = Path.cwd(), paths.root()
    base = Base((root / PARAMS_FILE).read_text(encoding="utf-8"))
    values = base.changed(name, changes)
    folder = paths.state() / name
    folder.mkdir(parents=True, exist_ok=True)
    text = base.written(values)
    ready, params = folder / "ready", folder / PARAMS_FILE
    os.chdir(folder)
    before = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(folder)
    try:
        if not ready.exists() or params.read_text(encoding="utf-8") != text:
            ready.unlink(missing_ok=True)
            files.write_text(params, text)
            for stage in ("params", "download", "weights", "prepare", "features"):
                run(stage, root)
            files.write_text(ready, "")
        yield root
    finally:
        os.chdir(here)
        if before is None:
            del os.environ["DVC_ROOT"]
        else:
            os.environ["DVC_ROOT"] = before


def run(stage: str, root: Path) -> None:
    """Run a stage in the current folder with the code in `root`.

    Raises:
        PipelineError: it fails: the line that says why.
    """
    print(f"> {stage}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", f"stages.{stage}"],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        raise PipelineError(why(done.stderr.splitlines()))
