"""What the report shows of the first batch is what the training gets."""

from typing import Any

import numpy as np
import pytest

from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import paths
from pipeline.training import first_batch
from pipeline.training.phases import build, phases
from tests.support import run_here, set_parameters, write_prepared

pytestmark = pytest.mark.usefixtures("workspace")


def written(classes: int = 3, **changes: Any) -> tuple[dict[str, np.ndarray], tuple[Any, ...]]:
    """The file's arrays, and the first batch of what is trained first."""
    set_parameters(model="tiny_cnn", batch_size=32, **changes)
    assert run_here("params").status == 0
    dataset = write_prepared(classes=classes)
    parameters = TrainParameters.read()
    altered = first_batch.write(parameters, dataset)
    with np.load(paths.FIRST_BATCH, allow_pickle=False) as found:
        arrays = dict(found)
    assert altered == bool(len(arrays["images"]))
    assert arrays["images"].dtype == np.uint8
    assert arrays["labels"].dtype == np.float32
    assert len(arrays["images"]) == len(arrays["labels"])
    phase = next(phases(build(parameters, dataset), parameters, dataset))
    return arrays, phase.train[0]


@pytest.mark.parametrize(
    "changes", [{"augmentation": "affine+random_erasing"}, {"mixup": 0.4}, {"cutmix": 1.0}]
)
def test_it_is_the_beginning_of_what_is_trained_on(changes: dict[str, Any]) -> None:
    arrays, (images, targets) = written(**changes)
    assert len(images) == 32
    np.testing.assert_array_equal(arrays["images"], images[:24])
    np.testing.assert_array_equal(arrays["labels"], targets[:24])
    mixed = "augmentation" not in changes
    assert ((arrays["labels"] > 0).sum(axis=1).max() > 1) == mixed


def test_two_classes_have_two_columns() -> None:
    arrays, (_, targets) = written(classes=2, augmentation="translate")
    np.testing.assert_array_equal(arrays["labels"][:, 1:], targets[:24])
    np.testing.assert_array_equal(arrays["labels"].sum(axis=1), np.ones(24))


def test_images_as_they_were_prepared_are_not_kept() -> None:
    arrays, _ = written()
    assert arrays["images"].shape == (0, 8, 8, 1)
