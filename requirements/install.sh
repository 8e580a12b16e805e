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
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: $("$PYTHON" --version) is too old; Python 3.11 or newer is needed (make PYTHON=python3.12 …)" >&2
    exit 1
}
if [ ! -x "$VENV/bin/python" ]; then
    echo "setup: making $VENV (once; a few minutes)"
    "$PYTHON" -m venv "$VENV"
fi
echo "setup: installing $LOCK"
"$VENV/bin/python" -m pip install --disable-pip-version-check --quiet --progress-bar on --require-hashes -r "$LOCK"
basename "$LOCK" .lock > "$VENV/.requirements"  # the Makefile's choice from now on
echo "$digest" > "$stamp"
