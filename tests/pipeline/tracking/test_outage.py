"""A store that is away for a while: what is said, what is written later, and by whom."""

import shutil
from typing import Any

import pytest

from pipeline.runtime import files, paths
from pipeline.tracking import record as record_module
from pipeline.tracking import runs, start_run, store, training
from pipeline.tracking.identity import process_tags
from pipeline.tracking.runs import mark_dead_runs, model_digest
from pipeline.tracking.sanitize import one_line, without_credentials
from tests.support import write_prepared

PARAMETERS = {"model": "tiny_cnn", "dataset": "digits"}
ROWS = [{"epoch": n, "phase": 1, "loss": 1 / n, "accuracy": n / 9} for n in range(1, 7)]


class Away:
    """Takes a client's place: nothing of it answers while `away`."""

    def __init__(self, client: Any) -> None:
        self._client, self.away, self.asked = client, False, 0

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.asked += 1
            if self.away:
                raise OSError("http://me:secret@127.0.0.1:5: Connection refused")
            return getattr(self._client, name)(*arguments, **named)

        return call


@pytest.fixture
def away(client, monkeypatch) -> Away:
    opened = store.open_store()
    assert opened is not None
    found = Away(opened.client)
    kept = store.Store(found, opened.experiment_id)
    for module in (store, runs, training):
        monkeypatch.setattr(module, "open_store", lambda: kept)
    return found


@pytest.fixture
def trained(away) -> training.Account:
    """A workspace with a model and a history, and what is told of it."""
    dataset = write_prepared()
    files.write_csv(paths.REPORTS / "history.csv", ("epoch", "loss"), [(1, 0.5)])
    paths.MODEL.mkdir(parents=True)
    paths.MODEL_FILE.write_bytes(b"a model")
    return training.Account(PARAMETERS, {"data_digest": "x"}, ROWS, 12.0, dataset)


def epochs(client: Any, run_id: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, "loss")]


