"""The course notes' networks on Fashion-MNIST: plain, with pooling, and with a linear layer."""

from typing import Any

from pipeline.networks.registry import Published, network

_PUBLISHED = Published(epochs=10, batch_size=256, image_size=28)


@network(published=_PUBLISHED, smallest_image=5)
def fashion_cnn(x: Any, layers: Any) -> Any:
    x = layers.conv(x, 32, padding="valid", activation=None)
    x = layers.flatten(layers.conv(x, 64, padding="valid"))
    return layers.dense(layers.dense(x, 256), 128)


@network(published=_PUBLISHED, dropout=(0.2,), smallest_image=11)
def fashion_pool_cnn(x: Any, layers: Any) -> Any:
    x = _pooled(x, layers)
    return layers.dense(layers.dense(x, 256), 128)


@network(published=_PUBLISHED, dropout=(0.2,), smallest_image=11)
def fashion_pool_linear_cnn(x: Any, layers: Any) -> Any:
    """The notes' variation: the first dense layer without an activation."""
    x = _pooled(x, layers)
    return layers.dense(layers.dense(x, 256, activation=None), 128)


def _pooled(x: Any, layers: Any) -> Any:
    x = layers.pool(layers.conv(x, 32, 4, padding="valid"))
    x = layers.pool(layers.conv(x, 64, padding="valid"))
    return layers.flatten(layers.dropout(x))
