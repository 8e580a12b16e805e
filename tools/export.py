"""Write a trained model for other programs, into exports/<run>/.

    python -m tools.export                              ONNX and LiteRT, of the workspace's model
    python -m tools.export --to onnx,litert,openvino,saved_model,html
    python -m tools.export --run NAME --to onnx --quantize int8

The files take raw pixels and give a probability for each class, and need nothing of
ours. Each is compared with the model on test images before it is kept. Beside them stand
model.json, a card (model_card.md), and programs in Python and JavaScript that use them.
"""

import argparse
from collections.abc import Sequence
from functools import partial

from pipeline import backend
from pipeline.datasets.pool import processors
from pipeline.errors import PipelineError
from pipeline.runtime.stage import program_parser, run_program, say
from tools.exporting import formats


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    wanted = formats.chosen(given.to)
    if given.quantize and not any(one.int8 for one in wanted):
        able = ", ".join(one.name for one in formats.ALL.values() if one.int8)
        raise PipelineError(f"--quantize int8: none of --to has 8 bits; name one of {able}")
    from tools.exporting import card, source, writing

    with source.of_run(given.run) if given.run else source.of_workspace() as found:
        # TensorFlow's converters are the ones that are kept well, whatever trained the model.
        backend.choose("tensorflow")
        backend.configure(0, processors(), deterministic=True, dtype="float32")
        writer = writing.Writer(found, partial(say, "export"))
        writer.write(wanted, given.quantize == "int8")
        written = card.write(writer.folder / card.FILE, found)
        say("export", f"{written} and {writer.folder / 'model.json'}")
        if found.run and card.record(found.run, written):
            say("export", f"the card is recorded in MLflow with run {found.run.name}")


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.export", __doc__)
    parser.add_argument(
        "--to",
        default=",".join(formats.DEFAULT),
        metavar="FORMATS",
        help=f"of {','.join(formats.ALL)} (default: {','.join(formats.DEFAULT)})",
    )
    parser.add_argument("--run", help="an experiment's name, or a run's name or id")
    parser.add_argument("--quantize", choices=["int8"], help="files with 8 bits, too")
    return parser


if __name__ == "__main__":
    run_program("export", main)
