"""The made parts of a page: what stands between a table's two marks."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from pipeline.errors import PipelineError, did_you_mean

END = "<!-- end of what was made -->"
BLOCK = re.compile(
    r"(?P<start><!-- made by make docs: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)"
    rf"(?P<end>{re.escape(END)}\n)",
    re.DOTALL,
)


def filled(page: str, text: str, makers: Mapping[str, Callable[[], str]]) -> str:
    """The text of a page with each block made anew; an empty one stays empty of lines.

    Args:
        page: its name, for errors.
        makers: a block's name to what gives its Markdown.

    Raises:
        PipelineError: a mark of a block that nobody makes, or one without its end.
    """
    starts = re.findall(r"<!-- made by make docs: ([^ ]*) -->", text)
    for name in starts:
        if name not in makers:
            raise PipelineError(f"{page}: {name}: no such table{did_you_mean(name, makers)}")
    if len(starts) != len(BLOCK.findall(text)) or len(starts) != text.count(END):
        raise PipelineError(f"{page}: a table's mark without its end, {END}")

    def made(match: re.Match[str]) -> str:
        body = makers[match["name"]]().strip("\n")
        return match["start"] + (f"\n{body}\n\n" if body else "") + match["end"]

    return BLOCK.sub(made, text)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; of no rows nothing."""
    lines = [_line([cell.replace("|", "\\|") for cell in row]) for row in rows]
    return "\n".join([_line(head), "|" + "---|" * len(head), *lines]) if lines else ""


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def code(text: object) -> str:
    """As code; nothing of nothing."""
    return f"`{text}`" if str(text) else ""
