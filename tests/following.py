"""Doing what a page of docs says: its blocks of code are written, its diffs applied."""

import re
import textwrap
from pathlib import Path

BLOCK = re.compile(r"^ *```(python|yaml|diff)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
PLACE = re.compile(r"`((?:pipeline|stages|tools|experiments)/[\w/.]+)`")


def follow(page: Path, folder: Path) -> list[str]:
    """Write or change, below `folder`, the file that the words before each block name."""
    text = page.read_text(encoding="utf-8")
    done = []
    for block in BLOCK.finditer(text):
        # The file that a step begins with, not one that it speaks of.
        step = re.split(r"^(?:\d\. |# )", text[: block.start()], flags=re.MULTILINE)[-1]
        place = PLACE.findall(step)[0]
        code = textwrap.dedent(block[2])
        path = folder / place
        if block[1] == "diff":
            path.write_text(patched(path.read_text(encoding="utf-8"), code), encoding="utf-8")
        else:
            assert not path.exists(), place
            path.write_text(code.lstrip(), encoding="utf-8")
        done.append(place)
    return done


def patched(text: str, diff: str) -> str:
    """The text with the lines of `-` and blank taken for those of `+` and blank, in one place."""
    lines = [(line[:1], line[1:]) for line in diff.splitlines()]
    old = "".join(f"{line}\n" for sign, line in lines if sign != "+")
    new = "".join(f"{line}\n" for sign, line in lines if sign != "-")
    assert text.count(old) == 1, f"stands {text.count(old)} times:\n{old}"
    return text.replace(old, new)
