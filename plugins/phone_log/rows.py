"""One row of an export → one call, and the references under which it may be known."""

from __future__ import annotations

import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from .columns import Columns
from .table import Header, Record, is_summary
from .values import DateOrder, Unclear, bare, damaged, direction, extension, number, seconds, started, status

REMEMBERED = 10_000
SAME_CALL = timedelta(hours=1)
BOTH_ENDS = timedelta(seconds=2)
_NO_ID = re.compile(r"\d(?:\.\d+)?e\+\d+|-+|null|0+", re.IGNORECASE)
_COUNTED = re.compile(r"\d{1,8}")
_YEAR = re.compile(r"\d{4}")
T = TypeVar("T")
_TEXTS = ("agent", "content", "result", "customer", "house", "recording", "satisfaction")
_RANK = {"missed": 0, "voicemail": 1, "answered": 2}


@dataclass(frozen=True, slots=True)
class Row:
    """A call as the row tells it; ``notes`` say what had to be mended.

    ``ref`` does not depend on the file, and ``also`` names it by the starts of its legs. ``plain`` is the reference by id
    alone, which the first call of that id has; "" where ids are counted or there is none.
    """

    record: Record
    number: int
    ref: str
    started_at: datetime
    call: Mapping[str, object]
    notes: tuple[str, ...] = ()
    plain: str = ""
    also: frozenset[str] = frozenset()

    @property
    def caller(self) -> str:
        return str(self.call["caller"])


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that is no call: ``why`` in Chinese. ``skip`` where nobody needs to look at it."""

    record: Record
    number: int
    why: str
    skip: bool = False


class Rows:
    """Reads the records of one file in order. Remembers the last ten thousand, no more."""

    def __init__(self, header: Header, order: DateOrder | None, zone: ZoneInfo, own: frozenset[str], known: int = 0) -> None:
        """``known``: so many rows were read before; of these only the last are looked at, for repetitions."""
        self._header = header
        self._order = order
        self._zone = zone
        self._own = own
        self._passed = known - REMEMBERED
        self._count = 0
        self._ids: Recent[tuple[datetime, object, str]] = Recent()
        self._equal: Recent[int] = Recent()
        self._inside: Recent[datetime] = Recent()

    def read(self, record: Record) -> Row | Rejected | None:
        """The call in ``record``; None for the header, title and summary lines."""
        if record.line <= self._header.line or record.cells == self._header.names:
            return None
        if is_summary(record.cells) and not self._has_start(record):
            return None
        self._count += 1
        if self._count <= self._passed:
            return None
        try:
            return self._call(record)
        except Unclear as error:
            return Rejected(record, self._count, str(error))

    def _call(self, record: Record) -> Row | Rejected:
        if record.fault:
            raise Unclear(record.fault)
        cells = self._fitting(record)
        start = started(_start_text(cells), self._order, self._zone)
        call, notes = self._mapped(cells)
        if call["status"] == "skipped":
            return Rejected(record, self._count, f"不是通话（{cells['status'][:20]}）", skip=True)
        call["started_at"] = start.isoformat()
        if self._other_end(start, call):
            return Rejected(record, self._count, "内部通话的另一条记录", skip=True)
        ref, id = self._reference(start, call), str(call["call_id"])
        plain = f"call:{id}" if id and not _COUNTED.fullmatch(id) else ""
        also = frozenset({ref, _dated(id, start)} if id else {ref})
        return Row(record, self._count, ref, start, call, tuple(notes), plain, also)

    def _fitting(self, record: Record) -> dict[str, str]:
        """The cells by canonical name. Raises Unclear where the row has not the columns of the header."""
        cells, width = record.cells, len(self._header.names)
        if len(cells) > width and any(cell.strip() for cell in cells[width:]):
            raise Unclear(f"列数与表头不符：表头 {width} 列，本行 {len(cells)} 列，内容中可能有没加引号的分隔符")
        places = self._header.columns.places
        needed = max((places[c] for c in ("started_at", "caller", "callee", "status", "talk") if c in places), default=0)
        if len(cells) <= needed:
            raise Unclear(f"列数与表头不符：表头 {width} 列，本行只有 {len(cells)} 列")
        return {c: bare(cells[p]) if p < len(cells) else "" for c, p in places.items()}

    def _has_start(self, record: Record) -> bool:
        columns: Columns = self._header.columns
        cells = {c: bare(record.cells[p]) for c, p in columns.places.items() if p < len(record.cells)}
        try:
            return bool(started(_start_text(cells), self._order, self._zone))
        except Unclear:
            return False

    def _mapped(self, cells: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
        caller, callee = number(cells.get("caller", "")), number(cells.get("callee", ""))
        notes = [
            f"{word}号码被表格软件损坏"
            for word, column in (("主叫", "caller"), ("被叫", "callee"))
            if damaged(cells.get(column, ""))
        ]
        units = self._header.columns.units
        ring, talk, total = (seconds(cells.get(c, ""), units.get(c, 1.0)) for c in ("ring", "talk", "total"))
        if total is not None and "talk" not in units:
            talk = max(0, total - (ring or 0))
        state, known = status(cells.get("status", ""), talk, cells.get("application", ""))
        if state == "missed" and "talk" not in units:
            talk = None
        if ring is None and total is not None:
            ring = max(0, total - (talk or 0))
        if not known:
            notes.append(f"不认识的通话状态，按{'已接' if state == 'answered' else '未接'}处理")
        call: dict[str, object] = {
            "call_id": _usable_id(cells.get("call_id", "")),
            "direction": direction(cells.get("direction", ""), caller, callee, self._own),
            "status": state,
            "caller": caller,
            "callee": callee,
            "ring_seconds": ring,
            "talk_seconds": talk,
            **{name: cells.get(name, "") for name in _TEXTS},
            "content": "\n".join(filter(None, (cells.get("content"), cells.get("note")))),
        }
        return call, notes

    def _other_end(self, start: datetime, call: Mapping[str, object]) -> bool:
        """True for the second of the two records that some exchanges write of one internal call."""
        ends = sorted((str(call["caller"]), str(call["callee"])))
        if call["direction"] != "internal" and not all(map(extension, ends)):
            return False
        name = f"{ends}{call['talk_seconds']}"
        before = self._inside.get(name)
        self._inside[name] = before or start
        return before is not None and abs(start - before) <= BOTH_ENDS

    def _reference(self, start: datetime, call: Mapping[str, object]) -> str:
        """The call id with the start of the call; without id a hash of what an exchange never changes."""
        id = str(call["call_id"])
        if id:
            return self._by_id(id, start, call)
        told = [call[k] for k in ("direction", "caller", "callee", "ring_seconds", "talk_seconds", "status", "agent")]
        digest = hashlib.sha256(json.dumps([start.isoformat(), *told]).encode()).hexdigest()[:32]
        times = self._equal[digest] = (self._equal.get(digest) or 0) + 1
        return f"row:{digest}" if times == 1 else f"row:{digest}#{times}"

    def _by_id(self, id: str, start: datetime, call: Mapping[str, object]) -> str:
        before = self._ids.get(id)
        if before is not None and before[1] == call["caller"] and abs(start - before[0]) <= SAME_CALL:
            return before[2]
        ref = _dated(id, start)
        self._ids[id] = (start, call["caller"], ref)
        return ref


def _dated(id: str, start: datetime) -> str:
    return f"call:{id}@{start.isoformat()}"


def better(one: Row, other: Row) -> Row:
    """Of two legs of one call the one that tells how it ended, with the earlier start and its reference."""
    first, second = _RANK[str(one.call["status"])], _RANK[str(other.call["status"])]
    best = other if second > first else one
    first_leg = min(one, other, key=lambda row: row.started_at)
    ref = _dated(str(best.call["call_id"]), first_leg.started_at) if best.call["call_id"] else best.ref
    call = {**best.call, "started_at": first_leg.started_at.isoformat()}
    return replace(best, ref=ref, started_at=first_leg.started_at, call=call, also=one.also | other.also)


class Recent(OrderedDict[str, T]):
    """The entries set last."""

    def __setitem__(self, name: str, value: T) -> None:
        super().__setitem__(name, value)
        self.move_to_end(name)
        if len(self) > REMEMBERED:
            self.popitem(last=False)


def _start_text(cells: Mapping[str, str]) -> str:
    """The start, put together where day and time stand in two columns."""
    day, time = cells.get("date", ""), cells.get("started_at", "")
    return f"{day} {time}".strip() if day and not _YEAR.search(time) else time or day


def _usable_id(text: str) -> str:
    """The call id, "" where a spreadsheet has destroyed it or there is none."""
    return "" if _NO_ID.fullmatch(text) else text[:120]
