"""The table that a sweep ends with."""

from tests.tools.experiments.support import run_of
from tools.experiments.experiment import Experiment
from tools.experiments.table import comparison


def test_a_line_for_each_group_the_best_first():
    experiments = [Experiment(name, name[0], {}) for name in ("a1", "a2", "b1", "c1")]
    found = {
        "a1": run_of(0.25, loss=1.0),
        "a2": run_of(0.75, loss=1.0),
        "b1": run_of(0.625, loss=0.5, seconds=9.0),
    }
    assert comparison(experiments, found, {"c1": "why"}).splitlines() == [
        "  experiment  runs    test accuracy      95% interval        test loss  training",
        "  b              1           0.6250                 –           0.5000     9.0 s",
        "  a              2  0.5000 ± 0.3536  0.0000 to 1.0000  1.0000 ± 0.0000         –",
        "  c1: failed: why",
    ]
