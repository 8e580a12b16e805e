"""A model whose bytes are an older one's keeps that one's test figures."""

from pipeline import tracking


def scored(model: str, data: str, accuracy: float | None) -> None:
    record = tracking.start_run({}, {"data_digest": data})
    record.log_tags({"model_digest": model})
    if accuracy is not None:
        record.log_metrics({"test_accuracy": accuracy, "train_seconds": 3.0})
    record.finish()


def test_the_newest_scores_of_the_same_model_and_data(tracked):
    scored("aa", "one", 0.4)
    scored("aa", "one", 0.5)
    scored("aa", "one", None)
    scored("aa", "two", 0.9)
    scored("bb", "one", 0.8)
    assert tracking.known_scores("aa", "one") == {"test_accuracy": 0.5}
    assert tracking.known_scores("aa", "two") == {"test_accuracy": 0.9}
    assert tracking.known_scores("cc", "one") == {}


def test_without_a_store_there_are_none(workspace, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert tracking.known_scores("aa", "one") == {}
