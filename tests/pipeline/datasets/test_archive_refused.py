"""Archives that are refused, each in one line: nothing in them is trusted."""

import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.datasets.archive import ALWAYS_ALLOWED
from pipeline.datasets.tarball import open_archive
from pipeline.errors import PipelineError
from tests.pipeline.datasets.pictures import PICTURES, add_to_tar, png, write_tar, write_zip


def zip_bomb(path: Path) -> None:
    """10 GB of zeros, as a .zip really holds them: 10 members of 1 GB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/0.png", b"\0" * 1_000_000)
    # The other members are the same bytes: a directory that names one of them ten times
    # with 1 GB each declares 10 GB.
    data = path.read_bytes()
    start = data.index(b"PK\x01\x02")
    entry = bytearray(data[start : data.index(b"PK\x05\x06")])
    entry[24:28] = struct.pack("<L", 1_000_000_000)
    entries = b"".join(bytes(entry).replace(b"0.png", b"%d.png" % n) for n in range(10))
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), start, 0)
    path.write_bytes(data[:start] + entries + end)


def real_zip_bomb(path: Path) -> None:
    """A member that says 1,000 bytes and unpacks to 2 GB: no more than 1,000 are ever read."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/0.png", b"\0" * 2_000_000)
        archive.writestr("dog/0.png", b"\0" * 2_000_000)
    data = path.read_bytes().replace(struct.pack("<L", 2_000_000), struct.pack("<L", 1_000))
    path.write_bytes(data)


def encrypted(path: Path) -> None:
    write_zip(path, PICTURES)
    data = bytearray(path.read_bytes())
    for at in (i for i in range(len(data)) if data[i : i + 4] in (b"PK\x01\x02", b"PK\x03\x04")):
        data[at + (8 if data[at + 2] == 1 else 6)] |= 1
    path.write_bytes(bytes(data))


def tar_of(name: str, **fields: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with tarfile.open(path, "w") as archive:
            add_to_tar(archive, "cat/1.png", png(1))
            add_to_tar(archive, name, **fields)

    return write


def zip_of(name: str, data: bytes = b"", mode: int = 0) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, data)

    return write


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat/1.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("cat/1.png", b"2")


