"""Arrivals: taken once for ever, by channel and reference; the rows are also the queue of reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, text, update

from kefud.desk.arrival import Arrival
from kefud.store import blobs
from kefud.store.tables import ArrivalRow, ArrivalTicket, Blob, TicketRow, table_of, word


@dataclass(frozen=True, slots=True)
class Waiting:
    """An arrival that waits to be read."""

    id: int
    channel: str
    arrival: Arrival
    attempts: int
    transcript: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True)
class ShelfEntry:
    """An arrival that waits for a person."""

    id: int
    channel: str
    ref: str
    medium: str
    received_at: datetime
    reason: str
    subject: str
    confidence: float | None
    draft: str
    blob: str
    effects: tuple[str, ...] = ()


def known(tx: Connection, channel: str, refs: Sequence[str]) -> set[str]:
    """Those of ``refs`` that are stored for the channel."""
    found: set[str] = set()
    for start in range(0, len(refs), 500):
        part = refs[start : start + 500]
        found.update(tx.scalars(_KNOWN, {"channel": channel, "refs": part}))
    return found


def originals(tx: Connection, channel: str, refs: Sequence[str], directory: Path) -> dict[str, Arrival]:
    """Those of ``refs`` that are stored, as they were taken in; without content where that was erased."""
    found = {}
    for r in tx.execute(_ORIGINALS, {"channel": channel, "refs": list(refs)}):
        content = bytes(r.data or b"")
        if r.path is not None:
            with suppress(OSError):
                content = (directory / r.path).read_bytes()
        found[r.ref] = Arrival(r.ref, r.received_at, content, r.medium, r.subject)
    return found


def take(
    tx: Connection, channel: str, arrivals: Sequence[Arrival], stored: Sequence[blobs.Stored], now: datetime
) -> int:
    """Record arrivals not yet known; returns how many are new. The originals must be durable already."""
    there = known(tx, channel, [a.ref for a in arrivals])
    rows, seen = [], set(there)
    for arrival, blob in zip(arrivals, stored, strict=True):
        if arrival.ref in seen:
            continue
        seen.add(arrival.ref)
        rows.append(
            {
                "channel": channel, "ref": arrival.ref, "medium": arrival.medium, "status": "received",
                "received_at": arrival.received_at, "taken_at": now, "blob": blob.sha, "size": blob.size,
                "subject": arrival.subject[:200], "message_id": "", "digest": "", "reason": "", "draft": "", "transcript": "",
                "effects": [], "disposition": "", "attempts": 0, "next_attempt": now, "owner": "",
            }
        )  # fmt: skip
    if rows:
        blobs.record(tx, stored, now)
        tx.execute(_INSERT, rows)
    return len(rows)


def id_of(tx: Connection, channel: str, ref: str) -> int:
    """The id of an arrival that is known by channel and reference."""
    return tx.execute(_ID_OF, {"channel": channel, "ref": ref}).scalar_one()


# Statements are built once: building one takes SQLAlchemy four times as long as running it.
_INSERT = insert(table_of(ArrivalRow))
_KNOWN = select(ArrivalRow.ref).where(
    ArrivalRow.channel == bindparam("channel"), ArrivalRow.ref.in_(bindparam("refs", expanding=True))
)
_ORIGINALS = (
    select(ArrivalRow.ref, ArrivalRow.received_at, ArrivalRow.medium, ArrivalRow.subject, Blob.data, Blob.path)
    .join(Blob, Blob.sha == ArrivalRow.blob, isouter=True)
    .where(ArrivalRow.channel == bindparam("channel"), ArrivalRow.ref.in_(bindparam("refs", expanding=True)))
)
_ID_OF = select(ArrivalRow.id).where(ArrivalRow.channel == bindparam("channel"), ArrivalRow.ref == bindparam("ref"))
_WAITING = (
    select(ArrivalRow.id)
    .where(
        ArrivalRow.status == word("received"), ArrivalRow.next_attempt <= bindparam("now"),
        or_(ArrivalRow.lease_until.is_(None), ArrivalRow.lease_until < bindparam("now")),
        ArrivalRow.channel.in_(bindparam("channels", expanding=True)),
    )
    .order_by(text("+arrival.id"))  # the plus keeps SQLite from walking the whole table in the order of ids
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)  # fmt: skip
_LEASE = update(table_of(ArrivalRow)).where(ArrivalRow.id.in_(bindparam("ids", expanding=True)))
_CLAIMED = (
    select(
        ArrivalRow.id, ArrivalRow.channel, ArrivalRow.ref, ArrivalRow.received_at, ArrivalRow.medium, ArrivalRow.subject,
        ArrivalRow.attempts, ArrivalRow.transcript, Blob.data, Blob.path,
    )
    .join(Blob, Blob.sha == ArrivalRow.blob)
    .where(ArrivalRow.id.in_(bindparam("ids", expanding=True)))
    .order_by(ArrivalRow.id)
)  # fmt: skip
_SETTLE = update(table_of(ArrivalRow)).where(ArrivalRow.id == bindparam("its_id"))
_LOCK_WAITING = (
    select(ArrivalRow.id)
    .where(ArrivalRow.status == word("received"), ArrivalRow.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)
_TWINS = select(ArrivalRow.digest, ArrivalRow.id).where(
    ArrivalRow.digest.in_(bindparam("digests", expanding=True)), ArrivalRow.digest != word(""),
    ArrivalRow.status.in_(("filed", "ignored")),
)  # fmt: skip


def claim(
    tx: Connection, owner: str, now: datetime, *, lease: timedelta, most: int, channels: Sequence[str], spool: Path
) -> list[Waiting]:
    """Lease the oldest waiting arrivals of these channels; a dead owner's come back when their lease ends."""
    wanted = {"now": now, "channels": list(channels), "most": most}
    ids = list(tx.scalars(_WAITING, wanted))
    if not ids:
        return []
    tx.execute(_LEASE, {"ids": ids, "owner": owner, "lease_until": now + lease})
    rows = tx.execute(_CLAIMED, {"ids": ids})
    return [
        Waiting(
            r.id, r.channel, Arrival(r.ref, r.received_at, bytes(r.data or b""), r.medium, r.subject), r.attempts, r.transcript,
            "" if r.data is not None else str(spool / "blobs" / r.path),
        )
        for r in rows
    ]  # fmt: skip


