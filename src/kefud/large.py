"""A large original is a file, not bytes in memory: fetched into one, handed over as one, read through a window of it.

A mail of 35 MB would else stand in four processes one after the other, in two of them twice.
"""

from __future__ import annotations

import io
import mmap
import os
import re
import secrets
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType

LARGE = 1 << 20
"""Bytes from which an original is held as a file."""

WINDOW = 1 << 18
INCOMING = "incoming"
"""The directory of the spool for originals that the store has not taken yet. What lies there at the start is of nobody."""


class Large:
    """What is in the file ``path``, with the methods of bytes that readers need. It must not change while it is read.

    Slices are bytes. What was looked at is let go of: a walk through the whole costs a few windows of memory, not the whole.
    Passed to another process it is its path. Raises OSError where the file cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __reduce__(self) -> tuple[type[Large], tuple[str]]:
        return Large, (str(self.path),)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Large) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __repr__(self) -> str:
        return f"Large({str(self.path)!r})"

    @cached_property
    def _map(self) -> mmap.mmap:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        finally:
            os.close(descriptor)

    def __len__(self) -> int:
        return len(self._map)

    def __getitem__(self, place: slice) -> bytes:
        start, end, _ = place.indices(len(self))
        found = self._map[start:end]
        self._let_go(start, end)
        return found

    def find(self, what: bytes, start: int = 0, end: int | None = None) -> int:
        end = len(self) if end is None else min(end, len(self))
        while start < end:
            upto = min(start + WINDOW, end)
            at = self._map.find(what, start, min(upto + len(what) - 1, end))
            if at >= 0:
                return at
            self._let_go(start, upto)
            start = upto
        return -1

    def rfind(self, what: bytes, start: int = 0, end: int | None = None) -> int:
        end = len(self) if end is None else min(end, len(self))
        while start < end:
            below = max(start, end - WINDOW)
            at = self._map.rfind(what, below, end)
            if at >= 0 or below == start:
                return at
            self._let_go(below, end)
            end = below + len(what) - 1
        return -1

    def index(self, what: bytes, start: int = 0, end: int | None = None) -> int:
        at = self.find(what, start, end)
        if at < 0:
            raise ValueError("not there")
        return at

    def count(self, what: bytes, start: int = 0, end: int | None = None) -> int:
        found, at = 0, self.find(what, start, end)
        while at >= 0:
            found += 1
            at = self.find(what, at + len(what), end)
        return found

    def startswith(self, what: bytes | tuple[bytes, ...], start: int = 0, end: int | None = None) -> bool:
        longest = len(what) if isinstance(what, bytes) else max(map(len, what))
        return self[start : min(start + longest, len(self) if end is None else end)].startswith(what)

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> re.Match[bytes] | None:
        """As ``pattern.search`` of bytes; the match's places count from the beginning of the whole."""
        found = pattern.search(self._map, start, end)
        self._let_go(0, len(self))
        return found

    def _let_go(self, start: int, end: int) -> None:
        """Give back whole pages of what was looked at; a look at them again brings them again."""
        first = start - start % mmap.PAGESIZE
        if end - start >= WINDOW // 2:
            self._map.madvise(mmap.MADV_DONTNEED, first, end - first)


class Spilled(Large):
    """A file that is being written, in the room for what comes in. It is removed with the last who knows it, unless taken over."""

    def __init__(self, room: Path) -> None:
        super().__init__(room / f"{os.getpid()}-{secrets.token_hex(8)}")
        room.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: io.BufferedWriter | None = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    @classmethod
    def of(cls, content: bytes, room: Path) -> Spilled:
        with cls(room) as spilled:
            spilled.write(content)
        return spilled

    def write(self, piece: bytes | memoryview) -> None:
        assert self._file is not None
        self._file.write(piece)

    def __enter__(self) -> Spilled:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def __del__(self) -> None:
        with suppress(OSError):
            self.path.unlink()


def tidy(spool: Path, before: float) -> None:
    """Remove what earlier runs have left behind, last written ``before`` (POSIX): nobody was told that it is safe."""
    for left in (spool / INCOMING).glob("*"):
        with suppress(OSError):
            if left.lstat().st_mtime < before:
                left.unlink()
