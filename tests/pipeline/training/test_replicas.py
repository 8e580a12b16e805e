"""Training in parallel: the same bytes wherever the replicas are, and whoever of them is killed.

The slow tests train a small network with batch normalisation and dropout, which they put
into a copy of the code, on a few images of twelve pixels.
"""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.errors import PipelineError
from pipeline.parameters import parallel
from pipeline.parameters.reader import read_parameters
from pipeline.parameters.resolve import cut, resolve
from pipeline.parameters.stages import STAGES, TrainParameters
from pipeline.runtime import files, paths
from pipeline.training import on_ray, replicas
from pipeline.training.checkpoint import Progress
from tests.support import REPOSITORY, recorded_runs, set_parameters, write_prepared

HISTORY = paths.REPORTS / "history.csv"
NETWORK = """
from typing import Any

from pipeline.networks.registry import Published, network


@network(
    published=Published(epochs=3, batch_size=12, image_size=12), dropout=(0.3,), smallest_image=4
)
def normal_cnn(x: Any, layers: Any) -> Any:
    x = layers.conv_batch_norm(x, 6, pool=True)
    x = layers.conv_batch_norm(x, 6)
    return layers.dropout(layers.flatten(x))
"""
# What of a training has to go on as with one: the least of it everywhere at once.
EVERYTHING = {
    **{"augmentation": "translate", "best_weights": True, "early_stopping": 2, "ema": 0.9},
    **{"learning_rate_schedule": "cosine", "class_weights": True},
}
# A cluster of two nodes, and a program in it. Ray gives a node 30 seconds to start, which a busy
# machine may not: then once more.
RAY = """
set -eu
ip link set lo up
start() {
    for attempt in 1 2 3 4 5 6; do
        ray start --block --disable-usage-stats --num-cpus=1 --object-store-memory=100000000 \
            "$@" >node.log 2>&1 &
        while kill -0 $! 2>/dev/null; do
            if grep -q "Ray runtime started" node.log; then return; fi
            sleep 0.5
        done
    done
    cat node.log >&2
    exit 1
}
start --head --port=6399 --include-dashboard=false --node-ip-address=127.0.0.1
start --address=127.0.0.1:6399 --node-ip-address=127.0.0.2
"$@"
"""


def test_an_unknown_place_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(parallel.PLACE, "process")
    with pytest.raises(PipelineError) as raised:
        parallel.place()
    assert str(raised.value) == (
        "IMAGE_PIPELINE_REPLICAS: process: unknown; did you mean processes?"
    )
    monkeypatch.setenv(parallel.PLACE, "")
    assert parallel.place() == "devices"


@pytest.mark.usefixtures("workspace")
def test_too_few_images_are_one_line(tmp_path: Path) -> None:
    set_parameters(replicas=4, backend="jax")
    values = resolve(read_parameters(Path("params.yaml")))
    own = cut(values, {stage.stage(): "" for stage in STAGES})
    (parameters,) = (each for each in own if isinstance(each, TrainParameters))
    dataset = {"counts": {"train": [2, 1]}}
    with pytest.raises(PipelineError) as raised:
        replicas.train(parameters, dataset, tmp_path, Progress(), lambda progress: None)
    assert str(raised.value) == (
        "replicas: 4 of them need as many training images, and there are 3"
    )


def test_without_ray_the_line_says_what_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError) as raised:
        on_ray.train(2, tmp_path, None, 3, lambda: None)
    assert str(raised.value).endswith('ray is not installed; type `make setup EXTRA="jax scale"`')
    assert "ray" not in sys.modules


def ready(**changes: Any) -> None:
    """A workspace with the code, one network more, and a few images: 67 and 31, which neither
    two nor three divide."""
    for room in ("pipeline", "stages"):
        if not Path(room).exists():
            shutil.copytree(REPOSITORY / room, room, ignore=shutil.ignore_patterns("__pycache__"))
    Path("pipeline/networks/zoo/normal_cnn.py").write_text(NETWORK)
    shared = {"model": "normal_cnn", "backend": "jax", "threads": 1, "replicas": 2, "epochs": 4}
    set_parameters(**shared | changes)
    ended = subprocess.run(program("params"), capture_output=True, text=True, env=environment())
    assert ended.returncode == 0, ended.stderr
    write_prepared(size=12, channels=3, counts=(67, 31, 30))


