"""DenseNet: each layer reads all before it."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TORCH, KerasFile

applications_base(
    __name__,
    "densenet121",
    "DenseNet121",
    source="DenseNet-121 trained on ImageNet (Huang and others, arXiv 1608.06993)",
    licence="BSD 3-clause, Zhuang Liu",
    file=KerasFile(
        "densenet",
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "30ee3e1110167f948a6b9946edeeb738",
    ),
    pixels=TORCH,
    block_ends=r"pool\d(_pool)?|conv\d_block\d+_concat",
)
