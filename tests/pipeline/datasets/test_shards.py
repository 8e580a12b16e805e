"""The shards of data/raw: ordinary .tar files, the same bytes every time and after any kills."""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import shards
from pipeline.datasets.shards import (
    ShardWriter,
    header_size,
    offsets,
    read_images,
    read_index,
    write_index,
)
from pipeline.errors import PipelineError

Images = list[tuple[str, bytes]]


def write(folder: Path, images: Images, stop: int | None = None) -> None:
    """Write the images from where an earlier writer stood; with `stop` be killed at that one."""
    records = []
    for number, start in enumerate(range(0, len(images), shards.SHARD_IMAGES)):
        records.append(record(folder, number))
        writer = ShardWriter(folder, number, records[-1])
        last = min(start + shards.SHARD_IMAGES, len(images))
        for at in range(start + writer.done, last):
            if at == stop:
                os.close(writer._file)
                return  # no record of what came after the last one: what a kill leaves
            name, data = images[at]
            writer.add(name, at % 3, "train" if at % 2 else "", io.BytesIO(data))
        writer.__exit__()
    write_index(folder / "index.csv", records)


def record(folder: Path, number: int = 0) -> Path:
    return folder.with_name(f"{folder.name}-records") / f"{number}.csv"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder: Path) -> list[bytes]:
    """The images, read by the offsets that are computed from index.csv."""
    rows = list(read_index(folder / "index.csv"))
    sizes = np.array([row.size for row in rows], "int64")
    places = offsets(np.array([header_size(row.name) for row in rows], "int64"), sizes)
    backwards = (array[::-1].tolist() for array in (np.arange(len(rows)), places, sizes))
    found = read_images(folder, *backwards)
    return [data for _, data in sorted(found, reverse=True)]


names = st.lists(st.text("ab.é고\n ,\"'", min_size=1, max_size=70), min_size=1, max_size=4).map(
    "/".join
)
images_of_any_kind = st.lists(
    st.tuples(names, st.binary(max_size=1100)),
    min_size=1,
    max_size=12,
    unique_by=lambda image: image[0],
)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD_IMAGES", 5)


@settings(max_examples=60, deadline=None)
@given(images_of_any_kind)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, images: Images) -> None:
    folder = tmp_path_factory.mktemp("shards")
    write(folder, images)
    tars = sorted(folder.glob("*.tar"))
    count = -(-len(images) // 5)
    assert [path.name for path in tars] == [f"images-{number:05}.tar" for number in range(count)]
    found = []
    for path in tars:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                assert (member.mode, member.mtime, member.uid, member.gid) == (0o644, 0, 0, 0)
                assert member.isreg()
                file = tar.extractfile(member)
                assert file is not None
                found.append((member.name, file.read()))
            assert path.stat().st_size == tar.offset + 1024
    assert found == images
    assert read(folder) == [data for _, data in images]
    rows = list(read_index(folder / "index.csv"))
    assert [(row.name, row.label, row.size) for row in rows] == [
        (name, number % 3, len(data)) for number, (name, data) in enumerate(images)
    ]
    assert [row.sha256 for row in rows] == [hashlib.sha256(data).hexdigest() for _, data in images]


@settings(max_examples=300, deadline=None)
@given(st.text("a/é고", min_size=1, max_size=60) | st.text("aé", min_size=80, max_size=1100))
def test_the_size_of_a_header_is_tarfiles(name: str) -> None:
    assert header_size(name) == len(shards._header(name, 7))


def test_the_size_of_a_header_counts_its_own_digits() -> None:
    for letters in (*range(85, 105), *range(480, 520), *range(985, 1030)):
        for name in ("a" * letters, "é" + "a" * (letters - 2)):
            assert header_size(name) == len(shards._header(name, 0))


@settings(max_examples=12, deadline=None)
@given(images_of_any_kind, st.lists(st.integers(0, 11), max_size=4))
def test_kills_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, images: Images, kills: list[int]
) -> None:
    whole, killed = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")
    write(whole, images)
    with pytest.MonkeyPatch.context() as patch:
        for kill in kills:
            patch.setattr(shards, "CHECKPOINT_SECONDS", -1 if kill % 2 else 10)
            write(killed, images, stop=kill % len(images))
        write(killed, images)
    assert contents(killed) == contents(whole)


def test_a_killed_writer_goes_on_and_does_not_start_over(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, 0, tmp_path / "0.csv") as writer:  # left by Ctrl-C, say
        for number in range(4):
            writer.add(f"{number}.png", 0, "", io.BytesIO(bytes([number])))
    assert ShardWriter(tmp_path, 0, tmp_path / "0.csv").done == 4


