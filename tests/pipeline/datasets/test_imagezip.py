"""images.zip: an ordinary .zip, the same bytes every time, whole after any number of kills."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets import imagezip
from pipeline.datasets.imagezip import ImageZipWriter, offsets, read_image, read_index
from pipeline.errors import PipelineError

Images = list[tuple[str, bytes]]


def write(folder: Path, images: Images, stop: int | None = None) -> None:
    """Write the images from where an earlier writer stood; with `stop` be killed at that one."""
    writer = ImageZipWriter(folder)
    for number in range(writer.done, len(images)):
        if number == stop:
            return  # no close, no record: what a kill leaves
        name, data = images[number]
        writer.add(name, number % 3, "train" if number % 2 else "", io.BytesIO(data))
    writer.finish()


def places_of(rows: list[imagezip.Row]) -> list[int]:
    names = np.array([len(row.name.encode()) for row in rows])
    return offsets(names, np.array([row.size for row in rows])).tolist()


images_of_any_kind = st.lists(
    st.tuples(st.text("a/é고\n ,\"'", min_size=1, max_size=12), st.binary(max_size=50)),
    max_size=12,
    unique_by=lambda image: image[0],
)


@settings(max_examples=40, deadline=None)
@given(images_of_any_kind)
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, images: Images) -> None:
    folder = tmp_path_factory.mktemp("zip")
    write(folder, images)
    assert sorted(path.name for path in folder.iterdir()) == ["images.zip", "index.csv"]
    with zipfile.ZipFile(folder / "images.zip") as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == images
    rows = list(read_index(folder / "index.csv"))
    assert [(row.name, row.label, row.size) for row in rows] == [
        (name, number % 3, len(data)) for number, (name, data) in enumerate(images)
    ]
    if images:
        file = os.open(folder / "images.zip", os.O_RDONLY)
        places = zip(places_of(rows), rows, strict=True)
        read = [read_image(file, at, row.size, len(row.name.encode())) for at, row in places]
        os.close(file)
        assert read == [data for _, data in images]


@settings(max_examples=12, deadline=None)
@given(images_of_any_kind.filter(len), st.lists(st.integers(0, 11), max_size=4))
def test_kills_change_nothing(
    tmp_path_factory: pytest.TempPathFactory, images: Images, kills: list[int]
) -> None:
    whole, killed = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("killed")
    write(whole, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imagezip, "CHECKPOINT_SECONDS", -1)
        for kill in kills:
            write(killed, images, stop=kill % len(images))
            if not (killed / "progress.json").exists():
                break
        write(killed, images)
    for name in ("images.zip", "index.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_a_killed_writer_goes_on_and_does_not_start_over(tmp_path: Path) -> None:
    images = [(f"{number}.png", bytes([number])) for number in range(10)]
    with ImageZipWriter(tmp_path) as writer:  # leaving the block, by Ctrl-C say, records
        for name, data in images[:6]:
            writer.add(name, 0, "", io.BytesIO(data))
    assert ImageZipWriter(tmp_path).done == 6


def test_what_came_after_the_last_record_is_cut_off(tmp_path: Path) -> None:
    """A kill leaves bytes and rows behind those that are recorded."""
    images = [(f"{number}.png", bytes([number]) * 9) for number in range(10)]
    write(tmp_path / "whole", images)
    killed = ImageZipWriter(tmp_path / "killed")
    for number, (name, data) in enumerate(images[:7]):
        killed.add(name, number % 3, "train" if number % 2 else "", io.BytesIO(data))
        if number == 3:
            killed.checkpoint()
    killed._entries.flush()
    assert ImageZipWriter(tmp_path / "killed").done == 4
    write(tmp_path / "killed", images)
    for name in ("images.zip", "index.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_more_entries_and_bytes_than_the_first_zip_format_holds(tmp_path: Path) -> None:
    """Over 65,535 entries; offsets over 4 GiB, in a file with holes."""
    images = [(f"{number}.png", b"x") for number in range(65_540)]
    write(tmp_path, images)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        assert len(archive.namelist()) == 65_540
        assert archive.read("65539.png") == b"x"
    entry = imagezip._central(b"a.png", 1, 0, 5 << 30)
    data = entry + imagezip._end(1, (5 << 30) + 40, len(entry))
    with (tmp_path / "large.zip").open("wb") as file:
        file.truncate((5 << 30) + 40)
        file.seek((5 << 30) + 40)
        file.write(data)
    with zipfile.ZipFile(tmp_path / "large.zip") as archive:
        assert archive.getinfo("a.png").header_offset == 5 << 30


def test_an_index_of_other_images_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, [("a.png", b"1"), ("b.png", b"2")])
    rows = list(read_index(tmp_path / "index.csv"))
    assert places_of(rows) == [35, 71]
    file = os.open(tmp_path / "images.zip", os.O_RDONLY)
    with pytest.raises(PipelineError, match="differ; run `dvc repro -f download`"):
        read_image(file, 36, 1, 5)
    os.close(file)
