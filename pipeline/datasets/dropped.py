"""data/twins/dropped.json: the training images that are left out, because of their twins."""

from pipeline.runtime import files, paths

DROPPED_FILE = paths.TWINS / "dropped.json"


def dropped() -> list[int]:
    """Their positions in the training part."""
    found: list[int] = files.read_json(DROPPED_FILE) if DROPPED_FILE.exists() else []
    return found