def test_what_came_after_the_last_record_is_cut_off(tmp_path: Path) -> None:
    """A kill leaves bytes behind those that are recorded, whatever they are."""
    images = [(f"{number}.png", bytes([number]) * 900) for number in range(5)]
    write(tmp_path / "whole", images)
    killed = ShardWriter(tmp_path / "killed", 0, record(tmp_path / "killed"))
    for number, (name, data) in enumerate(images[:4]):
        killed.add(name, number % 3, "train" if number % 2 else "", io.BytesIO(data))
        if number == 2:
            killed.checkpoint()
    with (tmp_path / "killed" / "images-00000.tar").open("ab") as file:
        file.write(b"\xff" * 9000)
    again = ShardWriter(tmp_path / "killed", 0, record(tmp_path / "killed"))
    assert again.done == 3
    with tarfile.open(tmp_path / "killed" / "images-00000.tar", "r:") as tar:
        assert tar.getnames() == ["0.png", "1.png", "2.png"]
    write(tmp_path / "killed", images)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_an_image_that_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    class Broken:
        left = 3

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            if not self.left:
                raise EOFError
            return b"\xff" * 3000

    write(tmp_path / "whole", [("a.png", b"a"), ("b.png", b"b")])
    with ShardWriter(tmp_path / "broken", 0, record(tmp_path / "broken")) as writer:
        writer.add("a.png", 0, "", io.BytesIO(b"a"))
        with pytest.raises(EOFError):
            writer.add("broken.png", 0, "", Broken())
        writer.add("b.png", 1, "train", io.BytesIO(b"b"))
    write_index(tmp_path / "broken" / "index.csv", [record(tmp_path / "broken")])
    assert contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_each_shard_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, [(f"{number}.png", bytes([number])) for number in range(10)])
    opened = []
    shard = shards.shard
    monkeypatch.setattr(shards, "shard", lambda *place: (opened.append(place[1]), shard(*place))[1])
    rows = [9, 0, 8, 1]
    offsets_of = [512 + 1024 * (row % 5) for row in rows]
    found = list(read_images(tmp_path, rows, offsets_of, [1] * 4))
    assert found == [(1, b"\0"), (3, b"\1"), (2, b"\x08"), (0, b"\x09")]
    assert opened == [0, 1]


def test_a_shard_is_decided_by_its_images_alone(tmp_path: Path) -> None:
    """Whoever writes it, in whatever order, writes the same bytes."""
    images = [(f"고양이/{number}.png", bytes([number]) * number) for number in range(13)]
    write(tmp_path / "whole", images)
    records = [record(tmp_path / "other", number) for number in range(3)]
    for number in (2, 0, 1):
        with ShardWriter(tmp_path / "other", number, records[number]) as writer:
            for at in range(5 * number, min(5 * number + 5, 13)):
                name, data = images[at]
                writer.add(name, at % 3, "train" if at % 2 else "", io.BytesIO(data))
    write_index(tmp_path / "other" / "index.csv", records)
    assert contents(tmp_path / "other") == contents(tmp_path / "whole")


def test_the_bytes_stay_those_of_today(tmp_path: Path) -> None:
    """Another Python's tarfile would change every data/raw if it wrote another header."""
    write(tmp_path, [("cat/1.png", b"1"), ("강아지/2.png", b"22"), ("a" * 120, b"")])
    found = hashlib.sha256((tmp_path / "images-00000.tar").read_bytes()).hexdigest()
    assert found == "77ef98ff8fa3154b38c183302dac4cef278ab1a59346c1f2919e26ebe4ee0b53"


def test_tar_reads_it(tmp_path: Path) -> None:
    """The program tar, that is, without a word of complaint."""
    if not shutil.which("tar"):
        pytest.skip("needs the program tar")
    images = [("cat/1.png", b"1"), ("강아지/2.png", b"22" * 400), ("a" * 120, b"")]
    write(tmp_path, images)
    listed = subprocess.run(
        ["tar", "--list", "--quoting-style=literal", "--file", tmp_path / "images-00000.tar"],
        capture_output=True,
        text=True,
        check=True,
        timeout=500,
    )
    assert listed.stdout.splitlines() == [name for name, _ in images]
    assert listed.stderr == ""


def test_an_index_of_other_images_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, [("a.png", b"1"), ("b.png", b"2" * 600)])
    assert list(read_images(tmp_path, [1], [1536], [600])) == [(0, b"2" * 600)]
    for row, offset, size in (
        (1, 1537, 600),
        (1, 1536, 599),
        (0, 1536, 1),
        (5, 512, 1),
        (1, 9999, 1),
    ):
        with pytest.raises(PipelineError, match="differ; run `dvc repro -f download`"):
            list(read_images(tmp_path, [row], [offset], [size]))
    with (tmp_path / "images-00000.tar").open("r+b") as file:
        file.truncate(1600)
    with pytest.raises(PipelineError, match="differ"):
        list(read_images(tmp_path, [1], [1536], [600]))
