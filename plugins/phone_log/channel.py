"""The channel: files of a drop folder → one arrival for each call, taken once however often it is exported."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from kefud.api import (
    Arrival,
    Call,
    DropFolder,
    Entry,
    Ledger,
    Message,
    Refused,
    Settling,
    Site,
    SourceFailed,
    Unreadable,
    Watch,
    shown,
)  # fmt: skip

from .dates import decide_order
from .known import Known
from .rejects import Rejects
from .rows import Rejected, Row, Rows, better
from .settings import Settings
from .table import Header, NoTable, Survey, header, records, survey
from .values import number

BATCH = 50
BATCH_BYTES = 8 << 20
SORTED = 20_000
CHUNK = 500
ROW_LIMITS = frozenset({10_000, 20_000, 50_000, 65_535, 100_000, 1_048_575})
Note = dict[str, Any]


@dataclass(slots=True)
class _Reading:
    """One file while it is read, and what is counted on the way."""

    entry: Entry
    found: Survey
    header: Header
    rows: Rows
    rejects: Rejects
    last: bool
    known_rows: int
    new: int = 0
    seen: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


class PhoneLog:
    """Reads telephone logs dropped into a folder. See the README for formats and settings."""

    medium = "call"

    def __init__(self, id: str, settings: Settings, site: Site) -> None:
        self.id = id
        self._settings = settings
        self._zone = ZoneInfo(site.timezone)
        self._own = frozenset(filter(None, map(number, settings.own_numbers)))
        self._folder = DropFolder(settings.folder)
        self._settling = Settling()
        self._parts: set[int] = set()
        self._told: set[tuple[str, str]] = set()
        self._unacknowledged: dict[str, str] = {}
        self._finished: dict[str, tuple[Entry, Note]] = {}
        self._watch = Watch(self._folder)
        self._digest = hashlib.sha256(repr((settings.columns, settings.encoding, settings.date_order)).encode()).hexdigest()[:8]

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """Arrivals for the calls in all settled files that are not stored yet, file after file, oldest first."""
        self._watch.begin()
        self._finish(ledger)
        for entry, last in self._ready(ledger, now()):
            try:
                yield from self._file(entry, last, ledger, now)
            except (Refused, OSError) as error:
                self._tell(ledger, entry.name, f"无法读取：{getattr(error, 'strerror', None) or error}")
            except NoTable as error:
                self._tell(ledger, entry.name, f"{error}；文件留在原处，改动后会再读", str(entry.fingerprint))

    def acknowledge(self, refs: Sequence[str]) -> None:
        """These calls are stored. A file is only moved when all of its calls are."""
        for ref in refs:
            self._unacknowledged.pop(ref, None)

    def read(self, content: bytes, arrival: Arrival, site: Site) -> Message:
        """The call in the stored row."""
        try:
            stored = json.loads(content)
            call = _call(stored["call"])
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"话单记录损坏：{type(error).__name__}") from None
        text = "\n".join(part for part in (call.content, call.result) if part)
        return Message(
            medium="call",
            received_at=call.started_at,
            subject=_subject(call),
            text=text,
            call=call,
            digest=hashlib.sha256(arrival.ref.encode()).hexdigest(),
            remarks=tuple(stored.get("notes", ())),
        )

    def wait(self, seconds: float) -> bool:
        """True as soon as the folder has changed, or a file that was still settling may be looked at again."""
        return self._watch.wait(seconds)

    def again_in(self) -> float:
        """Seconds until something that is still being written may be looked at again, 0 where nothing is."""
        return self._watch.left()

    def close(self) -> None:
        self._watch.close()

    # ── Which files may be read ─────────────────────────────────────────────────────────────────────────────────────

    def _ready(self, ledger: Ledger, now: datetime) -> list[tuple[Entry, bool]]:
        """Files to read now, and whether their last line may be taken though it is not closed."""
        entries = self._entries()
        names = {entry.name for entry in entries}
        self._settling.keep(names)
        ready = []
        for entry in entries:
            if not self._wanted(entry, ledger):
                continue
            released = bool({f"{entry.name}.ok", f"{_stem(entry.name)}.ok"} & names) or entry.inode in self._parts
            quiet = self._settling.quiet(entry.name, entry.fingerprint, now)
            note = _note(ledger, entry.name)
            if self._unchanged(note, entry) and not (note.get("open") and (released or quiet >= self._settings.unclosed)):
                self._open_line(note, entry, ledger, quiet, now)
            elif released or (quiet >= self._settings.settle and entry.size):
                ready.append((entry, released or quiet >= self._settings.unclosed))
            else:
                if entry.size:
                    self._watch.again_in(self._settings.settle - quiet)
                self._late(entry, ledger, now)
        self._parts = {entry.inode for entry in entries if entry.name.endswith((".part", ".tmp"))}
        return ready

    def _entries(self) -> list[Entry]:
        try:
            return self._folder.entries()
        except OSError as error:
            raise SourceFailed(f"话单文件夹 {self._settings.folder} 无法读取：{error.strerror}", page=True) from None

    def _wanted(self, entry: Entry, ledger: Ledger) -> bool:
        if entry.folder or entry.name.endswith((".ok", ".part", ".tmp")):
            return False
        if entry.fault:
            self._tell(ledger, entry.name, f"{entry.fault}，不读")
            return False
        if not entry.name.lower().endswith(self._settings.suffixes):
            self._tell(ledger, entry.name, "不是话单（只读 " + " ".join(self._settings.suffixes) + "），不读")
            return False
        return True

    def _unchanged(self, note: Note, entry: Entry) -> bool:
        return note.get("at") == list(entry.fingerprint[:2]) and note.get("settings") == self._digest

    def _open_line(self, note: Note, entry: Entry, ledger: Ledger, quiet: float, now: datetime) -> None:
        if not note.get("open"):
            self._settling.ready(entry.name)
            return
        if quiet < self._settings.unclosed:
            self._watch.again_in(self._settings.unclosed - quiet)
        self._late(entry, ledger, now)

    def _late(self, entry: Entry, ledger: Ledger, now: datetime) -> None:
        if self._settling.waits(entry.name, now) >= self._settings.late:
            self._tell(ledger, entry.name, "一直没有写完（空文件、还在变化，或最后一行没有换行），继续等待")

    # ── One file ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _file(self, entry: Entry, last: bool, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        with self._folder.opened(entry.name) as (descriptor, opened):
            note = _note(ledger, entry.name)
            known = note if note.get("settings") == self._digest else {}
            found = survey(descriptor, opened.size, self._settings.encoding, int(known.get("size", 0)))
            grown = bool(known) and found.prefix_sha256 == known.get("sha256")
            if grown and found.size == known["size"] and not known.get("open"):
                self._finished[entry.name] = (opened, {**known, "at": list(opened.fingerprint[:2])})
                self._finish(ledger)
                return
            if found.damaged:
                self._tell(ledger, entry.name, f"有字节不合任何编码，按 {found.encoding} 读，坏字节显示为 \\xNN", found.sha256)
            reading = self._begin(descriptor, opened, found, last, int(known.get("rows", 0)) if grown else 0, ledger, now)
            yield from self._batches(reading, self._new_rows(reading, descriptor, ledger), now)
            self._end(reading, ledger)

    def _begin(
        self, descriptor: int, entry: Entry, found: Survey, last: bool, known: int, ledger: Ledger, now: Callable[[], datetime]
    ) -> _Reading:
        head = header(descriptor, found, self._settings.columns)
        order = self._settings.date_order
        if order == "auto":
            order, doubt = decide_order(records(descriptor, found, head.delimiter), head, now(), ledger.recall("date_order"))
            if doubt:
                self._tell(ledger, entry.name, doubt, found.sha256)
            if order != "ymd" and not doubt:
                ledger.remember("date_order", order)
        rows = Rows(head, order, self._zone, self._own, known)
        return _Reading(entry, found, head, rows, Rejects(self._settings.reject_folder, entry.name), last, known)

    def _new_rows(self, reading: _Reading, descriptor: int, ledger: Ledger) -> Iterator[Row]:
        """Calls that are not stored yet: in order of time where the file is not too long, else as they stand."""
        known = Known(ledger)
        rows = self._rows(reading, descriptor)
        chunk = sorted(_merged(islice(rows, SORTED)), key=lambda row: row.started_at)
        while chunk:
            for start in range(0, len(chunk), CHUNK):
                yield from known.new(chunk[start : start + CHUNK])
            chunk = _merged(islice(rows, CHUNK))

    def _rows(self, reading: _Reading, descriptor: int) -> Iterator[Row]:
        closed = reading.last or reading.found.closed
        for record in records(descriptor, reading.found, reading.header.delimiter, closed):
            row = reading.rows.read(record)
            if row is None:
                continue
            reading.seen = row.number
            if isinstance(row, Rejected):
                self._refuse(reading, row)
            elif row.number > reading.known_rows:
                yield row

    def _refuse(self, reading: _Reading, row: Rejected) -> None:
        if not row.skip:
            reading.rejects.add(row.record.line, row.why, row.record.raw)
        elif row.number > reading.known_rows:
            reading.skipped[row.why] = reading.skipped.get(row.why, 0) + 1

    def _batches(self, reading: _Reading, rows: Iterable[Row], now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        batch: list[Arrival] = []
        size = 0
        for row in rows:
            arrival = self._arrival(reading, row, now())
            if batch and (len(batch) == BATCH or size + len(arrival.content) > BATCH_BYTES):
                yield batch
                batch, size = [], 0
            batch.append(arrival)
            size += len(arrival.content)
            reading.new += 1
            self._unacknowledged[row.ref] = reading.entry.name
        if batch:
            yield batch

    def _arrival(self, reading: _Reading, row: Row, now: datetime) -> Arrival:
        stored = {
            "file": shown(reading.entry.name),
            "sha256": reading.found.sha256,
            "encoding": reading.found.encoding,
            "row": row.number,
            "line": row.record.line,
            "raw": row.record.raw,
            "header": reading.header.names,
            "cells": row.record.cells,
            "call": row.call,
            "notes": row.notes,
        }
        content = json.dumps(stored, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")
        label = f"{_label(str(row.call['direction']), str(row.call['status']))} {row.started_at:%m-%d %H:%M}"
        return Arrival(row.ref, now, content, "call", label)

    def _end(self, reading: _Reading, ledger: Ledger) -> None:
        self._report(reading, ledger)
        open_line = not reading.last and not reading.found.closed
        note = {
            "at": list(reading.entry.fingerprint[:2]), "size": reading.found.size, "sha256": reading.found.sha256,
            "rows": reading.seen, "settings": self._digest, "open": open_line,
        }  # fmt: skip
        if open_line:
            self._watch.again_in(self._settings.unclosed - self._settings.settle)
        self._finished[reading.entry.name] = (reading.entry, note)
        self._finish(ledger)

    def _report(self, reading: _Reading, ledger: Ledger) -> None:
        name, digest = reading.entry.name, reading.found.sha256
        if new := reading.rejects.write():
            self._tell(ledger, name, f"{new} 行读不懂，已写入 {shown(reading.rejects.path.name)}，请更正后重新放入", digest)
        for why, count in reading.skipped.items():
            self._tell(ledger, name, f"跳过 {count} 行：{why}", digest)
        if reading.seen in ROW_LIMITS:
            self._tell(ledger, name, f"正好 {reading.seen} 行，可能在导出上限处被截断，请检查", digest)

    def _finish(self, ledger: Ledger) -> None:
        """Note files whose calls are all stored, and move them where that is wanted."""
        waiting = set(self._unacknowledged.values())
        for name in [name for name in self._finished if name not in waiting]:
            entry, note = self._finished.pop(name)
            self._settling.ready(name)
            if self._settings.done_folder and not note["open"]:
                self._move(entry, ledger)
            else:
                ledger.remember(f"file:{shown(name)}", json.dumps(note))

    def _move(self, entry: Entry, ledger: Ledger) -> None:
        assert self._settings.done_folder is not None
        try:
            moved = self._folder.move(entry, self._settings.done_folder)
            for sidecar in self._folder.entries():
                if moved and sidecar.name in (f"{entry.name}.ok", f"{_stem(entry.name)}.ok") and not sidecar.fault:
                    self._folder.move(sidecar, self._settings.done_folder)
        except OSError as error:
            self._tell(ledger, entry.name, f"不能移到 {self._settings.done_folder}：{error.strerror}")

    def _tell(self, ledger: Ledger, name: str, problem: str, about: str = "") -> None:
        """Report a problem with a file once, not at every look."""
        key = (name, problem + about)
        if key not in self._told:
            self._told.add(key)
            ledger.report(f"话单文件 {shown(name)}：{problem}")


def _merged(rows: Iterable[Row]) -> list[Row]:
    """The rows, those of one call made one."""
    found: dict[tuple[str, str], Row] = {}
    for row in rows:
        call = row.ref, row.caller if row.plain else ""
        found[call] = better(found[call], row) if call in found else row
    return list(found.values())


def _note(ledger: Ledger, name: str) -> Note:
    try:
        note = json.loads(ledger.recall(f"file:{shown(name)}") or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _call(told: dict[str, Any]) -> Call:
    started = datetime.fromisoformat(told["started_at"])
    return Call(**{**told, "started_at": started})


def _label(direction: str, status: str) -> str:
    if direction == "out":
        return "去电" if status == "answered" else "去电未接通"
    if direction == "internal":
        return "内部通话"
    return {"answered": "来电", "missed": "未接来电", "voicemail": "语音留言"}[status]


def _subject(call: Call) -> str:
    label = _label(call.direction, call.status)
    said = " ".join((call.content or call.result).split())
    return f"{label}：{said[:30]}{'…' if len(said) > 30 else ''}" if said else label
