"""MobileNet, V2 and V3: for telephones."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TF, KerasFile

applications_base(
    __name__,
    "mobilenet",
    "MobileNet",
    source="MobileNet trained on ImageNet (Howard and others, arXiv 1704.04861)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "mobilenet",
        "mobilenet_1_0_224_tf_no_top.h5",
        None,
    ),
    pixels=TF,
    block_ends=r"conv1_relu|conv_pw_\d+_relu",
    # Keras has no digest of its file; this is ours, over the arrays of a copy that was saved
    # again in Keras' layout.
    sha256="b8c0aeb5fc63059affb61a02dd18c74884c85facddf27537a308c090deb52a6a",
)
applications_base(
    __name__,
    "mobilenet_v2",
    "MobileNetV2",
    source="MobileNet V2 trained on ImageNet (Sandler and others, arXiv 1801.04381)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "mobilenet_v2",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
        None,
    ),
    pixels=TF,
    block_ends=r"Conv1_relu|(expanded_conv|block_\d+)_(add|project_BN)",
)
applications_base(
    __name__,
    "mobilenet_v3_small",
    "MobileNetV3Small",
    source="MobileNet V3 Small trained on ImageNet (Howard and others, arXiv 1905.02244)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "mobilenet_v3",
        "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5",
        "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    pixels=TF,
    block_ends=r"activation|expanded_conv(_\d+)?_(add|project_bn)",
    include_preprocessing=False,
)
applications_base(
    __name__,
    "mobilenet_v3_large",
    "MobileNetV3Large",
    source="MobileNet V3 Large trained on ImageNet (Howard and others, arXiv 1905.02244)",
    licence="Apache 2.0, Google",
    file=KerasFile(
        "mobilenet_v3",
        "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5",
        "07fb09a5933dd0c8eaafa16978110389",
    ),
    pixels=TF,
    block_ends=r"activation|expanded_conv(_\d+)?_(add|project_bn)",
    include_preprocessing=False,
)
