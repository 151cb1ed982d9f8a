"""How much of a mail is looked at before the reader stops and says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

KIB = 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that keep reading linear. Only ``message`` refuses a mail; the others cut and leave a remark.

    Sizes in bytes, ``text`` and ``subject`` in characters. ``boundary_lines`` counts over the whole message.
    """

    message: int = 35 * KIB * KIB
    header_block: int = 128 * KIB
    header: int = 16 * KIB
    addresses: int = 100
    boundary_lines: int = 500
    depth: int = 20
    encoded_words: int = 400
    subject: int = 1000
    text: int = KIB * KIB


DEFAULT_LIMITS = Limits()


class Remarks:
    """What had to be mended or cut, each thing once and never more than thirty."""

    def __init__(self) -> None:
        self._seen: dict[str, None] = {}

    def add(self, text: str) -> None:
        if text and len(self._seen) < 30:
            self._seen[text[:200]] = None

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)
