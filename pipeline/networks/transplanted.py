"""A network of keras.applications, made anew as a part of one of ours.

Keras numbers many of its layers by how many the process has made before, keeps some of them
in models within the model, and some steps are no layers. Here every step is a layer of the
one graph, and its name is the one that it has in a process that makes nothing else.
"""

from typing import Any

import keras

from pipeline.networks.applications import POOLED


def transplanted(function: str, x: Any, options: dict[str, Any]) -> Any:
    """What keras.applications' `function` makes of the tensor `x`, with random weights.

    Args:
        x: Keras tensor (n, height, width, channels), normalised as the weights want it.
        options: for the function.

    Returns:
        a Keras tensor (n, channels): the mean of the last maps, with what follows it.
    """
    made = getattr(keras.applications, function)(
        include_top=False, weights=None, input_shape=x.shape[1:], pooling="avg", **options
    )
    names = _names(made)

    def called(operation: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(operation, keras.Sequential):
            (given,) = arguments
            for layer in operation.layers:
                given = _anew(layer, names)(given)
            return given
        if not isinstance(operation, keras.layers.Layer):
            return _as_layer(operation, names[operation.name], *arguments)
        return _anew(operation, names)(*arguments, **options)

    return made._run_through_graph([x], call_fn=called)


def automatic_kind(name: str, kind: str) -> tuple[str, int] | None:
    """A name that Keras gave by itself, in two: conv2d_7 of a Conv2D is (conv2d, 7), conv2d
    (conv2d, 0). None for a name that somebody chose."""
    words, _, number = name.rpartition("_")
    if not number.isdecimal():
        words, number = name, "0"
    return (words, int(number)) if words.replace("_", "") == kind.lower() else None


def _names(made: keras.Model) -> dict[str, str]:
    """The name of each step in Keras' model, and the one that it gets."""
    names: dict[str, str] = {}
    numbered: dict[str, list[tuple[int, str]]] = {}
    pooled = ""
    for operation in made.operations:
        inner = operation.layers if isinstance(operation, keras.Sequential) else [operation]
        for step in inner:
            names[step.name] = step.name
            automatic = automatic_kind(step.name, type(step).__name__)
            if automatic:
                numbered.setdefault(automatic[0], []).append((automatic[1], step.name))
            if isinstance(step, keras.layers.GlobalAveragePooling2D) and not step.keepdims:
                pooled = step.name
    for words, found in numbered.items():
        for place, (_, name) in enumerate(sorted(found)):
            names[name] = f"{words}_{place}" if place else words
    return names | {pooled: POOLED}


def _anew(layer: Any, names: dict[str, str]) -> Any:
    return type(layer).from_config(layer.get_config() | {"name": names[layer.name]})


def _as_layer(operation: Any, name: str, *arguments: Any) -> Any:
    """A sum or a product that is written with Python's signs, as a layer."""
    first, second = arguments
    kind = type(operation).__name__
    if isinstance(second, keras.KerasTensor):
        return {"Add": keras.layers.Add, "Multiply": keras.layers.Multiply}[kind](name=name)(
            [first, second]
        )
    scale, offset = {"Add": (1.0, second), "Multiply": (second, 0.0)}[kind]
    return keras.layers.Rescaling(scale, offset=offset, name=name)(first)
