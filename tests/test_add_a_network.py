"""docs/add-a-network.md, followed to the letter in a copy of the project."""

import json
import re
import textwrap

import pandas as pd

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
