"""Text that is safe to print and to store: one line, not too long, no password."""

import re

LONGEST_TAG = 5000  # characters; MLflow takes no more

_USER_AND_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


def without_credentials(text: str) -> str:
    """`https://user:password@host/…` becomes `https://host/…`, wherever it stands in the text."""
    return _USER_AND_PASSWORD.sub("", text)


def one_line(error: BaseException) -> str:
    """What went wrong, for the end of a line: the first line of the innermost message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
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
