"""Lines as they lie on the page → the text as one reads it. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

FAINT = 0.3
SHORTEST_FULL = 10
_CLOSED = re.compile(r"(?:[。！？；：!?;:…]|\d{4})$")
"""What ends a line for good: a closing mark, or a number such as a telephone's."""
_BEGINS = re.compile(
    r"\s*(?:[一二三四五六七八九十]{1,3}[、.．,，月]|[(（][一二三四五六七八九十\d]{1,3}[)）]|[①-⑳]|\d{1,2}[、.．](?!\d)|\d{4}年"
    r"|第[一二三四五六七八九十]+[、，,])"
)
"""What begins a matter of its own, or the date below a letter."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of writing: its text, how sure the reader was of it, and the box around it. ``gapped``: has wide blanks."""

    text: str
    score: float
    left: float
    top: float
    right: float
    bottom: float
    gapped: bool = False

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Page:
    """The text of one page. ``goes_on``: its last line is full and unfinished, so the next page continues it."""

    text: str
    mean: float
    least: float
    goes_on: bool = False


def page_of(lines: Sequence[Line]) -> Page:
    """The lines in reading order, wrapped ones joined; means weighted by length, faint lines left out of the text."""
    weights = sum(len(line.text) for line in lines)
    mean = sum(line.score * len(line.text) for line in lines) / weights if weights else 0.0
    least = min((line.score for line in lines), default=0.0)
    clear = [line for line in lines if line.score >= FAINT]
    text, goes_on = "", False
    for column in _columns(clear):
        text, goes_on = _followed(text, goes_on, *_paragraphs(_rows(column)))
    return Page(text, mean, least, goes_on)


def page_of_text(text: str) -> Page:
    """The same for a text layer, where only the order and the length of lines are known."""
    rows = [line.strip("\r") for line in text.replace("\f", "\n").split("\n") if line.strip()]
    lines = [Line(row.strip(), 1.0, _width(row) - _width(row.lstrip()), 0, _width(row.rstrip()), 2) for row in rows]
    joined, goes_on = _paragraphs(lines)
    return Page(joined, 1.0, 1.0, goes_on)


def letter_of(pages: Sequence[Page]) -> str:
    """The text of all pages; a sentence that runs over the edge of a page is made whole."""
    text, goes_on = "", False
    for page in pages:
        if page.text:
            text, goes_on = _followed(text, goes_on, page.text, page.goes_on)
    return text


def _followed(text: str, goes_on: bool, more: str, then: bool) -> tuple[str, bool]:
    joint = "" if not text or (goes_on and not _BEGINS.match(more)) else "\n"
    return text + joint + more, then


def _columns(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Columns from left to right where a white strip runs down the page between three or more lines each, else one."""
    gap = _gap(lines)
    if gap is None:
        yield list(lines)
        return
    yield from _columns([line for line in lines if line.right <= gap])
    yield from _columns([line for line in lines if line.left >= gap])


def _gap(lines: Sequence[Line]) -> float | None:
    """The right edge of a strip nobody writes across, two letters wide; None where there is none."""
    if len(lines) < 6:
        return None
    wide = 2 * median(line.height for line in lines)
    edge = float("-inf")
    for line in sorted(lines, key=lambda line: line.left):
        if line.left - edge >= wide and edge > float("-inf"):
            before = [x for x in lines if x.right <= line.left]
            after = [x for x in lines if x.left >= line.left]
            if min(len(before), len(after)) >= 3 and _side_by_side(before, after):
                return line.left
        edge = max(edge, line.right)
    return None


def _side_by_side(before: Sequence[Line], after: Sequence[Line]) -> bool:
    """True for two columns; a label with its value beside it, row by row, is read row by row."""
    rows = sum(any(_same_row(a, b) for b in after) for a in before)
    return rows < 0.8 * min(len(before), len(after)) or min(_full(before), _full(after)) > 0.5


def _full(lines: Sequence[Line]) -> float:
    """The share of lines that reach the right edge, as running text does."""
    edge = max(line.right for line in lines)
    return sum(line.right > edge - 2 * line.height for line in lines) / len(lines)


def _rows(lines: Sequence[Line]) -> list[Line]:
    """Pieces that stand on one row made one line, from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.top + line.height / 2):
        row = next((row for row in reversed(rows[-3:]) if all(_same_row(line, piece) for piece in row)), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    return [_one_line(sorted(row, key=lambda piece: piece.left)) for row in rows]


def _same_row(one: Line, other: Line) -> bool:
    overlap = min(one.bottom, other.bottom) - max(one.top, other.top)
    beside = one.right <= other.left + one.height / 2 or other.right <= one.left + one.height / 2
    return beside and overlap > 0.5 * min(one.height, other.height)


def _one_line(pieces: Sequence[Line]) -> Line:
    if len(pieces) == 1:
        return pieces[0]
    return Line(
        " ".join(piece.text.strip() for piece in pieces),
        min(piece.score for piece in pieces),
        min(piece.left for piece in pieces),
        min(piece.top for piece in pieces),
        max(piece.right for piece in pieces),
        max(piece.bottom for piece in pieces),
        any(after.left - before.right > before.height for before, after in pairwise(pieces)),
    )


def _paragraphs(lines: Sequence[Line]) -> tuple[str, bool]:
    """Lines joined where one is full and unfinished and the next begins at the margin without a number of its own."""
    if not lines:
        return "", False
    letter = median(line.height for line in lines)
    edge, margin = max(line.right for line in lines), min(line.left for line in lines)
    text, open_end = "", False
    for line in lines:
        words = line.text.strip()
        begins = line.left - margin > 1.5 * letter or _BEGINS.match(words) is not None
        text += _joint(text, words, open_end and not begins) + words
        long = line.right - line.left > SHORTEST_FULL * letter and not line.gapped
        open_end = long and edge - line.right < 2.5 * letter and _CLOSED.search(words) is None
    return text, open_end and len(lines) > 1


def _joint(before: str, after: str, same_sentence: bool) -> str:
    if not before:
        return ""
    if not same_sentence:
        return "\n"
    return " " if before[-1].isascii() and before[-1].isalnum() and after[:1].isascii() and after[:1].isalnum() else ""


def _width(text: str) -> float:
    return float(sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text))
