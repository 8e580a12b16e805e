"""What a run is called and where it came from: its name and the tags that lead back to it."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from pipeline.runtime import paths, source
from pipeline.runtime.git import tried

SAME_START_SECONDS = 2  # a process's start time moves a little when the clock is set


def run_name(parameters: Mapping[str, Any]) -> str:
    """The DVC experiment's name, else the model, the data set and a digest of the parameters."""
    if os.environ.get("DVC_EXP_NAME"):
        return os.environ["DVC_EXP_NAME"]
    if not parameters:
        return "before training"
    model, digest = parameters.get("model", "?"), parameters_digest(parameters)
    return f"{model} · {dataset_name(parameters)} · {digest[:7]}"


def dataset_name(parameters: Mapping[str, Any]) -> str:
    """The data set's name; of a path its last part."""
    return Path(str(parameters.get("dataset", "?"))).name


def parameters_digest(parameters: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over the resolved parameters, whatever their order."""
    text = json.dumps(parameters, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def parameter_value(value: Any) -> str:
    """A parameter as params.yaml spells it: true, null, 0.8, [0.1, 0.8], two_block_cnn."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def process_tags() -> dict[str, str]:
    """Who works on the run now: enough to tell later whether that process still lives."""
    process = psutil.Process()
    return {
        "host": platform.node(),
        "machine": machine(),
        "pid": str(process.pid),
        "process_start": f"{process.create_time():.2f}",
    }


def machine() -> str:
    """What tells machines of one name apart: a digest of the system's own id; '' without one."""
    try:
        return hashlib.sha256(Path("/etc/machine-id").read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


def is_dead(tags: Mapping[str, str]) -> bool:
    """Whether the tags of a run name a process of this machine that runs no more."""
    if tags.get("machine", machine()) != machine():  # a colleague's, of the same name
        return False
    return not is_alive(tags.get("pid", ""), tags.get("process_start", ""))


def is_alive(pid: str, process_start: str) -> bool:
    """Whether the process with this id, started at this time (seconds, Unix), still runs."""
    try:
        process = psutil.Process(int(pid))
        near = abs(process.create_time() - float(process_start)) <= SAME_START_SECONDS
        return near and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, ValueError):
        return False
    except psutil.AccessDenied:
        return True


def origin_tags() -> dict[str, str]:
    """The experiment, the commit and the workspace that the run belongs to."""
    commit = git_commit()
    tags = {"workspace": workspace_kind()}
    name = os.environ.get("DVC_EXP_NAME")
    if name:
        tags["dvc_experiment"] = name
        tags["mlflow.note.content"] = f"`dvc exp apply {name}` brings this experiment back."
    if baseline := os.environ.get("DVC_EXP_BASELINE_REV"):
        tags["dvc_baseline"] = baseline
    if commit:
        tags["git_commit"] = commit
        tags["mlflow.source.git.commit"] = commit.removesuffix("+dirty")
    tags["mlflow.source.type"] = "LOCAL"
    tags["mlflow.source.name"] = "dvc exp run" if name else "dvc repro"
    return tags


def workspace_kind() -> str:
    """Where DVC runs this: workspace, sweep, temp (`dvc exp run --temp`) or queue."""
    here, exps = Path.cwd().resolve(), paths.root() / ".dvc" / "tmp" / "exps"
    if here.is_relative_to(paths.root() / ".state" / "sweeps"):
        return "sweep"
    if not here.is_relative_to(exps):
        return "workspace"
    return "temp" if "standalone" in here.relative_to(exps).parts else "queue"


def git_commit() -> str:
    """The workspace's commit, with `+dirty` where its code differs from it; '' outside Git."""
    here = Path.cwd()
    commit = (tried(here, "rev-parse", "HEAD") or "").strip()
    if commit and tried(here, "status", "--porcelain", "--", *source.CODE, "dvc.yaml"):
        return f"{commit}+dirty"
    return commit
