"""A base of keras.applications as a network: one entry each in pipeline/networks/zoo.

The head is a mean over the last maps, dropout and the output layer.
"""

from typing import Any

from pipeline.networks.bases import Base, ImageNet, KerasFile, Pixels
from pipeline.networks.registry import Published, network

# The name that the layer of the mean gets: what the head reads, unless a base says otherwise.
POOLED = "globalpool"


def applications_base(
    module: str,
    name: str,
    function: str,
    *,
    source: str,
    licence: str,
    file: KerasFile,
    pixels: Pixels,
    block_ends: str,
    sha256: str | None = None,
    image_size: int = 224,
    smallest_image: int = 32,
    end: str = POOLED,
    **options: Any,
) -> None:
    """Register a base of keras.applications under a head of its own.

    Args:
        module: `__name__` of the file in the zoo, whose code the base's results depend on.
        name: in params.yaml; `function` is the one in keras.applications.
        source: what the weights are, with a citation; `licence` is theirs, `file` Keras' own.
        pixels, block_ends, end: see `pipeline.networks.bases.Base`.
        sha256: over the arrays, where we have had them.
        image_size: that the weights were trained at, in pixels a side.
        options: for Keras' function.
    """

    def build(x: Any, layers: Any) -> Any:
        from pipeline.networks.transplanted import transplanted  # Keras

        return layers.dropout(transplanted(function, x, options))

    build.__name__, build.__module__ = name, module
    network(
        # With the base frozen an epoch costs a second: what the head reads is kept.
        published=Published(
            epochs=30,
            batch_size=32,
            normalization="imagenet",
            image_size=image_size,
            resize="crop",
            resizes=True,
        ),
        dropout=(0.2,),
        smallest_image=smallest_image,
        channels=3,
        base=Base(
            end=end,
            pixels=pixels,
            block_ends=block_ends,
            imagenet=ImageNet(source, licence, (file,), sha256),
        ),
    )(build)
