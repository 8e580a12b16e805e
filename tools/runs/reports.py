"""The reports of a run, parsed: history.csv, confusion.csv and predictions.csv.

A run has them in MLflow's artifacts and in DVC's experiment. A file that is
not there is passed over; one that is damaged is named in `problems`, and the
rest of the run is shown all the same.
"""

import csv
import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import TextIO

import numpy as np

from tools.runs.run import Outcome, Results

# Opens one of the run's reports as text, or raises FileNotFoundError.
Opener = Callable[[str], AbstractContextManager[TextIO]]


REPORTS = ("history.csv", "confusion.csv", "predictions.csv")


def read_results(opener: Opener, reports: Collection[str] = REPORTS) -> Results:
    """Parse what a run has left, as far as it is asked for."""
    results = Results()
    readers: dict[str, Callable[[TextIO, Results], None]] = dict(
        zip(REPORTS, (_history, _confusion, _outcome), strict=True)
    )
    for name in reports:
        try:
            with opener(name) as file:
                readers[name](file, results)
        except FileNotFoundError:
            continue
        except StopIteration:
            results.problems.append(f"{name}: damaged (an empty file)")
        except (ValueError, TypeError, KeyError, IndexError, csv.Error) as error:
            results.problems.append(f"{name}: damaged ({error})")
        except OSError as error:
            results.problems.append(f"{name}: cannot be read ({error.strerror or error})")
    return results


def _history(file: TextIO, results: Results) -> None:
    rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError("no epochs")
    columns: dict[str, list[float]] = {
        name: [float(row[name]) for row in rows] for name in rows[0] if name != "phase"
    }
    if "phase" in rows[0]:
        order = list(dict.fromkeys(row["phase"] for row in rows))
        columns["phase_number"] = [order.index(row["phase"]) for row in rows]
    results.history = columns


def _confusion(file: TextIO, results: Results) -> None:
    reader = csv.reader(file)
    classes = next(reader)[1:]
    table = np.array([[int(cell) for cell in row[1:]] for row in reader], dtype="int64")
    if table.shape != (len(classes), len(classes)):
        raise ValueError(f"{len(classes)} classes, a table of {'×'.join(map(str, table.shape))}")
    results.classes, results.confusion = classes, table


def _outcome(file: TextIO, results: Results) -> None:
    reader = csv.reader(file)
    if next(reader)[:4] != ["index", "name", "label", "prediction"]:
        raise ValueError("other columns than index, name, label, prediction …")
    results.outcome = outcome(row[:4] for row in reader)


def outcome(rows: Iterable[list[str]]) -> Outcome:
    """The outcome of rows of index, name, label and prediction."""
    right = []
    digest = hashlib.sha256()
    for index, name, label, prediction in rows:
        digest.update(f"{index}\0{name}\0{label}\n".encode())
        right.append(label == prediction)
    if not right:
        raise ValueError("no images")
    return Outcome(np.array(right, dtype=bool), digest.hexdigest()[:16])
