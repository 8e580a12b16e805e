"""The model in MLflow: the pipeline's own file, and the code that loads it.

MLflow's TensorFlow flavour would write our layers as a pickle and load it
again, and its Keras flavour carries no code. So the folder is written here:
data/model.keras is a copy of the pipeline's file, byte for byte; code/ holds
the modules that load it and predict, and no other; and MLmodel says how

    mlflow.pyfunc.load_model("runs:/<run>/model")      pixels to probabilities, anywhere
    mlflow.tensorflow.load_model("runs:/<run>/model")  a keras.Model, anywhere
    mlflow.keras.load_model("runs:/<run>/model")       the same, after `import
                                                       pipeline.networks.layers`

All three load in Keras' safe mode, and no pickle is written or read.
"""

import importlib.metadata
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import backend
from pipeline.evaluation.reference import beside
from pipeline.runtime import files, source
from pipeline.runtime.imports import uncollected
from pipeline.tracking.store import Store

NAME = "model"
LOADER = "pipeline.networks.loader"  # what loads the model, in the code beside it
BACKENDS = {
    "tensorflow": ("tensorflow-cpu", "tensorflow"),
    "jax": ("jax",),
    "torch": ("torch",),
}


def log_model(
    store: Store,
    run_id: str,
    path: Path,
    example: np.ndarray,
    classes: list[str],
    resize: dict[str, Any],
) -> None:
    """Log the saved model under the name `model` of a run, once.

    Args:
        path: model.keras as the pipeline saved it.
        example: uint8 (1, height, width, channels), the input example.
        classes: the classes' names in the order of the probabilities.
        resize: how a photograph gets the example's size (`pipeline.datasets.resizing`).
    """
    from mlflow.entities import LoggedModelOutput

    client, digest = store.client, files.sha256(path)
    entry = _already_logged(store, run_id, digest)
    if entry is None:
        entry = client.create_logged_model(
            store.experiment_id, NAME, source_run_id=run_id, tags={"model_digest": digest}
        )
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / NAME
            _write(target, path, example, {"classes": classes, "resize": resize}, entry, run_id)
            client.log_model_artifacts(entry.model_id, str(target))
        client.finalize_logged_model(entry.model_id, "READY")
    outputs = client.get_run(run_id).outputs
    if entry.model_id not in [output.model_id for output in outputs.model_outputs]:
        client.log_outputs(run_id, [LoggedModelOutput(entry.model_id, 0)])


def _already_logged(store: Store, run_id: str, digest: str) -> Any:
    """The same model in this run, complete; what a killed process left of others is deleted."""
    ready = None
    query = f"source_run_id = '{run_id}'"
    for entry in store.client.search_logged_models([store.experiment_id], query):
        if str(entry.status) == "READY" and entry.tags.get("model_digest") == digest:
            ready = entry
        else:
            store.client.delete_logged_model(entry.model_id)
    return ready


def _write(
    target: Path, path: Path, example: np.ndarray, known: dict[str, Any], entry: Any, run_id: str
) -> None:
    """Write MLflow's folder of the model; `known` is what a user of it must know."""
    with uncollected():
        import mlflow.pyfunc
        from mlflow.models import Model, ModelSignature
        from mlflow.types import Schema, TensorSpec

    outputs = 1 if len(known["classes"]) == 2 else len(known["classes"])
    signature = ModelSignature(
        inputs=Schema([TensorSpec(example.dtype, (-1, *example.shape[1:]))]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, outputs))]),
    )
    description = Model(
        artifact_path=entry.artifact_location, run_id=run_id, model_id=entry.model_id
    )
    name = backend.chosen()
    description.add_flavor(
        "keras",
        data="data",
        code="code",
        keras_version=importlib.metadata.version("keras"),
        keras_backend=name,
        save_exported_model=False,
        model_type="keras",
        save_format="keras",
        keras_module=LOADER,
    )
    mlflow.pyfunc.save_model(
        path=str(target),
        loader_module=LOADER,
        data_path=str(path),
        code_paths=copy_code(LOADER, target.parent / "code"),
        mlflow_model=description,
        signature=signature,
        input_example=example,
        pip_requirements=requirements(name),
        metadata=known,
    )
    if beside(path).is_file():
        shutil.copyfile(beside(path), target / "data" / beside(path).name)


def copy_code(program: str, folder: Path) -> list[str]:
    """Copy a module and all of ours that it imports into `folder`; returns the packages there."""
    for path in source.files(loading_code(program)):
        copy = folder / path.relative_to(source.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    return sorted(map(str, folder.iterdir()))


def loading_code(program: str) -> dict[str, Path]:
    """The modules that a logged model needs, by name: it is loaded, and never built anew."""
    return source.closure(program, left_out=("pipeline.networks.building",))


def requirements(backend_name: str) -> list[str]:
    """What loading and predicting needs, in the versions that are installed here."""
    found = [f"keras=={importlib.metadata.version('keras')}"]
    for name in BACKENDS.get(backend_name, (backend_name,)):
        try:
            found.append(f"{name}=={importlib.metadata.version(name)}")
            break
        except importlib.metadata.PackageNotFoundError:
            continue
    return [*found, f"numpy=={np.__version__}"]
