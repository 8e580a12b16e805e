"""Files whole or not at all, the same bytes for the same value; resume folders and locks."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.runtime import files, paths, resume
from pipeline.runtime.locks import WAITING, exclusive
from tests.support import recorded_syncs

pytestmark = pytest.mark.usefixtures("workspace")


def test_a_failed_write_leaves_the_old_file_and_no_other():
    path = Path("a.txt")
    files.write_text(path, "old")

    def write():
        with files.atomic(path) as partial:
            partial.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "old"
    assert sorted(p.name for p in Path().iterdir()) == ["a.txt", "params.yaml"]


def test_the_bytes_are_on_the_disk_before_the_name(monkeypatch):
    """After a power cut an empty file under the right name would be taken for a whole one."""
    done = recorded_syncs(monkeypatch)
    rename = Path.replace
    monkeypatch.setattr(
        Path, "replace", lambda path, to: (done.append(f"name {to}"), rename(path, to))[1]
    )
    files.write_text(Path("a.txt"), "whole")
    assert done == ["5 bytes", "name a.txt"]


def test_publish_takes_the_place_of_an_old_folder():
    for name, content in (("out/a", "old"), ("out/b", "old"), ("scratch/a", "new")):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(content)
    files.publish(Path("scratch"), Path("out"))
    assert [(p.name, p.read_text()) for p in Path("out").iterdir()] == [("a", "new")]
    assert not Path("scratch").exists()


def test_json_refuses_what_is_no_json():
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(Path("a.json"), {"loss": float("nan")})
    assert not Path("a.json").exists()


def test_csv_floats_come_back_exactly():
    files.write_csv(Path("a.csv"), ("x", "name"), [(0.1 + 0.2, "a,b"), (1e-300, 'q"')])
    lines = Path("a.csv").read_text().split("\n")
    assert lines == ["x,name", '0.30000000000000004,"a,b"', '1e-300,"q"""', ""]


def test_other_ingredients_have_another_resume_folder():
    same = resume.resume_folder("train", {"epochs": 3, "seed": 1})
    assert same == resume.resume_folder("train", {"seed": 1, "epochs": 3})
    assert same != resume.resume_folder("train", {"epochs": 4, "seed": 1})
    assert same != resume.resume_folder("prepare", {"epochs": 3, "seed": 1})
    assert same.parent == paths.state() / "resume"
    resume.forget(same)
    assert not same.exists()


HOLD = """
import sys, time
from pathlib import Path
from pipeline.runtime.locks import exclusive
with exclusive(Path(sys.argv[1]), "train", "training", Path(".")):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(lock: Path, seconds: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_writer_says_whom_it_waits_for(capsys):
    lock, folder = Path("locks/a.lock"), resume.resume_folder("train", 1)
    first = hold(lock, 1.5)
    start = time.monotonic()
    with exclusive(lock, "train", "training", folder):
        assert time.monotonic() - start > 0.5
        assert not (folder / WAITING).exists()
    assert capsys.readouterr().out == (
        f"train: process {first.pid} is still training; waiting for it (`kill {first.pid}` ends it)\n"
    )
    first.wait()


def test_a_killed_holder_holds_nothing(capsys):
    lock = Path("locks/a.lock")
    process = hold(lock, 60)
    process.kill()
    process.wait()
    with exclusive(lock, "train", "training", Path()):
        pass
    assert capsys.readouterr().out == ""


def test_what_another_process_waits_for_is_kept():
    folder = resume.resume_folder("train", 1)
    (folder / WAITING).touch()
    resume.forget(folder)
    assert folder.exists()


def test_what_was_abandoned_for_weeks_goes_with_the_next_success():
    old, new, done = (resume.resume_folder("train", number) for number in range(3))
    long_ago = time.time() - 15 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    resume.forget(done)
    assert (old.exists(), new.exists(), done.exists()) == (False, True, False)
