"""`make setup`: which Python it takes, what it installs with what, and what it says.

Without a network: the packages are small wheels in a folder, and uv is a program that notes how
it is called and leaves the work to pip; one test takes the real uv, if it is there.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import REPOSITORY

REQUIREMENTS = REPOSITORY / "requirements"
ADDRESS = "https://me:secret@private.invalid/simple"
# uv's place is taken by this, which unpacks wheels; FAKE_UV says how it ends.
FAKE_UV = """#!python
import json, os, re, sys, zipfile
from pathlib import Path
venv = Path(sys.argv[0]).parent.parent
here = venv.parent
said = {"arguments": sys.argv[1:], "variables": dict(os.environ)}
with (here / "uv.jsonl").open("a") as file:
    file.write(json.dumps(said) + "\\n")
ending = os.environ.get("FAKE_UV")
if ending == "fails":
    sys.exit("Using Python\\nerror: no answer from https://me:secret@index.invalid/simple/one")
site = next(venv.glob("lib/*/site-packages"))
for flag, path in zip(sys.argv, sys.argv[1:]):
    locked = re.findall(r"^(\\S+)==(\\S+)", Path(path).read_text(), re.M) if flag == "-r" else ()
    for about in ("-".join(each).replace("_", "-") for each in locked):
        name, _, version = about.rpartition("-")
        about = name.replace("-", "_") + "-" + version
        if not (site / (about + ".dist-info")).exists():
            print("Downloading", name, "(1.0MiB)", file=sys.stderr)
            zipfile.ZipFile(here / "wheels" / (about + "-py3-none-any.whl")).extractall(site)
if ending == "dies":
    (site / "one.py").unlink()
    os.kill(os.getppid(), 9)
"""


def write_wheel(folder: Path, name: str, version: str, files: dict[str, str]) -> str:
    """A wheel with these files; returns its line for a lock."""
    folder.mkdir(exist_ok=True)
    about = f"{name.replace('-', '_')}-{version}"
    files = {
        **files,
        f"{about}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }

    def recorded(text: str) -> str:
        content = hashlib.sha256(text.encode()).digest()
        return f"sha256={base64.urlsafe_b64encode(content).decode().rstrip('=')},{len(text)}"

    record = [f"{path},{recorded(text)}" for path, text in files.items()]
    record.append(f"{about}.dist-info/RECORD,,")
    path = folder / f"{about}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{about}.dist-info/RECORD": "\n".join(record)}.items():
            about_file = zipfile.ZipInfo(member)
            about_file.external_attr = (0o100755 if "/scripts/" in member else 0o100644) << 16
            archive.writestr(about_file, text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}=={version} \\\n    --hash=sha256:{digest}\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip and our uv; to make one takes seconds, to copy it none."""
    folder = tmp_path_factory.mktemp("made")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    write_wheel(folder, "uv", "9.9", {"uv-9.9.data/scripts/uv": FAKE_UV})
    pip = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", *folder.glob("*.whl")], check=True)
    return folder / "venv"


