"""Figures caught before they become bytes, so that a test can look at what they show."""

from collections.abc import Callable

import pytest
from matplotlib.figure import Figure

from pipeline.figures import style


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Figure]:
    """Call a figure function and get the figure that it would have made a PNG of."""

    def draw(function: Callable[..., object], *arguments: object) -> Figure:
        caught: list[Figure] = []

        def catch(figure: Figure) -> bytes:
            figure.canvas.draw()
            caught.append(figure)
            return b""

        with monkeypatch.context() as patch:
            patch.setattr(style, "png", catch)
            function(*arguments)
        return caught[0]

    return draw
