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

from stages.models import layers as layers  # registers the classes that a model may hold
from stages.models import views as views
from stages.runtime import files

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
    entries["config.json"] = _json(_without_addresses(config))
    metadata = json.loads(entries["metadata.json"])
    entries["metadata.json"] = _json({"keras_version": metadata["keras_version"]})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    with files.replacing(path) as partial:
        partial.write_bytes(buffer.getbuffer())


def load_model(path: Path) -> keras.Model:
    """Load a saved model for prediction, in Keras' safe mode: no code is run from the file."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def _without_addresses(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_addresses(item)
            for key, item in value.items()
            if key != "shared_object_id"
        }
    if isinstance(value, list):
        return [_without_addresses(item) for item in value]
    return value


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()
