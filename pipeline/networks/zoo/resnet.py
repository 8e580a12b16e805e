"""ResNet of 50 layers, of 2015 and with the activations before the convolutions."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import CAFFE, TF, KerasFile

applications_base(
    __name__,
    "resnet50",
    "ResNet50",
    source="ResNet50 trained on ImageNet (He and others, arXiv 1512.03385)",
    licence="MIT, Kaiming He",
    file=KerasFile(
        "resnet",
        "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    pixels=CAFFE,
    block_ends=r"conv\d_block\d_out|pool1_pool",
)
applications_base(
    __name__,
    "resnet50_v2",
    "ResNet50V2",
    source="ResNet50 V2 trained on ImageNet (He and others, arXiv 1603.05027)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "resnet",
        "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "fac2f116257151a9d068a22e544a4917",
    ),
    pixels=TF,
    block_ends=r"conv\d_block\d_out|pool1_pool",
)
