"""The outbox: letters written with the ticket, leased, tried, and recorded with the receiving side's answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Text, bindparam, case, func, insert, or_, select, text, update

from kefud.store.tables import AttemptRow, DocumentRow, LetterRow, TicketRow, table_of, word, words

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
    ids = list(tx.scalars(_DUE, {"now": now, "transport": transport, "most": most}))
    if not ids:
        return []
    tx.execute(_LEASE, {"ids": ids, "new_owner": owner, "until": until})
    return [Leased(r.id, r.epoch, r.attempts, dict(r._mapping)) for r in tx.execute(_LEASED, {"ids": ids})]


# Statements are built once: building one takes SQLAlchemy four times as long as running it.
_earlier = table_of(LetterRow).alias()
_DUE = (
    select(LetterRow.id)
    .where(
        LetterRow.status.in_(words("pending", "leased")),
        or_(LetterRow.status == word("pending"), LetterRow.lease_until < bindparam("now")),
        LetterRow.next_attempt <= bindparam("now"),
        LetterRow.transport == bindparam("transport"),
        ~select(_earlier.c.id)
        .where(
            _earlier.c.ticket == LetterRow.ticket, _earlier.c.recipient == LetterRow.recipient, _earlier.c.id < LetterRow.id,
            _earlier.c.status.in_(words("pending", "leased")),
        )
        .exists(),
    )
    .order_by(LetterRow.priority, LetterRow.id)
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)  # fmt: skip
_LEASE = (
    update(table_of(LetterRow))
    .where(LetterRow.id.in_(bindparam("ids", expanding=True)))
    .values(
        status="leased", owner=bindparam("new_owner"), lease_until=bindparam("until"), epoch=LetterRow.epoch + 1,
        attempts=LetterRow.attempts + 1,
    )
)  # fmt: skip
_LEASED = (
    select(LetterRow, TicketRow.number.label("ticket_number"))
    .join(TicketRow, TicketRow.id == LetterRow.ticket, isouter=True)
    .where(LetterRow.id.in_(bindparam("ids", expanding=True)))
    .order_by(LetterRow.priority, LetterRow.id)
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A letter that the receiving side took: its answer, and when. ``told``: the ticket need not hear of it."""

    id: int
    epoch: int
    code: int | None
    answer: str
    at: datetime
    told: bool = False


def sent(tx: Connection, results: Sequence[Accepted]) -> set[int]:
    """Record accepted letters. Returns the ids that were ours; the others are fenced off.

    Recording one twice changes nothing. One that was given back, taken over or superseded meanwhile, and not leased again, is
    still ours.
    """
    if not results:
        return set()
    epochs = {r.id: r.epoch for r in tx.execute(_OF_EPOCHS, {"ids": [x.id for x in results]})}
    ours = [x for x in results if epochs.get(x.id) == x.epoch]
    if ours:
        tx.execute(_SENT, [
            {"its_id": x.id, "last_code": x.code, "last_answer": x.answer[:500], "sent_at": x.at, "told": x.told} for x in ours
        ])  # fmt: skip
        tx.execute(_INSERT_ATTEMPT, [{"letter": x.id, "at": x.at, "code": x.code, "answer": x.answer[:500]} for x in ours])
    return {x.id for x in ours}


_UNSETTLED = words("leased", "pending", "held", "superseded")
_OF_EPOCHS = (
    select(LetterRow.id, LetterRow.epoch)
    .where(LetterRow.id.in_(bindparam("ids", expanding=True)), LetterRow.status.in_(_UNSETTLED))
    .with_for_update()
)
_SENT = (
    update(table_of(LetterRow))
    .where(LetterRow.id == bindparam("its_id"))
    .values(status="sent", lease_until=None)
)
_INSERT_ATTEMPT = insert(table_of(AttemptRow))


