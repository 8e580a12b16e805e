"""One MLflow run, written to as the work goes on."""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from pipeline.runtime.stage import say
from pipeline.tracking.sanitize import one_line, tag_value
from pipeline.tracking.store import Store

if TYPE_CHECKING:
    import numpy as np

P = ParamSpec("P")

# How long a store that has failed is left alone: so long, or so many times what the try took.
PAUSE_SECONDS = 5
PAUSE_TIMES = 10


def _recorded(
    method: Callable[Concatenate["Record", P], None],
) -> Callable[Concatenate["Record", P], None]:
    """A method that does nothing without a run, or while the store does not answer."""

    @wraps(method)
    def guarded(record: "Record", /, *args: P.args, **kwargs: P.kwargs) -> None:
        now = time.monotonic()
        if record.store is None or now < record.closed_until:
            record.whole = False
            return
        try:
            method(record, *args, **kwargs)
        except Exception as error:
            record.whole = False
            # A store that hangs is asked seldom, one that refuses soon again.
            took = time.monotonic() - now
            record.closed_until = now + took + max(PAUSE_SECONDS, PAUSE_TIMES * took)
            if not record.told:
                say("mlflow", f"not recorded for now: {one_line(error)}; the run continues")
                record.told = True

    return guarded


class Record:
    """A run in the store, or nothing (`run_id` is None) where it cannot be kept.

    No method raises because of MLflow: what cannot be written is left out, the
    first time with a line, and `whole` is False from then on. `worked` are the
    seconds that earlier processes have worked on this run: its duration is the
    sum of the work and leaves out the days between a crash and its resuming.
    """

    def __init__(
        self,
        store: Store | None,
        run_id: str | None,
        *,
        start: float = 0,
        worked: float | None = None,
    ) -> None:
        self.store = store
        self.run_id = run_id
        self.whole = store is not None
        self.told = False
        self.closed_until = 0.0
        self._continued = worked is not None
        self._began = time.time()
        self._end_offset = start + (worked or 0) - self._began if self._continued else 0.0
        self._steps: dict[str, set[int]] = {}
        self._ended: dict[int, float] = {}  # the epochs of this process, and when (Unix)

    def again(self) -> None:
        """From here on the record is whole again if all that is written now succeeds."""
        self.whole = self.store is not None
        self.closed_until = 0.0

    def log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        """Add one epoch's figures (`epoch` from 1, the metrics' step) in one request.

        An epoch that stands in the run already is not added a second time: a resumed
        training may run it again, and one that was missed is offered until it is written.
        """
        self._ended.setdefault(epoch, time.time())
        self._log_epoch(epoch, row)

    @_recorded
    def _log_epoch(self, epoch: int, row: Mapping[str, float]) -> None:
        fresh = {name: value for name, value in row.items() if epoch not in self._logged(name)}
        if fresh:
            self._log(fresh, epoch, self._ended[epoch])
        for name in fresh:
            self._logged(name).add(epoch)

    @_recorded
    def log_metrics(self, values: Mapping[str, float], step: int | None = None) -> None:
        """Add figures. Give them other names than the epochs' (`test_accuracy`, say):
        MLflow shows the value of the highest step, so one without a step would not be seen."""
        self._log(values, step or 0, time.time())

    @_recorded
    def log_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags, over older ones of the same names. Passwords in addresses are left out."""
        self._client.log_batch(self._id, tags=_tags(tags))

    def log_artifact(self, path: Path | str, folder: str = "") -> None:
        """Copy a file, or a folder's content, into `folder` of the run.

        Raises:
            FileNotFoundError: there is nothing at `path`.
        """
        if not Path(path).exists():
            raise FileNotFoundError(f"{path}: no such file to record")
        self._log_artifact(Path(path), folder)

    @_recorded
    def _log_artifact(self, path: Path, folder: str) -> None:
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self._id, str(path), folder or None)

    @_recorded
    def log_model(
        self,
        model_path: Path,
        example: "np.ndarray",
        classes: list[str],
        resize: dict[str, Any] | None = None,
    ) -> None:
        """Log the saved model; see `pipeline.tracking.model.log_model`."""
        from pipeline.tracking.model import log_model

        assert self.store is not None
        described = resize or {"method": "stretch"}
        log_model(self.store, self._id, model_path, example, classes, described)

    @_recorded
    def finish(self) -> None:
        """The work of this process on the run is done: FINISHED."""
        self._end("FINISHED")

    def fail(self, message: str, **tags: str) -> None:
        """The run is FAILED; its tag `failure` says why."""
        self.again()
        self.log_tags({"failure": message, **tags})
        self._fail()

    @_recorded
    def _fail(self) -> None:
        self._end("FAILED")

    def _end(self, status: str) -> None:
        end = time.time() + self._end_offset
        self._client.set_terminated(self._id, status, end_time=int(end * 1000))

    def _log(self, values: Mapping[str, float], step: int, when: float) -> None:
        from mlflow.entities import Metric

        stamp = int(when * 1000)
        points = [Metric(name, float(value), stamp, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=points)

    def _logged(self, name: str) -> set[int]:
        """The steps at which a metric stands in the run."""
        if name not in self._steps:
            history = self._client.get_metric_history(self._id, name) if self._continued else []
            self._steps[name] = {point.step for point in history}
        return self._steps[name]

    @property
    def _client(self) -> Any:
        assert self.store is not None
        return self.store.client

    @property
    def _id(self) -> str:
        assert self.run_id is not None
        return self.run_id


def _tags(tags: Mapping[str, object]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(key, tag_value(value)) for key, value in tags.items()]