def take_over(tx: Connection, owners: Sequence[str] | None = None) -> int:
    """Let go of what dead owners had claimed; all owners where ``owners`` is None (the store is ours alone)."""
    dead = ArrivalRow.owner.in_(owners) if owners is not None else ArrivalRow.owner != ""
    mine = (ArrivalRow.status == word("received"), ArrivalRow.lease_until.is_not(None), dead)
    return tx.execute(update(ArrivalRow).where(*mine).values(lease_until=None, owner="")).rowcount


def filed_since(tx: Connection, since: datetime, spool: Path) -> list[tuple[Waiting, tuple[str, ...]]]:
    """Arrivals filed since ``since`` with the numbers of their tickets, oldest first, ready to be read again."""
    columns = (
        ArrivalRow.id, ArrivalRow.channel, ArrivalRow.ref, ArrivalRow.received_at, ArrivalRow.medium, ArrivalRow.subject,
        ArrivalRow.transcript, Blob.data, Blob.path,
    )  # fmt: skip
    query = select(*columns).join(Blob, Blob.sha == ArrivalRow.blob)
    rows = tx.execute(query.where(ArrivalRow.status == "filed", ArrivalRow.taken_at >= since).order_by(ArrivalRow.id))
    found = []
    for r in rows:
        numbers = select(TicketRow.number).join(ArrivalTicket, ArrivalTicket.ticket == TicketRow.id)
        named = tuple(tx.scalars(numbers.where(ArrivalTicket.arrival == r.id).order_by(TicketRow.id)))
        arrival = Arrival(r.ref, r.received_at, bytes(r.data or b""), r.medium, r.subject)
        path = "" if r.data is not None else str(spool / "blobs" / r.path)
        found.append((Waiting(r.id, r.channel, arrival, 0, r.transcript, path), named))
    return found


def give_back(tx: Connection, ids: Sequence[int]) -> None:
    """Let go of leased arrivals without a mark against them. Those that are ticked off stay as they are."""
    if ids:
        waiting = (ArrivalRow.id.in_(ids), ArrivalRow.status == word("received"))
        tx.execute(update(ArrivalRow).where(*waiting).values(lease_until=None, owner=""))


def put_off(tx: Connection, id: int, until: datetime, reason: str, *, blame: bool = True) -> None:
    """Push an arrival into the future, before its error is raised again; ``blame`` counts it as an attempt."""
    tx.execute(
        update(ArrivalRow)
        .where(ArrivalRow.id == id)
        .values(attempts=ArrivalRow.attempts + int(blame), next_attempt=until, lease_until=None, reason=reason[:500])
    )