def test_epochs_that_were_missed_come_with_the_next_at_their_time(away, client, monkeypatch, capfd):
    monkeypatch.setattr(record_module, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(record_module, "PAUSE_TIMES", 0)
    now = 1000.0
    monkeypatch.setattr(record_module.time, "time", lambda: now)
    record = start_run(PARAMETERS, {})
    for number in range(1, 7):
        now = 1000.0 + 10 * number
        away.away = number in (3, 4)
        training.keep_epochs(record, ROWS[:number])
    assert epochs(client, record.run_id) == [(n, 1 / n) for n in range(1, 7)]
    times = [point.timestamp for point in client.get_metric_history(record.run_id, "loss")]
    assert times == [1_000_000 + 10_000 * n for n in range(1, 7)]
    out, err = capfd.readouterr()
    assert out == (
        "mlflow: not recorded for now: http://127.0.0.1:5: Connection refused; the run continues\n"
    )
    assert err == ""


def test_a_store_that_is_away_is_not_asked_at_every_epoch(away):
    record = start_run(PARAMETERS, {})
    away.away, away.asked = True, 0
    for number in range(1, 7):
        training.keep_epochs(record, ROWS[:number])
    record.log_tags({"a": "b"})
    assert away.asked == 1
    record.fail("no")  # the last word is tried
    assert away.asked == 2


def test_what_is_missing_at_the_end_the_report_writes(away, trained, client, capfd):
    record = start_run(PARAMETERS, {"data_digest": "x"})
    training.keep_epochs(record, ROWS[:2])
    away.away = True
    training.keep_epochs(record, ROWS)
    training.finish(record, trained)
    notes = list((paths.state() / "mlflow").iterdir())
    assert [note.name for note in notes] == [f"{model_digest()}.json"]
    assert capfd.readouterr().out.splitlines()[1:] == [
        "mlflow: the record has gaps; the stage report fills them, if the store is back"
    ]
    away.away = False
    training.catch_up()
    run = client.get_run(record.run_id)
    assert len(client.search_runs([run.info.experiment_id])) == 1
    assert epochs(client, record.run_id) == [(n, 1 / n) for n in range(1, 7)]
    assert run.info.status == "FINISHED"
    assert run.data.tags["model_digest"] == model_digest()
    assert run.data.metrics["train_seconds"] == 12
    assert len(run.outputs.model_outputs) == 1
    assert not notes[0].exists()
    training.catch_up()  # and no second time
    assert client.get_run(record.run_id).data.tags.get("resumed") == "1"


def test_a_training_without_a_store_is_recorded_when_there_is_one(trained, client, monkeypatch):
    monkeypatch.setattr(training, "reopened", lambda: None)
    training.finish(record_module.Record(None, None), trained)
    (experiment,) = client.search_experiments(filter_string="name = 'image-classification'")
    assert client.search_runs([experiment.experiment_id]) == []
    training.catch_up()
    (run,) = client.search_runs([experiment.experiment_id])
    assert epochs(client, run.info.run_id) == [(n, 1 / n) for n in range(1, 7)]
    assert run.info.status == "FINISHED"


def test_a_store_that_comes_during_the_training_has_it_at_its_end(trained, client, monkeypatch):
    monkeypatch.setattr(training, "reopened", store.open_store)
    training.finish(record_module.Record(None, None), trained)
    (experiment,) = client.search_experiments(filter_string="name = 'image-classification'")
    (run,) = client.search_runs([experiment.experiment_id])
    assert [step for step, _ in epochs(client, run.info.run_id)] == [1, 2, 3, 4, 5, 6]
    assert not (paths.state() / "mlflow").exists()


def test_a_training_that_is_refused_throughout_is_one_line(away, trained, monkeypatch, capfd):
    monkeypatch.setattr(training, "reopened", store.open_store)
    away.away = True
    record = start_run(PARAMETERS, {})
    training.finish(record, trained)
    assert record.run_id is None
    out = capfd.readouterr().out
    assert out == "mlflow: this run is not recorded: http://127.0.0.1:5: Connection refused\n"


def test_trying_once_more_says_nothing(new_process, empty_store, capfd):
    (new_process / "mlflow.db").write_text("no database " * 100)
    assert store.open_store() is None
    assert capfd.readouterr().out.count("\n") == 1
    assert store.reopened() is None
    shutil.copy(empty_store, new_process / "mlflow.db")
    opened = store.reopened()
    assert opened is not None
    assert store.open_store() is opened
    assert capfd.readouterr() == ("", "")


def test_a_colleagues_machine_of_the_same_name_is_not_ours(client, away):
    mine, theirs = start_run(PARAMETERS, {}), start_run(PARAMETERS, {})
    for record in (mine, theirs):
        client.set_tag(record.run_id, "pid", "999999999")
    client.set_tag(theirs.run_id, "machine", "another")
    assert client.get_run(mine.run_id).data.tags["machine"] == process_tags()["machine"]
    assert mark_dead_runs() == [mine.run_id]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("http://me:secret@host:5/a", "http://host:5/a"),
        ("at http://me:sec/ret@host/a b", "at http://host/a b"),
        ("http://me:sec@ret@host/a", "http://host/a"),
        ("postgresql+psycopg://me:s@127.0.0.1/x", "postgresql+psycopg://127.0.0.1/x"),
        ("http://host:80/a?b=1", "http://host:80/a?b=1"),
        ("s3://bucket/a@v1", "s3://bucket/a@v1"),
        ("https://h/a?X-Amz-Signature=5e&b=1", "https://h/a?X-Amz-Signature=…&b=1"),
        ("https://h/a?n=1&token=5e'", "https://h/a?n=1&token=…'"),
    ],
)
def test_no_secret_of_an_address_is_shown(text, safe):
    assert without_credentials(text) == safe


def test_what_a_servers_database_says_is_found():
    error = OSError(
        "BAD_REQUEST: (raised as a result of Query-invoked autoflush; consider …)\n"
        "(psycopg.errors.DiskFull) could not extend file: No space left on device\n[SQL: INSERT"
    )
    assert one_line(error) == "could not extend file: No space left on device"


@pytest.mark.parametrize(
    ("status", "part"), [(401, "MLFLOW_TRACKING_PASSWORD"), (403, "experiment")]
)
def test_a_refused_account_reads_what_to_do(status, part):
    error = OSError(f"API request to endpoint /api/x failed with error code {status} != 200. Body")
    assert one_line(error).startswith(f"{status}: ")
    assert part in one_line(error)
