"""VGG16's convolutional base under a small head.

Simonyan and Zisserman (arXiv 1409.1556), with the recipe of Chollet's book, first edition,
chapter 5.
"""

from typing import Any

from pipeline.networks.registry import Base, Published, network


@network(
    published=Published(
        epochs=30,
        batch_size=20,
        optimizer="rmsprop",
        learning_rate=2e-5,
        # The chapter divided by 255; these weights want their own means,
        # which is worth seven points on cats and dogs (README, VGG16).
        normalization="imagenet",
        image_size=150,
        resizes=True,
    ),
    dropout=(0.5,),
    augmented_dropout=(0.0,),
    smallest_image=32,
    channels=3,
    base=Base(end="block5_pool", fine_tune_epochs=100, fine_tune_learning_rate=1e-5),
)
def vgg16(x: Any, layers: Any) -> Any:
    import keras

    base = keras.applications.VGG16(include_top=False, weights=None, input_tensor=x)
    x = layers.dense(layers.flatten(base.output), 256)
    return layers.dropout(x)
