"""The outbox: letters written with the ticket, leased, tried, and recorded with the receiving side's answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from sqlalchemy.orm import aliased

from kefud.store.tables import AttemptRow, DocumentRow, LetterRow, TicketRow

UNSENT = ("pending", "leased", "held", "failed")


@dataclass(frozen=True, slots=True)
class Leased:
    """A letter this daemon may send until ``until``; ``epoch`` fences off whoever held it before."""

    id: int
    epoch: int
    attempts: int
    row: dict[str, Any]


def lease(
    tx: Connection, owner: str, now: datetime, *, until: datetime, most: int, transport: str
) -> list[Leased]:
    """Take up to ``most`` letters that are due: urgent first, then in the order they were written; per ticket in order."""
    free = or_(LetterRow.status == "pending", and_(LetterRow.status == "leased", LetterRow.lease_until < now))
    earlier = aliased(LetterRow)
    waits_for = (
        select(earlier.id)
        .where(
            earlier.ticket == LetterRow.ticket, earlier.recipient == LetterRow.recipient, earlier.id < LetterRow.id,
            earlier.status.in_(("pending", "leased")),
        )
        .exists()
    )  # fmt: skip
    query = (
        select(LetterRow.id)
        .where(free, LetterRow.next_attempt <= now, LetterRow.transport == transport, ~waits_for)
        .order_by(LetterRow.priority, LetterRow.id)
        .limit(most)
    )
    ids = list(tx.scalars(query.with_for_update(skip_locked=True)))
    if not ids:
        return []
    tx.execute(
        update(LetterRow)
        .where(LetterRow.id.in_(ids))
        .values(
            status="leased", owner=owner, lease_until=until, epoch=LetterRow.epoch + 1, attempts=LetterRow.attempts + 1
        )
    )
    rows = tx.execute(
        select(LetterRow, TicketRow.number.label("ticket_number"))
        .join(TicketRow, TicketRow.id == LetterRow.ticket, isouter=True)
        .where(LetterRow.id.in_(ids))
        .order_by(LetterRow.priority, LetterRow.id)
    )
    return [Leased(r.id, r.epoch, r.attempts, dict(r._mapping)) for r in rows]


def sent(tx: Connection, results: Sequence[tuple[int, int, int | None, str]], now: datetime) -> set[int]:
    """Record accepted letters (id, epoch, code, answer). Returns the ids that were still ours; the others are fenced off."""
    ours: set[int] = set()
    for id, epoch, code, answer in results:
        done = tx.execute(
            update(LetterRow)
            .where(LetterRow.id == id, LetterRow.epoch == epoch, LetterRow.status == "leased")
            .values(status="sent", sent_at=now, lease_until=None, last_code=code, last_answer=answer[:500], told=False)
        )
        if done.rowcount == 1:
            ours.add(id)
    rows = [{"letter": i, "at": now, "code": c, "answer": a[:500]} for i, _, c, a in results if i in ours]
    if rows:
        tx.execute(insert(AttemptRow), rows)
    return ours


def not_sent(
    tx: Connection, id: int, epoch: int, now: datetime, *, code: int | None, answer: str, again: datetime | None
) -> None:
    """Record a failed attempt; ``again`` is when to try next, None for never."""
    values = {
        "status": "pending" if again else "failed", "next_attempt": again, "lease_until": None, "last_code": code,
        "last_answer": answer[:500], "told": bool(again),
    }  # fmt: skip
    done = tx.execute(
        update(LetterRow).where(LetterRow.id == id, LetterRow.epoch == epoch, LetterRow.status == "leased").values(**values)
    )
    if done.rowcount == 1:
        tx.execute(insert(AttemptRow).values(letter=id, at=now, code=code, answer=answer[:500]))


def give_back(tx: Connection, leased: Sequence[tuple[int, int]], now: datetime) -> None:
    """Letters that were leased but never offered to anybody: pending again, without counting an attempt."""
    for id, epoch in leased:
        tx.execute(
            update(LetterRow)
            .where(LetterRow.id == id, LetterRow.epoch == epoch, LetterRow.status == "leased")
            .values(status="pending", lease_until=None, attempts=LetterRow.attempts - 1, next_attempt=now)
        )


def take_over(tx: Connection, now: datetime, owners: Sequence[str] | None = None) -> int:
    """Make letters that dead owners had leased due again; all owners where ``owners`` is None (the store is ours alone)."""
    dead = LetterRow.owner.in_(owners) if owners is not None else LetterRow.owner != ""
    values = {"status": "pending", "lease_until": None, "next_attempt": now}
    return tx.execute(update(LetterRow).where(LetterRow.status == "leased", dead).values(**values)).rowcount


def untold(tx: Connection, most: int) -> list[dict[str, Any]]:
    """Letters whose fate (sent or failed) the ticket has not heard of yet."""
    query = select(LetterRow).where(LetterRow.told.is_(False)).order_by(LetterRow.id).limit(most)
    return [dict(r._mapping) for r in tx.execute(query)]


def tell(tx: Connection, ids: Sequence[int]) -> None:
    if ids:
        tx.execute(update(LetterRow).where(LetterRow.id.in_(ids)).values(told=True))


def by_message_id(tx: Connection, message_id: str) -> dict[str, Any] | None:
    row = tx.execute(select(LetterRow).where(LetterRow.message_id == message_id)).one_or_none()
    return dict(row._mapping) if row else None


def keys_used(tx: Connection, ticket: int, keys: Sequence[str]) -> set[str]:
    """Those of ``keys`` under which the ticket has a letter already (each step once)."""
    wanted = [k for k in keys if k]
    if not wanted:
        return set()
    return set(tx.scalars(select(LetterRow.key).where(LetterRow.ticket == ticket, LetterRow.key.in_(wanted))))


def listed(tx: Connection, *, status: str | None = None, id: int | None = None, most: int = 200) -> list[dict[str, Any]]:
    """Letters with their ticket numbers, newest first."""
    query = (
        select(LetterRow, TicketRow.number.label("ticket_number"))
        .join(TicketRow, TicketRow.id == LetterRow.ticket, isouter=True)
        .order_by(LetterRow.id.desc())
        .limit(most)
    )
    if status:
        query = query.where(LetterRow.status == status)
    if id is not None:
        query = query.where(LetterRow.id == id)
    return [dict(r._mapping) for r in tx.execute(query)]


def attempts_of(tx: Connection, letter: int) -> list[dict[str, Any]]:
    query = select(AttemptRow).where(AttemptRow.letter == letter).order_by(AttemptRow.id)
    return [dict(r._mapping) for r in tx.execute(query)]


def change(tx: Connection, id: int, action: str, now: datetime) -> bool:
    """A person's "retry", "hold" or "release" of a letter; False where its state does not allow it."""
    allowed = {"retry": ("failed", "pending"), "hold": ("pending",), "release": ("held",)}[action]
    values: dict[str, Any] = {"status": "pending", "next_attempt": now, "hold": ""}
    if action == "hold":
        values = {"status": "held", "hold": "由人工暂停"}
    done = tx.execute(update(LetterRow).where(LetterRow.id == id, LetterRow.status.in_(allowed)).values(**values))
    return done.rowcount == 1


