"""What `dvc` is to a test and `python` to DVC: forked from a template, see tests/forking.py.

Copied into a folder of its own, behind a line that sets PYTHON and ADDRESS. All other programs,
and a stage for another backend than TensorFlow, are started as ever. It imports little, for
it is started often: pathlib takes longer than all of it.
"""

import json
import os
import signal
import socket
import sys

# `prepare` starts processes itself, which begin as fresh interpreters do.
STAGES = ("params", "download", "weights", "features", "twins", "train", "evaluate", "report")


def backend(stage: str) -> str:
    """The backend that the stage's parameters, or else the environment, name."""
    try:
        with open(f"data/params/{stage}.json", encoding="utf-8") as file:  # noqa: PTH123
            named = json.load(file).get("backend")
    except OSError:
        named = None
    return named or os.environ.get("KERAS_BACKEND") or "tensorflow"


def main(python: str, address: str) -> None:
    arguments = sys.argv[1:]
    if sys.argv[0].endswith("dvc"):
        arguments = ["-m", "dvc", *arguments]
    stage = arguments[1].removeprefix("stages.") if arguments[:1] == ["-m"] else ""
    if stage != "dvc" and (stage not in STAGES or backend(stage) != "tensorflow"):
        os.execv(python, [python, *arguments])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program is in this group and has it, too
    request = {
        "arguments": arguments[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "group": os.getpgrp(),
    }
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], [0, 1, 2])
        status = int(connection.recv(64) or b"-9")
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main(PYTHON, ADDRESS)  # noqa: F821
