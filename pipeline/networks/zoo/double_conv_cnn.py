"""KISTI's lecture 14 on CIFAR-10."""

from typing import Any

from pipeline.networks.registry import Published, network


@network(published=Published(epochs=10, batch_size=10), dropout=(0.5,), smallest_image=2)
def double_conv_cnn(x: Any, layers: Any) -> Any:
    x = layers.pool(layers.conv(layers.conv(x, 32), 32))
    x = layers.flatten(layers.dropout(x))
    return layers.dense(x, 128)
