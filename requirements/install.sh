#!/bin/sh
# Make the virtual environment VENV hold what its locks say. This half finds a Python and
# makes the environment; install.py, which runs in it, does the rest.
set -eu
# An environment is sound if its Python runs, and, until all is installed, its pip.
sound() {
    if [ -f "$VENV/.installed" ]; then "$VENV/bin/python" -c ''; else "$VENV/bin/python" -m pip install --help; fi
}
if ! sound >/dev/null 2>&1; then
    # TensorFlow has wheels for these alone; a system's own python3 may be newer.
    fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
    for python in "$PYTHON" python3.13 python3.12 python3.11 ""; do
        [ -z "$python" ] || ! "$python" -c "$fits" 2>/dev/null || break
    done
    if [ -z "$python" ]; then
        found=$("$PYTHON" --version 2>/dev/null) || found="no $PYTHON"
        echo "setup: $found does not fit; install Python 3.11, 3.12 or 3.13 beside it (make PYTHON=… names one)" >&2
        exit 1
    fi
    [ "$python" = "$PYTHON" ] || echo "setup: $("$PYTHON" --version 2>/dev/null || echo "no $PYTHON") does not fit, $python does"
    echo "setup: making $VENV (once)"
    "$python" -m venv --clear "$VENV"
fi
exec "$VENV/bin/python" "$(dirname "$0")/install.py" "$@"
