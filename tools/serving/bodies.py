"""The body of a request to the encoded images in it.

JSON as MLflow's scoring server takes it, with the image files in base64:

    {"dataframe_records": [{"image": "…"}, …]}
    {"dataframe_split": {"columns": ["image"], "data": [["…"], …]}}
    {"instances": ["…", …]}      or of {"image": "…"} or {"b64": "…"}
    {"inputs": ["…", …]}         or {"image": ["…", …]}

multipart/form-data with one image a part, as `curl -F image=@photo.jpg` sends
it; or the bytes of one image, with its own content type.
"""

import base64
import json
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any

from tools.serving.limits import MOST_IMAGES, MOST_PARTS, RefusedError

COLUMN = "image"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def encoded_images(content_type: str, body: bytes) -> list[bytes]:
    """The image files that a request holds, not looked into.

    Raises:
        RefusedError: 400 or 415, what is wrong with the body.
    """
    header = Message()
    header["content-type"] = content_type or "none"
    kind = header.get_content_type() if content_type else ""
    if kind == "application/json":
        return _of_json(body)
    if kind == "multipart/form-data":
        return _of_form(str(header.get_param("boundary") or ""), body)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [body]
    raise RefusedError(
        415, "Content-Type: expected application/json, multipart/form-data or image/jpeg"
    )


def _of_json(body: bytes) -> list[bytes]:
    if sum(body.count(sign) for sign in b"[{,") > MOST_PARTS:
        raise RefusedError(400, "JSON with too many values")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise RefusedError(400, f"not JSON: {what}") from None
    named = [form for form in FORMS if isinstance(given, dict) and form in given]
    if len(named) != 1:
        raise RefusedError(400, f"expected a JSON object with one of {', '.join(FORMS)}")
    form, value = named[0], given[named[0]]
    found = _columns(value) if form == "dataframe_split" else _rows(form, value)
    _check_count(len(found))
    return [_decoded(row, text) for row, text in enumerate(found)]


def _columns(value: Any) -> list[Any]:
    """The texts of pandas' orientation "split"."""
    columns = value.get("columns") if isinstance(value, dict) else None
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(columns, list) or COLUMN not in columns or not isinstance(data, list):
        raise RefusedError(400, f'dataframe_split: expected "columns" with "{COLUMN}", and "data"')
    place = columns.index(COLUMN)
    if not all(isinstance(row, list) and len(row) == len(columns) for row in data):
        raise RefusedError(400, "dataframe_split: expected a list of as many values in each row")
    return [row[place] for row in data]


def _rows(form: str, value: Any) -> list[Any]:
    """The texts of a list of rows; a column of them for `inputs`."""
    if form == "inputs" and isinstance(value, dict):
        value = value.get(COLUMN)
        value = [value] if isinstance(value, str) else value
    if not isinstance(value, list):
        raise RefusedError(400, f"{form}: expected a list")
    return [_cell(row) for row in value]


def _cell(row: Any) -> Any:
    """The text of a row: itself, or below the column's name, or below TensorFlow Serving's."""
    for name in (COLUMN, "b64"):
        if isinstance(row, dict) and name in row:
            row = row[name]
    return row


def _decoded(row: int, text: Any) -> bytes:
    if not isinstance(text, str):
        raise RefusedError(400, f'image {row}: expected an image file in base64, as "{COLUMN}"')
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()) if "\n" in text else text, validate=True)
    except ValueError:
        raise RefusedError(400, f"image {row}: not base64; send an image file in base64") from None


def _of_form(boundary: str, body: bytes) -> list[bytes]:
    if not boundary:
        raise RefusedError(400, "multipart/form-data: no boundary in Content-Type")
    delimiter = b"\r\n--" + boundary.encode("latin-1", "replace")
    _, *parts = (b"\r\n" + body).split(delimiter, MOST_IMAGES + 2)
    if not parts or (len(parts) <= MOST_IMAGES and not parts[-1].startswith(b"--")):
        raise RefusedError(400, "multipart/form-data: cut off")
    _check_count(len(parts) - 1)
    found = []
    for part in parts[:-1]:
        head, _, data = part.partition(b"\r\n\r\n")
        described = BytesHeaderParser().parsebytes(head.lstrip()[:4096])
        name = described.get_param("name", header="content-disposition")
        if described.get_filename() is not None or name == COLUMN:
            found.append(data)
    if not found:
        raise RefusedError(400, f"multipart/form-data: no file in it; send -F {COLUMN}=@photo.jpg")
    return found


def _check_count(count: int) -> None:
    if count > MOST_IMAGES:
        raise RefusedError(413, f"{count} images in a request; {MOST_IMAGES} at most")
