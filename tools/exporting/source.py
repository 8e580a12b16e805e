"""The model that is exported, and what is known of it: of the workspace or of a run."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from pipeline.errors import PipelineError
from pipeline.parameters.stages import ReportParameters
from pipeline.runtime import files, paths
from pipeline.runtime.arrays import load_array
from pipeline.tracking import identity
from pipeline.tracking.sqlite import StoreError
from tools.runs import experiments, recorded, together
from tools.runs.run import Run
from tools.serving import trained

# What a check and the ranges of 8 bits need.
_PARTS = ("train", "test")
REPORTS = ("metrics.json", "classes.csv", "confusion.csv", "predictions.csv")


@dataclass
class Source:
    """A trained model with what it came from.

    `name` is that of its folder in exports/; `prepared` is the folder with its images,
    `dataset` describes them (dataset.json), `reports` has the texts of those reports that
    are there. `run` is its record, None where there is none; `weights` describes its
    pretrained base, if any, and `tags` what it was trained on.
    """

    name: str
    model: trained.Trained
    digest: str
    prepared: Path
    dataset: Mapping[str, Any]
    parameters: Mapping[str, Any]
    run: Run | None = None
    reports: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def images(self, part: str) -> np.ndarray:
        """uint8 (n, height, width, channels) of a part, not in memory.

        Raises:
            PipelineError: they are not there.
        """
        return self._array(f"{part}_images.npy")

    def labels(self, part: str) -> np.ndarray:
        """Classes, int64 (n,)."""
        return np.asarray(self._array(f"{part}_labels.npy")).argmax(axis=1)

    def _array(self, name: str) -> np.ndarray:
        path = self.prepared / name
        if not path.is_file():
            raise PipelineError(f"{path}: not there; run `dvc repro prepare`, which makes it")
        return load_array(path)


@contextmanager
def of_workspace() -> Iterator[Source]:
    """The model of the current folder.

    Raises:
        PipelineError: there is none yet.
    """
    with trained.workspace() as model:
        known = ReportParameters.path().is_file()
        parameters = ReportParameters.read().resolved if known else {}
        digest = files.sha256(model.file)
        run = _run_of(digest)
        found = {
            name: (paths.REPORTS / name).read_text(encoding="utf-8")
            for name in REPORTS
            if (paths.REPORTS / name).is_file()
        }
        record = paths.WEIGHTS / "weights.json"
        yield Source(
            folder_name(_name(run, parameters)),
            model,
            digest,
            paths.PREPARED,
            files.read_json(paths.PREPARED / "dataset.json"),
            {name: identity.parameter_value(value) for name, value in parameters.items()},
            run,
            found,
            files.read_json(record) if record.is_file() else {},
            _tags_of(run),
        )


@contextmanager
def of_run(name: str, with_images: bool = True) -> Iterator[Source]:
    """The model of a run, by any of its names; its images are the workspace's, where those
    are the same, or come from DVC's cache.

    Args:
        with_images: False where the description of the data is enough.

    Raises:
        PipelineError: there is no such run, or its model or its images are nowhere.
    """
    runs, _ = together.all_runs()
    run = together.find(name, runs)
    with ExitStack() as stack:
        model = stack.enter_context(trained.of_run(name))
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        kept = next((e for e in experiments.list_experiments() if e.name in run.experiments), None)
        described = paths.PREPARED / "dataset.json"
        here = files.read_json(described) if described.is_file() else {}
        dataset, prepared = here, paths.PREPARED
        if not here or here.get("digest") != run.data_digest:
            prepared = scratch
            if kept is not None:
                _fetch(kept, scratch, with_images)
                dataset = files.read_json(scratch / "dataset.json")
            elif with_images:
                raise PipelineError(
                    f"{name}: the images that it was trained on are not those of data/prepared; "
                    "bring them back first (`git checkout` of its commit and `dvc repro`)"
                )
            else:
                known = identity.dataset_name(run.parameters)
                dataset = {"name": known, "digest": run.data_digest}
        yield Source(
            folder_name(run.name),
            model,
            files.sha256(model.file),
            prepared,
            dataset,
            run.parameters,
            run,
            _reports_of(run, kept),
            _weights_of(kept),
            _tags_of(run),
        )


def _fetch(kept: experiments.Experiment, folder: Path, with_images: bool) -> None:
    """Bring what DVC keeps of an experiment's data/prepared into `folder`."""
    names = ["dataset.json"]
    if with_images:
        names += [f"{part}_{kind}.npy" for part in _PARTS for kind in ("images", "labels")]
    for name in names:
        experiments.fetch(kept, paths.PREPARED / name, folder / name)


def folder_name(name: str) -> str:
    """A run's name as a folder's: letters, digits, dots and dashes."""
    return re.sub(r"[^\w.]+", "-", name).strip("-.") or "model"


def _name(run: Run | None, parameters: Mapping[str, Any]) -> str:
    if run:
        return run.name
    return identity.run_name(parameters) if parameters else "workspace"


def _run_of(digest: str) -> Run | None:
    """The newest recorded run with this model; None without a store, or where it has none."""
    with contextlib.suppress(StoreError):
        opened = recorded.open_store()
        found = opened.client.search_runs(
            [opened.experiment_id],
            f"tags.model_digest = '{digest}'",
            order_by=["attributes.start_time DESC"],
        )
        if found:
            runs = recorded.read_runs(opened, reports=())
            return next((run for run in runs if run.id == found[0].info.run_id), None)
    return None


def _reports_of(run: Run, kept: experiments.Experiment | None) -> dict[str, str]:
    """The texts of a run's reports, from MLflow or from DVC."""
    found: dict[str, str] = {}
    for name in REPORTS:
        with contextlib.suppress(FileNotFoundError, StoreError):
            if run.source == "MLflow":
                found[name] = recorded.artifact(recorded.open_store(), run.id, name)
            elif kept is not None:
                found[name] = experiments.Files(kept).read(paths.REPORTS / name).decode("utf-8")
    return found


def _weights_of(kept: experiments.Experiment | None) -> Mapping[str, Any]:
    if kept is None:
        return {}
    return experiments.Files(kept).json(paths.WEIGHTS / "weights.json") or {}


def _tags_of(run: Run | None) -> dict[str, str]:
    """What MLflow knows of the processor and the libraries."""
    if run is None or run.source != "MLflow":
        return {}
    with contextlib.suppress(StoreError):
        return dict(recorded.open_store().client.get_run(run.id).data.tags)
    return {}
