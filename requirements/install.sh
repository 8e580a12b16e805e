#!/bin/sh
# Make the virtual environment VENV hold exactly what LOCK says. An environment
# that matches the lock already is used as it is: the lock's digest is kept in it.
set -eu
stamp="$VENV/.lock"
[ -f "$LOCK" ] || {
    echo "setup: $LOCK is not there; there are: $(cd "$(dirname "$LOCK")" && echo *.lock)" >&2
    exit 1
}
digest=$("$PYTHON" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$LOCK")
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$digest" ]; then
    exit 0
fi
if [ ! -x "$VENV/bin/python" ]; then
    # TensorFlow has wheels for these alone; a system's own python3 may be newer.
    fits='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'
    for python in "$PYTHON" python3.13 python3.12 python3.11 ""; do
        [ -z "$python" ] || ! "$python" -c "$fits" 2>/dev/null || break
    done
    [ -n "$python" ] || {
        echo "setup: $("$PYTHON" --version) does not fit; install Python 3.11, 3.12 or 3.13 beside it (make PYTHON=… names one)" >&2
        exit 1
    }
    [ "$python" = "$PYTHON" ] || echo "setup: $("$PYTHON" --version) does not fit, $python does"
    echo "setup: making $VENV (once; a few minutes)"
    "$python" -m venv "$VENV"
fi
echo "setup: installing $LOCK"
"$VENV/bin/python" -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r "$LOCK"
basename "$LOCK" .lock > "$VENV/.requirements"  # the Makefile's choice from now on
echo "$digest" > "$stamp"
