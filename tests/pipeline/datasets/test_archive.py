"""Archives: all kinds give the same, and damage never goes unnoticed."""

import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.datasets.archive import damage_in_one_line
from pipeline.datasets.tarball import open_archive
from pipeline.errors import PipelineError
from tests.pipeline.datasets.pictures import (
    PICTURES,
    add_to_tar,
    class_folders,
    contents,
    write_tar,
    write_zip,
)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tars(tmp_path: Path, mode: str) -> None:
    tree = open_archive(write_tar(tmp_path / "photos.tar", PICTURES, mode), tmp_path)
    assert contents(tree) == PICTURES
    assert tree.folders == {"cat", "dog"}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_zips(tmp_path: Path, method: int) -> None:
    path = write_zip(tmp_path / "photos.zip", PICTURES, compression=method)
    assert contents(open_archive(path, tmp_path)) == PICTURES


def test_an_archive_is_known_by_its_bytes_not_its_ending(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "photos.tar.gz", PICTURES)
    assert contents(open_archive(path, tmp_path)) == PICTURES


def test_hidden_files_and_dots_in_names(tmp_path: Path) -> None:
    names = {"./cat//1.png": b"1", "__MACOSX/cat/._1.png": b"", "cat/.DS_Store": b""}
    for path in (write_tar(tmp_path / "a.tar", names), write_zip(tmp_path / "a.zip", names)):
        tree = open_archive(path, tmp_path)
        assert contents(tree) == {"cat/1.png": b"1"}
        assert tree.hidden == 2


def test_names_of_a_korean_windows(tmp_path: Path) -> None:
    """Names in cp949, which zipfile would read as box drawings, and \\ between their parts."""
    path = write_zip(tmp_path / "photos.zip", {"XXXXXX\\1.png": b"1", "DD\\1.png": b"2"})
    path.write_bytes(path.read_bytes().replace(b"XXXXXX", "고양이".encode("cp949")))
    assert contents(open_archive(path, tmp_path)) == {"고양이/1.png": b"1", "DD/1.png": b"2"}


def test_names_of_another_encoding_in_a_tar(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.GNU_FORMAT) as archive:
        add_to_tar(archive, "XXXX/1.png", b"1")
    raw = (tmp_path / "a.tar").read_bytes()
    header = bytearray(raw[:512])
    header[0:4] = "개".encode("cp949") * 2
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    (tmp_path / "a.tar").write_bytes(bytes(header) + raw[512:])
    assert contents(open_archive(tmp_path / "a.tar", tmp_path)) == {"개개/1.png": b"1"}


def test_links_within_a_tar_are_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add_to_tar(archive, "cat/1.png", b"1")
        add_to_tar(archive, "dog/1.png", type=tarfile.SYMTYPE, linkname="../cat/1.png")
        add_to_tar(archive, "emu/1.png", type=tarfile.LNKTYPE, linkname="dog/1.png")
    found = contents(open_archive(tmp_path / "a.tar", tmp_path))
    assert found == {"cat/1.png": b"1", "dog/1.png": b"1", "emu/1.png": b"1"}


def test_a_plain_tar_is_unpacked_once(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar.gz", PICTURES, "w:gz")
    open_archive(path, tmp_path)
    before = (tmp_path / "plain.tar").stat().st_mtime_ns
    assert contents(open_archive(path, tmp_path)) == PICTURES
    assert (tmp_path / "plain.tar").stat().st_mtime_ns == before


def test_a_tar_with_a_damaged_header_does_not_lose_the_rest_silently(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "photos.tar", class_folders())
    data = bytearray(path.read_bytes())
    data[1024 : 1024 + 512] = os.urandom(512)
    path.write_bytes(bytes(data))
    with pytest.raises(PipelineError) as error:
        open_archive(path, tmp_path)
    assert str(error.value) == "photos.tar: damaged (1,024 bytes in)"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["zip", "w", "w:gz", "w:xz"]), st.data())
def test_damaged_archives_never_crash(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    """Any damage gives files or one line, never another exception."""
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / "photos"
    whole = (
        write_zip(path, PICTURES, compression=zipfile.ZIP_DEFLATED)
        if kind == "zip"
        else write_tar(path, PICTURES, kind)
    ).read_bytes()
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(damaged))
    line = ""
    try:
        tree = open_archive(path, folder)
        assert all(not entry.name.startswith(("/", "..")) for entry in tree.files)
        for entry in tree.files:
            with damage_in_one_line(path.name), tree.open(entry) as file:
                assert len(file.read()) <= entry.size
    except PipelineError as error:
        line = str(error)
    assert "\n" not in line
