"""The tables. Times are UTC, words are stored by value, constraints get names from one convention."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal,
    text,
)  # fmt: skip
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.sql.elements import BindParameter
from sqlalchemy.types import TypeDecorator


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored as UTC without zone (DateTime(timezone=True) drops the zone on SQLite)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON, int: BigInteger, str: Text}


def word(value: str) -> BindParameter[str]:
    """A word that stands in the statement itself: behind a placeholder the planner cannot see that a partial index serves."""
    return literal(value, literal_execute=True)


def words(*values: str) -> list[BindParameter[str]]:
    return [word(value) for value in values]


_KEYED = text("key <> ''")


def table_of(model: type[Base]) -> Table:
    """The table of a model, for statements that are built once and go past the ORM."""
    return cast(Table, model.__table__)


def _partial(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


class Blob(Base):
    """A raw original, named by its SHA-256. Small ones stand here, large ones in a file below the spool."""

    __tablename__ = "blob"
    sha: Mapped[str] = mapped_column(String(64), primary_key=True)
    size: Mapped[int]
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    path: Mapped[str | None]
    created_at: Mapped[datetime]


class ArrivalRow(Base):
    """来件, one row for each thing a channel handed over; also the queue of reading."""

    __tablename__ = "arrival"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(String(40))
    ref: Mapped[str] = mapped_column(String(500))
    medium: Mapped[str] = mapped_column(String(10))
    status: Mapped[str] = mapped_column(String(12))
    received_at: Mapped[datetime]
    taken_at: Mapped[datetime]
    blob: Mapped[str] = mapped_column(String(64))
    size: Mapped[int]
    subject: Mapped[str]
    message_id: Mapped[str] = mapped_column(String(500), default="")
    digest: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(default="")
    draft: Mapped[str] = mapped_column(default="")
    confidence: Mapped[float | None] = mapped_column(Float)
    transcript: Mapped[str] = mapped_column(default="")
    effects: Mapped[list[Any]] = mapped_column(default=list)
    disposition: Mapped[str] = mapped_column(String(10), default="")
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    owner: Mapped[str] = mapped_column(String(80), default="")
    __table_args__ = (
        UniqueConstraint("channel", "ref"),
        _partial("ix_arrival_work", "next_attempt", "id", where="status = 'received'"),
        _partial("ix_arrival_shelf", "id", where="status = 'shelved'"),
        _partial("ix_arrival_unfiled", "status", where="status <> 'filed'"),
        _partial("ix_arrival_message_id", "message_id", where="message_id <> ''"),
        _partial("ix_arrival_digest", "digest", where="digest <> ''"),
    )


class TicketRow(Base):
    """工单."""

    __tablename__ = "ticket"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    status: Mapped[str] = mapped_column(String(16))
    round: Mapped[int] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(16))
    category: Mapped[str] = mapped_column(String(40))
    urgency: Mapped[str] = mapped_column(String(10))
    important: Mapped[bool] = mapped_column(Boolean)
    origin: Mapped[str] = mapped_column(String(20))
    house: Mapped[str | None] = mapped_column(String(40))
    subject: Mapped[str]
    summary: Mapped[str]
    text: Mapped[str]
    department: Mapped[str | None] = mapped_column(String(40))
    joint: Mapped[list[Any]]
    handler: Mapped[str | None] = mapped_column(String(40))
    requester_name: Mapped[str]
    requester_phone: Mapped[str] = mapped_column(String(40))
    requester_email: Mapped[str] = mapped_column(String(320))
    anonymous: Mapped[bool] = mapped_column(Boolean)
    masked: Mapped[bool] = mapped_column(Boolean)
    dispute: Mapped[bool] = mapped_column(Boolean)
    channel: Mapped[str] = mapped_column(String(40))
    medium: Mapped[str] = mapped_column(String(10))
    started_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    effects: Mapped[list[Any]]
    notify: Mapped[list[Any]]
    related: Mapped[list[Any]]
    locked: Mapped[list[Any]]
    fields: Mapped[dict[str, Any]]
    transfers: Mapped[int] = mapped_column(Integer)
    rung: Mapped[int] = mapped_column(Integer)
    extension: Mapped[str] = mapped_column(String(10))
    __table_args__ = (
        _partial("ix_ticket_house", "house", "started_at", where="house is not null"),
        _partial("ix_ticket_email", "requester_email", "started_at", where="requester_email <> ''"),
        _partial("ix_ticket_phone", "requester_phone", "started_at", where="requester_phone <> ''"),
        Index("ix_ticket_category", "category", "started_at"),
        Index("ix_ticket_started", "started_at"),
        _partial(
            "ix_ticket_open", "status", "id",
            where="status not in ('closed', 'archived', 'declined', 'merged', 'withdrawn')",
        ),
        Index("ix_ticket_status", "status", "id"),
    )  # fmt: skip


class ArrivalTicket(Base):
    """Which arrivals belong to which tickets; one arrival with several matters belongs to several."""

    __tablename__ = "arrival_ticket"
    arrival: Mapped[int] = mapped_column(ForeignKey("arrival.id"), primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True, index=True)


class MessageRow(Base):
    """消息: what was read from an arrival, on the ticket it belongs to."""

    __tablename__ = "message"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    arrival: Mapped[int] = mapped_column(ForeignKey("arrival.id"), index=True)
    medium: Mapped[str] = mapped_column(String(10))
    sender: Mapped[str] = mapped_column(String(320))
    sender_name: Mapped[str]
    author: Mapped[str] = mapped_column(String(60))
    verified: Mapped[bool] = mapped_column(Boolean)
    subject: Mapped[str]
    text: Mapped[str]
    quoted: Mapped[str]
    message_id: Mapped[str] = mapped_column(String(500))
    received_at: Mapped[datetime]
    attachments: Mapped[list[Any]]
    __table_args__ = (_partial("ix_message_message_id", "message_id", where="message_id <> ''"),)


class DeadlineRow(Base):
    """时限. ``next_at`` is when to look again: waking up is one query."""

    __tablename__ = "deadline"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    name: Mapped[str] = mapped_column(String(40))
    round: Mapped[int] = mapped_column(Integer)
    rule: Mapped[str] = mapped_column(String(60))
    term: Mapped[str] = mapped_column(String(80))
    start: Mapped[datetime]
    due: Mapped[datetime]
    met: Mapped[datetime | None]
    dropped: Mapped[str]
    agreed: Mapped[bool] = mapped_column(Boolean)
    steps: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime | None]
    pauses: Mapped[list[Any]]
    __table_args__ = (
        _partial("ix_deadline_next", "next_at", where="next_at is not null"),
        _partial("ix_deadline_open", "due", where="met is null and dropped = ''"),
    )


class DocumentRow(Base):
    """A form of the ticket. A number once given is never given again; a void form keeps it."""

    __tablename__ = "document"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    form: Mapped[str] = mapped_column(String(30))
    number: Mapped[str] = mapped_column(String(60))
    party: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]]
    path: Mapped[str]
    void: Mapped[str]
    created_at: Mapped[datetime]
    __table_args__ = (
        Index("uq_document_number", "form", "number", unique=True, sqlite_where=text("number <> ''"),
              postgresql_where=text("number <> ''")),
    )  # fmt: skip


class LetterRow(Base):
    """函件, written with the ticket and sent afterwards. States: pending → leased → sent | failed | held."""

    __tablename__ = "letter"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"), index=True)
    recipient: Mapped[str] = mapped_column(String(60))
    addresses: Mapped[list[Any]]
    template: Mapped[str] = mapped_column(String(80))
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    in_reply_to: Mapped[str]
    references: Mapped[list[Any]]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    automatic: Mapped[str] = mapped_column(String(20))
    documents: Mapped[list[Any]]
    attachments: Mapped[list[Any]]
    transport: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(10))
    hold: Mapped[str]
    key: Mapped[str] = mapped_column(String(120))
    meets: Mapped[str] = mapped_column(String(40))
    priority: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer)
    next_attempt: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    owner: Mapped[str] = mapped_column(String(80))
    epoch: Mapped[int] = mapped_column(Integer)
    last_code: Mapped[int | None] = mapped_column(Integer)
    last_answer: Mapped[str]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    told: Mapped[bool] = mapped_column(Boolean)
    __table_args__ = (
        _partial("ix_letter_work", "priority", "id", where="status in ('pending', 'leased')"),
        _partial("ix_letter_open", "status", "id", where="status in ('pending', 'leased', 'held', 'failed')"),
        _partial("ix_letter_untold", "id", where="told is false"),
        Index("ix_letter_sent", "sent_at"),
        _partial("ix_letter_answers", "created_at", where="automatic = 'auto-replied'"),
        Index("uq_letter_key", "ticket", "key", unique=True, sqlite_where=_KEYED, postgresql_where=_KEYED),
    )  # fmt: skip


class AttemptRow(Base):
    """One attempt to deliver a letter, with the receiving side's answer."""

    __tablename__ = "attempt"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    letter: Mapped[int] = mapped_column(ForeignKey("letter.id"), index=True)
    at: Mapped[datetime]
    code: Mapped[int | None] = mapped_column(Integer)
    answer: Mapped[str]


