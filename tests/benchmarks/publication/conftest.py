"""params.yaml as experiments see it."""

from tests.tools.experiments.conftest import base

__all__ = ["base"]
