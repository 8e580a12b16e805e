"""Temperature scaling as the last layer of a saved model (Guo and others, arXiv 1706.04599)."""

from typing import Any

import keras

# A probability below this counts as this, as in the loss.
SMALLEST = 1e-7


@keras.saving.register_keras_serializable(package="pipeline")
class Temperature(keras.layers.Layer):
    """Probabilities (n, classes), or (n, 1) of one sigmoid, to those at another temperature.

    As if the scores before the softmax had been divided by `temperature`: above 1 the model is
    less sure, below 1 surer. The order of the classes stays. It takes probabilities, not scores,
    so that it can follow the mean of several views.
    """

    def __init__(self, temperature: float, **options: Any) -> None:
        super().__init__(dtype="float32", **options)
        self.temperature = temperature

    def call(self, inputs: Any) -> Any:
        logs = keras.ops.log(keras.ops.clip(inputs, SMALLEST, 1.0))
        if inputs.shape[-1] > 1:
            return keras.ops.softmax(logs / self.temperature, axis=-1)
        others = keras.ops.log(keras.ops.clip(1.0 - inputs, SMALLEST, 1.0))
        return keras.ops.sigmoid((logs - others) / self.temperature)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("dtype")
        return {**config, "temperature": self.temperature}


def with_temperature(model: keras.Model, temperature: float) -> keras.Model:
    """The model with a temperature as its last layer, sharing its weights."""
    output = Temperature(temperature, name="temperature")(model.output)
    return keras.Model(model.input, output, name=model.name)
