"""data/raw as the stage `download` leaves it and the stage `prepare` finds it."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict

from pipeline.runtime import files

# A name of a file that is left out is written down, but not more of them than this.
MOST_NAMES = 100


class Ignored(BaseModel):
    """Files of a person's own that are not in the data set: `hidden` ones (the system's own)
    and `others` (no images, or in no class folder), of which the first are named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: int
    others: int
    names: list[str]


class RawDataset(BaseModel):
    """data/raw/dataset.json.

    `kind` arrays: images.npy, uint8 (N, H, W, C), and labels.npy, int64 (N,);
    `parts` has the rows [start, stop) of the published parts, if there are any.
    `kind` files: shards of images and index.csv (see `pipeline.datasets.shards`).
    `digest` is over the content: equal content, equal digest, wherever it came from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["arrays", "files"]
    name: str
    title: str
    classes: list[str]
    source: str
    licence: str
    mirrored: bool
    digest: str
    image_shape: tuple[int, int, int] | None = None
    parts: dict[str, tuple[int, int]] | None = None
    ignored: Ignored | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read dataset.json from data/raw."""
        return cls.model_validate(files.read_json(folder / "dataset.json"))

    def write(self, folder: Path) -> None:
        """Write dataset.json into data/raw."""
        files.write_json(folder / "dataset.json", self.model_dump(mode="json"))
