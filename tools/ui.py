"""MLflow's pages for this repository's runs, on 127.0.0.1 until Ctrl-C (`make ui`)."""

import sys

from pipeline.errors import PipelineError
from pipeline.runtime.stage import program_parser, run_program
from pipeline.tracking import store, view
from pipeline.tracking.sanitize import without_credentials
from pipeline.tracking.sqlite import StoreError
from tools import server

PORT = 5000


def main() -> None:
    """Serve until Ctrl-C or SIGTERM, then end the server and its workers."""
    parser = program_parser("tools.ui", __doc__)
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT} or the next free)")
    arguments = parser.parse_args()
    uri = store.tracking_uri()
    if store.is_server(uri):
        print(f"ui: the runs are kept by a server: open {without_credentials(uri)}")
        return
    port = server.free_port(arguments.port, PORT)
    try:
        opened = store.connect()  # makes the store where there is none, says what is wrong with it
    except StoreError as error:
        raise PipelineError(str(error)) from error
    view.prepare(opened.client, opened.experiment_id)
    _serve(uri, port, opened.experiment_id)


def _serve(uri: str, port: int, experiment_id: str) -> None:
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", uri]
    command += ["--artifacts-destination", str(store.artifacts_folder())]
    command += ["--host", server.HOST, "--port", str(port), "--workers", "1"]
    command += ["--uvicorn-opts", "--log-level=error"]
    address = f"http://{server.HOST}:{port}"

    def ready() -> None:
        page = view.address(address, experiment_id)
        print(f"ui: {page}\nui: Ctrl-C ends it", flush=True)

    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    try:
        server.serve(command, environment, f"{address}/health", ready)
    except KeyboardInterrupt:
        print("ui: ended")


if __name__ == "__main__":
    run_program("ui", main)
