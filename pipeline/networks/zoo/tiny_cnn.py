"""A network for pictures of 8×8 pixels."""

from typing import Any

from pipeline.networks.registry import Published, network


@network(published=Published(epochs=30, batch_size=32, image_size=8), smallest_image=4)
def tiny_cnn(x: Any, layers: Any) -> Any:
    x = layers.conv(x, 10, padding="valid", activation=None)
    x = layers.conv(x, 7, 2, padding="valid")
    return layers.dense(layers.flatten(x), 32)
