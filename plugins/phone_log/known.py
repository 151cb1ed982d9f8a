"""Which calls are stored already, though ids return: an id alone says who called when only together with what is stored."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kefud.api import Arrival, Ledger

from .rows import SAME_CALL, Recent, Row

AT_ONCE = 50
"""Originals asked for in one go: a row of an export may be long."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """The call that has a plain id. ``raw`` is its row; ``erased`` where only the time it was taken in is known."""

    started_at: datetime
    caller: str
    raw: str
    erased: bool = False

    def is_call_of(self, row: Row) -> bool:
        if self.erased:
            return row.started_at <= self.started_at  # what began later was not taken in then
        if self.raw == row.record.raw:
            return True
        if self.caller == row.caller:
            return abs(self.started_at - row.started_at) <= SAME_CALL
        return self.started_at == row.started_at and not (self.caller and row.caller)  # a spreadsheet has destroyed the number


class Known:
    """Tells the new calls of a file from those that are stored, or were told before in the same file."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._told: Recent[bool] = Recent()
        self._holders: Recent[_Holder] = Recent()

    def new(self, rows: Sequence[Row]) -> Iterator[Row]:
        """The calls that are not stored, oldest first as ``rows`` are; the first of an id has it alone as its reference."""
        names = {name for row in rows for name in (*row.also, row.ref, row.plain) if name}
        stored = self._ledger.known(sorted(names))
        open_rows = [row for row in rows if not stored & {row.ref, *row.also}]
        self._recall({row.plain for row in open_rows if row.plain in stored})
        for row in open_rows:
            if self._told.keys() & {row.ref, *row.also}:
                continue
            holder = self._holders.get(row.plain) if row.plain else None
            if holder is not None and holder.is_call_of(row):
                continue
            if row.plain and holder is None:
                self._holders[row.plain] = _Holder(row.started_at, row.caller, row.record.raw)
                row = replace(row, ref=row.plain)
            self._told[row.ref] = True
            yield row

    def _recall(self, refs: Collection[str]) -> None:
        """Look up which calls have these ids."""
        wanted = sorted(refs)
        for start in range(0, len(wanted), AT_ONCE):
            for ref, arrival in self._ledger.originals(wanted[start : start + AT_ONCE]).items():
                self._holders[ref] = _holder(arrival)


def _holder(arrival: Arrival) -> _Holder:
    try:
        stored = json.loads(arrival.content)
        call: Mapping[str, str] = stored["call"]
        return _Holder(datetime.fromisoformat(call["started_at"]), call["caller"], stored["raw"])
    except (ValueError, KeyError, TypeError):
        return _Holder(arrival.received_at, "", "", erased=True)
