"""model_card.md: what a stranger should know before using the model. It holds a date."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pipeline.errors import PipelineError
from pipeline.runtime import files, machine
from pipeline.runtime.stage import say
from pipeline.tracking.sanitize import one_line
from pipeline.tracking.sqlite import StoreError
from tools.exporting import description
from tools.exporting.scores import Scores, scores
from tools.exporting.source import Source, of_run
from tools.runs import recorded
from tools.runs.run import Run

FILE = "model_card.md"
TEMPLATE = "model_card.md.j2"
# Hugging Face's names of licences, by words that are in ours.
LICENCES = {"apache": "apache-2.0", "cc by 4": "cc-by-4.0", "mit": "mit", "bsd-3": "bsd-3-clause"}
# Paths and addresses are the user's own business.
_PATH = re.compile(r"^(/|[A-Za-z]:\\|\w+://)")


def write(path: Path, source: Source) -> Path:
    """Write the card of a model; returns the path."""
    files.write_text(path, text(source))
    return path


def record(run: Run, path: Path) -> bool:
    """Add the card to the run in MLflow; False where it has none, or it cannot be written."""
    if run.source != "MLflow":
        return False
    try:
        recorded.open_store().client.log_artifact(run.id, str(path))
    except StoreError:
        return False
    except Exception as error:  # the store must not spoil what is exported
        say("export", f"the card is not recorded in MLflow: {one_line(error)}")
        return False
    return True


def record_of(run: Run) -> bool:
    """Write the card of a recorded run and add it to the run; False where it cannot be."""
    try:
        with of_run(run.id, with_images=False) as source, TemporaryDirectory() as folder:
            return record(run, write(Path(folder) / FILE, source))
    except PipelineError as error:
        say("export", f"no card: {error}")
        return False


def text(source: Source) -> str:
    """The card, Hugging Face's metadata on top."""
    found = scores(source.reports)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(()),  # none: it is Markdown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{value:.1%}"
    environment.filters["cell"] = _cell
    run = source.run
    return environment.get_template(TEMPLATE).render(
        metadata=yaml.safe_dump(_metadata(source, found), sort_keys=False, allow_unicode=True),
        source=source,
        dataset=source.dataset,
        counts=source.dataset.get("counts", {}),
        parameters={name: _plain(value) for name, value in source.parameters.items()},
        scores=found,
        metrics=description.metrics(source),
        run=run,
        seconds=(run.metrics if run else {}).get("train_seconds"),
        processor=machine.processor(),
        flags=source.tags.get("cpu_flags", ""),
        tags=source.tags,
        title=_title(source),
        date=datetime.now(UTC).date().isoformat(),
    )


def _title(source: Source) -> str:
    network = source.parameters.get("model", "A network")
    return f"{network} on {source.dataset.get('title') or source.dataset.get('name')}"


def _metadata(source: Source, found: Scores | None) -> dict[str, Any]:
    """Hugging Face's block; what it does not know by name stands in the text below."""
    base = source.weights.get("licence") or ""
    known = next((name for word, name in LICENCES.items() if word in base.lower()), "unknown")
    network = source.parameters.get("model")
    values: dict[str, Any] = {
        "license": known,
        "library_name": "keras",
        "pipeline_tag": "image-classification",
        "tags": [
            tag for tag in ("image-classification", "keras", "onnx", "tflite", network) if tag
        ],
        "metrics": ["accuracy"],
    }
    if found:
        dataset = {"name": source.dataset.get("title"), "type": source.dataset.get("name")}
        metric = {"type": "accuracy", "value": round(found.accuracy, 6), "name": "test accuracy"}
        values["model-index"] = [
            {
                "name": source.name,
                "results": [
                    {
                        "task": {"type": "image-classification"},
                        "dataset": {**dataset, "split": "test"},
                        "metrics": [metric],
                    }
                ],
            }
        ]
    return values


def _plain(value: Any) -> str:
    """A parameter without the folders of this machine."""
    written = value if isinstance(value, str) else json.dumps(value)
    return Path(written).name if _PATH.match(written) else written


def _cell(value: object) -> str:
    """Text that may stand in a table of Markdown."""
    return " ".join(str(value).split()).replace("|", "\\|")
