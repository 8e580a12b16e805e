"""Imports without the collector, and without packages that are not needed."""

import gc
import subprocess
import sys

import pytest

from pipeline.runtime.imports import absent, uncollected


def test_the_collector_rests_meanwhile_and_leaves_what_is_there_alone():
    gc.unfreeze()
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000
    with pytest.raises(ImportError), uncollected():
        raise ImportError("not there")
    assert gc.isenabled()
    gc.unfreeze()


def test_one_that_was_off_stays_off():
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
    gc.enable()
    gc.unfreeze()


def test_a_hidden_package_is_as_if_not_installed_and_can_be_imported_later():
    code = (
        "from pipeline.runtime.imports import absent\n"
        "with absent('colorsys', 'json'):\n"
        "    try: import colorsys\n"
        "    except ImportError: print('hidden')\n"
        "import colorsys; print(colorsys.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "hidden\ncolorsys\n", done.stderr


def test_what_is_imported_already_stays():
    with absent("gc", "sys"):
        import gc as again
    assert again is gc
    assert sys.modules["gc"] is gc
