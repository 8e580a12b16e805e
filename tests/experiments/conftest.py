"""params.yaml as experiments see it."""

import pytest

from stages.experiments.experiment import Base
from tests.support import REPOSITORY


@pytest.fixture
def base() -> Base:
    return Base((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
