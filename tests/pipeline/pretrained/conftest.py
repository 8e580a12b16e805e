"""The fake weights that the tests of this room share, 59 MB a file, and their removal."""

import shutil

import pytest

from tests.pipeline.pretrained.support import random_arrays, write_legacy_h5


@pytest.fixture(scope="session")
def arrays():
    return random_arrays()


@pytest.fixture(scope="session")
def legacy_h5(arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    yield write_legacy_h5(folder / "vgg16.h5", arrays)
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def _leave_no_weights(tmp_path):
    """pytest would keep what the tests wrote, a gigabyte in three runs."""
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)