def sparse_bomb(path: Path) -> None:
    """A .tar.gz of 10 GB of zeros is 10 MB; here the .tar declares them and holds none."""
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("cat/1.png")
        member.size = 10 << 30
        archive.fileobj.write(member.tobuf())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            tar_of("../../evil.png"),
            "../../evil.png leads out of the archive; an archive may not do that",
        ),
        (
            zip_of("a/../../evil.png"),
            "a/../../evil.png leads out of the archive; an archive may not do that",
        ),
        (
            zip_of("..\\evil.png"),
            "../evil.png leads out of the archive; an archive may not do that",
        ),
        (tar_of("/etc/cron.png"), "/etc/cron.png is an absolute path; an archive may hold none"),
        (zip_of("/etc/cron.png"), "/etc/cron.png is an absolute path; an archive may hold none"),
        (
            zip_of("C:\\Users\\a.png"),
            "C:/Users/a.png is an absolute path; an archive may hold none",
        ),
        (
            tar_of("dog/1.png", type=tarfile.SYMTYPE, linkname="../../secret.png"),
            "dog/1.png is a link out of the archive, to ../secret.png",
        ),
        (
            tar_of("dog/1.png", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
            "dog/1.png is a link out of the archive, to /etc/passwd",
        ),
        (
            tar_of("dog/1.png", type=tarfile.LNKTYPE, linkname="../secret.png"),
            "dog/1.png is a link out of the archive, to ../secret.png",
        ),
        (
            zip_of("dog/1.png", b"../../secret.png", 0o120777),
            "dog/1.png is a link out of the archive, to ../secret.png",
        ),
        (
            tar_of("dog/1.png", type=tarfile.SYMTYPE, linkname="1.png"),
            "dog/1.png is a link to dog/1.png, which is no file of the archive",
        ),
        (
            tar_of("dog/1.png", type=tarfile.SYMTYPE, linkname="../gone.png"),
            "dog/1.png is a link to gone.png, which is no file of the archive",
        ),
        (
            tar_of("dog/1.png", type=tarfile.FIFOTYPE),
            "dog/1.png is a special file; an archive of images may hold none",
        ),
        (
            tar_of("dog/1.png", type=tarfile.CHRTYPE),
            "dog/1.png is a special file; an archive of images may hold none",
        ),
        (
            zip_of("dog/1.png", b"", 0o020644),
            "dog/1.png is a special file; an archive of images may hold none",
        ),
        (encrypted, "cat/1.png is encrypted; unpack it with its password, name the folder"),
        (twice, "cat/1.png is there twice; keep one of the two"),
        (tar_of("dog/1\r.png"), "dog/1\\r.png: a carriage return in its name; rename it"),
        *(
            (
                bomb,
                "unpacks to more than 1.1 GB, over 100 times its size: refused as a bomb; "
                "if it is none, unpack it and name the folder",
            )
            for bomb in (zip_bomb, sparse_bomb)
        ),
        (
            lambda path: path.write_bytes(b"7z\xbc\xaf\x27\x1c"),
            "a .7z, which the pipeline does not read; expected a folder, or a .zip, .tar, "
            ".tar.gz, .tar.bz2 or .tar.xz",
        ),
        (
            lambda path: path.write_bytes(b"just a text"),
            "not an archive; expected a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz",
        ),
        (
            lambda path: path.write_bytes(b""),
            "not an archive; expected a folder, or a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz",
        ),
        (
            lambda path: path.write_bytes(b"PK\x03\x04 and no more"),
            "damaged or of an unknown kind (File is not a zip file)",
        ),
        (
            lambda path: path.write_bytes(write_tar(path, PICTURES, "w:gz").read_bytes()[:200]),
            "damaged or of an unknown kind (Compressed file ended before the end-of-stream marker "
            "was reached)",
        ),
        (
            lambda path: path.write_bytes(write_tar(path, PICTURES).read_bytes()[:1000]),
            "damaged or of an unknown kind (unexpected end of data)",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, write: Callable[[Path], None], message: str) -> None:
    path = tmp_path / "photos.archive"
    write(path)
    with pytest.raises(PipelineError) as error:
        open_archive(path, tmp_path)
    assert str(error.value) == f"photos.archive: {message}"
    assert [file.name for file in tmp_path.iterdir()] == ["photos.archive"]


def test_a_member_that_lies_about_its_size_is_read_no_further(tmp_path: Path) -> None:
    real_zip_bomb(tmp_path / "a.zip")
    tree = open_archive(tmp_path / "a.zip", tmp_path)
    with pytest.raises(zipfile.BadZipFile), tree.open(tree.files[0]) as file:
        file.read()


def test_a_packed_tar_is_unpacked_within_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The budget counts the bytes that come out, whatever the headers say."""
    monkeypatch.setattr("pipeline.datasets.archive.ALWAYS_ALLOWED", 1 << 20)
    assert ALWAYS_ALLOWED == 1 << 30
    path = write_tar(tmp_path / "bomb.tar.gz", {"cat/1.png": b"\0" * (8 << 20)}, "w:gz")
    with pytest.raises(PipelineError, match="refused as a bomb"):
        open_archive(path, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["bomb.tar.gz"]


@pytest.mark.slow
def test_a_real_bomb_of_10_gb_is_refused(tmp_path: Path) -> None:
    """10 GB of zeros through gzip: 10 MB on the disk."""
    path = tmp_path / "bomb.tar.gz"
    member = tarfile.TarInfo("cat/1.png")
    member.size = 10_000_000_000
    import gzip

    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(member.tobuf())
        for _ in range(1000):
            file.write(b"\0" * 10_000_000)
    with pytest.raises(PipelineError, match="refused as a bomb"):
        open_archive(path, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["bomb.tar.gz"]
