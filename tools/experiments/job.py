"""What goes to a cluster's node with an experiment."""

import os
import platform
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from configobj import ConfigObj

from pipeline.runtime import files
from pipeline.runtime.git import tried
from pipeline.tracking.store import tracking_uri
from tools.experiments.repository import Repository

# What of this environment decides a result or its record. A cache is a folder of its own machine.
VARIABLES = (
    *("AWS_", "AZURE_", "CUBLAS_", "GIT_AUTHOR_", "GIT_COMMITTER_", "GOOGLE_", "IMAGE_PIPELINE_"),
    *("JAX_", "KERAS_", "MLFLOW_", "OMP_", "TF_", "XLA_"),
)
OWN_VARIABLES = ("IMAGE_PIPELINE_CACHE",)


@dataclass(frozen=True)
class Job:
    """One experiment, and where it comes from.

    `variables` (of the environment) and `settings` (the text of .dvc/config.local)
    may hold passwords: they travel as a call's argument, for Ray writes a
    runtime environment into its logs.
    """

    name: str
    params: str  # the text of params.yaml
    commit: str
    sweep: str
    root: str  # the repository, on the machine `host`
    host: str
    token: str  # stands in `root`, for nodes that share its file system to see
    identity: dict[str, str]  # of Git: user.name, user.email
    remote: bool  # DVC has one: data and models go through it
    recorded_here: bool  # MLflow's store is a file of `host`
    variables: dict[str, str] = field(repr=False)
    settings: str = field(repr=False)

    def folder(self, root: Path) -> Path:
        return root / ".state" / "sweeps" / self.sweep


def job_of(repository: Repository, commit: str, sweep: str) -> Job:
    """What the experiments of a sweep have in common; leaves the token in its folder."""
    root = repository.root
    settings = root / ".dvc" / "config.local"
    configured = [
        ConfigObj(str(path), encoding="utf-8") for path in (root / ".dvc" / "config", settings)
    ]
    identity = {key: tried(root, "config", "--get", key) for key in ("user.name", "user.email")}
    job = Job(
        name="",
        params="",
        commit=commit,
        sweep=sweep,
        root=str(root),
        host=platform.node(),
        token=secrets.token_hex(16),
        identity={key: value.strip() for key, value in identity.items() if value},
        remote=any("remote" in each.get("core", {}) for each in configured),
        recorded_here=tracking_uri().startswith(("sqlite:", "file:")),
        variables={
            key: value
            for key, value in os.environ.items()
            if key.startswith(VARIABLES) and key not in OWN_VARIABLES
        },
        settings=settings.read_text(encoding="utf-8") if settings.exists() else "",
    )
    files.write_text(job.folder(root) / "token", job.token)
    return job
