"""A mail whose body was not fetched: its own header, and a text that says what is missing, so that a ticket exists."""

from __future__ import annotations

import re

MOST_HEADER = 128 * 1024
_DROPPED = re.compile(rb"(?i)^(?:content-|mime-version:|x-kefud-)")


def header_only(header: bytes, why: str, *, size: int = 0) -> bytes:
    """A mail of ``header`` and the text ``why``; ``size`` is the size of the whole original in bytes, 0 if not known.

    What described the body that is not there goes, and so does anything that claims to be ours.
    """
    lines = [b"X-Kefud-Oversize: %d" % size if size else b"X-Kefud-Not-Fetched: yes"]
    lines += _kept(header[:MOST_HEADER])
    lines += [b"MIME-Version: 1.0", b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b""]
    return b"\r\n".join([*lines, *why.encode().splitlines(), b""])


def _kept(header: bytes) -> list[bytes]:
    kept: list[bytes] = []
    keep = False
    for line in re.split(rb"\r\n|\r|\n", header):
        if not line.strip():
            if kept:
                break
            continue
        if line[:1] not in b" \t":
            keep = b":" in line and not _DROPPED.match(line)
        if keep:
            kept.append(line)
    return kept
