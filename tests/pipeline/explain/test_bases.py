"""What every pretrained base sees: heat over the image, and maps of its first layers."""

import numpy as np

from pipeline.explain import activations, grad_cam
from pipeline.explain.maps import last_maps
from pipeline.networks import build, registry
from pipeline.networks.graph import cuts
from tests.pipeline.networks.support import IMAGENET, bases, randomised


@bases
def test_it_shows_where_it_looks(name: str) -> None:
    size = 2 * registry.find(name).smallest_image
    model = randomised(build(name, (size, size, 3), 3, normalization=IMAGENET))
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype="uint8")
    last = last_maps(model)
    assert last is not None
    assert last.name in cuts(model)
    assert min(last.output.shape[1:3]) > 1
    heat = grad_cam(model, np.stack([image, 255 - image]))
    assert heat.shape == (2, size, size)
    assert np.isfinite(heat).all()
    maps = activations(model, image)
    assert len(maps) == 8
    assert all(min(each.shape[:2]) > 1 and np.isfinite(each).all() for each in maps.values())