def lock_waiting(tx: Connection, ids: Sequence[int]) -> set[int]:
    """Those of ``ids`` that are not ticked off yet; nobody else can tick them off before this transaction ends."""
    return set(tx.scalars(_LOCK_WAITING, {"ids": list(ids)}))


def one_host_at_a_time(tx: Connection) -> None:
    """Let no other host that shares the store be in the midst of filing until this transaction ends."""
    if tx.dialect.name != "sqlite":
        tx.execute(text("select pg_advisory_xact_lock(74656664)"))


def settle(tx: Connection, id: int, status: str, **values: Any) -> None:
    """Tick an arrival off: "filed", "ignored", "duplicate", "shelved" or "discarded"."""
    settle_alike(tx, {id: values}, status)


def settle_alike(tx: Connection, values: Mapping[int, Mapping[str, Any]], status: str) -> None:
    """Tick several arrivals off in one statement; ``values`` has the same keys for each."""
    if values:
        tx.execute(_SETTLE, [{"its_id": id, "status": status, "lease_until": None, **x} for id, x in values.items()])


def link(tx: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Record which tickets an arrival belongs to."""
    if pairs:
        tx.execute(insert(ArrivalTicket), [{"arrival": a, "ticket": t} for a, t in dict.fromkeys(pairs)])


def earlier_twins(tx: Connection, digests: Mapping[int, str]) -> dict[int, int]:
    """Of arrivals (id: digest) those whose content is filed already (R14), with the arrival it is filed as."""
    wanted = {digest for digest in digests.values() if digest}
    if not wanted:
        return {}
    filed: dict[str, list[int]] = {}
    for digest, id in tx.execute(_TWINS, {"digests": list(wanted)}):
        filed.setdefault(digest, []).append(id)
    others = {id: [x for x in filed.get(digest, ()) if x != id] for id, digest in digests.items()}
    return {id: min(found) for id, found in others.items() if found}


def shelf(tx: Connection, id: int | None = None) -> list[ShelfEntry]:
    """What waits for a person, oldest first."""
    query = select(ArrivalRow).where(ArrivalRow.status == word("shelved")).order_by(ArrivalRow.id)
    if id is not None:
        query = query.where(ArrivalRow.id == id)
    return [
        ShelfEntry(
            r.id, r.channel, r.ref, r.medium, r.received_at, r.reason, r.subject, r.confidence, r.draft, r.blob,
            tuple(r.effects or ()),
        )
        for r in tx.execute(query)
    ]  # fmt: skip


def release(tx: Connection, id: int, now: datetime, transcript: str = "") -> bool:
    """Take an arrival off the shelf to be read again, with what a person typed. False where it is not on the shelf."""
    result = tx.execute(
        update(ArrivalRow)
        .where(ArrivalRow.id == id, ArrivalRow.status == word("shelved"))
        .values(status="received", next_attempt=now, attempts=0, transcript=transcript, lease_until=None)
    )
    return result.rowcount == 1


def counts(tx: Connection, channel: str | None = None) -> dict[str, int]:
    """How many arrivals stand in each status."""
    query = select(ArrivalRow.status, func.count()).group_by(ArrivalRow.status)
    if channel:
        return {status: count for status, count in tx.execute(query.where(ArrivalRow.channel == channel))}
    # Nearly all are filed: the others are counted one by one in an index of their own, the filed ones are the rest.
    found = {status: count for status, count in tx.execute(query.where(ArrivalRow.status != word("filed")))}
    filed = (tx.scalar(select(func.count()).select_from(ArrivalRow)) or 0) - sum(found.values())
    return {**({"filed": filed} if filed else {}), **found}


def backlog(tx: Connection) -> dict[str, int]:
    """Arrivals that wait to be read, by channel."""
    # Counted here: grouping would make SQLite walk the index of all channels and references.
    return dict(Counter(tx.scalars(select(ArrivalRow.channel).where(ArrivalRow.status == word("received")))))


def next_due(tx: Connection) -> datetime | None:
    """When the next waiting arrival may be read."""
    return tx.scalar(select(func.min(ArrivalRow.next_attempt)).where(ArrivalRow.status == word("received")))


def still_waiting(tx: Connection, id: int) -> bool:
    """True while the arrival has not been ticked off."""
    return tx.scalar(select(ArrivalRow.status).where(ArrivalRow.id == id)) == "received"


def channel_of(tx: Connection, id: int) -> str:
    """The channel an arrival came by, "" for an unknown one."""
    return tx.scalar(select(ArrivalRow.channel).where(ArrivalRow.id == id)) or ""
