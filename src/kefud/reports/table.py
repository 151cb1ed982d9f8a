"""A report as tables, and the gate every cell passes on its way into a file people open with a spreadsheet (S09)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = str | int | float | None
LONGEST_CELL = 32_767
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MARK = "……(截断)"


@dataclass(frozen=True)
class Table:
    """One sheet: a title, the headings, and rows of cells. Rows may be produced as they are read."""

    title: str
    columns: tuple[str, ...]
    rows: Iterable[Sequence[Cell]]


def of_rows(title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Mapping[str, Any]]) -> Table:
    """A table of mappings; ``columns`` are keys and headings."""
    return Table(title, tuple(head for _, head in columns), ([plain(row.get(key)) for key, _ in columns] for row in rows))


def plain(value: Any) -> Cell:
    """A value as a cell: numbers stay numbers, yes and no become words, lists are joined."""
    if isinstance(value, bool):
        return "是" if value else "否"
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return "、".join(str(plain(v) or "") for v in value)
    return str(value)


def gated(cell: Cell) -> Cell:
    """``cell`` so that no spreadsheet takes it for a formula: text that begins like one gets a leading ' (S09)."""
    if not isinstance(cell, str):
        return cell
    text = _CONTROLS.sub("", cell)
    if text.startswith(_FORMULA) or text.lstrip(" \u3000\u00a0\ufeff").startswith(_FORMULA):
        text = f"'{text}"
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - len(_MARK)] + _MARK
