"""What a wheel holds and that it works without the checkout; the lock files; the two commands of the README."""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import kefud

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("all.txt", "build.txt", "dev.txt")
SHIPPED = ("plugins", "templates", "config", "systemd")


def run(*command, cwd, **environment):
    clean = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "KEFUD_CONFIG")}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env={**clean, **environment}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    target = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=ROOT)
    (file,) = target.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The bin directory of an environment that has the wheel and, through a path file, the libraries of this one."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    (packages,) = (home / "lib").glob("python*/site-packages")
    pip = (sys.executable, "-m", "pip", "--python", home / "bin" / "python")
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, cwd=home)
    # A directory that a path file names is only searched: path files in it, such as that of the checkout, are not obeyed.
    (packages / "libraries.pth").write_text(os.path.dirname(os.path.dirname(pytest.__file__)) + "\n")
    return home / "bin"


def test_the_wheel_ships_what_an_installation_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for kind in SHIPPED:
        for file in (ROOT / kind).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                assert f"kefud/shipped/{kind}/{file.relative_to(ROOT / kind)}" in names
    for file in (ROOT / "src").rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert str(file.relative_to(ROOT / "src")) in names
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


@pytest.mark.parametrize("kind", SHIPPED)
def test_the_wheel_has_something_of_each_kind(wheel, kind):
    assert [name for name in zipfile.ZipFile(wheel).namelist() if name.startswith(f"kefud/shipped/{kind}/")]


def test_an_installed_kefud_runs_from_anywhere(installed, tmp_path):
    assert kefud.__version__ in run(installed / "kefud", "--version", cwd=tmp_path)
    assert "demo" in run(installed / "kefud", "--help", cwd=tmp_path)


def test_an_installed_kefud_finds_its_own_files_and_no_checkout(installed, tmp_path):
    code = f"from kefud.shipped import shipped; print(*map(shipped, {SHIPPED}), sep='\\n')"
    for path in run(installed / "python", "-c", code, cwd=tmp_path).splitlines():
        assert Path(path).is_dir()
        assert Path(path).is_relative_to(installed.parent)


def test_what_init_writes_runs_unedited(installed, tmp_path):
    run(installed / "kefud", "init", tmp_path / "site", cwd=tmp_path)
    run(installed / "kefud", "check", cwd=tmp_path / "site")


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_versions_and_hashes_and_no_addresses(name):
    text = (ROOT / "requirements" / name).read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text.replace("    --hash=", ""), re.M), "an option of the index stands in the lock"
    for entry in re.split(r"\n(?=\S)", text.strip()):
        assert re.match(r"[a-z0-9][a-z0-9.-]*==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def locked(name):
    found = re.findall(r"^([a-z0-9.-]+)==(\S+)", (ROOT / "requirements" / name).read_text("utf-8"), re.M)
    return {package: {v for p, v in found if p == package} for package, _ in found}


def test_a_server_gets_the_versions_that_were_tested():
    tested = {**locked("dev.txt")}
    for name in ("all.txt", "build.txt"):
        for package, versions in locked(name).items():
            assert versions == tested.get(package), f"{package}: {name} and dev.txt disagree; run `make lock`"


def test_everything_asked_for_is_locked():
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    for wanted in [*project["dependencies"], *(w for group in extras.values() for w in group)]:
        package = re.match(r"[\w.-]+", wanted)[0].lower()
        assert package == "kefud" or package in locked("dev.txt"), f"{package} is not locked; run `make lock`"


def test_the_readme_names_the_two_commands_and_ci_runs_one_of_them():
    for readme in ("README.md", "README.zh-CN.md"):
        text = (ROOT / readme).read_text("utf-8")
        assert "make demo" in text and "make test" in text
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_changelog_tells_of_this_version():
    assert f"## {kefud.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)", makefile, re.M)[1].split()) - {"FORCE"}
    shown = set(re.findall(r"make (\w+)", run("make", "--no-print-directory", "help", cwd=ROOT)))
    assert phony <= shown


def test_without_rights_bootstrap_names_what_is_missing(tmp_path):
    bin = tmp_path / "bin"
    bin.mkdir()
    for tool in ("sh", "dirname", "find", "sed"):
        (bin / tool).symlink_to(subprocess.run(["which", tool], capture_output=True, text=True).stdout.strip())
    (bin / "id").write_text("#!/bin/sh\necho 1000\n")
    (bin / "apt-get").write_text("#!/bin/sh\necho apt-get was called >&2\nexit 99\n")
    (bin / "sudo").write_text("#!/bin/sh\nexit 1\n")
    # A Python as Debian ships it without python3-venv.
    (bin / "python3").write_text(f'#!/bin/sh\ncase $2 in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"\n')
    for tool in ("id", "apt-get", "sudo", "python3"):
        (bin / tool).chmod(0o755)
    done = subprocess.run(
        [ROOT / "scripts" / "bootstrap.sh", "packages", "torture", "venv"],
        env={"PATH": str(bin), "HOME": str(tmp_path)}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    version = "python{}.{}-venv".format(*sys.version_info[:2])
    assert done.returncode == 1
    assert version in done.stderr and "strace" in done.stderr and "systemd" in done.stderr
    assert "apt-get was called" not in done.stderr


def test_bootstrap_says_what_is_wrong_when_there_is_no_python(tmp_path):
    done = subprocess.run(
        [ROOT / "scripts" / "bootstrap.sh", "packages", "venv"],
        env={**os.environ, "PYTHON": "/nowhere/python3"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
