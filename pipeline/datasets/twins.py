"""Twins: the same picture twice, in other pixels (scaled, cut, brightened, saved again).

The opinion that counts is a distance between descriptors: the picture itself, shrunk
to 8×8, its edges, and the features of a pretrained base where its maps are kept. A distance
alone says little, since some pictures (a figure one, a blue sky) are near to many others. So
the question is how likely one as small is by chance. Of points that fill a space of m
dimensions evenly the nearest K lie within r, and each of them within t·r with the
probability t^m (E. Levina and P. Bickel, NIPS 2004, estimate m so). m is measured on
the images themselves: one threshold does for digits (m 8) and photographs (m 20), for
pixels and for features. A perceptual hash of 64 bits, the signs of the brightness's
differences (dHash, N. Krawetz, 2013), is the second opinion, without which a pair is none.

A trained network's own features would not do: training draws a class together
until its images differ in nothing (neural collapse, arXiv 2008.08186), and what is
to be left out of training must be known before.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

SIDE = 8  # of the shrunk picture, pixels
CELLS, DIRECTIONS = 4, 8  # of the edges
FINE = 16  # pixels a side in which edges are looked for
AROUND = 50  # the neighbours, K
FEWEST = 40  # images below which nothing can be said of how close they lie
# For each image the chance that a stranger is as near; chosen by benchmarks/twins.py on sets
# that have no twins. docs/trust.md has what it finds on CIFAR's published lists.
CHANCE = 1e-4
DIFFERENT = 18  # bits of the hashes' 64
# Images up to which every one is compared with every other; above, those of validation and test
# are compared with all.
COMPARED = 100_000
_BLOCK_BYTES = 32 << 20
_GROUP = 64  # cosines of which the largest is looked at first, at most
_STEP_BYTES = 16 << 20  # of images, shrunk at a time, as float32


@dataclass(frozen=True)
class Pairs:
    """Pairs of images that are the same picture, the surest first.

    `first` and `second` are rows, int64 (pairs,), first < second; `chance` is how likely
    a stranger is as near (float64), `bits` how many of the hashes' 64 differ; `dimension`
    is m of the images.
    """

    first: Indices
    second: Indices
    chance: npt.NDArray[np.float64]
    bits: Indices
    dimension: float


def shrunk(images: np.ndarray) -> Vectors:
    """(n, H, W, C) uint8 to vectors of length 1, float32 (n, up to 192): 8×8 pixels."""
    parts = [_areas(part.astype("float32"), SIDE, SIDE) for part in _in_steps(images)]
    return unit(np.concatenate([part.reshape(len(part), -1) for part in parts]))


def edges(images: np.ndarray) -> Vectors:
    """(n, H, W, C) uint8 to vectors of length 1, float32 (n, up to 128): how strong edges of eight
    directions are in 4×4 cells (Dalal and Triggs, CVPR 2005), whatever their colours."""
    return unit(np.concatenate([_edges(part) for part in _in_steps(images)]))


def _edges(images: np.ndarray) -> np.ndarray:
    small = _areas(images.astype("float32"), FINE, FINE)
    grey = np.sqrt(small.mean(axis=3))
    down = grey[:, 2:, 1:-1] - grey[:, :-2, 1:-1]
    right = grey[:, 1:-1, 2:] - grey[:, 1:-1, :-2]
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) * np.float32(DIRECTIONS / (2 * np.pi)) % DIRECTIONS
    below = np.floor(turn)
    above = turn - below
    cells = []
    for direction in range(DIRECTIONS):
        share = np.where(below % DIRECTIONS == direction, 1 - above, 0)
        share += np.where((below + 1) % DIRECTIONS == direction, above, 0)
        cells.append(_areas((strength * share)[..., np.newaxis], CELLS, CELLS))
    strong: np.ndarray = np.sqrt(np.concatenate(cells, axis=3)).reshape(len(images), -1)
    return strong


def unit(vectors: np.ndarray) -> Vectors:
    """Vectors less their own mean, of length 1; an even picture stays 0."""
    centred = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    found: Vectors = np.divide(centred, length, out=np.zeros_like(centred), where=length > 1e-3)
    return found


def hashes(images: np.ndarray) -> npt.NDArray[np.uint8]:
    """(n, H, W, C) uint8 to 64 bits, packed, uint8 (n, 8): whether a cell is brighter than the
    one left of it."""
    bits = []
    for part in _in_steps(images):
        grey = _areas(part.astype("float32").mean(axis=3, keepdims=True), SIDE, SIDE + 1)[..., 0]
        bits.append(np.packbits((grey[:, :, 1:] > grey[:, :, :-1]).reshape(len(part), -1), axis=1))
    return np.concatenate(bits)


def find(
    vectors: Vectors,
    hashed: npt.NDArray[np.uint8],
    rows: Indices | None = None,
    chance: float = CHANCE,
    different: int = DIFFERENT,
) -> Pairs:
    """The pairs that both opinions call twins.

    Exact, by blocks: 32 MB of cosines are in memory at a time.

    Args:
        vectors: of length 1, float32 (n, d); see `shrunk` and `unit`.
        hashed: see `hashes`.
        rows: those that are compared with all; None is every one.
    """
    rows = np.arange(len(vectors)) if rows is None else rows
    count = min(AROUND, len(vectors) // 8)
    if len(vectors) < FEWEST or not len(rows):
        empty = np.zeros(0, "int64")
        return Pairs(empty, empty, np.zeros(0), empty, float("nan"))
    found: list[tuple[np.ndarray, ...]] = []
    half: list[np.ndarray] = []
    for block, others, distances in _neighbours(vectors, rows, count):
        reach = distances.max(axis=1, keepdims=True)
        share = np.divide(distances, reach, out=np.ones_like(distances), where=reach > 0)
        half.append(np.partition(share, count // 2 - 1, axis=1)[:, count // 2 - 1])
        at, column = np.nonzero(share < 0.95)
        found.append((block[at], others[at, column], share[at, column]))
    dimension = _dimension(np.concatenate(half), count)
    one, other, share = (np.concatenate(column) for column in zip(*found, strict=True))
    likely = (count - 1) * share.astype("float64") ** dimension
    near = likely < chance
    first, second, likely = (
        np.minimum(one, other)[near],
        np.maximum(one, other)[near],
        likely[near],
    )
    order = np.lexsort((likely, second, first))
    first, second, likely = first[order], second[order], likely[order]
    fresh = np.ones(len(first), bool)  # a pair is found from either side
    fresh[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    bits = np.bitwise_count(hashed[first] ^ hashed[second]).sum(axis=1).astype("int64")
    kept = fresh & (bits <= different)
    keep = np.flatnonzero(kept)[np.lexsort((second[kept], first[kept], likely[kept]))]
    return Pairs(first[keep], second[keep], likely[keep], bits[keep], dimension)


def _dimension(half: np.ndarray, count: int) -> float:
    """m, from how far the neighbour half-way is, as a share of the distance to the last one.

    The nearest do not count, so that a handful of copies does not hide itself.
    """
    typical = float(np.median(half[half > 0])) if (half > 0).any() else 1.0
    return float(np.log(count / (count // 2)) / -np.log(np.clip(typical, 0.05, 0.999)))


def _neighbours(
    vectors: Vectors, rows: Indices, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For blocks of rows: the rows, their nearest `count` others, and the distances to them."""
    step = max(1, _BLOCK_BYTES // (4 * max(1, len(vectors))))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        cosines = vectors[block] @ vectors.T
        cosines[np.arange(len(block)), block] = -2
        others = largest(cosines, count)
        near = np.take_along_axis(cosines, others, axis=1)
        yield block, others, np.sqrt(np.maximum(2 - 2 * near, 0))


def largest(values: np.ndarray, count: int) -> Indices:
    """The columns of the `count` largest of each row, int64 (n, count), in no order.

    As `argpartition`, in a sixth of its time where a row is long: `count` groups have a member
    that reaches the count-th of the groups' largest, so no smaller value can be among them.
    """
    size = min(_GROUP, values.shape[1] // (4 * count))
    if size < 8:
        return np.argpartition(values, -count, axis=1)[:, -count:]
    groups = values.shape[1] // size
    tops = values[:, : groups * size].reshape(len(values), groups, size).max(axis=2)
    limits = np.partition(tops, -count, axis=1)[:, -count]
    found = np.empty((len(values), count), "int64")
    for row, limit in enumerate(limits):
        reaching = np.flatnonzero(values[row] >= limit)
        nearest = np.argpartition(values[row, reaching], -count)[-count:]
        found[row] = reaching[nearest]
    return found


def _areas(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """float32 (n, H, W, C) to the means of up to height × width cells."""
    for axis, cells in ((1, height), (2, width)):
        length = images.shape[axis]
        edges = np.arange(min(cells, length)) * length // min(cells, length)
        sizes = np.diff([*edges, length]).astype("float32")
        shape = [-1 if each == axis else 1 for each in range(4)]
        images = np.add.reduceat(images, edges, axis=axis) / sizes.reshape(shape)
    return images


def _in_steps(images: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, _STEP_BYTES // (4 * math.prod(images.shape[1:])))
    for start in range(0, len(images), step):
        yield np.asarray(images[start : start + step])
