"""A run as it is written: epochs, figures, tags, files, its end, and going on with it."""

import math
import time

import pytest

from pipeline.tracking import record as record_module
from pipeline.tracking import start_run

PARAMETERS = {"model": "tiny_cnn", "dataset": "digits", "dropout": [0.1, 0.8], "epochs": None}


def points(client, run_id: str, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client.get_metric_history(run_id, name)]


def test_parameters_tags_and_data(client, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "fancy-lamb")
    record = start_run(PARAMETERS, {"data_digest": "sha256:" + "ab" * 32, "keras": "3.15"})
    run = client.get_run(record.run_id)
    assert run.info.run_name == "fancy-lamb"
    assert run.info.status == "RUNNING"
    assert run.data.params == {
        "model": "tiny_cnn",
        "dataset": "digits",
        "dropout": "[0.1, 0.8]",
        "epochs": "null",
    }
    expected = {"dvc_experiment", "data_digest", "keras", "parameters_digest", "host", "pid"}
    assert expected <= set(run.data.tags)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "ab" * 8)


def test_an_epoch_is_one_request_and_stands_once(client, monkeypatch):
    record = start_run(PARAMETERS, {})
    requests = []
    log_batch = record.store.client.log_batch
    monkeypatch.setattr(
        record.store.client, "log_batch", lambda *a, **k: (requests.append(1), log_batch(*a, **k))
    )
    for epoch in (1, 2, 2, 3):
        record.log_epoch(epoch, {"loss": 1 / epoch, "accuracy": epoch / 4, "val_loss": math.nan})
    assert len(requests) == 3
    assert points(client, record.run_id, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert [step for step, _ in points(client, record.run_id, "val_loss")] == [1, 2, 3]


def test_going_on_after_a_crash_adds_no_point_twice(client, capfd):
    first = start_run(PARAMETERS, {"data_digest": "x"})
    for epoch in (1, 2, 3):
        first.log_epoch(epoch, {"loss": 1 / epoch})
    client.set_tag(first.run_id, "failure", "killed")
    client.set_terminated(first.run_id, "FAILED")
    again = start_run(PARAMETERS, {"data_digest": "x"}, resume=first.run_id)
    assert again.run_id == first.run_id
    run = client.get_run(first.run_id)
    assert run.info.status == "RUNNING"
    assert "failure" not in run.data.tags
    assert run.data.tags["resumed"] == "1"
    for epoch in (3, 4):  # the third was recorded, but not kept by the training
        again.log_epoch(epoch, {"loss": 1 / epoch, "accuracy": 0.5})
    again.finish()
    assert points(client, first.run_id, "loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)]
    assert points(client, first.run_id, "accuracy") == [(3, 0.5), (4, 0.5)]
    assert client.get_run(first.run_id).info.status == "FINISHED"
    assert len(client.search_runs([run.info.experiment_id])) == 1
    assert capfd.readouterr() == ("", "")


def test_going_on_with_another_parameter_of_a_later_stage(client):
    first = start_run({**PARAMETERS, "explain_image": 0}, {})
    start_run({**PARAMETERS, "explain_image": 3, "new": 1}, {}, resume=first.run_id)
    run = client.get_run(first.run_id)
    assert run.data.params["explain_image"] == "0"
    assert run.data.params["new"] == "1"
    assert run.data.tags["changed_parameters"] == '{"explain_image": "3"}'


@pytest.mark.parametrize("gone", ["deleted", "unknown", "no id"])
def test_a_run_that_is_gone_is_begun_anew(client, capfd, gone):
    first = start_run(PARAMETERS, {})
    old = {"deleted": first.run_id, "unknown": "f" * 32, "no id": "../x"}[gone]
    if gone == "deleted":
        client.delete_run(old)
    again = start_run(PARAMETERS, {}, resume=old)
    assert again.run_id not in (None, first.run_id)
    out, _ = capfd.readouterr()
    assert out == f"mlflow: the run {old} is gone from the store; recording a new one\n"


def test_the_duration_is_the_work_not_the_pause(client, monkeypatch):
    now = time.time()
    monkeypatch.setattr(record_module.time, "time", lambda: now)
    first = start_run(PARAMETERS, {})
    now += 60
    first.finish()
    now += 86400
    again = start_run(PARAMETERS, {}, resume=first.run_id)
    now += 30
    again.finish()
    info = client.get_run(first.run_id).info
    assert info.end_time - info.start_time == pytest.approx(90_000, abs=2)


def test_figures_files_and_tags(client, tracked):
    record = start_run(PARAMETERS, {})
    record.log_metrics({"test_accuracy": 0.97})
    record.log_tags({"model_digest": "abc", "note": "x" * 9000 + "end"})
    (tracked / "report.html").write_text("<p>")
    (tracked / "figures").mkdir()
    (tracked / "figures" / "curve.png").write_bytes(b"png")
    record.log_artifact("report.html")
    record.log_artifact(tracked / "figures", "figures")
    record.finish()
    run = client.get_run(record.run_id)
    assert run.data.metrics == {"test_accuracy": 0.97}
    assert run.data.tags["model_digest"] == "abc"
    assert len(run.data.tags["note"]) == 5000
    assert run.data.tags["note"].endswith("end")
    names = {entry.path for entry in client.list_artifacts(record.run_id)}
    assert names == {"report.html", "figures"}
    assert [e.path for e in client.list_artifacts(record.run_id, "figures")] == [
        "figures/curve.png"
    ]
    with pytest.raises(FileNotFoundError, match=r"nothing\.txt: no such file to record"):
        record.log_artifact("nothing.txt")


def test_no_password_is_kept(client, capfd):
    address = "https://someone:secret@example.org/data"
    record = start_run({**PARAMETERS, "dataset": address}, {"source": address})
    record.log_tags({"mirror": address})
    record.fail(f"{address}: 404")
    run = client.get_run(record.run_id)
    assert "secret" not in f"{run.data.params} {run.data.tags} {run.info}"
    assert run.data.tags["failure"] == "https://example.org/data: 404"
    assert run.info.status == "FAILED"


def test_a_store_that_breaks_on_the_way_is_one_line(tracked, capfd):
    record = start_run(PARAMETERS, {})
    record.log_epoch(1, {"loss": 1.0})
    (tracked / "mlflow.db").write_bytes(b"gone " * 100_000)
    record.log_epoch(2, {"loss": 0.5})
    record.log_tags({"a": "b"})
    record.finish()
    out, err = capfd.readouterr()
    assert out.count("\n") == 1
    assert out.startswith("mlflow: not recorded for now: ")
    assert err == ""