def depth(tx: Connection) -> dict[str, Any]:
    """How many letters wait in each state, and since when the oldest does."""
    query = select(LetterRow.status, func.count(), func.min(LetterRow.created_at))
    rows = list(tx.execute(query.where(LetterRow.status.in_(UNSENT)).group_by(LetterRow.status)))
    waiting = [at for status, _, at in rows if status in ("pending", "leased")]
    return {"counts": {status: count for status, count, _ in rows}, "oldest": min(waiting, default=None)}


def next_attempt(tx: Connection, now: datetime) -> datetime | None:
    """When the next letter is due, None when none waits."""
    pending = tx.scalar(select(func.min(LetterRow.next_attempt)).where(LetterRow.status == "pending"))
    leased = tx.scalar(select(func.min(LetterRow.lease_until)).where(LetterRow.status == "leased"))
    return min((t for t in (pending, leased) if t), default=None)


def automatic_since(tx: Connection, since: datetime) -> int:
    """Automatic letters created since ``since`` (cap of all, S05)."""
    query = select(func.count()).select_from(LetterRow).where(LetterRow.created_at >= since, LetterRow.automatic != "")
    return tx.scalar(query) or 0



def documents_numbered(tx: Connection, form: str, number: str) -> list[dict[str, Any]]:
    """The document with that form and number, if it is not void."""
    query = select(DocumentRow).where(DocumentRow.form == form, DocumentRow.number == number, DocumentRow.void == "")
    return [dict(r._mapping) for r in tx.execute(query)]


def keep_path(tx: Connection, document: int, path: str) -> None:
    """Remember where the printed paper lies."""
    tx.execute(update(DocumentRow).where(DocumentRow.id == document).values(path=path))
