"""Serve the registered model on 127.0.0.1 until Ctrl-C, by MLflow's own model server.

    python -m tools.serve                    the workspace's data set, alias `best`
    python -m tools.serve --dataset NAME     another one's

It takes image files in base64 and gives the class and all probabilities.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline.runtime.stage import program_parser, run_program
from pipeline.tracking import store
from tools import server
from tools.serving import registry, trained

PORT = 5001


def main(arguments: Sequence[str] | None = None) -> None:
    parser = program_parser("tools.serve", __doc__)
    parser.add_argument("--dataset", help="the data set's name (default: the workspace's)")
    parser.add_argument("--port", type=int, help=f"the port (default: {PORT} or the next free)")
    given = parser.parse_args(arguments)
    port = server.free_port(given.port, PORT)
    opened = trained.open_store()
    name = given.dataset or registry.registered_dataset(opened)
    version = trained.registered(opened, name, registry.ALIAS)
    # The version, not the alias: what is served does not change under the client's hands.
    model = f"models:/{version.name}/{version.version}"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", model]
    command += ["--env-manager", "local", "--host", server.HOST, "--port", str(port)]
    environment = {
        # MLflow finds uvicorn there, in an environment that is not activated.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "MLFLOW_TRACKING_URI": store.tracking_uri(),
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    address = f"http://{server.HOST}:{port}"

    def ready() -> None:
        print(f"serve: {name} version {version.version} answers at {address}/invocations")
        print(f"serve: {curl(address)}")
        print("serve: Ctrl-C ends it", flush=True)

    try:
        server.serve(command, environment, f"{address}/ping", ready)
    except KeyboardInterrupt:
        print("serve: ended")


def curl(address: str, image: str = "photo.jpg") -> str:
    """The shell line that sends an image and prints the answer."""
    body = f"""printf '{{"dataframe_records":[{{"image":"%s"}}]}}' "$(base64 < {image})" """
    return (
        f"{body.strip()} | tr -d '\\n' | curl -s {address}/invocations "
        "-H 'Content-Type: application/json' -d @-"
    )


if __name__ == "__main__":
    run_program("serve", main)
