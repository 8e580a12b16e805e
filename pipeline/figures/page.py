"""The report's page: template and words to one HTML file that needs no network."""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATE = "report.html.j2"


def render(context: Mapping[str, Any]) -> str:
    """Fill the template. Everything that is not the template's own text is escaped."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "breakable": breakable,
        "data_uri": data_uri,
        "percent": percent,
        "count": lambda number: f"{number:,}",
        "shape": lambda shape: "×".join(map(str, shape)),
        "value": value,
    }
    return environment.get_template(TEMPLATE).render(context)


def breakable(name: str) -> Markup:
    """A file's name that may be broken before a dot or a line and after a slash."""
    return Markup("<wbr>").join(re.split(r"(?<=/)|(?=[._-])", name))


def data_uri(png: bytes) -> str:
    """A PNG as the address of an image inside the page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"


def percent(share: float | None, digits: int = 1) -> str:
    """0.9712 as 97.1%; a dash where there is no number."""
    return "–" if share is None or share != share else f"{share:.{digits}%}"


def value(given: Any) -> str:
    """A parameter's value as params.yaml would have it."""
    if given is None:
        return "–"
    if isinstance(given, bool):
        return "true" if given else "false"
    if isinstance(given, float):
        return f"{given:g}"
    if isinstance(given, list | tuple):
        return ", ".join(value(item) for item in given)
    return str(given)
