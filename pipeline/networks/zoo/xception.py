"""Xception: Inception with separable convolutions."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TF, KerasFile

applications_base(
    __name__,
    "xception",
    "Xception",
    source="Xception trained on ImageNet (Chollet, arXiv 1610.02357)",
    licence="MIT, François Chollet",
    file=KerasFile(
        "xception",
        "xception_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "b0042744bf5b25fce3cb969f33bebb97",
    ),
    pixels=TF,
    block_ends=r"block1_conv2_act|add(_\d+)?",
    image_size=299,
    smallest_image=71,
)
