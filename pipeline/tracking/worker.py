"""The recorder's process: it answers a stage's requests until they end.

    python -m pipeline.tracking.worker STAGE_PID

Started by `pipeline.tracking.recorder`, which says how the two talk.
"""

import contextlib
import io
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.tracking import identity, runs, store
from pipeline.tracking.record import Record


class Worker:
    """The functions of `pipeline.tracking.runs`, and where JSON is not enough the run's methods."""

    def __init__(self) -> None:
        self._record = Record(None, None)

    def answer(self, name: str, arguments: list[Any]) -> Any:
        """What this function, or else the run's own method of this name, returns."""
        return (getattr(self, name, None) or getattr(self._record, name))(*arguments)

    def start_run(
        self, parameters: dict[str, Any], tags: dict[str, str], resume: str | None
    ) -> str | None:
        self._record = runs.start_run(parameters, tags, resume)
        return self._record.run_id

    def attach_run(self, model_digest: str) -> str | None:
        self._record = runs.attach_run(model_digest)
        return self._record.run_id

    def known_scores(self, model: str, data: str) -> dict[str, float]:
        return runs.known_scores(model, data)

    def record_failure(self, stage: str, message: str) -> None:
        runs.record_failure(stage, message)

    def log_model(self, path: str, example: list[Any], classes: list[str]) -> None:
        self._record.log_model(Path(path), np.asarray(example, "uint8"), classes)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    identity.record_for(int(sys.argv[1]))
    worker, printed = Worker(), io.StringIO()
    with contextlib.redirect_stdout(printed):
        store.open_store()
        for line in sys.stdin:
            number, name, arguments = json.loads(line)
            value, error = None, ""
            try:
                value = worker.answer(name, arguments)
            except Exception:
                error = traceback.format_exc()
            answer = {"number": number, "value": value, "error": error}
            answers.write(json.dumps({**answer, "printed": printed.getvalue()}) + "\n")
            answers.flush()
            printed.seek(0)
            printed.truncate()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the stage was killed
        main()
    os._exit(0)  # at once: nothing is left to write
