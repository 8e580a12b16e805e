"""ONNX Runtime for browsers, through the npm client: by name, version and digest, kept once."""

import base64
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.runtime import files
from pipeline.runtime.downloader import cache_folder

PACKAGE = "onnxruntime-web"
RUNTIME = "1.22.0"
# Of the archive, as npm gives it (Subresource Integrity).
INTEGRITY = (
    "sha512-Ud/+EBo6mhuaQWt/OjaOk0iNWjXqJoeeMFr6xQEERZdIZH2OWpGzuujz7lfuOBjUa6TEE/"
    "sc4nb7Da5dNL34fg=="
)
SECONDS = 300
MOST_BYTES = 1 << 28


def package() -> dict[str, bytes]:
    """The package's files in dist/, by their names.

    Raises:
        PipelineError: npm is not there, cannot reach its registry, or gave something else.
    """
    path = archive_file()
    if not path.is_file():
        _fetch(path)
    data = path.read_bytes()
    digest = base64.b64encode(hashlib.sha512(data).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        path.unlink()
        raise PipelineError(
            f"{PACKAGE} {RUNTIME}: its archive has another digest than the one that was "
            "tested; it was removed, run this again"
        )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            Path(member.name).name: _read(archive, member)
            for member in archive
            if member.isfile() and member.name.startswith("package/dist/")
        }


def archive_file() -> Path:
    """Where the package's archive is kept."""
    return cache_folder() / "npm" / f"{PACKAGE}-{RUNTIME}.tgz"


def _fetch(path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise PipelineError(
            f"--to: html: npm is not installed, and {PACKAGE} {RUNTIME} is not in "
            f"{path.parent}; install Node.js"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{RUNTIME}", "--ignore-scripts", "--silent"]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise PipelineError(f"--to: html: npm gave no answer within {SECONDS} s") from None
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or not found:
            raise PipelineError(f"--to: html: npm gave no {PACKAGE} {RUNTIME}: {_why(done.stderr)}")
        with files.atomic(path) as partial:
            shutil.copyfile(found[0], partial)


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(member)
    if opened is None or member.size > MOST_BYTES:
        raise PipelineError(f"{PACKAGE} {RUNTIME}: {member.name} cannot be read")
    return opened.read()


def _why(output: str) -> str:
    """npm's error in a few words, without addresses, which may hold a password."""
    lines = [line.removeprefix("npm error").strip() for line in output.splitlines()]
    text = next((line for line in lines if line and not line.startswith("code")), "no reason given")
    return re.sub(r"\b\w+://\S+", "…", text)[:200]
