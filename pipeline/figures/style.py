"""How every picture looks, and that it is the same bytes each time.

Pictures are drawn by matplotlib's Agg renderer with the font that matplotlib
carries, without its date, its version or a person's matplotlibrc. They are
dark on white; the page turns charts over for a dark screen (report.html).
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 120

# Blue, orange, green and red of seaborn's `deep`, for colour-blind readers too
# never the only sign: lines differ in dash, bars in place.
TRAIN = "#3b6fb6"
VALIDATION = "#d9702c"
GOOD = "#3f8f5a"
BAD = "#c0392b"
INK = "#20242a"
FAINT = "#7b8088"  # 4 to 1 on white and on black: for titles without a ground of their own

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "text.parse_math": False,  # a class may be named $100
    "text.color": INK,
    "axes.edgecolor": "#9aa0a8",
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#e4e6ea",
    "xtick.color": "#4a5058",
    "ytick.color": "#4a5058",
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}


@contextmanager
def figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[Figure]:
    """An empty figure of `width` by `height` inches, drawn in the house style.

    It has to be turned into bytes by `png` inside the `with` block.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        empty = Figure(figsize=(width, height), dpi=DPI, layout=layout)
        FigureCanvasAgg(empty)
        yield empty


def png(drawn: Figure) -> bytes:
    """The figure as a PNG without date or software in it."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def grid(axes: Axes, axis: Literal["both", "x", "y"] = "both") -> None:
    """Faint lines behind the data."""
    axes.grid(True, axis=axis, linewidth=0.8)
    axes.set_axisbelow(True)
