"""params.yaml as experiments see it."""

import pytest

from tests.support import REPOSITORY
from tools.experiments.experiment import Base


@pytest.fixture
def base() -> Base:
    return Base((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
