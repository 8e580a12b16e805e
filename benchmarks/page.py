"""What was measured, written into a page between two lines of it."""

from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import files


def write_between(path: Path, start: str, end: str, text: str) -> None:
    """Put `text` between the lines `start` and `end`, in place of what is there.

    Raises:
        PipelineError: they are not there.
    """
    before = path.read_text(encoding="utf-8") if path.is_file() else ""
    if start not in before or end not in before:
        raise PipelineError(f"{path}: expected the lines {start} and {end} in it")
    head, tail = before.split(start)[0], before.split(end)[1]
    files.write_text(path, f"{head}{start}\n\n{text}\n\n{end}{tail}")
