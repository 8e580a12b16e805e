"""As Lightning's tutorial 'CIFAR10 ~94% baseline' trains: ResNet-18, SGD, one cycle."""

import sys
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, models, transforms


class Classifier(lightning.LightningModule):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.network = models.resnet18(weights=None, num_classes=classes)
        if size <= 32:
            self.network.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
            self.network.maxpool = torch.nn.Identity()

    def step(self, batch: Any, name: str) -> torch.Tensor:
        images, labels = batch
        logits = self.network(images)
        self.log(f"{name}_accuracy", (logits.argmax(1) == labels).float().mean(), prog_bar=True)
        return functional.cross_entropy(logits, labels)

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        return self.step(batch, "train")

    def validation_step(self, batch: Any, number: int) -> None:
        self.step(batch, "val")

    def test_step(self, batch: Any, number: int) -> None:
        self.step(batch, "test")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
        steps = self.trainer.estimated_stepping_batches
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=int(steps))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def loader(part: str) -> DataLoader:
    steps = [transforms.Resize((size, size)), transforms.ToTensor()]
    if part == "train":
        steps.insert(1, transforms.RandomCrop(size, padding=4))
        if size > 32:  # photographs: a digit in the mirror is none
            steps.insert(2, transforms.RandomHorizontalFlip())
    steps.append(transforms.Normalize([0.5] * 3, [0.25] * 3))
    images = datasets.ImageFolder(f"{data}/{part}", transforms.Compose(steps))
    return DataLoader(
        images, batch_size=64, shuffle=part == "train", num_workers=2, persistent_workers=True
    )


if __name__ == "__main__":
    data, size, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    lightning.seed_everything(42, workers=True)
    train, validation, test = map(loader, ("train", "val", "test"))
    model = Classifier(len(train.dataset.classes))
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        deterministic=True,
        callbacks=[ModelCheckpoint("checkpoints", save_last=True)],
    )
    trainer.fit(model, train, validation, ckpt_path="last")
    print(f"accuracy {trainer.test(model, test)[0]['test_accuracy']:.4f}")
