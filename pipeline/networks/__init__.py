"""The networks: each a function in zoo/, found by its name in `registry`, made by `build`."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def build(
    name: str, input_shape: tuple[int, int, int], classes: int, **options: Any
) -> "keras.Model":
    """A network by its name; `pipeline.networks.building.build` says what the options are."""
    from pipeline.networks import building  # Keras: seconds that nobody needs for a name

    return building.build(name, input_shape, classes, **options)