def not_sent(
    tx: Connection, id: int, epoch: int, now: datetime, *, code: int | None, answer: str, again: datetime | None
) -> bool:
    """Record a failed attempt; ``again`` is when to try next, None for never. False where the letter is no longer ours."""
    values = {
        "status": "pending" if again else "failed", "next_attempt": again, "lease_until": None, "last_code": code,
        "last_answer": answer[:500], "told": bool(again),
    }  # fmt: skip
    done = tx.execute(
        update(LetterRow).where(LetterRow.id == id, LetterRow.epoch == epoch, LetterRow.status == "leased").values(**values)
    )
    if done.rowcount == 1:
        tx.execute(insert(AttemptRow).values(letter=id, at=now, code=code, answer=answer[:500]))
    return done.rowcount == 1


def give_back(tx: Connection, leased: Sequence[tuple[int, int]], now: datetime) -> None:
    """Letters that were leased but never offered to anybody: pending again, without counting an attempt."""
    for id, epoch in leased:
        tx.execute(
            update(LetterRow)
            .where(LetterRow.id == id, LetterRow.epoch == epoch, LetterRow.status == word("leased"))
            .values(status="pending", lease_until=None, attempts=LetterRow.attempts - 1, next_attempt=now)
        )


def take_over(tx: Connection, now: datetime, owners: Sequence[str] | None = None) -> int:
    """Make letters that dead owners had leased due again; all owners where ``owners`` is None (the store is ours alone)."""
    dead = LetterRow.owner.in_(owners) if owners is not None else LetterRow.owner != ""
    values = {"status": "pending", "lease_until": None, "next_attempt": now}
    return tx.execute(update(LetterRow).where(LetterRow.status == word("leased"), dead).values(**values)).rowcount


def untold(tx: Connection, most: int) -> list[dict[str, Any]]:
    """Letters whose fate (sent or failed) the ticket has not heard of yet."""
    return [dict(r._mapping) for r in tx.execute(_UNTOLD, {"most": most})]


_UNTOLD = (
    select(
        LetterRow.id, LetterRow.ticket, LetterRow.status, LetterRow.documents, LetterRow.sent_at, LetterRow.message_id,
        LetterRow.template, LetterRow.recipient, LetterRow.meets, LetterRow.addresses, LetterRow.last_answer,
    )
    .where(text("letter.told is false"))
    .order_by(LetterRow.id)
    .limit(bindparam("most"))
)  # fmt: skip
_TELL = update(table_of(LetterRow)).where(LetterRow.id.in_(bindparam("ids", expanding=True))).values(told=True)
_BY_MESSAGE_ID = select(LetterRow).where(LetterRow.message_id == bindparam("message_id"))
_KEYS_USED = select(LetterRow.key).where(
    LetterRow.ticket == bindparam("ticket"), LetterRow.key.in_(bindparam("keys", expanding=True))
)


def tell(tx: Connection, ids: Sequence[int]) -> None:
    if ids:
        tx.execute(_TELL, {"ids": list(ids)})


def by_message_id(tx: Connection, message_id: str) -> dict[str, Any] | None:
    row = tx.execute(_BY_MESSAGE_ID, {"message_id": message_id}).one_or_none()
    return dict(row._mapping) if row else None


def by_id(tx: Connection, id: int) -> dict[str, Any] | None:
    row = tx.execute(select(LetterRow).where(LetterRow.id == id)).one_or_none()
    return dict(row._mapping) if row else None


def keys_used(tx: Connection, ticket: int, keys: Sequence[str]) -> set[str]:
    """Those of ``keys`` under which the ticket has a letter already (each step once)."""
    wanted = [k for k in keys if k]
    if not wanted:
        return set()
    return set(tx.scalars(_KEYS_USED, {"ticket": ticket, "keys": wanted}))


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
    allowed = {"retry": ("failed", "pending", "superseded"), "hold": ("pending",), "release": ("held",)}[action]
    values: dict[str, Any] = {"status": "pending", "next_attempt": now, "hold": ""}
    if action == "hold":
        values = {"status": "held", "hold": "由人工暂停"}
    done = tx.execute(update(LetterRow).where(LetterRow.id == id, LetterRow.status.in_(allowed)).values(**values))
    return done.rowcount == 1