def program(stage: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{stage}"]


def environment(**more: str) -> dict[str, str]:
    """JAX compiles once what several processes of a test run: it takes most of their time."""
    here = str(Path.cwd())
    return {
        **os.environ,
        **{"PYTHONPATH": here, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        **{"JAX_COMPILATION_CACHE_DIR": f"{here}/compiled", "RAY_USAGE_STATS_ENABLED": "0"},
        **{"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"},
        **more,
    }


def digests() -> dict[str, str]:
    outs = (paths.MODEL_FILE, paths.MODEL / "reference.npz", HISTORY)
    return {path.name: files.sha256(path) for path in outs}


def start(place: str, *inside: str, **more: str) -> subprocess.Popen[str]:
    HISTORY.unlink(missing_ok=True)
    shutil.rmtree(paths.MODEL, ignore_errors=True)
    return subprocess.Popen(
        [*inside, *program("train")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(IMAGE_PIPELINE_REPLICAS=place, **more),
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> str:
    out, error = process.communicate(timeout=1500)
    assert process.returncode == 0, out + error
    return out


def trained(place: str, *inside: str, **more: str) -> dict[str, str]:
    finish(start(place, *inside, **more))
    return digests()


def after_epochs(count: int, process: subprocess.Popen[str]) -> psutil.Process:
    """The stage, when its history has so many rows."""
    end = time.monotonic() + 1000
    while not (HISTORY.exists() and len(HISTORY.read_text().splitlines()) > count):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    return psutil.Process(process.pid)


def worker_of(process: psutil.Process, rank: int) -> psutil.Process:
    ranks = {
        line[line.index("--rank") + 1]: each
        for each in process.children(recursive=True)
        if "--rank" in (line := each.cmdline()) and "-m" in line
    }
    return ranks[str(rank)]


@pytest.fixture
def box() -> Iterator[tuple[list[str], dict[str, str]]]:
    """What starts a cluster of two nodes in a network namespace that has nothing but `lo`, and
    a program in it; all of it ends with the program."""
    pytest.importorskip("ray", reason="needs Ray: `make setup EXTRA=scale`")
    box = ["unshare", "-n", "-p", "-f", "--kill-child", "--mount-proc"]
    tried = subprocess.run([*box, "ip", "link"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"needs root and a network namespace: {tried.stderr.strip()}")
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as short:
        more = {**token, "RAY_ADDRESS": "127.0.0.1:6399", "RAY_TMPDIR": short}
        yield [*box, "bash", "-c", RAY, "box"], more


@pytest.mark.slow
@pytest.mark.usefixtures("store")
class TestTheSameBytes:
    def test_in_all_three_places_and_whoever_is_killed(
        self, workspace: Path, tmp_path: Path
    ) -> None:
        ready(**EVERYTHING)
        first = trained("devices")
        assert trained("processes") == first

        process = start("processes")
        worker_of(after_epochs(2, process), 1).kill()
        out = finish(process)
        assert "worker 1 was ended by SIGKILL; all start again after epoch 2" in out
        assert digests() == first

        # The stage is killed, and its workers with it; the next goes on in another place.
        process = start("processes")
        stage = after_epochs(2, process)
        workers = [worker_of(stage, rank) for rank in (0, 1)]
        stage.kill()
        process.wait()
        psutil.wait_procs(workers, timeout=60)
        assert not any(each.is_running() for each in workers)
        out = finish(start("devices"))
        assert "resuming after epoch" in out
        assert digests() == first

        recorded = recorded_runs(workspace)
        assert recorded.status.tolist() == ["FINISHED"] * 4
        assert recorded["params.replicas"].tolist() == ["2"] * 4

    def test_with_three_whose_sums_depend_on_their_order(self) -> None:
        ready(replicas=3, epochs=2, dtype="mixed_bfloat16", **{**EVERYTHING, "mixup": 0.2})
        first = trained("devices")
        assert trained("processes") == first

    def test_on_ray_with_a_worker_killed(self, box: tuple[list[str], dict[str, str]]) -> None:
        inside, more = box
        ready(**EVERYTHING)
        first = trained("devices")
        assert trained("ray", *inside, **more) == first
        process = start("ray", *inside, **more)
        worker_of(after_epochs(2, process), 1).kill()
        finish(process)
        assert digests() == first


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_one_replica_and_two_learn_the_same_but_for_rounding() -> None:
    """Without dropout, whose numbers are the replicas' own; the statistics of batch
    normalisation are the whole batch's. 66 images are divided without a rest."""
    import numpy as np

    from pipeline.networks import saving

    found = []
    for count in (1, 2):
        ready(replicas=count, dropout=0, epochs=1, optimizer="sgd", learning_rate=0.01)
        write_prepared(size=12, channels=3, counts=(66, 31, 30))
        trained("devices")
        found.append([np.asarray(w) for w in saving.load_model(paths.MODEL_FILE).weights])
        found[-1].append(np.loadtxt(HISTORY, delimiter=",", skiprows=1))
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("store")
def test_a_refusal_of_the_workers_is_the_stage_s_one_line() -> None:
    ready(epochs=2)
    dataset = files.read_json(paths.PREPARED / "dataset.json")
    # Of which no finite number is left.
    dataset["normalization"] = {"method": "standard", "mean": [3e38] * 3, "variance": [1e-9] * 3}
    files.write_json(paths.PREPARED / "dataset.json", dataset)
    process = start("processes")
    out, error = process.communicate(timeout=1500)
    assert process.returncode == 1, out
    assert error.startswith(
        "train: learning_rate: 0.001 is too high: the loss is not a finite number"
    )
    assert len(error.splitlines()) == 1
