"""As the tutorial 'Image classification' with Keras does it: three convolutions, augmentation."""

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
train, validation = train.cache(), validation.cache()

model = keras.Sequential([keras.Input((size, size, 3))])
if size > 32:  # photographs: a digit in the mirror is none
    model.add(layers.RandomFlip("horizontal"))
model.add(layers.RandomRotation(0.1))
model.add(layers.RandomZoom(0.1))
model.add(layers.Rescaling(1 / 255))
for filters in (16, 32, 64):
    model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
    model.add(layers.MaxPooling2D())
model.add(layers.Dropout(0.2))
model.add(layers.Flatten())
model.add(layers.Dense(128, activation="relu"))
model.add(layers.Dense(classes, activation="softmax"))

model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    train,
    epochs=epochs,
    validation_data=validation,
    callbacks=[keras.callbacks.BackupAndRestore("backup")],
    verbose=2,
)
model.save("model.keras")
print(f"accuracy {model.evaluate(test, verbose=0)[1]:.4f}")
