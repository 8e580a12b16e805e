"""Text that is safe to print and to store: one line, not too long, no password."""

import re

LONGEST_TAG = 5000  # characters; MLflow takes no more

# A password may hold what an address would write as %40 or %2F.
_USER_AND_PASSWORD = re.compile(r"(?<=://)(?:[^/\s]*@|[^/@:\s]+:[^@\s]+@)")
_SECRETS = re.compile(r"(?i)([?&][\w-]*(?:password|secret|signature|token|sig)=)[^&\s'\"]+")
REFUSALS = {
    "401": "401: no account of this name and password; set MLFLOW_TRACKING_USERNAME and "
    "MLFLOW_TRACKING_PASSWORD",
    "403": "403: this account may not write here; ask who keeps the server, or set "
    "MLFLOW_EXPERIMENT_NAME to an experiment of your own",
}


def without_credentials(text: str) -> str:
    """`https://user:password@host/…` becomes `https://host/…`, wherever it stands in the text;
    of a signed address `…&signature=…` remains."""
    return _SECRETS.sub(r"\1…", _USER_AND_PASSWORD.sub("", text))


def refusal(error: BaseException) -> str | None:
    """What to do where a server refuses an account; None for another error."""
    found = re.search(r"failed with error code (40[13])\b", str(error))
    return REFUSALS[found[1]] if found else None


def one_line(error: BaseException) -> str:
    """What went wrong, for the end of a line: the first line of the innermost message."""
    if known := refusal(error):
        return known
    # SQLAlchemy's preface, as a server passes it on: BAD_REQUEST: (raised as a result of …)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if "(raised as a result of " not in line]
    first = lines[0] if lines else type(error).__name__
    # SQLAlchemy puts the class first: (sqlite3.OperationalError) disk I/O error
    first = re.sub(r"^\(\w+(\.\w+)*\) ", "", first)
    # urllib3 wraps the cause: … (Caused by ReadTimeoutError("…: Read timed out."))
    if cause := re.search(r"Caused by \w+\((['\"])(.*)\1", first):
        first = cause[2].rsplit(": ", 1)[-1]
    first = without_credentials(first)
    return first if len(first) <= 200 else f"{first[:199]}…"


def tag_value(value: object) -> str:
    """A tag as MLflow takes it, from the end where it is too long: last lines say most."""
    return without_credentials(str(value))[-LONGEST_TAG:]
