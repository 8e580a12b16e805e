"""What the environment variables do, for docs/environment.md."""

# A variable, or several that belong together, and what it does.
KNOWN = {
    "IMAGE_PIPELINE_CACHE": "folder that keeps fetched data sets, weights and the browsers' "
    "runtime of `--to html` (default: the system's cache folder)",
    "IMAGE_PIPELINE_POOL": "where download, prepare and features run: a number of processes, or "
    "`ray` ([scale](scale.md))",
    "IMAGE_PIPELINE_REPLICAS": "where the `replicas` of a training are: `devices`, `processes` or "
    "`ray` ([scale](scale.md))",
    "RAY_ADDRESS, RAY_AUTH_MODE, RAY_AUTH_TOKEN": "the cluster that `ray` means, and the token for "
    "it; without an address one that was started on this machine",
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE, AWS_ENDPOINT_URL": "AWS' own, or the "
    "files in `~/.aws`: who reads a `dataset` in a bucket, and where it is",
    "IMAGE_PIPELINE_MIRROR": "an http(s) address that is tried before the authors' own",
    "IMAGE_PIPELINE_TIMEOUT": "seconds without a byte after which an address is given up (30)",
    "IMAGE_PIPELINE_DESCRIPTORS": "another folder of data sets' descriptors; the tests use it",
    "IMAGE_PIPELINE_TEST_DATA": "folder of real data for tests and `experiments/benchmark.yaml`; "
    "without it those are skipped",
    "IMAGE_PIPELINE_TOKEN": "what a request to `make serve` must carry as "
    "`Authorization: Bearer …`",
    "IMAGE_PIPELINE_NODE_MODULES": "a `node_modules` folder with onnxruntime-web, for the test "
    "of `classify.mjs`; without it that is skipped",
    "IMAGE_PIPELINE_TEST_SEED": "the seed of a test that draws changes of the code at random",
    "KERAS_HOME": "where Keras keeps its files (`~/.keras`); the pretrained bases' files are "
    "looked for in `models` there",
    "KERAS_BACKEND": "the backend where the parameter `backend` is null; DVC does not see a change",
    "DVC_ROOT, DVC_EXP_NAME, DVC_EXP_BASELINE_REV": "set by DVC: the main repository, the "
    "experiment's name, the commit it began from",
    "MLFLOW_TRACKING_URI": "another store than `mlflow.db`; a relative SQLite path is the main "
    "repository's",
    "MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD": "the account on a server "
    "([a team](team.md))",
    "MLFLOW_EXPERIMENT_NAME": "MLflow's experiment that runs go to",
    "MLFLOW_LOGGING_LEVEL": "if set, MLflow's own messages are not silenced",
    "MLFLOW_DISABLE_TELEMETRY, MLFLOW_HTTP_REQUEST_MAX_RETRIES, MLFLOW_HTTP_REQUEST_TIMEOUT, "
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR, MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR, "
    "MLFLOW_UV_AUTO_DETECT, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "quiet, quick defaults; yours "
    "win",
    "TF_CPP_MIN_LOG_LEVEL, TF_DETERMINISTIC_OPS, CUBLAS_WORKSPACE_CONFIG, "
    "XLA_PYTHON_CLIENT_PREALLOCATE": "defaults for TensorFlow, cuBLAS and JAX; yours win",
    "XLA_FLAGS": "kept; with JAX and `deterministic` one flag is added",
    "TF_ENABLE_ONEDNN_OPTS": "recorded with each run; a run resumes only under the same value",
}
# Only set, for processes that the code starts.
FOR_OTHERS = (
    "DVC_NO_ANALYTICS",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION",
    "MLFLOW_AUTH_ADMIN_PASSWORD",
    "MLFLOW_AUTH_CONFIG_PATH",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_FLASK_SERVER_SECRET_KEY",
    "MLFLOW_RUN_ID",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)
