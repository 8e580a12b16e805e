"""Register the best run in MLflow's registry, under the alias `best`.

    python -m tools.register                 the highest validation accuracy
    python -m tools.register --run NAME      this run

The registered model has the data set's name and takes image files:
`python -m tools.serve` serves it, `python -m tools.predict --best` asks it.
"""

from collections.abc import Sequence

from pipeline import backend
from pipeline.runtime.stage import program_parser, run_program, say
from tools.exporting import card
from tools.runs.together import find
from tools.serving import registry, trained


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.register", __doc__)
    parser.add_argument("--run", help="an experiment's name, or a run's name or id")
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
    card.record_of(chosen.run)  # beside the run's other files


if __name__ == "__main__":
    run_program("register", main)
