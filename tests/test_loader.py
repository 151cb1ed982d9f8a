"""S22: a directory whose code will be run is trusted only where nobody else can write to it, as by sshd's StrictModes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kefud.loader import find, unsafe

NOBODY = 65534


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A directory with one plugin, closed to others."""
    plugin = tmp_path / "above" / "plugins" / "leak"
    plugin.mkdir(parents=True)
    (plugin / "__init__.py").write_text("", "utf-8")
    for place in (plugin / "__init__.py", plugin, plugin.parent, plugin.parent.parent, tmp_path):
        place.chmod(0o644 if place.is_file() else 0o755)
    return plugin.parent


def test_what_only_its_owner_writes_is_trusted(plugins: Path) -> None:
    assert unsafe(plugins, strict=False) == ""
    if os.getuid() == 0 and all(p.stat().st_uid == 0 for p in plugins.parents):
        assert unsafe(plugins, strict=True) == ""


OPEN = {
    "the directory": lambda p: p.chmod(0o777),
    "its group": lambda p: p.chmod(0o775),
    "a directory above": lambda p: p.parent.chmod(0o777),
    "a plugin": lambda p: (p / "leak").chmod(0o757),
    "a file": lambda p: (p / "leak" / "__init__.py").chmod(0o666),
    "bytecode, which would be run": lambda p: _made(p / "leak" / "__init__.cpython-311.pyc").chmod(0o666),
    "where bytecode is kept": lambda p: _folder(p / "leak" / "__pycache__").chmod(0o777),
    "a file in it that is hidden": lambda p: _made(p / "leak" / ".words.toml").chmod(0o622),
}


def _folder(place: Path) -> Path:
    place.mkdir()
    return place


def _made(file: Path) -> Path:
    file.write_text("", "utf-8")
    return file


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize("strict", [False, True])
def test_what_others_may_write_to_is_refused(plugins: Path, name: str, strict: bool) -> None:
    OPEN[name](plugins)
    if strict and os.getuid():
        assert unsafe(plugins, strict=True)
    else:
        assert "writable by others; run: chmod go-w" in unsafe(plugins, strict=strict)


def test_links_are_refused(plugins: Path) -> None:
    (plugins.parent / "elsewhere.py").write_text("", "utf-8")
    (plugins / "leak" / "more.py").symlink_to(plugins.parent / "elsewhere.py")
    assert "is a symbolic link" in unsafe(plugins, strict=False)


def given(place: Path) -> None:
    """Let a place belong to somebody who is not root: nobody, or whoever runs this test."""
    if os.getuid() == 0:
        os.chown(place, NOBODY, -1)


OTHERS: dict[str, Callable[[Path], Path]] = {
    "the directory": lambda p: p, "a directory above": lambda p: p.parent, "a plugin": lambda p: p / "leak",
    "a file": lambda p: p / "leak" / "__init__.py",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_where_the_service_runs_all_belongs_to_root(plugins: Path, name: str) -> None:
    """Also the directories above: whoever owns one may put another in the place of what is in it."""
    given(OTHERS[name](plugins))
    assert "does not belong to root" in unsafe(plugins, strict=True)


def test_a_place_that_is_not_there_says_so(plugins: Path) -> None:
    assert "No such file" in unsafe(plugins / "none", strict=True)


def test_what_lies_in_the_working_directory_is_no_plugin(plugins: Path, tmp_path: Path) -> None:
    (tmp_path / "kefud.py").write_text("raise SystemExit(9)", "utf-8")
    assert list(find([plugins, tmp_path / "none"])) == ["leak"]