class HistoryRow(Base):
    """What happened to a ticket: append-only, each row carries the hash of the one before it."""

    __tablename__ = "history"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    seq: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    what: Mapped[str] = mapped_column(String(80))
    why: Mapped[str]
    data: Mapped[dict[str, Any]]
    hash: Mapped[str] = mapped_column(String(64))
    __table_args__ = (UniqueConstraint("ticket", "seq"),)


class TaskRow(Base):
    """Something a person has to do."""

    __tablename__ = "task"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    role: Mapped[str] = mapped_column(String(40))
    text: Mapped[str]
    due: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    key: Mapped[str] = mapped_column(String(120))
    __table_args__ = (_partial("ix_task_open", "role", "due", where="done_at is null"),)


class Counter(Base):
    """Gapless numbers: the next one is drawn in the transaction that uses it."""

    __tablename__ = "counter"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    value: Mapped[int]


class ChannelNote(Base):
    """Small notes a channel keeps across restarts, and what it last said of itself."""

    __tablename__ = "channel_note"
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str]
    at: Mapped[datetime]


class Lease(Base):
    """Who holds the store, or a share of its work, and until when."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(String(60), primary_key=True)
    owner: Mapped[str] = mapped_column(String(120))
    until: Mapped[datetime]
    epoch: Mapped[int]


class PluginState(Base):
    """Plugins that were switched off after repeated failure, and until when."""

    __tablename__ = "plugin_state"
    plugin: Mapped[str] = mapped_column(String(60), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    off_until: Mapped[datetime | None]
    reason: Mapped[str]


class Setting(Base):
    """What the store keeps about itself: keys of tokens, when it was made, which periods were reported."""

    __tablename__ = "setting"
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    value: Mapped[str]


class AccessRow(Base):
    """Who looked at what, or took it out, and why: append-only, each row carries the hash of the one before it (P7)."""

    __tablename__ = "access"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime]
    who: Mapped[str] = mapped_column(String(80))
    what: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(80))
    why: Mapped[str]
    hash: Mapped[str] = mapped_column(String(64))


class Report(Base):
    """A digest or report, made once per period, with its figures and who signed it."""

    __tablename__ = "report"
    id: Mapped[int] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    period: Mapped[str] = mapped_column(String(120))
    made_at: Mapped[datetime]
    signed_by: Mapped[str] = mapped_column(String(60))
    signed_at: Mapped[datetime | None]
    text: Mapped[str]
    data: Mapped[dict[str, Any]]
    __table_args__ = (
        UniqueConstraint("kind", "period"),
        Index("ix_report_made", "kind", "made_at"),
    )
