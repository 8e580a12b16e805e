"""The PyTorch notes' two networks on MNIST: is deeper better?"""

from typing import Any

from pipeline.networks.registry import Published, network

_PUBLISHED = Published(epochs=15, batch_size=100, image_size=28)


@network(published=_PUBLISHED, smallest_image=4)
def mnist_cnn(x: Any, layers: Any) -> Any:
    for filters in (32, 64):
        x = layers.pool(layers.conv(x, filters))
    return layers.flatten(x)


@network(published=_PUBLISHED, dropout=(0.5,), smallest_image=4)
def mnist_deep_cnn(x: Any, layers: Any) -> Any:
    for filters in (32, 64):
        x = layers.pool(layers.conv(x, filters))
    x = layers.pool(layers.conv(x, 128), padded=True)
    x = layers.dense(layers.flatten(x), 625)
    return layers.dropout(x)
