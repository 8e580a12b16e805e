"""As Keras' guide 'Image classification from scratch' does it: a small Xception, Adam."""

import sys

import keras
import tensorflow as tf
from keras import layers

data, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(42)
tf.config.experimental.enable_op_determinism()
train, validation, test = (
    keras.utils.image_dataset_from_directory(
        f"{data}/{part}", image_size=(size, size), batch_size=32, shuffle=part == "train", seed=42
    )
    for part in ("train", "val", "test")
)
classes = len(train.class_names)

inputs = x = keras.Input((size, size, 3))
if size > 32:  # photographs: a digit in the mirror is none
    x = layers.RandomFlip("horizontal")(x)
x = layers.RandomRotation(0.1)(x)
x = layers.Rescaling(1 / 255)(x)
x = layers.Conv2D(128, 3, strides=2, padding="same")(x)
x = layers.Activation("relu")(layers.BatchNormalization()(x))
for filters in (256, 512, 728):
    beside = layers.Conv2D(filters, 1, strides=2, padding="same")(x)
    for _ in range(2):
        x = layers.Activation("relu")(x)
        x = layers.SeparableConv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
    x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
    x = layers.add([x, beside])
x = layers.SeparableConv2D(1024, 3, padding="same")(x)
x = layers.Activation("relu")(layers.BatchNormalization()(x))
x = layers.GlobalAveragePooling2D()(x)
x = layers.Dropout(0.25)(x)
model = keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))

model.compile(
    optimizer=keras.optimizers.Adam(3e-4),
    loss="sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
model.fit(
    train,
    epochs=epochs,
    validation_data=validation,
    callbacks=[keras.callbacks.BackupAndRestore("backup")],
    verbose=2,
)
model.save("model.keras")
print(f"accuracy {model.evaluate(test, verbose=0)[1]:.4f}")
