"""What a receiving side said, on disk before the next letter leaves; read back where a process ended before it was recorded.

A transport's child writes one line for each accepted letter and waits until it is durable. So the daemon may record many
answers in one transaction, and still at most the one letter under way is sent twice after a crash.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from kefud.desk.dispatch import Sent


class Journal:
    """The file of one transport. One process appends; another reads and clears between two batches."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """Make the file, durable down to its directory's name, so that appending to it is all that is left to do."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    @contextmanager
    def opened(self) -> Iterator[Pen]:
        """For the one that appends. Raises OSError where the disk refuses."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield Pen(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> tuple[list[Sent], datetime]:
        """The accepted letters, and when the last was noted (UTC). A line that a crash cut off was never told to anybody."""
        content = self.path.read_bytes()
        noted = datetime.fromtimestamp(self.path.stat().st_mtime, UTC)
        lines = (_sent(line) for line in content.split(b"\n")[:-1])
        return [sent for sent in lines if sent], noted

    def clear(self) -> None:
        """Forget what was recorded. A power cut may bring it back: recording it again changes nothing."""
        os.truncate(self.path, 0)


class Pen:
    """Appends to an open journal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def note(self, sent: Sent) -> None:
        """Returns when the line is on disk. Raises OSError where the disk refuses; then the letter counts as under way."""
        line = json.dumps(asdict(sent), ensure_ascii=True).encode("ascii") + b"\n"
        written = os.write(self._descriptor, line)
        if written != len(line):
            raise OSError(f"only {written} of {len(line)} bytes written")
        os.fdatasync(self._descriptor)


def _sent(line: bytes) -> Sent | None:
    """None where a power cut left something else: that letter counts as under way."""
    try:
        said = json.loads(line)
        return Sent(**{**said, "papers": tuple((document, path) for document, path in said["papers"])})
    except (ValueError, TypeError, KeyError):
        return None
