"""What each stage uses of the resolved parameters: data/params/<stage>.json."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from pipeline.runtime import files, paths


class StageParameters(BaseModel):
    """What one stage uses of the parameters: data/params/<stage>.json.

    `code` is the digest of the code that decides the stage's result: DVC and the
    resume files see a change of it as they see one of a parameter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str = ""

    @classmethod
    def read(cls) -> Any:
        """Read the stage's own file, as the stage `params` wrote it."""
        return cls.model_validate(files.read_json(cls.path()))

    @classmethod
    def path(cls) -> Path:
        return paths.PARAMS / f"{cls.stage()}.json"

    @classmethod
    def stage(cls) -> str:
        """The stage's name."""
        return cls.__name__.removesuffix("Parameters").lower()


class DownloadParameters(StageParameters):
    dataset: str


class WeightsParameters(StageParameters):
    """Both are None where the model starts from nothing."""

    model: str | None = None
    pretrained_weights: str | None


class PrepareParameters(StageParameters):
    """`image_size`, pixels a side or [height, width], and `channels`; None keeps a named
    set's own. `groups` and `label_fixes` are files; see `pipeline.parameters.lists`."""

    image_size: int | list[int] | None
    channels: int | None
    resize: Literal["stretch", "crop", "pad"]
    validation_fraction: float
    test_fraction: float
    split_seed: int
    folds: int | None = None
    fold: int = 0
    group_by: str | None = None
    groups: str | None = None
    label_fixes: str | None = None
    normalization: str
    unreadable: str


class FeaturesParameters(StageParameters):
    """`model` is None where no frozen base is to be run, and the rest then too;
    `backend` also where KERAS_BACKEND chooses it."""

    model: str | None
    fine_tune_from: str | None = None
    backend: str | None = None
    dtype: str | None = None
    deterministic: bool | None = None
    threads: int | None = None


class TwinsParameters(StageParameters):
    duplicates: str


class TrainParameters(StageParameters):
    """`dropout` has one rate for each place of the model; `backend` is None where
    KERAS_BACKEND chooses it."""

    model: str
    dropout: list[float]
    activation: str
    pretrained_weights: str | None
    fine_tune_from: str | None
    fine_tune_epochs: int | None
    fine_tune_learning_rate: float | None
    augmentation: str
    mixup: float
    cutmix: float
    epochs: int
    batch_size: int
    optimizer: str
    momentum: float
    learning_rate: float
    learning_rate_schedule: str
    weight_decay: float
    warmup_epochs: float
    label_smoothing: float
    early_stopping: int | None
    best_weights: bool
    ema: float | None
    class_weights: bool
    test_time_views: int
    calibration: str
    seed: int
    backend: str | None
    dtype: str
    deterministic: bool
    threads: int
    replicas: int


class EvaluateParameters(StageParameters):
    """`backend` is None where KERAS_BACKEND chooses it."""

    backend: str | None
    dtype: str
    deterministic: bool
    threads: int
    explain_image: int


class ReportParameters(StageParameters):
    """All resolved parameters under params.yaml's names, which the report and MLflow show."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def resolved(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


STAGES: tuple[type[StageParameters], ...] = (
    DownloadParameters,
    WeightsParameters,
    PrepareParameters,
    FeaturesParameters,
    TwinsParameters,
    TrainParameters,
    EvaluateParameters,
    ReportParameters,
)


def code_of_all() -> str:
    """`combined` of what data/params has."""
    return combined({stage.stage(): stage.read().code for stage in STAGES if stage.path().exists()})


def combined(code: Mapping[str, str]) -> str:
    """One SHA-256 (hex) for the code of all stages that decide a figure: two runs that share it
    ran the same code. The report only shows what is decided."""
    deciding = sorted((stage, digest) for stage, digest in code.items() if stage != "report")
    return hashlib.sha256(repr(deciding).encode()).hexdigest()
