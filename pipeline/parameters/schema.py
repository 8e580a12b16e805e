"""What params.yaml may hold: a type, a range and a default meaning for every key."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline import backend
from pipeline.errors import did_you_mean
from pipeline.parameters.checked import Checked

Activation = Literal["relu", "sigmoid", "tanh", "leaky_relu", "elu", "gelu", "quick_gelu", "maxout"]
Normalization = Literal["minmax", "standard", "imagenet"]
Resize = Literal["stretch", "crop", "pad"]
Optimizer = Literal["adam", "rmsprop", "sgd", "muon"]
Schedule = Literal["constant", "linear", "cosine", "one_cycle"]
Backend = Literal["tensorflow", "jax", "torch"]
DType = Literal["float32", "mixed_bfloat16", "mixed_float16"]
AUGMENTATIONS = ("affine", "translate", "random_resized_crop", "random_erasing")


def _number(value: Any) -> Any:
    """A finite int or float; nothing else is taken for a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, not {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"expected a finite number, not {value!r}")
    return float(value)


def _whole(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, not {value!r}")
    return value


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Rate = Annotated[Number, Field(ge=0, lt=1)]
Count = Annotated[Whole, Field(ge=1)]
Seed = Annotated[Whole, Field(ge=0, le=2**32 - 1)]


class Parameters(Checked):
    """params.yaml as written; None stands for 'as published' (see `resolve`)."""

    unknown: ClassVar[str] = "unknown parameter"
    missing: ClassVar[str] = "missing; null stands for 'as published'"

    dataset: str
    image_size: int | list[int] | None
    channels: Literal[1, 3] | None
    resize: Resize | None
    validation_fraction: Rate
    test_fraction: Annotated[Number, Field(gt=0, lt=1)]
    split_seed: Seed
    folds: Annotated[Whole, Field(ge=2, le=100)] | None
    fold: Annotated[Whole, Field(ge=0)]
    group_by: str | None
    groups: str
    label_fixes: str
    normalization: Normalization | None
    unreadable: Literal["error", "skip"]
    duplicates: Literal["warn", "drop-from-training"]

    model: str
    dropout: Rate | list[Rate] | None
    activation: Activation | None
    pretrained_weights: str
    fine_tune_from: str | int | None
    fine_tune_epochs: Annotated[Count, Field(le=100_000)] | None
    fine_tune_learning_rate: Annotated[Number, Field(gt=0, le=100)] | None

    augmentation: str | None
    mixup: Annotated[Number, Field(ge=0, le=100)]
    cutmix: Annotated[Number, Field(ge=0, le=100)]
    epochs: Annotated[Count, Field(le=100_000)] | None
    batch_size: Annotated[Count, Field(le=65_536)] | None
    optimizer: Optimizer | None
    momentum: Rate | None
    learning_rate: Annotated[Number, Field(gt=0, le=100)] | None
    learning_rate_schedule: Schedule | None
    weight_decay: Annotated[Number, Field(ge=0, le=100)] | None
    warmup_epochs: Annotated[Number, Field(ge=0)]
    label_smoothing: Rate | None
    early_stopping: Count | None
    best_weights: bool
    ema: Annotated[Number, Field(gt=0, lt=1)] | None
    class_weights: bool
    test_time_views: Literal[1, 2, 6] | None
    calibration: Literal["none", "temperature"]
    seed: Seed

    backend: Backend | None
    dtype: DType
    deterministic: bool
    threads: Annotated[Count, Field(le=1024)]
    replicas: Annotated[Count, Field(le=1024)]

    explain_image: Annotated[Whole, Field(ge=0)]

    @field_validator("image_size", mode="before")
    @classmethod
    def _image_size(cls, value: Any) -> Any:
        """One message for the number and the pair; a pair of the same number is the number."""
        both = value if isinstance(value, list) else [value, value]
        fits = [not isinstance(x, bool) and isinstance(x, int) and 1 <= x <= 1024 for x in both]
        if value is not None and not (len(both) == 2 and all(fits)):
            raise ValueError(
                f"expected pixels a side, 1 to 1024, or [height, width], not {value!r}"
            )
        return both[0] if both[0] == both[1] else value

    @field_validator("dropout", mode="before")
    @classmethod
    def _dropout(cls, value: Any) -> Any:
        """One message for the number and for each element of the list."""
        for rate in value if isinstance(value, list) else [value]:
            if value is None:
                continue
            if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate < 1:
                raise ValueError(f"expected a number from 0 to below 1, or a list, not {value!r}")
        if value == []:
            raise ValueError("expected a number from 0 to below 1, or a list, not []")
        return value

    @field_validator("dtype", mode="before")
    @classmethod
    def _dtype(cls, value: Any) -> Any:
        if value == "mixed_float16" and not backend.has_nvidia():
            raise ValueError(
                "mixed_float16 has no fast kernels on a CPU, and there is no driver of an NVIDIA "
                "GPU here; use mixed_bfloat16"
            )
        return value

    @field_validator("augmentation", mode="before")
    @classmethod
    def _augmentation(cls, value: Any) -> Any:
        """Words joined by +; true is another name of affine, false one of none."""
        if isinstance(value, bool):
            return "affine" if value else "none"
        if value is None or value == "none":
            return value
        words = str(value).split("+")
        for word in words:
            if word not in AUGMENTATIONS:
                raise ValueError(f"{word}: unknown{did_you_mean(word, ('none', *AUGMENTATIONS))}")
            if words.count(word) > 1:
                raise ValueError(f"{word} stands twice; keep one of the two")
        return value
