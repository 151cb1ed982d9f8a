"""Log lines: one event each, JSON or for people, on standard error. No personal data: values are short, addresses hashed."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import time
from typing import Any

_logger = logging.getLogger("kefud")
LONGEST = 512


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


def set_up(style: str, *, verbose: bool = False) -> None:
    """Write events to standard error as "json" or for a "human"."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if style == "json" else _Human())
    _logger.handlers[:] = [handler]
    _logger.propagate = False
    _logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.raiseExceptions = False