@pytest.fixture
def bare(tmp_path: Path, made: Path) -> Path:
    """A folder with the installer, locks of a tiny package or two, and no environment."""
    (tmp_path / "made").symlink_to(made)
    (tmp_path / "bin").mkdir()  # the only place for programs
    for name in ("cp", "dirname"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    locks = tmp_path / "requirements"
    locks.mkdir()
    for name in ("install.sh", "install.py", "pip_settings.py"):
        shutil.copy(REQUIREMENTS / name, locks)
    wheels = tmp_path / "wheels"
    contents = {
        "run": ["one"],
        "cpu": ["tensorflow-cpu"],
        "gpu": ["tensorflow"],
        "jax": ["jax"],
        "torch": ["torch"],
        "dev": ["pytest-of-ours", "jax"],
    }
    for lock, names in contents.items():
        lines = [write_wheel(wheels, name, "1.0", {f"{name}.py": ""}) for name in names]
        (locks / f"{lock}.lock").write_text("".join(lines))
    script = {"uv-9.9.data/scripts/uv": FAKE_UV}
    (locks / "uv.lock").write_text(write_wheel(wheels, "uv", "9.9", script))
    put_python(tmp_path, "python3", (3, 12))
    return tmp_path


@pytest.fixture
def folder(bare: Path, made: Path) -> Path:
    """The same with an environment that has pip and uv."""
    shutil.copytree(made, bare / "venv", symlinks=True)
    return bare


def put_python(folder: Path, name: str, version: tuple[int, int]) -> None:
    """A program that is this Python, but says that it is of another version.

    An environment it makes by copying the one that is `made`, if the folder has that.
    """
    said = f"import sys; sys.version_info = (*{version}, 0, 'final', 0); exec(sys.argv.pop(1))"
    path = folder / "bin" / name
    path.write_text(
        "#!/bin/sh\n"
        f'[ "$1" != --version ] || {{ echo "Python {version[0]}.{version[1]}.0"; exit; }}\n'
        f'[ "$1" != -c ] || {{ shift; exec {sys.executable} -c "{said}" "$@"; }}\n'
        '[ "$2" != venv ] || [ ! -e made ] || exec cp -a made/. "$4"\n'
        f'exec {sys.executable} "$@"\n'
    )
    path.chmod(0o755)


def start(folder: Path, *names: str, **variables: str) -> subprocess.Popen[str]:
    given = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder / "wheels"),
        **{"PYTHON": "python3", "VENV": "venv", "HOME": str(folder), "PATH": f"{folder}/bin"},
    }
    return subprocess.Popen(
        ["/bin/sh", "requirements/install.sh", *names],
        cwd=folder,
        env=given | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def setup(folder: Path, *names: str, **variables: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *names, **variables)
    out, err = process.communicate(timeout=500)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def installed(folder: Path) -> set[str]:
    """The packages of ours that are in the environment."""
    found = {
        path.name.partition("-")[0].replace("_", "-")
        for path in next(folder.glob("venv/lib/*/site-packages")).glob("*-1.0.dist-info")
    }
    return found - {"pip", "setuptools", "uv"}


def calls(folder: Path) -> list[dict[str, Any]]:
    """How uv was called."""
    path = folder / "uv.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_python_that_fits_is_taken_and_what_is_installed_stands(bare: Path) -> None:
    (bare / "made").unlink()  # a whole one is made, and uv fetched
    done = setup(bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "setup: making venv (once)",
        "setup: installing run, cpu",
        *("  Downloading one (1.0MiB)", "  Downloading tensorflow-cpu (1.0MiB)"),
    ]
    assert (bare / "venv/.requirements").read_text() == "run cpu\n"
    assert installed(bare) == {"one", "tensorflow-cpu"}
    put_python(bare, "python3", (3, 14))  # the system moves on; the environment stays
    assert setup(bare).stdout == ""
    with (bare / "requirements/cpu.lock").open("a") as file:
        file.write("# changed\n")
    assert setup(bare).stdout == "setup: installing run, cpu\n"
    assert len(calls(bare)) == 2
    assert "--compile-bytecode" not in calls(bare)[0]["arguments"]


@pytest.mark.parametrize("version", [(3, 14), (3, 10)])
def test_another_that_is_there_is_taken_where_it_does_not_fit(
    bare: Path, version: tuple[int, int]
) -> None:
    put_python(bare, "python3", version)
    put_python(bare, "python3.11", (3, 11))
    done = setup(bare)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == (
        f"setup: Python {version[0]}.{version[1]}.0 does not fit, python3.11 does"
    )


@pytest.mark.parametrize("name", ["python3", "python4"])
def test_none_that_fits_is_one_line(bare: Path, name: str) -> None:
    put_python(bare, "python3", (3, 14))
    done = setup(bare, PYTHON=name)
    assert done.returncode == 1
    assert done.stdout == ""
    found = {"python3": "Python 3.14.0", "python4": "no python4"}[name]
    assert done.stderr == (
        f"setup: {found} does not fit; install Python 3.11, 3.12 or 3.13 beside it "
        "(make PYTHON=… names one)\n"
    )
    assert not (bare / "venv").exists()


def test_an_environment_whose_making_was_broken_off_is_made_again(folder: Path) -> None:
    shutil.rmtree(next(folder.glob("venv/lib/*/site-packages/pip/_internal")))
    done = setup(folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("setup: making venv (once)\n")
    assert installed(folder) == {"one", "tensorflow-cpu"}


def test_extras_add_up_and_cpu_goes_back(folder: Path) -> None:
    steps: list[tuple[str, str, set[str]]] = [
        ("jax torch", "run cpu jax torch", {"one", "tensorflow-cpu", "jax", "torch"}),
        ("", "run cpu jax torch", {"one", "tensorflow-cpu", "jax", "torch"}),
        ("dev", "run cpu jax torch dev", {"one", "tensorflow-cpu", "jax", "torch", "pytest-of-ours"}),
        ("gpu", "run gpu jax torch dev", {"one", "tensorflow", "jax", "torch", "pytest-of-ours"}),
        ("", "run gpu jax torch dev", {"one", "tensorflow", "jax", "torch", "pytest-of-ours"}),
        ("cpu", "run cpu dev", {"one", "tensorflow-cpu", "jax", "pytest-of-ours"}),
    ]  # fmt: skip
    for names, kept, there in steps:
        done = setup(folder, names)
        assert done.returncode == 0, done.stderr
        assert (folder / "venv/.requirements").read_text() == f"{kept}\n"
        assert installed(folder) == there
    assert len(calls(folder)) == 4
    assert setup(folder, "jax,torch").returncode == 0
    assert (folder / "venv/.requirements").read_text() == "run cpu jax torch dev\n"


def test_what_an_environment_of_before_was_made_of_stands(folder: Path) -> None:
    (folder / "venv/.requirements").write_text("torch\n")  # the name of its only lock
    assert "setup: installing run, cpu, torch\n" in setup(folder).stdout


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("jaxx", "EXTRA=jaxx: unknown; did you mean jax? (there are: cpu, dev, gpu, jax, torch)"),
        ("run", "EXTRA=run: unknown (there are: cpu, dev, gpu, jax, torch)"),
        ("cpu gpu", "EXTRA: cpu and gpu exclude each other; name one"),
    ],
)
def test_a_name_that_is_wrong_is_one_line(folder: Path, typed: str, said: str) -> None:
    done = setup(folder, typed)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"setup: {said}\n")
    assert not (folder / "venv/.requirements").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch brings CUDA on Linux alone")
