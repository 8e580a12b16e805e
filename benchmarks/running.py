"""Measuring what is missing, A B A B, and going on where an earlier start stopped."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from benchmarks import machine
from benchmarks.definition import Definition, Pair, Variant, filled_in
from benchmarks.journal import Journal, Record, latest
from benchmarks.measuring import LEFT_OUT, Measured
from benchmarks.workspace import Workspace, with_parameters
from pipeline.errors import PipelineError
from pipeline.parameters.code import entry_code
from pipeline.parameters.stages import combined
from pipeline.runtime import source
from pipeline.runtime.stage import say
from tools.experiments.experiment import resolved_parameters
from tools.experiments.repository import Repository

FIRST_SEED = 42
SCRIPTS = "benchmarks/plain"  # what is measured beside the stages
_UNASKED = (None, None, None)


@dataclass
class Outcome:
    """`standing`: the records that count, by pair, variant and round; `skipped`:
    a pair's name to the reason why it is not measured, or not to its end."""

    standing: dict[tuple[str, str, int], Record] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


class Benchmark:
    """Measures pairs of one commit in `folder`, where journal, logs and clones stay."""

    def __init__(
        self, repository: Repository, definition: Definition, commit: str, folder: Path
    ) -> None:
        self.repository = repository
        self.definition = definition
        self.commit = commit
        self.folder = folder
        self.logs = folder / "logs"
        self.journal = Journal(folder / "journal.jsonl")
        self.machine = machine.in_words(machine.description())
        self.base = repository.base(commit)
        self.is_committed = not repository.uncommitted(SCRIPTS)

    def standing(self) -> dict[tuple[str, str, int], Record]:
        """The records of this machine that are still what is asked for, of the same code."""
        asked = {
            (pair.name, variant.name, number): (pair, variant, self.definition.key(pair, variant))
            for pair in self.definition.pairs
            for number, variant in pair.measurements()
        }

        def stands(record: Record) -> bool:
            pair, variant, key = asked.get((record.pair, record.variant, record.round), _UNASKED)
            return (
                pair is not None
                and variant is not None
                and record.key == key
                and record.machine == self.machine
                and record.code == self.code(pair, variant)
            )

        return latest(record for record in self.journal.read() if stands(record))

    def code(self, pair: Pair, variant: Variant) -> str:
        """A digest of the code that a measurement runs, what only records included, pictures not;
        the commit where the folder's code is another, for it is the commit's that runs."""
        if not self.is_committed:
            return self.commit
        workspace = self.definition.workspaces[pair.workspace]
        asked = {**self.base.values, **workspace, **pair.overrides, **variant.overrides}
        root = self.repository.root
        stages = combined(entry_code(asked["model"], None, root, left_out=LEFT_OUT))
        modules = source.closure(*variant.modules, root=root, left_out=LEFT_OUT)
        return source.digest(modules, stages)[:16]

    def run(
        self, pairs: Sequence[Pair], keep: Callable[[Outcome], None], again: bool = False
    ) -> Outcome:
        """Measure what is missing of the pairs, or all of them `again`.

        A pair whose data are not there, or that fails, is skipped with a line. `keep` is
        called with all that stands whenever there is more of it.

        Raises:
            PipelineError: another process measures here.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise PipelineError("another process measures here; wait for it, or end it") from None
        with lock:
            outcome = Outcome(self.standing())
            done = {} if again else dict(outcome.standing)
            for pair in pairs:
                try:
                    self._pair(pair, done, outcome, keep)
                except PipelineError as error:
                    outcome.skipped[pair.name] = str(error)
                    say("bench", f"{pair.name}: skipped: {error}")
            for name in {pair.workspace for pair in pairs}:
                self._workspace(name).remove()
            return outcome

    def _pair(
        self,
        pair: Pair,
        done: Mapping[tuple[str, str, int], Record],
        outcome: Outcome,
        keep: Callable[[Outcome], None],
    ) -> None:
        asked_for = pair.measurements()
        missing = [
            (number, variant)
            for number, variant in asked_for
            if (pair.name, variant.name, number) not in done
        ]
        total = len(asked_for)
        if len(missing) < total:
            say("bench", f"{pair.name}: {total - len(missing)} of {total} are measured already")
        if not missing:
            return
        workspace = self._workspace(pair.workspace)
        where = f"workspace {pair.workspace}"
        overrides = filled_in(where, self.definition.workspaces[pair.workspace])
        # Said before hours of work: a parameter that one of the variants gets wrong.
        for number, variant in missing:
            workspace.parameters(variant.name, self._overrides(overrides, pair, variant, number))
        if workspace.make_ready(where, overrides):
            say("bench", f"{where}: its first run is done")
        for number, variant in missing:
            asked = self._overrides(overrides, pair, variant, number)
            record = self._measure(pair, variant, number, workspace, asked)
            self.journal.append(record)
            outcome.standing[pair.name, variant.name, number] = record
            keep(outcome)
            place = total - len(missing) + missing.index((number, variant)) + 1
            say("bench", f"{pair.name}: [{place}/{total}] {variant.name}: {record.seconds:.1f} s")

    def _measure(
        self,
        pair: Pair,
        variant: Variant,
        number: int,
        workspace: Workspace,
        overrides: Mapping[str, Any],
    ) -> Record:
        values = workspace.parameters(variant.name, overrides)
        workspace.reset(values)
        if variant.before:
            workspace.run(with_parameters(variant.name, variant.before, values))
        measured = workspace.run(with_parameters(variant.name, variant.command, values))
        epoch = statistics.median(measured.epochs) if measured.epochs else None
        accuracy = measured.accuracy if measured.accuracy is not None else workspace.accuracy()
        return Record(
            pair=pair.name,
            variant=variant.name,
            round=number,
            key=self.definition.key(pair, variant),
            seconds=round(measured.seconds, 3),
            counted_seconds=round(_counted(variant, values, measured, epoch), 3),
            epoch_seconds=epoch and round(epoch, 4),
            images_per_second=epoch and round(workspace.training_images() / epoch, 1),
            peak_mib=round(measured.peak_mib, 1),
            accuracy=accuracy,
            others=round(measured.others, 3),
            commit=self.commit,
            code=self.code(pair, variant),
            machine=self.machine,
            date=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def _workspace(self, name: str) -> Workspace:
        folder = self.folder / "workspaces" / name
        return Workspace(self.repository, folder, self.commit, self.logs / f"{name}.log")

    @staticmethod
    def _overrides(
        workspace: Mapping[str, Any], pair: Pair, variant: Variant, number: int
    ) -> dict[str, Any]:
        seed = {"seed": FIRST_SEED + number - 1}
        return {**seed, **workspace, **pair.overrides, **variant.overrides}


def _counted(
    variant: Variant, values: Mapping[str, Any], measured: Measured, epoch: float | None
) -> float:
    """The wall time with the epochs that were not run, each as long as the median one."""
    if variant.counts_as_epochs is None:
        return measured.seconds
    if epoch is None:
        raise PipelineError(f"{variant.name}: counts_as_epochs: no second epoch to count with")
    run = resolved_parameters(variant.name, values)["epochs"]
    return measured.seconds + (variant.counts_as_epochs - run) * epoch
