"""docs/add-a-network.md, followed to the letter in a copy of the project."""

import json
import re
import textwrap

import pandas as pd
import pytest

from tests.repository import Repository
from tests.support import REPOSITORY


def test_a_network_is_one_file(tmp_path):
    text = (REPOSITORY / "docs/add-a-network.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    place = re.search(r"Write `(\S+)`", text)
    assert code
    assert place
    repository = Repository(tmp_path / "repository")
    (repository.folder / place[1]).write_text(textwrap.dedent(code[1]).lstrip())
    repository.dvc("exp", "run", "-S", "model=my_cnn", "-S", "epochs=3")
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    history = pd.read_csv(repository.folder / "reports/history.csv")
    assert metrics["parameters"]["total"] == 320 + 9_248 + 330
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    page = (repository.folder / "reports/report.html").read_text()
    assert "my_cnn on " in page
    assert "9,248" in page


@pytest.mark.slow
def test_a_base_of_keras_applications_is_one_entry(tmp_path):
    """From random weights, for there are no others here, on grey images of eight pixels."""
    text = (REPOSITORY / "docs/add-a-network.md").read_text(encoding="utf-8")
    _, code = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    place = re.search(r"`(\S+/nasnet\.py)`", text)
    assert place
    repository = Repository(tmp_path / "repository")
    (repository.folder / place[1]).write_text(code)
    changes = {"model": "nasnet_mobile", "pretrained_weights": "none", "dataset": "digits"}
    changes |= {"image_size": "32", "epochs": "1", "batch_size": "256"}
    sets = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    out = repository.dvc("exp", "run", *sets)
    metrics = json.loads((repository.folder / "reports/metrics.json").read_text())
    base, head = 4_269_716, 1_056 * 10 + 10
    assert metrics["parameters"]["total"] == base + head
    assert str(out).count("grey images get three equal channels") == 1
