"""The tools that are measured: what is installed, what runs, and what is there at the end."""

import ast
import io
import tokenize
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
EPOCHS = 5
SIZES = {"mnist_5k": 28, "photos": 64}


@dataclass(frozen=True)
class Peer:
    """`packages` are installed by name, the first of them is the one whose version counts; none:
    this project. `script` is called with a data folder, pixels a side and a number of epochs;
    without one, `commands` are typed, one for each data set that is measured. `weights` is the
    model file that it leaves, `shows` what a person has to look at then."""

    name: str
    weights: str
    shows: str
    packages: tuple[str, ...] = ()
    script: str = ""
    commands: tuple[tuple[str, str], ...] = ()

    def lines(self) -> int:
        """How many lines a person writes: of code, or of commands."""
        return written((HERE / self.script).read_text("utf-8")) if self.script else 1

    def data(self) -> tuple[str, ...]:
        """What it is measured on."""
        return tuple(dict(self.commands)) if self.commands else tuple(SIZES)


def written(code: str) -> int:
    """The logical lines of a program, a call over ten lines being one: no blank ones, comments
    or docstrings."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    ends = sum(token.type == tokenize.NEWLINE for token in tokens)
    said = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Expr))
    return ends - sum(isinstance(node.value, ast.Constant) for node in said)


MODEL = "data/model/model.keras"
REPORT = (
    "one HTML report: scores with intervals, curves, confusion, worst mistakes, where it looks, "
    "twins, calibration; MLflow and `dvc exp show` beside it"
)
OWN = "dvc exp run -S model=fast_cnn -S epochs={epochs} -S "
PEERS = (
    Peer(
        "this project",
        MODEL,
        REPORT,
        commands=(
            ("mnist_5k", OWN + "dataset=mnist_5k"),
            # Its batches of 500 are four steps an epoch of 2,000, and 5 GB at 64 pixels.
            ("photos", OWN + "dataset={data} -S image_size={size} -S batch_size=125"),
        ),
    ),
    Peer(
        "this project, weights from the package index",
        MODEL,
        REPORT,
        commands=(("photos", "dvc exp run -S model=efficientnet_lite0 -S dataset={data}"),),
    ),
    Peer(
        "plain Keras",
        "model.keras",
        "a line an epoch, one number at the end",
        packages=("keras", "tensorflow-cpu"),
        script="plain_keras.py",
    ),
    Peer(
        "fastai",
        "models/model.pth",
        "a table with a row an epoch, one number; confusion and top losses are one call each",
        packages=("fastai",),
        script="fast_ai.py",
    ),
    Peer(
        "PyTorch Lightning",
        "checkpoints/last.ckpt",
        "a progress bar, one table with the test score, metrics in lightning_logs/",
        packages=("lightning", "torchvision"),
        script="lightning_resnet.py",
    ),
    Peer(
        "Ultralytics",
        "runs/train/weights/last.pt",
        "pictures of curves, confusion, batches and predictions, a CSV with a row an epoch",
        packages=("ultralytics",),
        script="yolo.py",
    ),
)
