"""MLflow's folder of a model that takes image files (see `classifier`), without a pickle."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.evaluation.reference import beside
from pipeline.runtime import files
from pipeline.tracking.model import copy_code, requirements
from tools.serving.trained import Trained

LOADER = "tools.serving.classifier"


def write_classifier(target: Path, model: Trained, entry: Any, run_id: str) -> None:
    """Write MLflow's folder for the model.

    Args:
        target: the folder, which must not be there yet.
        entry: the logged model that it becomes; run_id: the run that trained it.
    """
    import keras
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    from tools.serving import answers, classifier  # imports Keras

    data = target.parent / "data"
    data.mkdir()
    (data / classifier.MODEL_FILE).write_bytes(model.file.read_bytes())
    reference = beside(model.file)
    if reference.is_file():
        (data / reference.name).write_bytes(reference.read_bytes())
    files.write_json(data / classifier.CLASSES_FILE, model.classes)
    files.write_json(data / classifier.RESIZE_FILE, model.resize.described())
    columns = ["probability", *(f"p_{label}" for label in model.classes)]
    signature = ModelSignature(
        inputs=Schema([ColSpec(DataType.binary, classifier.COLUMN)]),
        outputs=Schema(
            [
                ColSpec(DataType.string, "class"),
                *(ColSpec(DataType.float, c) for c in columns),
                *([ColSpec(DataType.boolean, answers.UNLIKE)] if reference.is_file() else []),
            ]
        ),
    )
    mlflow.pyfunc.save_model(
        path=str(target),
        loader_module=LOADER,
        data_path=str(data),
        code_paths=copy_code(LOADER, target.parent / "code"),
        mlflow_model=Model(
            artifact_path=entry.artifact_location, run_id=run_id, model_id=entry.model_id
        ),
        signature=signature,
        input_example=pd.DataFrame({classifier.COLUMN: [_example()]}),
        pip_requirements=[
            *requirements(keras.backend.backend()),
            f"pandas=={pd.__version__}",
            f"pillow=={_pillow()}",
        ],
        metadata={"classes": model.classes, "resize": model.resize.described()},
    )


def _example() -> bytes:
    """A grey square as a PNG: the body of a request that MLflow shows as an example."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(np.full((8, 8), 128, "uint8")).save(buffer, "PNG")
    return buffer.getvalue()


def _pillow() -> str:
    import PIL

    return PIL.__version__
