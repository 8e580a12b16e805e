"""Every environment variable of ours, of DVC's and of Keras' that the code reads is documented."""

import re

from tests.support import REPOSITORY

OURS = re.compile(r"\b((?:IMAGE_PIPELINE|MLFLOW|KERAS|DVC|TF|XLA)_[A-Z_0-9]+)\b")
SET_FOR_OTHERS = {
    "DVC_NO_ANALYTICS",  # of processes that we start
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_RUN_ID",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
}


def test_every_variable_is_in_the_table() -> None:
    found: dict[str, str] = {}
    for room in ("stages", "pipeline", "tools", "benchmarks"):
        for path in sorted((REPOSITORY / room).rglob("*.py")):
            for name in re.findall(r"[\"']([A-Z_0-9]+)[\"']", path.read_text(encoding="utf-8")):
                if OURS.fullmatch(name):
                    found[name] = str(path.relative_to(REPOSITORY))
    text = (REPOSITORY / "docs/environment.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([A-Z_0-9]+)`", text))
    assert len(found) > 10
    missing = {n: where for n, where in found.items() if n not in documented | SET_FOR_OTHERS}
    assert not missing
