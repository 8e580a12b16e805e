"""Lists of a person's own are inputs: DVC notices what is in them, wherever they stand."""

from pathlib import Path

import pytest

from pipeline.runtime import files
from tests.repository import Repository


@pytest.mark.slow
def test_a_list_is_noticed_when_its_content_changes(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    repository = Repository(folder)
    repository.dvc("repro", "-q", "prepare")
    assert "prepare" not in repository.dvc("status", "prepare")
    plain = files.sha256(folder / "data/prepared/train_labels.npy")
    header, line = "name,part,label,suggested,action\n", "{row},train,{label},{other},relabel\n"
    table = (folder / "data/prepared/split.csv").read_text(encoding="utf-8").splitlines()
    rows = [each.split(",") for each in table[1:] if each.startswith("train")]
    texts = [
        line.format(row=row[1], label=row[3], other=(int(row[3]) + 1) % 10) for row in rows[:3]
    ]
    tracked = folder / "experiments" / "fixes.csv"
    tracked.write_text(header + texts[0], encoding="utf-8")
    repository.set(label_fixes="fixes.csv")
    refused = repository.run("dvc", "repro", "prepare")
    assert "label_fixes: fixes.csv: Git does not track experiments/fixes.csv; " in refused.stderr
    repository.commit()
    for path in (tracked, tmp_path / "elsewhere.csv"):
        repository.set(label_fixes=path.name if path == tracked else str(path))
        digests = set()
        for count in (1, 2):
            path.write_text(header + "".join(texts[:count]), encoding="utf-8")
            out = repository.dvc("repro", "prepare")
            assert f"{count} image{'s' * (count > 1)} relabelled, 0 left out" in out
            digests.add(files.sha256(folder / "data/prepared/train_labels.npy"))
            assert "up to date" in repository.dvc("repro", "prepare")
        assert len(digests | {plain}) == 3
    repository.set(label_fixes="none")
    repository.dvc("repro", "-q", "prepare")
    assert files.sha256(folder / "data/prepared/train_labels.npy") == plain
