"""EfficientNetV2: B0 to B3 and S."""

from pipeline.networks.applications import applications_base
from pipeline.networks.bases import TORCH, KerasFile, Pixels


def _register(size: str, md5: str, pixels: Pixels, image_size: int) -> None:
    applications_base(
        __name__,
        f"efficientnet_v2_{size}",
        f"EfficientNetV2{size.upper()}",
        source=(
            f"EfficientNetV2-{size.upper()} trained on ImageNet (Tan and Le, arXiv 2104.00298)"
        ),
        licence="Apache 2.0, Google",
        file=KerasFile("efficientnet_v2", f"efficientnetv2-{size}_notop.h5", md5),
        pixels=pixels,
        block_ends=r"stem_activation|block\d[a-z]_(add|project_(bn|activation))",
        image_size=image_size,
        include_preprocessing=False,
    )


_register("b0", "893217f2bb855e2983157299931e43ff", TORCH, 224)
_register("b1", "0e80663031ca32d657f9caa404b6ec37", TORCH, 240)
_register("b2", "1dfe2e7a5d45b6632553a8961ea609eb", TORCH, 260)
_register("b3", "f6abf7b5849ac99a89b50dd3fd532856", TORCH, 300)
_register("s", "af0682fb74e8c54910f2d4393339c070", Pixels((128.0,) * 3, (128.0,) * 3), 384)
