"""Log lines: one event each, JSON or for people, on standard error. No personal data: values are short, addresses hashed."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import threading
import time
from contextlib import suppress
from queue import Full, Queue
from typing import Any, TextIO

_logger = logging.getLogger("kefud")
LONGEST = 512
MOST_WAITING = 5000


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event. Values are cut to 512 characters and carry no control characters (S17)."""
    if _logger.isEnabledFor(level):
        _logger.log(level, name, extra={"fields": {k: safe(v) for k, v in fields.items() if v is not None}})


def warn(name: str, **fields: Any) -> None:
    event(name, logging.WARNING, **fields)


def error(name: str, **fields: Any) -> None:
    event(name, logging.ERROR, **fields)


def safe(value: Any) -> Any:
    """``value`` as it may stand in a log line."""
    if isinstance(value, (int, float, bool)):
        return value
    text = "".join(c if c.isprintable() else " " for c in str(value))
    return text[:LONGEST]


def hashed(address: str) -> str:
    """A short code for an address, so that lines about the same one can be found without naming it."""
    return hashlib.sha256(address.lower().encode()).hexdigest()[:10] if address else ""


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **getattr(record, "fields", {})}
        return json.dumps(line, ensure_ascii=False)


class _Human(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{k}={v}" for k, v in getattr(record, "fields", {}).items())
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        return f"{at} {record.levelname.lower():7} {record.getMessage()} {fields}".rstrip()


class _Unhurried(logging.Handler):
    """Writes in a thread of its own, so that work goes on where nobody reads; what does not fit is counted and said."""

    def __init__(self, out: TextIO) -> None:
        super().__init__()
        self._out = out
        self._lines: Queue[str] = Queue(MOST_WAITING)
        self._lost = 0
        threading.Thread(target=self._write, daemon=True, name="log").start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record))
        except Full:
            self._lost += 1

    def flush(self) -> None:
        """At the end: what waits, if it goes out within two seconds."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, 2.0)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            lost, self._lost = self._lost, 0
            if lost:
                line += "\n" + self.format(_record("log-lines-lost", lines=lost))
            with suppress(OSError, ValueError):
                self._out.write(line + "\n")
                self._out.flush()
            self._lines.task_done()


def _record(name: str, **fields: Any) -> logging.LogRecord:
    record = logging.LogRecord(_logger.name, logging.WARNING, "", 0, name, (), None)
    record.fields = fields
    return record


def set_up(style: str, *, verbose: bool = False, unhurried: bool = False) -> None:
    """Write events to standard error as "json" or for a "human". ``unhurried``: nobody waits for them to be written."""
    handler: logging.Handler = _Unhurried(sys.stderr) if unhurried else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Human())
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.raiseExceptions = False