def waiting(tx: Connection, ticket: int | None, recipient: str) -> list[dict[str, Any]]:
    """Letters of a ticket, or of none, to a receiver that nobody has under way, oldest first; theirs until the commit."""
    its = LetterRow.ticket.is_(None) if ticket is None else LetterRow.ticket == ticket
    query = select(LetterRow).where(its, LetterRow.recipient == recipient, LetterRow.status == word("pending"))
    return [dict(r._mapping) for r in tx.execute(query.order_by(LetterRow.id).with_for_update())]


def supersede(tx: Connection, ids: Sequence[int]) -> None:
    """These waiting letters are not sent any more: a newer one takes their place (R17)."""
    values = {"status": "superseded", "next_attempt": None, "hold": "已由更新的函件代替,不再发出"}
    tx.execute(update(LetterRow).where(LetterRow.id.in_(ids)).values(**values))


def withdraw(tx: Connection, ids: Sequence[int], why: str) -> list[int]:
    """Those of these letters that still wait are not sent any more; which ones they were."""
    its = (LetterRow.id.in_(ids), LetterRow.status == word("pending"))
    found = list(tx.scalars(select(LetterRow.id).where(*its).with_for_update()))
    values = {"status": "superseded", "next_attempt": None, "hold": why}
    tx.execute(update(LetterRow).where(LetterRow.id.in_(found)).values(**values))
    return found


def hold_all(tx: Connection, why: str) -> int:
    """Hold every letter that waits or is under way; returns how many there were."""
    waiting = LetterRow.status.in_(("pending", "leased"))
    return tx.execute(update(LetterRow).where(waiting).values(status="held", hold=why, lease_until=None)).rowcount


def came_back(tx: Connection, letter: int, reason: str) -> None:
    """A letter of no ticket was accepted by a server and returned by another one."""
    its = (LetterRow.id == letter, LetterRow.status == word("sent"))
    tx.execute(update(LetterRow).where(*its).values(status="failed", last_answer=reason[:500]))


def lost_reports(tx: Connection, since: datetime) -> list[dict[str, Any]]:
    """Letters of no ticket that failed for good, oldest first."""
    query = select(LetterRow).where(
        LetterRow.ticket.is_(None), LetterRow.status == word("failed"), LetterRow.created_at >= since
    )
    return [dict(r._mapping) for r in tx.execute(query.order_by(LetterRow.id))]


def release_held(tx: Connection, ticket: int, now: datetime, message_id: str = "") -> int:
    """Let the held letter with this Message-ID go, or every one of the ticket; returns how many there were."""
    its = _held(ticket, message_id)
    return tx.execute(update(LetterRow).where(*its).values(status="pending", hold="", next_attempt=now)).rowcount


def discard(tx: Connection, ticket: int, message_id: str, why: str) -> int:
    """The held letter with this Message-ID is not sent; a person can still take it up again."""
    values = {"status": "superseded", "next_attempt": None, "hold": why[:500]}
    return tx.execute(update(LetterRow).where(*_held(ticket, message_id)).values(**values)).rowcount


def holds(tx: Connection, ticket: int) -> bool:
    """Whether a letter of the ticket is still held."""
    return tx.scalar(select(LetterRow.id).where(*_held(ticket, "")).limit(1)) is not None


def _held(ticket: int, message_id: str) -> tuple[Any, ...]:
    its = (LetterRow.ticket == ticket, LetterRow.status == "held")
    return (*its, LetterRow.message_id == message_id) if message_id else its


def depth(tx: Connection) -> dict[str, Any]:
    """How many letters wait in each state, and since when the oldest does."""
    query = select(LetterRow.status, func.count(), func.min(LetterRow.created_at))
    rows = list(tx.execute(query.where(LetterRow.status.in_(words(*UNSENT))).group_by(LetterRow.status)))
    waiting = [at for status, _, at in rows if status in ("pending", "leased")]
    return {"counts": {status: count for status, count, _ in rows}, "oldest": min(waiting, default=None)}


