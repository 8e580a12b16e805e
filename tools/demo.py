"""Try a model in the browser, on 127.0.0.1 until Ctrl-C (`make demo`).

    python -m tools.demo                     the workspace's model
    python -m tools.demo --run NAME          that of any experiment
    python -m tools.demo --run A,B           two, beside each other
    python -m tools.demo --best              the registered model

Drop a photograph, paste one, or use the camera: the classes with their
probabilities, and Grad-CAM over the picture. It works without a network.
"""

import argparse
import importlib.util
import os
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime.stage import Stopped, program_parser, run_program
from tools import server
from tools.serving import registry, trained

PORT = 7860
MOST = 3


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    with ExitStack() as stack:
        listening = stack.enter_context(server.listening(server.HOST, given.port, PORT))
        found = [stack.enter_context(one) for one in _chosen(given)]
        if importlib.util.find_spec("gradio") is None:
            raise PipelineError("gradio is not installed; run `make setup EXTRA=demo`")
        scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="demo-"))
        os.environ["GRADIO_TEMP_DIR"] = scratch  # what is dropped goes with the server
        from tools.demonstration import quiet

        quiet.hush()
        from tools.demonstration import examples, models, page, site

        shown = [models.Model(one) for one in found]
        blocks = page.build(shown, examples.write(Path(scratch)))

        def ready() -> None:
            print(f"demo: http://{server.HOST}:{listening.getsockname()[1]}/")
            print("demo: Ctrl-C ends it", flush=True)

        with suppress(KeyboardInterrupt, Stopped):
            site.serve(listening, blocks, ready)
    print("demo: ended")


def _chosen(given: argparse.Namespace) -> list[AbstractContextManager[trained.Trained]]:
    if given.run:
        names = [name.strip() for name in given.run.split(",") if name.strip()]
        if not 1 <= len(names) <= MOST:
            raise PipelineError(f"--run: {given.run}: expected 1 to {MOST} names, as in A,B")
        return [trained.of_run(name) for name in names]
    if given.best:
        name = registry.registered_dataset(trained.open_store())
        return [trained.of_registry(name, registry.ALIAS)]
    return [trained.workspace()]


def _parser() -> argparse.ArgumentParser:
    parser = program_parser("tools.demo", __doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--run", help="an experiment's name, or a run's name or id; several: A,B")
    which.add_argument("--best", action="store_true", help="the best registered model")
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT} or the next free)")
    return parser


if __name__ == "__main__":
    run_program("demo", main)
