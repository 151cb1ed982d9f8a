"""A folder into which other programs and people drop files: only whole, plain files come out of it (S16)."""

from __future__ import annotations

import os
import re
import stat
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_PLAIN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

LOOK_EVERY = 2.0

Fingerprint = tuple[int, ...]


class Refused(Exception):
    """Not a plain file of this folder: a link, a pipe, a device, or something put in its place meanwhile."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What lay in the folder under a name when it was looked at. ``fault`` is "" for a plain file or a folder."""

    name: str
    size: int
    mtime_ns: int
    inode: int
    folder: bool = False
    fault: str = ""

    @property
    def fingerprint(self) -> Fingerprint:
        return (self.size, self.mtime_ns, self.inode)


class DropFolder:
    """The folder at ``path``, or its sub-folder ``inner``. Nothing is ever opened outside of it."""

    def __init__(self, path: Path, inner: str = "") -> None:
        self.path = path
        self.inner = inner

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        outer = os.open(self.path, _FOLDER)
        try:
            if not self.inner:
                yield outer
                return
            inner = os.open(self.inner, _FOLDER | os.O_NOFOLLOW, dir_fd=outer)
            try:
                yield inner
            finally:
                os.close(inner)
        finally:
            os.close(outer)

    def entries(self) -> list[Entry]:
        """Everything in the folder but hidden files, oldest first. Raises OSError where the folder cannot be read."""
        with self.descriptor() as folder, os.scandir(folder) as found:
            seen = [entry for item in found if not item.name.startswith(".") and (entry := _look(item))]
        return sorted(seen, key=lambda entry: (entry.mtime_ns, natural(entry.name)))

    @contextmanager
    def opened(self, name: str) -> Iterator[tuple[int, Entry]]:
        """A descriptor of the plain file and what it was when opened. Raises Refused for anything else, OSError."""
        with self.descriptor() as folder:
            before = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if fault := _fault(before):
                raise Refused(fault)
            try:
                descriptor = os.open(name, _PLAIN, dir_fd=folder)
            except OSError as error:
                raise Refused(f"无法打开：{error.strerror}") from None
        try:
            now = os.fstat(descriptor)
            if fault := _fault(now):
                raise Refused(fault)
            if not os.path.samestat(before, now):  # a second link may be gone again by now: only the first look counted it
                raise Refused("打开时已被替换")
            yield descriptor, _entry(name, now)
        finally:
            os.close(descriptor)

    def move(self, entry: Entry, target: Path, name: str = "") -> str:
        """Move what ``entry`` describes into ``target``; the name it has there, "" if it changed meanwhile or is gone."""
        target.mkdir(parents=True, exist_ok=True)
        with self.descriptor() as folder, DropFolder(target).descriptor() as goal:
            try:
                now = os.stat(entry.name, dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                return ""
            if not entry.folder and _entry(entry.name, now) != entry:
                return ""
            free = _free_name(goal, name or entry.name)
            os.rename(entry.name, free, src_dir_fd=folder, dst_dir_fd=goal)
            return free


class Settling:
    """For how long things have stayed as they are, from one look to the next."""

    def __init__(self) -> None:
        self._looks: dict[str, tuple[Fingerprint, datetime]] = {}
        self._waiting: dict[str, datetime] = {}

    def quiet(self, name: str, fingerprint: Fingerprint, now: datetime) -> float:
        """For how many seconds ``name`` is known to have been as it is now; 0 at the first look."""
        known, since = self._looks.get(name, ((), now))
        if known != fingerprint or since > now:
            self._looks[name] = (fingerprint, now)
            since = now
        return (now - since).total_seconds()

    def waits(self, name: str, now: datetime) -> float:
        """``name`` is not ready at this look: for how many seconds that has been so."""
        return (now - self._waiting.setdefault(name, now)).total_seconds()

    def ready(self, name: str) -> None:
        self._waiting.pop(name, None)

    def keep(self, names: Iterable[str]) -> None:
        """Forget what is no longer there."""
        there = set(names)
        for kept in (self._looks, self._waiting):
            for name in kept.keys() - there:
                del kept[name]


class Watch:
    """Waits for something new in a folder, or until something that was still settling may be looked at again."""

    def __init__(self, folder: DropFolder) -> None:
        self._folder = folder
        self._again: float | None = None
        self._closed = threading.Event()

    def begin(self) -> None:
        """A new look starts."""
        self._again = None
        self._closed.clear()

    def again_in(self, seconds: float) -> None:
        """Something may be ready after so many seconds."""
        again = time.monotonic() + max(0.0, seconds)
        self._again = again if self._again is None else min(again, self._again)

    def left(self) -> float:
        """Seconds until something may be ready, 0 where nothing is settling."""
        return 0.0 if self._again is None else max(0.05, self._again - time.monotonic())

    def wait(self, seconds: float) -> bool:
        """True as soon as the folder has changed, or something may have settled."""
        before, end = self._snapshot(), time.monotonic() + seconds
        while True:
            now = time.monotonic()
            due = self._again if self._again is not None else now + LOOK_EVERY
            if self._again is not None and now >= due:
                return True
            if now >= end or self._closed.wait(min(end - now, due - now, LOOK_EVERY)):
                return False
            if self._snapshot() != before:
                return True

    def close(self) -> None:
        """Wake whoever waits."""
        self._closed.set()

    def _snapshot(self) -> frozenset[Entry]:
        try:
            return frozenset(self._folder.entries())
        except OSError:
            return frozenset()


def shown(name: str) -> str:
    """A file name as it may stand in a report or a log: printable, on one line, not too long."""
    plain = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else "?" for c in plain)[:120]


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts page2 before page10."""
    return [(int(digits or 0), text) for text, digits in re.findall(r"([^0-9]*)([0-9]{0,9})", name)]


def _look(item: os.DirEntry[str]) -> Entry | None:
    try:
        found = item.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _entry(item.name, found)


def _entry(name: str, found: os.stat_result) -> Entry:
    folder = stat.S_ISDIR(found.st_mode)
    fault = "" if folder else _fault(found)
    return Entry(name, found.st_size, found.st_mtime_ns, found.st_ino, folder, fault)


def _fault(found: os.stat_result) -> str:
    if stat.S_ISLNK(found.st_mode):
        return "是符号链接"
    if not stat.S_ISREG(found.st_mode):
        return "不是普通文件"
    return "是硬链接" if found.st_nlink != 1 else ""


def _free_name(folder: int, name: str) -> str:
    stem, dot, suffix = name.rpartition(".")
    stem, ending = (stem, dot + suffix) if stem else (name, "")
    taken = set(os.listdir(folder))
    names = (name, *(f"{stem}-{number}{ending}" for number in range(2, len(taken) + 3)))
    return next(free for free in names if free not in taken)
