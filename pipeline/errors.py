"""The exceptions that a user is meant to read."""

import difflib
from collections.abc import Iterable


class PipelineError(Exception):
    """Something that the user can fix: a parameter, a file, a machine.

    The message is one line that names the parameter or the file, says what is
    wrong and what would be right. A stage prints it without a traceback and
    exits with status 1 (see `pipeline.runtime.stage`).
    """


class ProcessKilledError(PipelineError):
    """A process was killed in its work; what is done stays, and the next start goes on."""


class NoRoomError(PipelineError):
    """The disk cannot hold what is to be written; what an earlier run has left there stays."""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """'; did you mean dropout?' for a word near a known one, else the list of known ones."""
    known = list(known)
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known: {', '.join(known)}"
