"""`make setup`: which Python it takes, and what it says where none fits."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import REPOSITORY


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a lock of nothing, and `bin`, the only place for programs of ours."""
    (tmp_path / "bin").mkdir()
    for name in ("basename", "cat", "dirname"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "some.lock").write_text("# nothing\n")
    return tmp_path


def put_python(folder: Path, name: str, version: tuple[int, int]) -> None:
    """A program that is this Python, but says that it is of another version."""
    said = f"import sys; sys.version_info = (*{version}, 0, 'final', 0); exec(sys.argv.pop(1))"
    path = folder / "bin" / name
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" != --version ] || {{ echo "Python {version[0]}.{version[1]}.0"; exit; }}\n'
        f'[ "$1" != -c ] || {{ shift; exec {sys.executable} -c "{said}" "$@"; }}\n'
        f'exec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)


def setup(folder: Path, lock: str = "some.lock") -> subprocess.CompletedProcess[str]:
    variables = {"PYTHON": "python3", "LOCK": lock, "VENV": "venv"}
    kept = {key: os.environ[key] for key in ("HOME", "PIP_CONFIG_FILE") if key in os.environ}
    return subprocess.run(
        ["/bin/sh", REPOSITORY / "requirements/install.sh"],
        cwd=folder,
        env={**kept, **variables, "PATH": f"{folder}/bin"},
        capture_output=True,
        encoding="utf-8",
    )


def test_a_python_that_fits_is_taken_and_what_is_installed_stands(folder):
    put_python(folder, "python3", (3, 12))
    done = setup(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "setup: making venv (once; a few minutes)\nsetup: installing some.lock\n"
    )
    assert (folder / "venv/.requirements").read_text() == "some\n"
    put_python(folder, "python3", (3, 14))  # the system moves on; the environment stays
    assert setup(folder).stdout == ""
    (folder / "some.lock").write_text("# still nothing\n")
    assert setup(folder).stdout == "setup: installing some.lock\n"


@pytest.mark.parametrize("version", [(3, 14), (3, 10)])
def test_another_that_is_there_is_taken_where_it_does_not_fit(folder, version):
    put_python(folder, "python3", version)
    put_python(folder, "python3.11", (3, 11))
    done = setup(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        f"setup: Python {version[0]}.{version[1]}.0 does not fit, python3.11 does"
    )


def test_none_that_fits_is_one_line(folder):
    put_python(folder, "python3", (3, 14))
    done = setup(folder)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "setup: Python 3.14.0 does not fit; install Python 3.11, 3.12 or 3.13 beside it "
        "(make PYTHON=… names one)\n"
    )
    assert not (folder / "venv").exists()


def test_a_lock_that_is_not_there_is_one_line(folder):
    put_python(folder, "python3", (3, 12))
    done = setup(folder, "gpuu.lock")
    assert done.returncode == 1
    assert done.stderr == "setup: gpuu.lock is not there; there are: some.lock\n"


def test_pyproject_has_the_same_bounds():
    assert 'requires-python = ">=3.11,<3.14"' in (REPOSITORY / "pyproject.toml").read_text()
    assert (
        "(3, 11) <= sys.version_info[:2] <= (3, 13)"
        in (REPOSITORY / "requirements/install.sh").read_text()
    )
