"""Saving a model so that the same weights give the same bytes.

Keras' own .keras archive holds the date of saving, the zip entries' times and
memory addresses (`shared_object_id`). Here the same archive is written again
without them; `keras.saving.load_model` reads it as any other.
"""

import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import keras

from pipeline.networks import layers as layers  # registers the classes that a model may hold
from pipeline.networks import temperature as temperature
from pipeline.networks import views as views
from pipeline.runtime import files

# Where our classes stood when the first models were saved. Keras finds them by their registered
# names; this stays in the file, so that moving a class changes no model's bytes.
_FIRST_MODULES = {
    "pipeline.networks.layers": "stages.models.layers",
    "pipeline.networks.views": "stages.models.views",
}
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date that a zip can hold


def save_model(model: keras.Model, path: Path) -> None:
    """Write `model` (not its optimizer) as a .keras archive with reproducible bytes."""
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.keras"
        model.save(plain, include_optimizer=False)
        with zipfile.ZipFile(plain) as archive:
            entries = {name: archive.read(name) for name in sorted(archive.namelist())}
    config = json.loads(entries["config.json"])
    config.pop("compile_config", None)
    entries["config.json"] = _json(_lasting(config))
    metadata = json.loads(entries["metadata.json"])
    entries["metadata.json"] = _json({"keras_version": metadata["keras_version"]})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    with files.atomic(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def load_model(path: Path) -> keras.Model:
    """Load a saved model for prediction, in Keras' safe mode: no code is run from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _lasting(value: Any) -> Any:
    """A model's configuration without memory addresses, and with its classes' first modules."""
    if isinstance(value, dict):
        kept = {key: _lasting(item) for key, item in value.items() if key != "shared_object_id"}
        if "registered_name" in kept and "module" in kept:
            kept["module"] = _FIRST_MODULES.get(kept["module"], kept["module"])
        return kept
    if isinstance(value, list):
        return [_lasting(item) for item in value]
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