def test_what_is_large_says_so_before_it_is_fetched(folder: Path) -> None:
    lock = folder / "requirements/torch.lock"
    lock.write_text(f"# 2997 MB to download on some machine\n{lock.read_text()}")
    assert setup(folder, "torch").stdout.splitlines()[:3] == [
        "setup: torch: on Linux the package brings CUDA's libraries, GPU or not",
        "setup: installing run, cpu, torch (up to 2,997 MB to download)",
        "  Downloading one (1.0MiB)",
    ]
    assert setup(folder, "jax").stdout.splitlines()[0] == "setup: installing run, cpu, jax, torch"


def test_uv_goes_pip_s_way_to_the_index_and_no_file_has_its_address(folder: Path) -> None:
    config = folder / "wheels/pip.conf"
    config.write_text(
        f"[global]\nextra-index-url = {ADDRESS}/a {ADDRESS}/b\n    file:///nowhere\ntimeout = 9\n"
        "[install]\ntimeout = 7\n[download]\nindex-url = https://not.this\n"
    )
    done = setup(folder, PIP_CONFIG_FILE=str(config), PIP_CERT="/a.pem", PIP_PROXY="me:x@proxy:1")
    assert done.returncode == 0, done.stderr
    (call,) = calls(folder)
    assert {"--require-hashes", "--no-index"} <= set(call["arguments"])
    found = call["variables"]
    assert found["UV_INDEX"] == f"{ADDRESS}/a {ADDRESS}/b"
    assert found["UV_FIND_LINKS"] == str(folder / "wheels")
    assert found["UV_HTTP_TIMEOUT"] == "7"
    assert found["SSL_CERT_FILE"] == "/a.pem"
    assert found["HTTPS_PROXY"] == "http://me:x@proxy:1"
    (folder / "uv.jsonl").unlink()
    config.unlink()
    for path in folder.rglob("*"):
        assert not path.is_file() or b"private.invalid" not in path.read_bytes()


