"""Mixing the images of a batch two by two, and their labels by the same share.

mixup (Zhang and others, arXiv 1710.09412) takes the mean of two images, cutmix (Yun and
others, arXiv 1905.04899) puts a rectangle of one into the other. The share is drawn from
Beta(alpha, alpha), once a batch; where both are wanted each batch is mixed by one of them.
"""

import numpy as np

Mixed = tuple[np.ndarray, np.ndarray]


def mix(
    images: np.ndarray,
    labels: np.ndarray,
    mixup: float,
    cutmix: float,
    generator: np.random.Generator,
) -> Mixed:
    """A batch mixed with itself in another order.

    Args:
        images: uint8 (n, height, width, channels).
        labels: float32 (n, classes), rows that sum to 1.
        mixup: alpha of mixup, 0 for none; `cutmix` likewise.
        generator: decides the share, the order, and the rectangle.

    Returns:
        Images and labels of the same shapes and dtypes.
    """
    if not (mixup or cutmix):
        return images, labels
    use_cutmix = bool(cutmix) and (not mixup or generator.random() < 0.5)
    alpha = cutmix if use_cutmix else mixup
    share = generator.beta(alpha, alpha)
    order = generator.permutation(len(images))
    if use_cutmix:
        mixed, share = _cut(images, images[order], share, generator)
    else:
        mean = share * images.astype("float32") + (1 - share) * images[order].astype("float32")
        mixed = np.rint(mean).astype("uint8")
    return mixed, (share * labels + (1 - share) * labels[order]).astype("float32")


def _cut(
    images: np.ndarray, others: np.ndarray, share: float, generator: np.random.Generator
) -> tuple[np.ndarray, float]:
    """A rectangle of 1 − share of the others in the images, and the share that is left of them."""
    height, width = images.shape[1:3]
    side = np.sqrt(1 - share)
    half_height, half_width = side * height / 2, side * width / 2
    down, right = generator.uniform(0, height), generator.uniform(0, width)
    top, bottom = (
        round(min(max(edge, 0), height)) for edge in (down - half_height, down + half_height)
    )
    left, end = (
        round(min(max(edge, 0), width)) for edge in (right - half_width, right + half_width)
    )
    mixed = images.copy()
    mixed[:, top:bottom, left:end] = others[:, top:bottom, left:end]
    return mixed, 1 - (bottom - top) * (end - left) / (height * width)
