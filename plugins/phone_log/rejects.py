"""Rows that could not be read, for a person: line, reason and the text as it stood, once each."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

from kefud.api import DropFolder, Refused

MOST = 5_000
COLUMNS = ("行号", "原因", "原文")


class Rejects:
    """The file ``<name>.rejected.csv``. Rows it holds already are not written again."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{name}.rejected.csv"
        self._rows: dict[tuple[str, str], str] = {}
        self._beyond = 0

    def add(self, line: int, why: str, raw: str) -> None:
        if len(self._rows) < MOST:
            self._rows[(str(line), _harmless(raw.strip("\r\n")))] = why
        else:
            self._beyond += 1

    def write(self) -> int:
        """Append what is new; how many rows that were."""
        if not self._rows:
            return 0
        known = self._known()
        new = [(line, why, raw) for (line, raw), why in self._rows.items() if (line, raw) not in known]
        if new:
            self._append(new, first=not known)
        return len(new) + (self._beyond if new else 0)

    def _known(self) -> set[tuple[str, str]]:
        try:
            with DropFolder(self.path.parent).opened(self.path.name) as (descriptor, entry):
                text = os.pread(descriptor, min(entry.size, 64 << 20), 0).decode("utf-8-sig", "replace")
        except (OSError, Refused):
            return set()
        return {(row[0], row[2]) for row in csv.reader(io.StringIO(text, newline="")) if len(row) == 3}

    def _append(self, rows: list[tuple[str, str, str]], first: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerows([COLUMNS, *rows] if first else rows)
        if self._beyond:
            writer.writerow(("", f"另有 {self._beyond} 行没有列出", ""))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.path, flags, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write((("\ufeff" if first else "") + text.getvalue()).encode("utf-8", "replace"))


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in "=+-@\t" and text else text
