"""ConvNeXt, tiny and small: a convolutional network after the transformers' example."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TORCH, KerasFile


def _register(size: str, sha256: str) -> None:
    applications_base(
        __name__,
        f"convnext_{size}",
        f"ConvNeXt{size.capitalize()}",
        source=(
            f"ConvNeXt-{size.capitalize()} trained on ImageNet (Liu and others, arXiv 2201.03545)"
        ),
        licence="MIT, Meta",
        file=KerasFile("convnext", f"convnext_{size}_notop.h5", sha256),
        pixels=TORCH,
        block_ends=r"convnext_.*_stem_layernorm|add(_\d+)?",
        end="layer_normalization",  # over the mean
        include_preprocessing=False,
    )


_register("tiny", "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1")
_register("small", "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab")
