"""One experiment on a node: its clone, its run, and what goes home.

`python -m tools.experiments.remote`, started by `seat`: the first line of its
standard input is the job, a further one ends it, and so does the end of the
input: whoever asked for it is gone. What it says is JSON, a line each.
"""

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.runtime.git import git
from tools.experiments.clone import cache_folder
from tools.experiments.engine import End, Ended, Rows
from tools.experiments.experiment import Experiment
from tools.experiments.job import Job
from tools.experiments.repository import Repository
from tools.experiments.seat import Place
from tools.experiments.worker import Worker


def main() -> None:
    asked = json.loads(sys.stdin.readline())
    job, place, folder = Job(**asked["job"]), Place(**asked["place"]), Path(asked["folder"])
    end: list[End] = []

    def listen() -> None:
        line = sys.stdin.readline()
        end.append(End(**json.loads(line)) if line else End("its node was given up"))

    threading.Thread(target=listen, daemon=True).start()
    told: Rows = []

    def watch(rows: Rows) -> End | None:
        nonlocal told
        if len(rows) != len(told):
            told = rows
            _tell(rows=rows)
        return end[0] if end else None

    try:
        repository = Repository(Path(place.root))
        clones = job.folder(repository.root)
        clones.mkdir(parents=True, exist_ok=True)
        with _free(clones, place.host) as clone:
            with FileLock(clones / f"{place.host}.lock"):
                if not place.shared:
                    _prepare(repository.root, job, folder / "commit.bundle")
                cache = cache_folder(repository.root)
                worker = Worker(repository, clone, job.commit, cache)
            log = folder / "log"
            through_remote = job.remote and not place.shared
            experiment = Experiment(job.name, job.name, {})
            ended = worker.run(experiment, job.params, log, watch, pull=through_remote)
            if ended.failure is None:
                repository.bundle(folder / "experiment.bundle", job.commit, job.name)
                push = ["push", "--run-cache"]
                if place.shared or (through_remote and worker.dvc(push, log, watch, {}) is None):
                    outs = []
                else:
                    outs = _outs(clone, cache)
                _tell(cache=str(cache), outs=outs)
    except PipelineError as error:
        ended = Ended(str(error), 0)
    _tell(ended={"failure": ended.failure, "seconds": ended.seconds})


def _tell(**what: object) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody is left to hear it
        print(json.dumps(what), flush=True)


@contextlib.contextmanager
def _free(folder: Path, host: str) -> Iterator[Path]:
    """A clone's folder that no other experiment of this machine has now."""
    for number in count(1):
        lock = FileLock(folder / f"{host}-{number}.lock")
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            continue
    try:
        yield folder / f"{host}-worker-{number}"
    finally:
        lock.release()


def _prepare(root: Path, job: Job, bundle: Path) -> None:
    """Bring the node's own copy of the repository to the commit."""
    root.mkdir(parents=True, exist_ok=True)
    if not (root / ".git").exists():
        git(root, "init", "--quiet")
    if bundle.exists():
        git(root, "fetch", "--quiet", "--no-tags", str(bundle), "HEAD")
    git(root, "checkout", "--quiet", "--force", "--detach", job.commit)
    for key, value in job.identity.items():
        git(root, "config", key, value)
    settings = root / ".dvc" / "config.local"
    settings.touch(mode=0o600)
    settings.write_text(job.settings, encoding="utf-8")


def _outs(clone: Path, cache: Path) -> list[str]:
    """The files of DVC's cache that the outs in dvc.lock consist of."""
    stages = YAML(typ="safe", pure=True).load(clone / "dvc.lock")["stages"]
    found = []
    for digest in {out["md5"] for stage in stages.values() for out in stage.get("outs", ())}:
        path = _cached(digest)
        if digest.endswith(".dir"):
            found += [_cached(entry["md5"]) for entry in files.read_json(cache / path)]
        found.append(path)
    return [path for path in dict.fromkeys(found) if (cache / path).exists()]  # else Git has it


def _cached(digest: str) -> str:
    return f"files/md5/{digest[:2]}/{digest[2:]}"


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # the thread that listens would hold the end back
