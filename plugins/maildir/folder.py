"""A maildir through directory handles: nothing is followed out of it, nothing but plain files is read (S16)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ESTALE)


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in new/ or cur/. ``ref`` is the part of its name that stays when flags change."""

    part: str
    name: str

    @property
    def base(self) -> str:
        return self.name.partition(":")[0]

    @property
    def ref(self) -> str:
        return quote(os.fsencode(self.base), safe="!#$&'()*+,-.=@^_~")

    @property
    def flags(self) -> str:
        return self.name.rpartition(":2,")[2] if ":2," in self.name else ""

    @property
    def age(self) -> tuple[int, str]:
        """Sorts by the delivery time at the start of the name."""
        digits = self.base.partition(".")[0]
        return (int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 20 else 0, self.base)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file holds; ``size`` is that of the whole file."""

    content: bytes
    size: int
    delivered_at: datetime


class NotPlain(Exception):
    """Not a file that a mail could be in; the text says what it is."""


class Folder:
    """The maildir at ``path``; each call opens and closes what it needs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def entries(self) -> list[Entry]:
        """All mails, oldest first, each once."""
        found: dict[str, Entry] = {}
        for part in ("new", "cur"):
            with self._part(part) as handle:
                for name in os.listdir(handle):
                    if not name.startswith("."):
                        entry = Entry(part, name)
                        found.setdefault(entry.base, entry)
        return sorted(found.values(), key=lambda entry: entry.age)

    def stamp(self) -> tuple[int, int]:
        """Changes whenever a mail comes, goes or is renamed."""
        times = []
        for part in ("new", "cur"):
            with self._part(part) as handle:
                times.append(os.fstat(handle).st_mtime_ns)
        return (times[0], times[1])

    def read(self, entry: Entry, most: int, part: int) -> Found | None:
        """The whole content, or its first ``part`` bytes where it is larger than ``most``; None if it vanished meanwhile."""
        with self._opened(entry) as handle:
            if handle is None:
                return None
            about = os.fstat(handle)
            _must_be_plain(about)
            content = _content(handle, most if about.st_size <= most else part)
            return Found(content, about.st_size, datetime.fromtimestamp(max(0.0, about.st_mtime), UTC))

    def settle(self, entry: Entry, target: Folder | None) -> None:
        """Into cur/ with the flag S, or into cur/ of ``target``. A file that is gone is no error."""
        flags = "".join(sorted({*entry.flags, "S"}))
        name = f"{entry.base}:2,{flags}"
        if target is None and entry.part == "cur" and entry.name == name:
            return
        with self._part(entry.part) as source, (target or self)._part("cur") as goal, suppress(FileNotFoundError):
            os.rename(entry.name, name, src_dir_fd=source, dst_dir_fd=goal)

    def create(self) -> None:
        for part in ("cur", "new", "tmp"):
            (self.path / part).mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextmanager
    def _part(self, part: str) -> Iterator[int]:
        base = os.open(self.path, _OPEN_FOLDER)
        try:
            handle = os.open(part, _OPEN_FOLDER | os.O_NOFOLLOW, dir_fd=base)
        finally:
            os.close(base)
        try:
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def _opened(self, entry: Entry) -> Iterator[int | None]:
        handle = self._handle(entry)
        try:
            yield handle
        finally:
            if handle is not None:
                os.close(handle)

    def _handle(self, entry: Entry) -> int | None:
        with self._part(entry.part) as folder:
            try:
                return os.open(entry.name, _OPEN, dir_fd=folder)
            except OSError as error:
                if error.errno in _GONE:
                    return None
                if error.errno == errno.ELOOP:
                    raise NotPlain("a symbolic link") from None
                raise NotPlain(error.strerror or "cannot be opened") from None


def _content(handle: int, most: int) -> bytes:
    with os.fdopen(os.dup(handle), "rb") as file:
        return file.read(most)


def _must_be_plain(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotPlain("not a regular file")
    if found.st_nlink != 1:
        raise NotPlain(f"a file with {found.st_nlink} names")
