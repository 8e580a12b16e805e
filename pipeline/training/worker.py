"""One process of a training in parallel, which `pipeline.training.replicas` starts.

It trains in the current folder as the stage train does, and leaves checkpoints in
FOLDER: of all workers the first one writes. It ends with whoever holds its
standard input.
"""

import argparse
import os
import sys
import threading
from pathlib import Path

from pipeline import backend, distribution
from pipeline.errors import PipelineError
from pipeline.parameters.stages import TrainParameters
from pipeline.runtime import files, paths
from pipeline.runtime.stage import program_parser
from pipeline.training.share import Share

# Holds the line of an error that is the user's, where there was one.
REFUSAL = "refusal.txt"


def main() -> None:
    parser = program_parser("pipeline.training.worker", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--address", help="host:port of the first worker")
    parser.add_argument("--host", help="this machine, as the others on others see it")
    parser.add_argument("--run-id", help="of MLflow")
    arguments = parser.parse_args()
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    status = 0
    try:
        _train(arguments)
    except PipelineError as error:
        files.write_text(arguments.folder / REFUSAL, str(error))
        status = 1
    sys.stdout.flush()
    os._exit(status)  # as a stage ends


def _end_with_the_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _train(arguments: argparse.Namespace) -> None:
    parameters = TrainParameters.read()
    share = Share(parameters.replicas, arguments.processes, arguments.rank)
    distribution.connect(share, arguments.address, arguments.host)
    backend.choose(parameters.backend)
    # XLA gives a process at least a thread a device, and another number splits sums another way.
    threads = max(parameters.threads, share.replicas)
    backend.configure(parameters.seed, threads, parameters.deterministic, parameters.dtype)
    distribution.distribute(share)
    from pipeline.training import checkpoint, fitting, phases

    dataset = files.read_json(paths.PREPARED / "dataset.json")
    progress = checkpoint.read_progress(arguments.folder / fitting.CHECKPOINT)
    progress = progress or checkpoint.Progress(run_id=arguments.run_id)
    model = phases.build(parameters, dataset)
    parts = phases.phases(model, parameters, dataset, share)
    fitting.fit(parts, arguments.folder, progress, lambda progress: None)
    if share.processes > 1:
        distribution.leave()


if __name__ == "__main__":
    main()
