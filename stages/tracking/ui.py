"""MLflow's pages for this repository's runs, on 127.0.0.1 until Ctrl-C (`make ui`)."""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import FrameType

from stages.errors import PipelineError
from stages.tracking import store, view
from stages.tracking.sqlite import StoreError
from stages.tracking.wording import without_credentials

HOST = "127.0.0.1"
PORT = 5000
PORTS_TRIED = 100
START_SECONDS = 120


def main() -> None:
    """Serve until Ctrl-C or SIGTERM, then end the server and its workers."""
    parser = argparse.ArgumentParser(prog="python -m stages.tracking.ui", description=__doc__)
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT} or the next free)")
    arguments = parser.parse_args()
    uri = store.tracking_uri()
    if store.is_server(uri):
        print(f"mlflow: the runs are kept by a server: open {without_credentials(uri)}")
        return
    port = _port(arguments.port)
    try:
        opened = store.connect()  # makes the store where there is none, says what is wrong with it
    except StoreError as error:
        raise PipelineError(str(error)) from error
    view.prepare(opened.client, opened.experiment_id)
    _serve(uri, port, opened.experiment_id)


def _serve(uri: str, port: int, experiment_id: str) -> None:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--artifacts-destination", str(store.artifacts_folder())]
    command += ["--host", HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level=error"]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}

    def on_term(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, on_term)
    with tempfile.TemporaryFile("w+") as errors:
        # A session of its own: Ctrl-C ends the server from here, with its workers.
        server = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            if _wait(server, port):
                page = view.address(f"http://{HOST}:{port}", experiment_id)
                print(f"mlflow: {page}\nmlflow: Ctrl-C ends it", flush=True)
                server.wait()
            errors.seek(0)
            last = (errors.read().strip().splitlines() or ["no message"])[-1]
            raise PipelineError(f"MLflow's server ended: {without_credentials(last)}")
        except KeyboardInterrupt:
            print("mlflow: ended")
        finally:
            _end(server)


def _wait(server: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server answers; False if it ends before."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            return False
        try:
            connection = http.client.HTTPConnection(HOST, port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == http.client.OK:
                return True
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(0.2)
    raise PipelineError(f"the server did not answer within {START_SECONDS} seconds")


def _end(server: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(server.pid, number)
            server.wait(timeout=5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def _port(wanted: int | None) -> int:
    """The wanted port, which must be free, or the first free one from 5000 on."""
    for port in [wanted] if wanted else range(PORT, PORT + PORTS_TRIED):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                return port
            except OSError as error:
                if wanted:
                    raise PipelineError(f"--port: {port}: {error.strerror}; leave it out") from None
            except OverflowError:
                raise PipelineError(f"--port: {port}: expected 1 to 65535") from None
    raise PipelineError(f"no free port from {PORT} to {PORT + PORTS_TRIED - 1}; give one by --port")


if __name__ == "__main__":
    try:
        main()
    except PipelineError as problem:
        sys.exit(f"ui: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
