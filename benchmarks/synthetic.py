"""Images that are drawn, as many, as large and of as many classes as one asks for.

Every image is another pattern of 8×8 cells, enlarged; in three of them is the class's
own colour, so that there is something to learn and no two images are twins.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.runtime import files

CELLS = 8
OWN = 3  # of the first row, of the class
QUALITY = 90
UNDATED = (1980, 1, 1, 0, 0, 0)


def write_archive(path: Path, images: int, pixels: int, classes: int, seed: int = 0) -> None:
    """A .zip of class folders of JPEG files, the same bytes whenever it is written.

    Args:
        pixels: a side.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    colours = np.random.default_rng([seed, classes]).integers(0, 256, (classes, OWN, 3), "uint8")
    with (
        files.atomic(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive,
    ):
        for number in range(images):
            label = number % classes
            cells = np.random.default_rng([seed, number]).integers(
                0, 256, (CELLS, CELLS, 3), "uint8"
            )
            cells[0, :OWN] = colours[label]
            picture = Image.fromarray(cells).resize((pixels, pixels), Image.Resampling.BICUBIC)
            file = io.BytesIO()
            picture.save(file, "JPEG", quality=QUALITY)
            name = f"class_{label:04}/{number:06}.jpg"
            archive.writestr(zipfile.ZipInfo(name, UNDATED), file.getvalue())
