"""The made tables of README and docs are as the code and the measurements say."""

import pytest

from pipeline.errors import PipelineError
from pipeline.networks.registry import networks
from tests.support import REPOSITORY
from tools import docs
from tools.documentation import commands, known, variables


def test_no_table_is_old(capsys: pytest.CaptureFixture[str]) -> None:
    """Where this fails, `make docs` makes them anew; a new network is counted there."""
    assert docs.main(["--check"]) == 0, capsys.readouterr().out


def test_a_change_of_what_the_code_knows_makes_a_page_old(monkeypatch, capsys) -> None:
    read = docs._read
    changed = {
        "params.yaml": ("epochs: null", "epochs: 7"),
        "Makefile": ("## run the", "## do the"),
    }
    monkeypatch.setattr(
        docs, "_read", lambda name: read(name).replace(*changed.get(name, ("", "")))
    )
    assert docs.main(["--check"]) == 1
    old = [line.split(":")[1].strip() for line in capsys.readouterr().out.splitlines()]
    assert old == ["docs/commands.md", "docs/parameters.md"]


def test_a_variable_without_words_is_one_line() -> None:
    words = {name: about for name, about in variables.KNOWN.items() if name != "KERAS_HOME"}
    with pytest.raises(PipelineError, match="KERAS_HOME: explain it in tools/documentation"):
        commands.variables_table(REPOSITORY, words, variables.FOR_OTHERS)
    more = {**variables.KNOWN, "IMAGE_PIPELINE" + "_HUT": "nothing"}
    with pytest.raises(PipelineError, match="IMAGE_PIPELINE_HUT: no code reads it"):
        commands.variables_table(REPOSITORY, more, variables.FOR_OTHERS)


def test_params_yaml_names_every_network_and_data_set() -> None:
    text = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    for name in (*networks(), *known.datasets.names()):
        family, _, member = name.rpartition("_")
        # Of a family the first stands whole, the others in brackets after it.
        shown = f"{family}_" in text and member in text if family in text else name in text
        assert shown, name


def test_every_parameter_has_words_of_its_own() -> None:
    rows = known.parameters_table(docs._read("params.yaml")).splitlines()[2:]
    together = [row.split("`")[1] for row in rows if "| see `" in row]
    assert together == ["cutmix", "groups"] or set(together) <= {"groups", "cutmix"}


@pytest.mark.slow
def test_the_counts_are_those_of_the_networks() -> None:
    assert docs.main(["--check", "--count"]) == 0