def wordless(folder: Path) -> dict[str, str]:
    return {"PIP_SRC": str(folder)}


def without_uv(folder: Path) -> dict[str, str]:
    (folder / "requirements/uv.lock").write_text("uv==9.8 --hash=sha256:00\n")
    return {}


def failing(folder: Path) -> dict[str, str]:
    return {"FAKE_UV": "fails"}


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (wordless, "uv has no counterpart of pip's setting src"),
        (without_uv, "uv cannot be had: No matching distribution found for uv==9.8"),
        (failing, "uv failed: no answer from …"),
    ],
)
def test_where_uv_cannot_pip_installs_and_that_is_one_line(
    folder: Path, spoil: Callable[[Path], dict[str, str]], said: str
) -> None:
    done = setup(folder, "jax", "dev", **spoil(folder))  # jax is in both locks
    assert done.returncode == 0, done.stderr
    assert re.sub(r" \(from .*?\)", "", done.stdout) == (
        f"setup: installing run, cpu, jax, dev\nsetup: {said}; installing with pip\n"
    )
    assert installed(folder) == {"one", "tensorflow-cpu", "jax", "pytest-of-ours"}


def test_a_file_with_another_digest_is_not_installed(folder: Path) -> None:
    write_wheel(folder / "wheels", "one", "1.0", {"one.py": "import evil"})
    done = setup(folder, FAKE_UV="fails")  # the real one is asked below
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert not (folder / "venv/.installed").exists()
    assert "one" not in installed(folder)


def test_broken_off_in_the_middle_it_goes_on_when_typed_again(folder: Path) -> None:
    assert setup(folder, "jax").returncode == 0
    killed = setup(folder, "torch", FAKE_UV="dies")
    assert killed.returncode == -9
    assert "torch" in installed(folder)
    assert not list(folder.glob("venv/lib/*/site-packages/one.py"))  # half of it is there
    done = setup(folder, "torch")
    assert done.returncode == 0, done.stderr
    assert "  Downloading one" in done.stdout
    assert "  Downloading torch" not in done.stdout  # nothing is fetched twice that is whole
    assert list(folder.glob("venv/lib/*/site-packages/one.py"))
    assert (folder / "venv/.requirements").read_text() == "run cpu jax torch\n"
    assert setup(folder).stdout == ""


def test_bytecode_is_made_at_once_where_python_would_never_keep_it(folder: Path) -> None:
    assert setup(folder, PYTHONDONTWRITEBYTECODE="1").returncode == 0
    assert "--compile-bytecode" in calls(folder)[0]["arguments"]


def test_two_at_once_install_once(folder: Path) -> None:
    for process in [start(folder) for _ in range(2)]:
        assert process.wait(120) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert len(calls(folder)) == 1


