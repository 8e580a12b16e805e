"""The day-7 notes' network: three blocks, with a place for dropout after each pool."""

from typing import Any

from pipeline.networks.registry import Published, network


@network(published=Published(epochs=30, batch_size=256), dropout=(0.0, 0.0, 0.0), smallest_image=8)
def three_block_cnn(x: Any, layers: Any) -> Any:
    for filters in (32, 64, 256):
        x = layers.dropout(layers.pool(layers.conv(x, filters)))
    return layers.dense(layers.flatten(x), 256)
