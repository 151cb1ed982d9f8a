"""The faces of the forms, cut down to the characters an office uses: one and a half megabytes each instead of twenty-five.

A press with the whole faces of Noto CJK holds 46 MB of them, and takes an eighth longer for each paper. What is cut away is found
out before a paper is printed (`covers`), and that paper is printed with the whole faces.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import uharfbuzz as harfbuzz

STYLES = ("Regular", "Bold")
EDITION = 1
"""Counts up where cutting changes, so that faces cut by an earlier release are cut again."""

_WITHOUT = ("GPOS", "GSUB", "BASE", "vhea", "vmtx", "VORG")
_BLOCKS = (
    (0x20, 0x7F), (0xA0, 0x100), (0x2010, 0x2017), (0x2018, 0x201B), (0x201C, 0x201F), (0x2020, 0x2023), (0x2025, 0x2028),
    (0x2030, 0x2031), (0x3000, 0x3040), (0x3041, 0x3097), (0x30A0, 0x3100), (0xFF01, 0xFF5F), (0xFFE0, 0xFFE7),
)  # fmt: skip
_PAGES = (("gb2312", 0xA1, 0xF8), ("big5", 0xA4, 0xC7))


@cache
def _characters() -> frozenset[int]:
    """Latin, punctuation, GB 2312, and the common half of Big5: about 10,700 code points."""
    found = {c for first, end in _BLOCKS for c in range(first, end)}
    for charset, first, end in _PAGES:
        text = b"".join(bytes((a, b)) for a in range(first, end) for b in range(0x40, 0xFF)).decode(charset, "ignore")
        found.update(map(ord, text))
    return frozenset(found)


@cache
def _common() -> frozenset[str]:
    return frozenset(map(chr, _characters())) | {"\n", "\t", "\r", "\u200b"}


def covers(text: str) -> bool:
    """Whether the faces that were cut have every character of ``text``."""
    return _common().issuperset(text)


def cut_faces(directories: Sequence[str | Path], families: Sequence[Sequence[str]], into: Path) -> Path | None:
    """A directory below ``into`` with the first family of each of ``families`` that is there, cut down; made where it is missing.

    None where nothing can be cut: no such font, no library for it, no room on the disk.
    """
    try:
        target = into / _edition_of(_files(directories))
        if not target.is_dir():
            _cut_elsewhere(directories, families, into)
        return target if any(target.iterdir()) else None
    except (ImportError, OSError, subprocess.SubprocessError):
        return None  # without the library of the extra "pdf", too: papers are printed with the whole faces


def cut_ahead(directories: Sequence[str | Path], families: Sequence[Sequence[str]], into: Path) -> None:
    """Where no faces were ever cut, cut them now, that the first letter need not wait. Loads no library here."""
    with suppress(OSError, subprocess.SubprocessError):
        if not any(into.glob("[!.]*")):
            _cut_elsewhere(directories, families, into)


def _files(directories: Sequence[str | Path]) -> list[Path]:
    return [path for d in directories for path in sorted(Path(d).rglob("*.[ot]t[cf]")) if path.is_file()]


def _edition_of(files: Sequence[Path]) -> str:
    said = [(str(f), (s := f.stat()).st_size, s.st_mtime_ns) for f in files]
    return hashlib.sha256(repr((EDITION, version("uharfbuzz"), said)).encode()).hexdigest()[:16]


def _cut_elsewhere(directories: Sequence[str | Path], families: Sequence[Sequence[str]], into: Path) -> None:
    """In a process that ends afterwards: the memory that the whole fonts took for a second would stay with a press for ever."""
    said = json.dumps([list(map(str, directories)), list(map(list, families)), str(into)])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    # As a script: nothing else of kefud is loaded.
    subprocess.run([sys.executable, "-P", __file__, said], env=environment, stdin=subprocess.DEVNULL, stdout=2, timeout=120)


def _make(files: Sequence[Path], families: Sequence[Sequence[str]], target: Path) -> None:
    """Cut into a directory of another name first: a process that ends half-way leaves no half of a font behind."""
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(prefix=".cut-", dir=target.parent))
    try:
        faces = {(family, style): place for family, style, place in _faces(files)}
        for wanted in families:
            family = next((f for f in wanted if any((f, style) in faces for style in STYLES)), "")
            for style in STYLES:
                if place := faces.get((family, style)):
                    _keep(half / f"{family}-{style}.otf".replace(" ", ""), _cut(*place))
        half.chmod(0o750)
        _clear(target.parent)
        with suppress(FileExistsError):  # another process was faster
            os.rename(half, target)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _keep(file: Path, content: bytes) -> None:
    """Written through to the disk: what has its name after a power cut is a whole font."""
    with file.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def _clear(directory: Path) -> None:
    """Remove the faces of other editions; what another process may be making stays."""
    for old in directory.glob("[!.]*"):
        shutil.rmtree(old, ignore_errors=True)


def _faces(files: Sequence[Path]) -> Iterator[tuple[str, str, tuple[Path, int]]]:
    """Family, style and place of every face."""
    for path in files:
        index = 0
        while index < max(1, (face := _opened(path, index)).count):
            yield face.get_name(16) or face.get_name(1) or "", face.get_name(17) or face.get_name(2) or "", (path, index)
            index += 1


def _opened(path: Path, index: int) -> harfbuzz.Face:
    import uharfbuzz as harfbuzz

    return harfbuzz.Face(harfbuzz.Blob.from_file_path(str(path)), index)


def _cut(path: Path, index: int) -> bytes:
    import uharfbuzz as harfbuzz

    wanted = harfbuzz.SubsetInput()
    wanted.unicode_set.update(_characters())
    wanted.flags = harfbuzz.SubsetFlags.NO_HINTING
    wanted.drop_table_tag_set.update(int.from_bytes(tag.encode("ascii")) for tag in _WITHOUT)
    return bytes(harfbuzz.subset(_opened(path, index), wanted).blob.data)


if __name__ == "__main__":
    _directories, _families, _into = json.loads(sys.argv[1])
    _make(_files(_directories), _families, Path(_into) / _edition_of(_files(_directories)))
