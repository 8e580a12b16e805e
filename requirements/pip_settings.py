"""pip's way to the package index, said to uv, which reads neither pip.conf nor PIP_*.

All is passed in the environment of one call: an address may hold a password.
"""

import ast
import os
import ssl
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path

# pip's setting: uv's variable, for those whose value is one word or a list of words in both.
SAME = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "constraint": "UV_CONSTRAINT",
    "build-constraint": "UV_BUILD_CONSTRAINT",
    "client-cert": "SSL_CLIENT_CERT",
    "timeout": "UV_HTTP_TIMEOUT",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "retries": "UV_HTTP_RETRIES",
}
# What changes how pip talks, not what it installs from a lock, or from where.
IGNORED = {
    *("compile", "config-file", "disable-pip-version-check", "exists-action", "log", "no-clean"),
    *("no-color", "no-compile", "no-input", "no-python-version-warning", "no-warn-conflicts"),
    *("no-warn-script-location", "pre", "prefer-binary", "progress-bar", "quiet", "verbose"),
    *("require-hashes", "require-virtualenv", "resume-retries", "root-user-action"),
    *("upgrade", "upgrade-strategy", "use-deprecated", "use-feature", "use-pep517"),
}
HANDLED = {"no-index", "find-links", "cert", "proxy", "cache-dir", "no-cache-dir"}
TRUE = ("y", "yes", "t", "true", "on", "1")


class UntranslatedError(Exception):
    """A setting of pip's that uv has no word for."""


def pip_settings(python: str) -> dict[str, str]:
    """What `pip install` goes by here: files and variables together, the stronger one kept.

    Raises:
        UntranslatedError: pip cannot say it.
    """
    command = [python, "-m", "pip", "config", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UntranslatedError("pip does not say how it is configured")
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            found[section][key] = ast.literal_eval(value)
    merged = found["global"] | found["install"] | found[":env:"]
    return {key: value for key, value in merged.items() if value}


def uv_environment(
    settings: Mapping[str, str], given: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The arguments and the whole environment with which uv goes pip's way to the index.

    Args:
        settings: as `pip_settings` gives them.
        given: the environment; its own variables of uv stand.

    Raises:
        UntranslatedError: a setting has no counterpart.
    """
    unknown = sorted(settings.keys() - SAME.keys() - IGNORED - HANDLED)
    if unknown:
        raise UntranslatedError(f"uv has no counterpart of pip's setting {unknown[0]}")
    own = {SAME[key]: " ".join(settings[key].split()) for key in SAME if key in settings}
    if "UV_INDEX" in own:
        own["UV_INDEX"] = " ".join(filter(_is_there, own["UV_INDEX"].split()))
        # As pip does it: the indexes are equal. The hashes say which file is the right one.
        own["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    links = [link for link in settings.get("find-links", "").split() if _is_there(link)]
    if any("," in link for link in links):
        raise UntranslatedError("uv takes no comma in an address of find-links")
    own["UV_FIND_LINKS"] = ",".join(map(os.path.expanduser, links))
    if settings.get("no-cache-dir", "").lower() in TRUE:
        own["UV_NO_CACHE"] = "1"
    elif "cache-dir" in settings:
        own["UV_CACHE_DIR"] = str(Path(settings["cache-dir"]).expanduser() / "uv")
    own |= _certificates(settings, given)
    environment = dict(given)
    for key, value in own.items():
        if value and not (key.startswith("UV_") and key in given):
            environment[key] = value
    if "proxy" in settings:
        # pip's own proxy goes before all variables, and for every host.
        address = settings["proxy"]
        address = address if "://" in address else f"http://{address}"
        for key in [key for key in environment if key.lower().endswith("_proxy")]:
            del environment[key]
        environment |= {"HTTP_PROXY": address, "HTTPS_PROXY": address}
    no_index = settings.get("no-index", "").lower() in TRUE
    return ["--no-index"] * no_index, environment


def _certificates(settings: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """The certificates that pip trusts; where nothing names them, the system's, if it has any."""
    for place in (
        settings.get("cert"),
        given.get("REQUESTS_CA_BUNDLE"),
        given.get("CURL_CA_BUNDLE"),
    ):
        if place:
            return {"SSL_CERT_DIR" if Path(place).is_dir() else "SSL_CERT_FILE": place}
    paths = ssl.get_default_verify_paths()  # SSL_CERT_FILE and SSL_CERT_DIR, if they are set
    return {"UV_SYSTEM_CERTS": "1"} if paths.cafile or paths.capath else {}


def _is_there(place: str) -> bool:
    """Whether a place is an address, or on this disk: pip passes over one that is not."""
    parts = urllib.parse.urlsplit(place)
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path)).exists()
    return bool(parts.netloc) or Path(place).expanduser().exists()
