"""The folder in which a stage builds its out: kept after a kill, handed over when complete."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import NoRoomError, PipelineError, ProcessKilledError
from pipeline.runtime import files, resume
from pipeline.runtime.locks import WAITING, one_at_a_time

# Gets a line for what the person should know.
Report = Callable[[str], None]


@contextmanager
def building(stage: str, doing: str, out: Path, ingredients: Sequence[Any]) -> Iterator[Path]:
    """Yield a resume folder; its subfolder `out` takes the place of the stage's out at the end.

    One process at a time works for one result, and one in this workspace.
    After an error that the user has to fix nothing is kept; after a kill,
    Ctrl-C or a full disk the folder stays, and the same run goes on in it.
    """
    folder = resume.resume_folder(stage, *ingredients)
    with one_at_a_time(stage, doing, folder):
        folder.mkdir(parents=True, exist_ok=True)  # gone with the process that was waited for
        try:
            yield folder
        except (ProcessKilledError, NoRoomError):
            raise
        except PipelineError:
            resume.forget(folder)
            raise
        built = folder / "out"
        if (folder / WAITING).exists():
            built = folder / "copy"
            shutil.rmtree(built, ignore_errors=True)
            shutil.copytree(folder / "out", built)
        files.publish(built, out)
        resume.forget(folder)
