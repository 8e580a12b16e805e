"""What the page adds to the table of layers: the second phase, and the sum."""

from typing import Any

from pipeline.figures.network import layer_table, total


def row(name: str, kind: str, trained: str, parameters: int = 10) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "what": kind.lower(),
        "output": [1],
        "parameters": parameters,
        "trained": trained,
    }


LAYERS = [
    row("block4_conv3", "Conv2D", "no"),
    row("block5_conv1", "Conv2D", "yes"),
    row("block5_pool", "MaxPooling2D", "", 0),
    row("flatten", "Flatten", "", 0),
    row("dense_1", "Dense", "yes"),
]


def trained(fine_tune_from: str | None) -> list[str]:
    return [each["trained"] for each in layer_table(LAYERS, fine_tune_from, "block5_pool")]


def test_fine_tuned_layers_belong_to_the_second_phase_and_the_head_to_both() -> None:
    assert trained("block5_conv1") == ["no", "second phase", "", "", "yes"]


def test_without_fine_tuning_the_table_is_the_models() -> None:
    assert layer_table(LAYERS, None, None) == LAYERS


def test_the_total_is_that_of_all_layers() -> None:
    assert total(LAYERS) == 30