def next_attempt(tx: Connection, now: datetime) -> datetime | None:
    """When the next letter is due, None when none waits."""
    at_work = LetterRow.status.in_(words("pending", "leased"))  # said for the partial index
    pending = tx.scalar(select(func.min(LetterRow.next_attempt)).where(at_work, LetterRow.status == word("pending")))
    leased = tx.scalar(select(func.min(LetterRow.lease_until)).where(at_work, LetterRow.status == word("leased")))
    return min((t for t in (pending, leased) if t), default=None)


class Answers:
    """Automatic answers of the last hour and day, but for those that are held: what the caps look at (S05)."""

    def __init__(self, tx: Connection, now: datetime) -> None:
        hour, day = now - timedelta(hours=1), now - timedelta(days=1)
        rows = tx.execute(_ANSWERS, {"hour": hour, "day": day})
        self._to = {r.addresses: (int(r.hour or 0), int(r.day)) for r in rows}

    def to(self, address: str) -> tuple[int, int]:
        """How many went to an address in the last hour, and in the last day."""
        return self._to.get(_as_stored(address), (0, 0))

    def in_an_hour(self) -> tuple[int, int]:
        """How many went to anybody in the last hour, and to how many addresses."""
        counts = [hour for hour, _ in self._to.values() if hour]
        return sum(counts), len(counts)

    def note(self, address: str) -> None:
        """One more is being written."""
        hour, day = self.to(address)
        self._to[_as_stored(address)] = hour + 1, day + 1


def answers_about(tx: Connection, ticket: int, address: str, since: datetime) -> int:
    """Automatic answers about one ticket written to an address since ``since``, but for those that are held."""
    return tx.scalar(_ANSWERS_ABOUT, {"since": since, "ticket": ticket, "addresses": _as_stored(address)}) or 0


def _as_stored(address: str) -> str:
    return json.dumps([address], ensure_ascii=False, separators=(",", ":"))


def documents_numbered(tx: Connection, wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The documents with these forms and numbers, but for void ones."""
    if not wanted:
        return {}
    rows = tx.execute(_NUMBERED, {"numbers": [number for _, number in wanted]})
    found = {(r.form, r.number): dict(r._mapping) for r in rows}
    return {key: found[key] for key in wanted if key in found}


def keep_paths(tx: Connection, papers: Sequence[tuple[int, str]]) -> None:
    """Remember where printed papers lie (document, path)."""
    if papers:
        tx.execute(_KEEP_PATH, [{"its_id": document, "path": path} for document, path in papers])


# "auto-replied" stands literally, so that the partial index is taken.
_ADDRESSES = LetterRow.addresses.cast(Text)
_AN_ANSWER = (text("automatic = 'auto-replied'"), LetterRow.status != "held")
_ANSWERS = (
    select(
        _ADDRESSES.label("addresses"), func.count().label("day"),
        func.sum(case((LetterRow.created_at >= bindparam("hour"), 1), else_=0)).label("hour"),
    )
    .select_from(LetterRow)
    .where(LetterRow.created_at >= bindparam("day"), *_AN_ANSWER)
    .group_by(_ADDRESSES)
)  # fmt: skip
_ANSWERS_ABOUT = (
    select(func.count())
    .select_from(LetterRow)
    .where(
        LetterRow.ticket == bindparam("ticket"), LetterRow.created_at >= bindparam("since"), *_AN_ANSWER,
        bindparam("addresses") == _ADDRESSES,
    )
)  # fmt: skip
_NUMBERED = select(DocumentRow).where(
    DocumentRow.number.in_(bindparam("numbers", expanding=True)), DocumentRow.number != word(""), DocumentRow.void == "",
)  # fmt: skip
_KEEP_PATH = update(table_of(DocumentRow)).where(DocumentRow.id == bindparam("its_id"))
