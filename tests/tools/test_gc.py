"""`tools.gc`: what goes, what stays, and that nothing goes while something runs."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.runtime.resume import ABANDONED_SECONDS
from pipeline.tracking import start_run, store
from tests.tools.comparison.recording import outcome, record, track
from tests.tools.experiments.support import enter_repository, experiments, git, run
from tests.tools.serving.training import record as record_with_model
from tests.tools.serving.training import write_model
from tools import gc
from tools.cleaning import cache, state
from tools.cleaning import record as runs
from tools.runs.experiments import list_experiments, model_digest

SWEEP = "experiments: [{name: kept}, {name: gone, overrides: {dropout: [0.1, 0.5]}}]"


@pytest.fixture
def tracked(workspace, tmp_path_factory, monkeypatch) -> Path:
    monkeypatch.setattr(cache, "unused", list)  # these tests are of no DVC repository
    return track(workspace, tmp_path_factory, monkeypatch)


def test_what_only_a_removed_experiment_needed_goes_and_no_more(tmp_path, monkeypatch):
    folder = enter_repository(tmp_path / "repository", monkeypatch)
    monkeypatch.setenv("DVC_ROOT", str(folder))
    pipeline = (folder / "dvc.yaml").read_text()
    for text in ("stages: 3\n", pipeline):  # a commit of before that DVC does not take
        (folder / "dvc.yaml").write_text(text)
        git(folder, "commit", "--quiet", "--all", "-m", "another pipeline")
    (folder.parent / "two.yaml").write_text(SWEEP)
    assert run("sweep", str(folder.parent / "two.yaml")).returncode == 0
    kept, gone = (next(e for e in list_experiments() if e.name == n) for n in ("kept", "gone"))
    digest = model_digest(kept)
    assert digest != model_digest(gone)
    git(folder, "update-ref", "-d", f"refs/exps/{gone.baseline[:2]}/{gone.baseline[2:]}/gone")
    (stale,) = cache.unused()

    dry = run("gc")
    assert dry.returncode == 0, dry.stderr
    lines = dry.stdout.splitlines()
    assert f"gc: {stale.count} objects of DVC's cache: {gc.in_words(stale.bytes)}" in lines
    assert lines[-1].endswith("would go; `make gc YES=1` removes it")
    assert stale.bytes > 0
    refused = git(folder, "rev-parse", "HEAD~1")[:10]
    said = f"gc: DVC cannot read 1 commit ({refused}, say); what such alone name is not kept"
    assert said in lines
    assert cache.unused()[0].count == stale.count
    assert model_digest(gone)  # a dry run

    with FileLock(folder / ".state/sweeps/two/lock"):
        busy = run("gc", "--delete")
    assert (busy.returncode, busy.stderr) == (
        1,
        "gc: .state/sweeps/two/lock: held by a process that runs here; wait for it, or end it\n",
    )
    done = run("gc", "--delete")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("gc: removed ")
    assert model_digest(kept) == digest
    with pytest.raises(FileNotFoundError):
        model_digest(gone)
    assert not (folder / ".state/sweeps/two/logs").exists()
    assert experiments(folder).keys() == {"kept"}
    assert run("gc").stdout.splitlines()[-1] == "gc: nothing to remove"


def test_files_to_resume_from_stay_two_weeks(tracked, capsys):
    for name, age in (("train-old", ABANDONED_SECONDS + 60), ("train-new", 60)):
        path = tracked / ".state/resume" / name
        path.mkdir(parents=True)
        (path / "checkpoint.npz").write_bytes(b"x" * 100)
        os.utime(path, (time.time() - age,) * 2)
    clone = tracked / ".state/sweeps/s/worker-1"
    clone.mkdir(parents=True)
    (clone / "file").write_bytes(b"x" * 1900)
    gc.main([])
    assert capsys.readouterr().out.splitlines()[-1] == (
        "gc: 2.0 kB would go; `make gc YES=1` removes it"
    )
    gc.main(["--delete"])
    assert capsys.readouterr().out.splitlines() == [
        "gc: 1 resume folders that nobody asked for in two weeks: 100 bytes",
        "gc: 1 clones that a sweep or a benchmark left: 1.9 kB",
        "gc: removed 2.0 kB",
    ]
    assert [path.name for path in (tracked / ".state/resume").iterdir()] == ["train-new"]
    assert not clone.exists()


def test_of_mlflows_runs_the_failed_and_the_deleted_go(tracked, monkeypatch):
    failed, pruned = record(None), record(None)
    finished = record(outcome(0.7, 1))
    removed = record(outcome(0.8, 2))
    write_model()
    of_model, registered = record_with_model([0.5]), record_with_model([0.6])
    client = store.open_store().client
    client.set_terminated(pruned, "KILLED")
    client.create_registered_model("bars")
    client.create_model_version("bars", source="file:///x", run_id=registered)
    for run_id in (removed, of_model, registered):
        client.delete_run(run_id)
    Path("mlartifacts").joinpath("unknown").mkdir()
    before = {path for path in Path("mlartifacts").rglob("*") if path.is_file()}
    of_failed, of_deleted = runs.unused()
    assert (of_failed.count, of_deleted.count) == (1, 3)
    assert of_deleted.bytes > 1000
    gc.main(["--delete"])
    after = {path for path in Path("mlartifacts").rglob("*") if path.is_file()}
    assert any(finished in str(path) for path in after)
    assert any(registered in str(path) for path in after)
    assert not any(removed in str(path) or of_model in str(path) for path in after)
    assert sum(path.name == "model.keras" for path in before - after) == 1
    assert sum(path.name == "model.keras" for path in after) == 1
    assert client.get_run(failed).info.lifecycle_stage == "deleted"
    assert client.get_run(pruned).info.lifecycle_stage == "active"
    assert [waste.count for waste in runs.unused()] == [0, 0]


def test_a_failed_run_that_a_training_will_go_on_with_stays(tracked):
    import json

    import numpy as np

    failed = record(None)
    folder = tracked / ".state/resume/train-1"
    folder.mkdir(parents=True)
    text = np.frombuffer(json.dumps({"run_id": failed}).encode(), "uint8")
    np.savez(folder / "checkpoint.npz", progress=text)
    assert state.runs_to_resume() == {failed}
    assert runs.unused()[0].count == 0
    shutil.rmtree(folder)
    assert runs.unused()[0].count == 1


def test_nothing_goes_while_something_runs(tracked):
    start_run({"model": "tiny_cnn"}, {})
    with pytest.raises(PipelineError, match=r"^run .* goes on; wait for it"):
        gc.main(["--delete"])
    stage = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)", "dvc", "repro"], cwd=tracked
    )
    try:
        time.sleep(0.5)
        with pytest.raises(PipelineError, match=rf"^process {stage.pid} runs here \(python"):
            gc.main(["--delete"])
    finally:
        stage.kill()
        stage.wait()
