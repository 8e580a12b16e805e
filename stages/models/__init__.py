"""The networks: `architecture` and `presets` say what they are, `build` makes them in Keras.

`build_model` is the one door to a Keras model. It is imported on first use, so
that the parameters can read the presets without importing a backend.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stages.models.build import build_model as build_model


def __getattr__(name: str) -> Any:
    if name == "build_model":
        from stages.models.build import build_model

        return build_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
