"""What the stages have written into data/raw and data/prepared, and whether it is right."""

import csv
import tarfile
from typing import Any

import numpy as np
from PIL import Image

from pipeline.datasets.raw import RawDataset
from pipeline.runtime import files
from pipeline.runtime.arrays import load_array
from pipeline.runtime.paths import PARTS, PREPARED, RAW
from tests.pipeline.datasets.pictures import pixels, png

BAD_IMAGES = {
    "cat/empty.png": b"",
    "cat/text.jpg": b"not a picture\n",
    "dog/cut.png": png(5)[:70],
}


def raw() -> RawDataset:
    return RawDataset.read(RAW)


def index() -> list[dict[str, str]]:
    with (RAW / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def images() -> dict[str, bytes]:
    """The images in the shards of data/raw, by their names."""
    found = {}
    for path in sorted(RAW.glob("images-*.tar")):
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                found[member.name] = file.read()
    return found


def described() -> dict[str, Any]:
    return files.read_json(PREPARED / "dataset.json")


def split_table() -> list[dict[str, str]]:
    with (PREPARED / "split.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def arrays(part: str) -> tuple[np.ndarray, np.ndarray]:
    images = load_array(PREPARED / f"{part}_images.npy")
    rows = load_array(PREPARED / f"{part}_labels.npy")
    assert (np.sort(rows, axis=1)[:, ::-1] == np.eye(rows.shape[1])[0]).all()
    return images, rows.argmax(axis=1)


def expected(data: bytes, side: int = 4) -> list:
    image = Image.fromarray(pixels(data)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).tolist()


def check_against_files(contents: dict[str, bytes]) -> None:
    """Every row of the arrays is the picture that split.csv says, with its label."""
    rows = iter(split_table())
    seen = []
    classes = described()["classes"]
    with (RAW / "index.csv").open(encoding="utf-8", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    for part in PARTS:
        images, labels = arrays(part)
        for image, label in zip(images, labels, strict=True):
            row = next(rows)
            assert (row["part"], row["label"]) == (part, classes[label])
            assert names[int(row["index"])] == row["name"]
            assert row["label"] in row["name"].split("/")
            assert image.tolist() == expected(contents[row["name"]])
            seen.append(row["name"])
    assert next(rows, None) is None
    assert len(seen) == len(set(seen))
