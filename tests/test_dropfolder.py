"""S16: who may write to a drop folder cannot make us read anything outside of it, however quickly things are exchanged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kefud.dropfolder import DropFolder, Refused

OURS, SECRET = b"a row\n", b"root:x:0:0\n"


def opened(folder: DropFolder, name: str) -> bytes:
    """What is read, empty where it is refused or gone just now."""
    try:
        with folder.opened(name) as (descriptor, _):
            return os.read(descriptor, 100)
    except (Refused, OSError):
        return b""


EXCHANGE = """
import os, sys
secret, aside, name = sys.argv[1:]
while True:
    os.symlink(secret, aside)
    os.rename(aside, name)
    with open(aside, "wb") as file:
        file.write(b"a row\\n")
    os.rename(aside, name)
"""


def test_what_is_exchanged_between_look_and_opening_is_not_read(tmp_path: Path) -> None:
    """A plain file and a link to a secret change places all the time; thousands of tries read the one and never the other."""
    drop = tmp_path / "drop"
    drop.mkdir()
    (tmp_path / "secret").write_bytes(SECRET)
    (drop / "log.csv").write_bytes(OURS)
    command = [sys.executable, "-c", EXCHANGE, str(tmp_path / "secret"), str(tmp_path / "aside"), str(drop / "log.csv")]
    other = subprocess.Popen(command)
    try:
        folder, seen = DropFolder(drop), Counter[bytes]()
        while min(seen[OURS], seen[b""]) < 12_000:
            assert other.poll() is None
            seen[opened(folder, "log.csv")] += 1
    finally:
        other.kill()
        other.wait()
    assert set(seen) == {OURS, b""}


def test_a_folder_inside_may_not_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "page.pdf").write_bytes(SECRET)
    (tmp_path / "drop" / "letter").symlink_to(tmp_path / "elsewhere")
    inner = DropFolder(tmp_path / "drop", "letter")
    with pytest.raises(OSError, match="symbolic link|Not a directory"):
        inner.entries()
    assert opened(inner, "page.pdf") == b""


def test_a_pipe_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.csv")
    assert [e.fault for e in DropFolder(tmp_path).entries()] == ["不是普通文件"]
    with pytest.raises(Refused), DropFolder(tmp_path).opened("log.csv"):
        pass
