"""As fastai's tutorial 'Imagenette' trains from scratch: xresnet34, one cycle up to 5e-3."""

import sys

from fastai.vision.all import (
    ImageDataLoaders,
    Learner,
    RandomResizedCrop,
    Resize,
    accuracy,
    aug_transforms,
    get_image_files,
    set_seed,
    xresnet34,
)

if __name__ == "__main__":
    data, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    set_seed(42, reproducible=True)
    photographs = size > 32
    loaders = ImageDataLoaders.from_folder(
        data,
        valid="val",
        seed=42,
        item_tfms=RandomResizedCrop(size, min_scale=0.35) if photographs else Resize(size),
        batch_tfms=aug_transforms(do_flip=photographs),
    )
    learner = Learner(loaders, xresnet34(n_out=loaders.c), metrics=accuracy, path=".")
    learner.fit_one_cycle(epochs, 5e-3)
    learner.save("model")
    test = loaders.test_dl(get_image_files(f"{data}/test"), with_labels=True)
    print(f"accuracy {learner.validate(dl=test)[1]:.4f}")
