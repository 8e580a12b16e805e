"""Where DVC and Git push to: an S3 store (rclone's, which checks signatures) and a repository."""

import shutil
import socket
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import paths
from pipeline.runtime.git import git
from tools import server
from tools.services import processes
from tools.services.place import BUCKET, Place

BRANCH = "main"


def up(place: Place) -> None:
    """Start the store with a key for each person, and make the repository with this commit.

    Raises:
        PipelineError: rclone does not start, or nothing is committed here.
    """
    people = place.people()
    (place / "s3" / BUCKET).mkdir(parents=True, exist_ok=True)
    rclone = shutil.which("rclone")
    assert rclone is not None
    command = [rclone, "serve", "s3", str(place / "s3"), "--config", "/dev/null"]
    command += ["--addr", f"{server.HOST}:{place.port('s3')}", "--log-level", "ERROR"]
    keys = ",".join(f'"{name},{place.password(name)}"' for name in people)
    service = processes.Service(
        "s3", command, lambda: _listens(place.port("s3")), {"RCLONE_AUTH_KEY": keys}
    )
    processes.start(place, service)
    repository(place)


def repository(place: Place) -> Path:
    """The bare repository; where there is none, one whose branch main is the commit here."""
    folder = place / "repository.git"
    if not (folder / "HEAD").exists():
        shutil.rmtree(folder, ignore_errors=True)
        git(place.folder, "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", folder.name)
        try:
            git(paths.root(), "push", "--quiet", str(folder), f"HEAD:refs/heads/{BRANCH}")
        except PipelineError:
            shutil.rmtree(folder)
            raise
    return folder


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((server.HOST, port)) == 0
