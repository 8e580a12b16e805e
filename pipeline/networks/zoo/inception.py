"""Inception V3 and, with residual connections, Inception-ResNet V2."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TF, KerasFile

applications_base(
    __name__,
    "inception_v3",
    "InceptionV3",
    source="Inception V3 trained on ImageNet (Szegedy and others, arXiv 1512.00567)",
    licence="MIT, François Chollet",
    file=KerasFile(
        "inception_v3",
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "bcbd6486424b2319ff4ef7d526e38f63",
    ),
    pixels=TF,
    block_ends=r"max_pooling2d(_1)?|mixed\d+",
    image_size=299,
    smallest_image=75,
)
applications_base(
    __name__,
    "inception_resnet_v2",
    "InceptionResNetV2",
    source="Inception-ResNet V2 trained on ImageNet (Szegedy and others, arXiv 1602.07261)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "inception_resnet_v2",
        "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "d19885ff4a710c122648d3b5c3b684e4",
    ),
    pixels=TF,
    block_ends=r"max_pooling2d(_1)?|mixed_\d[ab]|block\d+_\d+_ac",
    image_size=299,
    smallest_image=75,
)