def test_the_real_uv_installs_by_hash_and_leaves_pip(folder: Path) -> None:
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if not uv:
        pytest.skip("uv is not installed: make setup, where an index can be reached")
    script = {"uv-9.10.data/scripts/uv": f'#!/bin/sh\nexec {uv} "$@"\n'}
    lock = folder / "requirements/uv.lock"
    lock.write_text(write_wheel(folder / "wheels", "uv", "9.10", script))
    variables = {"UV_CACHE_DIR": str(folder / "cache")}
    done = setup(folder, "jax", "dev", **variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "setup: installing run, cpu, jax, dev\n"  # and no word of pip
    assert installed(folder) == {"one", "tensorflow-cpu", "jax", "pytest-of-ours"}
    (folder / "venv/.installing").touch()
    (folder / "venv/.installed").unlink()
    module = next(folder.glob("venv/lib/*/site-packages/one.py"))
    module.unlink()
    assert setup(folder, **variables).returncode == 0
    assert module.exists()
    write_wheel(folder / "wheels", "torch", "1.0", {"torch.py": "import evil"})
    done = setup(folder, "torch", **variables)
    assert done.returncode == 1
    assert "setup: uv failed: " in done.stdout
    assert "DO NOT MATCH THE HASHES" in done.stderr  # pip, which was tried next, says so
    assert subprocess.run([folder / "venv/bin/python", "-m", "pip", "check"]).returncode == 0


@pytest.fixture(scope="module")
def translate() -> Callable[..., dict[str, str]]:
    """What uv is given for some settings of pip's, with no variable of its own."""
    path = REQUIREMENTS / "pip_settings.py"
    specification = importlib.util.spec_from_file_location("pip_settings", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)

    def call(settings: dict[str, str], given: dict[str, str] | None = None) -> dict[str, str]:
        arguments, variables = module.uv_environment(settings, given or {})
        variables.pop("UV_SYSTEM_CERTS", None)
        return variables | dict.fromkeys(arguments, "")

    return call


@pytest.mark.parametrize(
    ("settings", "variables"),
    [
        ({}, {}),
        ({"index-url": ADDRESS}, {"UV_DEFAULT_INDEX": ADDRESS}),
        ({"trusted-host": "a\nb:80"}, {"UV_INSECURE_HOST": "a b:80"}),
        ({"constraint": "a.txt b.txt"}, {"UV_CONSTRAINT": "a.txt b.txt"}),
        ({"find-links": f"/nowhere {ADDRESS} /"}, {"UV_FIND_LINKS": f"{ADDRESS},/"}),
        ({"no-index": "true"}, {"--no-index": ""}),
        ({"no-index": "0", "quiet": "2", "no-input": "1"}, {}),
        ({"cache-dir": "/c"}, {"UV_CACHE_DIR": "/c/uv"}),
        ({"cache-dir": "/c", "no-cache-dir": "yes"}, {"UV_NO_CACHE": "1"}),
        ({"cert": "/"}, {"SSL_CERT_DIR": "/"}),
        ({"client-cert": "/me.pem", "retries": "3"}, {"SSL_CLIENT_CERT": "/me.pem", "UV_HTTP_RETRIES": "3"}),
    ],
)  # fmt: skip
def test_each_setting_has_its_counterpart(
    translate: Callable[..., dict[str, str]], settings: dict[str, str], variables: dict[str, str]
) -> None:
    assert translate(settings) == variables


def test_a_variable_of_uv_s_own_stands_and_pip_s_proxy_is_for_every_host(
    translate: Callable[..., dict[str, str]],
) -> None:
    mine = {"UV_DEFAULT_INDEX": "https://mine", "no_proxy": "*", "https_proxy": "http://other"}
    found = translate({"index-url": ADDRESS, "proxy": "https://p"}, mine)
    expected = {"UV_DEFAULT_INDEX": "https://mine"}
    assert found == expected | {"HTTP_PROXY": "https://p", "HTTPS_PROXY": "https://p"}
    given = {"SSL_CERT_FILE": "/a.pem", "CURL_CA_BUNDLE": "/b.pem"}
    assert translate({}, given)["SSL_CERT_FILE"] == "/b.pem"
    assert translate({"cert": "/c.pem"}, given)["SSL_CERT_FILE"] == "/c.pem"


def requirements(*locks: str) -> list[Requirement]:
    """What the repository's own locks name; every entry has a hash."""
    found = []
    for name in locks:
        text = (REQUIREMENTS / f"{name}.lock").read_text()
        entries = re.findall(r"^[^\s#].*\n(?:[\s#].*\n)*", text, re.MULTILINE)
        assert entries
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in text
        found += [Requirement(entry.partition(" \\\n")[0]) for entry in entries]
    return found


def fitting(python: str, system: str, *locks: str) -> list[Requirement]:
    """Those that a Python (3.11, …) on a system (linux, darwin) installs."""
    where = {"python_full_version": f"{python}.5", "python_version": python, "extra": ""}
    where |= {
        "sys_platform": system,
        "platform_machine": "x86_64" if system == "linux" else "arm64",
    }
    return [each for each in requirements(*locks) if not each.marker or each.marker.evaluate(where)]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_the_locks_agree_whatever_is_put_together(python: str, system: str) -> None:
    extras = ("jax", "jax-cuda", "torch", "team", "dev", "uv")
    for tensorflow in ("cpu", "gpu"):
        pins: dict[str, str] = {}
        for each in fitting(python, system, "run", tensorflow, *extras):
            assert pins.setdefault(each.name, str(each.specifier)) == str(each.specifier)
    run = {each.name for each in fitting(python, system, "run")}
    for name in ("cpu", "gpu", *extras):
        assert run.isdisjoint(each.name for each in fitting(python, system, name))


def test_the_locks_leave_nothing_out_that_their_packages_need() -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    system = "darwin" if sys.platform == "darwin" else "linux"
    locked = {each.name: each for each in fitting(python, system, "run", "cpu", "dev", "team")}
    names = set(locked)
    looked_at = 0
    for name in sorted(names):
        try:
            needed = importlib.metadata.requires(name) or []
            if importlib.metadata.version(name) not in locked[name].specifier:
                continue
        except importlib.metadata.PackageNotFoundError:
            continue  # this environment is made of other locks
        looked_at += 1
        for each in map(Requirement, needed):
            if not each.marker or each.marker.evaluate({"extra": ""}):
                assert canonicalize_name(each.name) in names, f"{name} needs {each}"
    assert looked_at > 150


def test_each_lock_holds_what_it_is_for() -> None:
    names = {
        path.stem: {each.name for each in requirements(path.stem)}
        for path in REQUIREMENTS.glob("*.lock")
    }
    assert names["cpu"] == {"tensorflow", "tensorflow-cpu"}
    assert names["jax"] == {"jax", "jaxlib"} < names["dev"]
    assert {"pytest", "pytest-xdist", "ruff", "mypy", "selenium"} <= names["dev"]
    assert {"dvc", "keras", "mlflow", "pip", "joblib", "onnxruntime"} <= names["run"]
    assert names["uv"] == {"uv"}
    heavy = {
        name for name, held in names.items() if any(each.startswith("nvidia-") for each in held)
    }
    assert heavy == {"gpu", "jax-cuda", "torch"}


def test_each_lock_holds_what_pyproject_wants_of_it() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    run = {each.name for each in requirements("run")}
    assert {Requirement(each).name for each in project["dependencies"]} <= run
    wanted = {
        name: {Requirement(each).name for each in project["optional-dependencies"][name]}
        for name in project["optional-dependencies"]
        if name != "cpu"
    }
    for name, packages in wanted.items():
        assert packages <= {each.name for each in requirements("run", name)}


def test_make_installs_what_its_target_needs() -> None:
    def recipe(*arguments: str) -> str:
        command = ["make", "--dry-run", *arguments]
        path = {"PATH": os.environ["PATH"]}  # and not what the make that runs the tests was given
        done = subprocess.run(
            command, cwd=REPOSITORY, env=path, capture_output=True, text=True, check=True
        )
        return next(line for line in done.stdout.splitlines() if "install.sh" in line)

    assert recipe("repro").split("install.sh")[1].split() == []
    assert recipe("setup", "EXTRA=jax torch").split("install.sh")[1].split() == ["jax", "torch"]
    assert recipe("setup", "TENSORFLOW=gpu").split("install.sh")[1].split() == ["gpu"]
    for target in ("test", "test-slow", "lint", "audit"):
        assert recipe(target).split("install.sh")[1].split() == ["dev"]


def test_pyproject_has_the_same_bounds() -> None:
    assert 'requires-python = ">=3.11,<3.14"' in (REPOSITORY / "pyproject.toml").read_text()
    assert "(3, 11) <= sys.version_info[:2] <= (3, 13)" in (REQUIREMENTS / "install.sh").read_text()
