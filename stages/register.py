"""Register the best run in MLflow's registry, under the alias `best`.

    python -m stages.register                 the highest validation accuracy
    python -m stages.register --run NAME      this run

The registered model has the data set's name and takes image files:
`python -m stages.serve` serves it, `python -m stages.predict --best` asks it.
"""

import argparse
import sys
from collections.abc import Sequence

from stages import backend
from stages.comparison.together import find
from stages.errors import PipelineError
from stages.runtime.stage import say
from stages.serving import registry, trained


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m stages.register",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--run", help="DVC experiment's name, MLflow run's name or id")
    parser.add_argument("--dataset", help="the data set's name (default: the workspace's)")
    given = parser.parse_args(arguments)
    store = trained.open_store()
    runs = registry.read_runs(store)
    if given.run:
        chosen = registry.Choice(find(given.run, runs), "named by --run")
    else:
        chosen = registry.best(given.dataset or registry.dataset(runs), runs)
    backend.configure(0, 1, deterministic=True, dtype="float32")
    version, new = registry.register(store, chosen.run, chosen.reason)
    word = "is now" if new else "was registered before as"
    say(
        "register",
        f"{chosen.run.name} {word} {version.name} version {version.version}, "
        f"alias {registry.ALIAS}: {chosen.reason}",
    )


if __name__ == "__main__":
    try:
        main()
    except PipelineError as problem:
        sys.exit(f"register: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
