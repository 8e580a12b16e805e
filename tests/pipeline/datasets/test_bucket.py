"""A data set in a bucket: read as a folder is, refused in one line, without a secret anywhere."""

import importlib.util
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
import requests
from ruamel.yaml import YAML

from pipeline.datasets import bucket, registry
from pipeline.datasets.pool import VARIABLE
from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.runtime.paths import RAW
from tests.pipeline.datasets.outs import images, index
from tests.pipeline.datasets.pictures import class_folders, download, png, write_folder
from tests.support import snapshot

PICTURES = class_folders(count=20)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """fsspec's store in memory under memory://, which stands for s3:// in the stage."""
    monkeypatch.setattr(registry, "SCHEME", "memory://")
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: name)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    yield memory
    memory.store.clear()


def put(store: fsspec.AbstractFileSystem, pictures: dict[str, bytes]) -> None:
    for name, data in pictures.items():
        store.pipe(f"/lake/photos/{name}", data)


def test_a_bucket_is_read_as_a_folder_is(
    workspace: Path, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "TOGETHER", 7)
    monkeypatch.setattr(bucket, "TOGETHER_BYTES", 700)
    others = {"notes.txt": b"x", "cat/.DS_Store": b"x", "dog/README": b"x"}
    put(store, PICTURES | others)
    ended = download("memory://lake/photos/")
    assert (ended.status, ended.error) == (0, [])
    assert ended.out[0] == "download: memory://lake/photos: 40 images in 2 classes"
    assert images() == PICTURES
    found = snapshot(RAW)
    described = files.read_json(RAW / "dataset.json")
    assert described["source"] == "objects of one's own, memory://lake/photos"
    assert described["ignored"]["hidden"] == 1
    download(write_folder(workspace.parent / "photos", PICTURES | others))
    assert files.read_json(RAW / "dataset.json")["digest"] == described["digest"]
    assert {n: d for n, d in snapshot(RAW).items() if "dataset.json" not in n} == {
        name: digest for name, digest in found.items() if "dataset.json" not in name
    }


def test_a_changed_object_is_not_gone_on_with(
    workspace: Path, store: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when all is copied; then one object is put anew: its bytes, and no others."""
    put(store, PICTURES)
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.datasets.own_images._describe", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            download("memory://lake/photos")
    put(store, {"cat/000.png": png(999)})
    assert download("memory://lake/photos").status == 0
    assert images() == PICTURES | {"cat/000.png": png(999)}


@pytest.mark.parametrize(
    ("raised", "line"),
    [
        (FileNotFoundError("x"), "no such bucket or prefix"),
        (PermissionError("key AKIA"), "access denied to the credentials in the environment or in"),
        (type("NoCredentialsError", (Exception,), {})(), "no credentials; the environment"),
        (type("EndpointConnectionError", (Exception,), {})("u:p@x"), "the store cannot be reached"),
        (ValueError("odd"), "cannot be read (ValueError: odd)"),
    ],
)
def test_what_a_store_refuses_is_one_line(
    workspace: Path,
    store: fsspec.AbstractFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    line: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(type(store), "walk", refuse)
    ended = download("memory://lake/photos")
    assert ended.status == 1
    assert len(ended.error) == 1
    assert ended.error[0].startswith(f"download: dataset: memory://lake/photos: {line}")
    assert "AKIA" not in ended.error[0]
    assert "u:p" not in ended.error[0]


@pytest.mark.parametrize("url", ["s3://", "s3:///", "s3://key:secret@lake/photos"])
def test_credentials_have_no_place_in_it(url: str) -> None:
    with pytest.raises(PipelineError) as raised:
        registry.find(url)
    assert str(raised.value) == (
        "dataset: expected s3://bucket/prefix, without credentials: the environment or ~/.aws "
        "holds those"
    )


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PipelineError) as raised:
        registry.find("s3://lake/photos")
    assert str(raised.value) == (
        "dataset: s3://lake/photos: s3fs is not installed; type `make setup EXTRA=team`"
    )


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """A store of moto on 127.0.0.1 with a bucket; the environment says where, and who."""
    for package in ("s3fs", "dvc_s3", "moto"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: `make setup EXTRA=team`, and moto[server] to serve S3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATESTTESTTEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets.token_hex(20))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    log = tmp_path / "moto.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=output,
            stderr=output,
        )
    try:
        until = time.monotonic() + 120
        while "Running on" not in log.read_text():
            assert time.monotonic() < until, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.1)
        address = log.read_text().split("Running on ")[1].split()[0]
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        assert requests.get(address, timeout=60).ok
        found = fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
        found.mkdir("lake")
        yield found
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.slow
def test_the_next_repro_notices_a_change_in_the_bucket(
    workspace: Path, s3: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DVC keeps the ETags; two processes read the objects; no secret is in any file."""
    s3.pipe({f"lake/photos/{name}": data for name, data in PICTURES.items()})
    monkeypatch.setenv(VARIABLE, "2")
    stage = {
        "cmd": f"{sys.executable} -m stages.download",
        "deps": ["${dataset}"],
        "outs": ["data/raw"],
    }
    YAML().dump({"stages": {"download": stage}}, Path("dvc.yaml"))
    Path("params.yaml").write_text("dataset: s3://lake/photos\n")
    files.write_json(Path("data/params/download.json"), {"dataset": "s3://lake/photos"})
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, check=True)

    def repro() -> str:
        command = [sys.executable, "-m", "dvc", "repro"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    printed = repro()
    assert "40 images in 2 classes" in printed
    assert images() == PICTURES
    assert "didn't change" in repro()
    s3.pipe("lake/photos/cat/000.png", png(999))
    assert "didn't change" not in repro()
    assert images()["cat/000.png"] == png(999)
    s3.rm("lake/photos/dog/019.png")
    repro()
    assert len(index()) == 39
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    there = [path for path in Path().rglob("*") if path.is_file() and path.suffix != ".tar"]
    assert there
    for path in there:
        assert secret.encode() not in path.read_bytes()
        assert os.environ["AWS_ACCESS_KEY_ID"].encode() not in path.read_bytes()
    assert secret not in printed
