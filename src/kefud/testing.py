"""For authors of plugins: builders, doubles, and the contracts every channel, transport and rule must keep.

A test of a plugin reads like this::

    def test_leaks_go_to_engineering(tmp_path):
        (rule,) = registered(water_leak, site(tmp_path)).rules
        assert Assign("engineering") in judged(rule, ticket(subject="漏水"), opened())

    def test_contract(tmp_path):
        channel_contract(lambda: Drop(tmp_path), lambda n: (tmp_path / f"{n}.txt").write_text("..."))
"""

from __future__ import annotations

import itertools
import pickle
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pluggy

from kefud import api
from kefud.api import (
    Arrival,
    Arrived,
    Author,
    Bounce,
    Channel,
    Corrected,
    Decision,
    Delivered,
    DeliveryFailed,
    Due,
    Heard,
    Large,
    Message,
    Moved,
    Observer,
    Occasion,
    Opened,
    Ordered,
    Parcel,
    Returned,
    Rule,
    Site,
    Ticket,
    Transport,
    Unreadable,
)  # fmt: skip
from kefud.config import load
from kefud.desk.message import Address

NOON = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
"""A Wednesday, twelve o'clock in Shanghai: the present of every builder unless told otherwise."""

_numbers = itertools.count(1)
_SEVEN_BIT = SMTP.clone(cte_type="7bit")


# --- doubles


class ManualClock:
    """A clock that goes when told. Call it for the present instant."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float = 0.0, **more: float) -> datetime:
        """Move on by ``seconds``, or by ``minutes=…``, ``hours=…``, ``days=…``."""
        self.now += timedelta(seconds=seconds, **more)
        return self.now


class MemoryLedger:
    """The store as a channel sees it. `store` is what the core does with a batch."""

    def __init__(self) -> None:
        self.arrivals: dict[str, Arrival] = {}
        self.notes: dict[str, str] = {}
        self.problems: list[str] = []

    def store(self, batch: Iterable[Arrival]) -> list[str]:
        """Keep a batch, and return its references."""
        kept = {arrival.ref: arrival for arrival in batch}
        self.arrivals |= kept
        return list(kept)

    def known(self, refs: Sequence[str]) -> set[str]:
        return {ref for ref in refs if ref in self.arrivals}

    def originals(self, refs: Sequence[str]) -> dict[str, Arrival]:
        return {ref: self.arrivals[ref] for ref in refs if ref in self.arrivals}

    def remember(self, key: str, value: str) -> None:
        self.notes[key] = value

    def recall(self, key: str) -> str:
        return self.notes.get(key, "")

    def report(self, problem: str) -> None:
        self.problems.append(problem)


def take_in(channel: Channel, ledger: MemoryLedger, now: Callable[[], datetime] = lambda: NOON) -> list[Arrival]:
    """One look at a channel as the core does it: fetch, store, acknowledge, batch by batch."""
    taken: list[Arrival] = []
    for batch in channel.fetch(ledger, now):
        taken += batch
        channel.acknowledge(ledger.store(batch))
    return taken


# --- builders


def site(folder: Path, toml_text: str = "") -> Site:
    """The site of a configuration written as TOML; what is not said is as shipped."""
    file = folder / "kefud.toml"
    file.write_text(toml_text, "utf-8")
    return load(file).site


def mail(
    text: str = "厨房漏水，请尽快来看。",
    *,
    subject: str = "漏水",
    sender: str = "owner@example.com",
    to: str = "kefu@example.cn",
    message_id: str = "",
    date: datetime = NOON,
    headers: dict[str, str] | None = None,
) -> bytes:
    """A plain mail as bytes with CRLF, 7-bit, with its own Message-ID."""
    made = EmailMessage(_SEVEN_BIT)
    made["From"], made["To"], made["Subject"] = sender, to, subject
    made["Date"] = format_datetime(date)
    made["Message-ID"] = message_id or f"<test-{next(_numbers)}@example.com>"
    for name, value in (headers or {}).items():
        made[name] = value
    made.set_content(text)
    return made.as_bytes()


def message(text: str = "厨房漏水，请尽快来看。", **changes: Any) -> Message:
    """A message from an owner, changed as told."""
    start = Message(
        medium="mail", received_at=NOON, subject="漏水", text=text, sender=Address("张三", "owner@example.com"),
        identity=True, to=(Address("", "kefu@example.cn"),), message_id=f"<test-{next(_numbers)}@example.com>",
    )  # fmt: skip
    return replace(start, **changes)


def ticket(**changes: Any) -> Ticket:
    """A ticket just registered, changed as told."""
    start = Ticket(number="TEST-0001", subject="漏水", summary="厨房漏水", text="厨房漏水，请尽快来看。", started_at=NOON)
    return start.changed(**({"created_at": NOON, "updated_at": NOON} | changes))


def opened(heard: Message | None = None, **changes: Any) -> Opened:
    """The occasion of a new ticket."""
    return replace(Opened(NOON, heard or message(), "mail"), **changes)


def parcel(content: bytes | None = None, **changes: Any) -> Parcel:
    """A letter ready to go."""
    id = next(_numbers)
    start = Parcel(
        id=id, sender="kefu@example.cn", recipients=("owner@example.com",), message=_with_crlf(content or mail()),
        message_id=f"<letter-{id}@example.cn>", subject="已收到", ticket="TEST-0001",
    )  # fmt: skip
    return replace(start, **changes)


def every_occasion() -> list[Occasion]:
    """One of each kind."""
    heard = message()
    bounce = Bounce(("<letter-1@example.cn>",), ("owner@example.com",), "5.1.1", "no such user")
    return [
        Arrived(NOON, heard, "mail"),
        Opened(NOON, heard, "mail"),
        Heard(NOON, heard, Author("stranger"), "mail"),
        Moved(NOON, "registered", "triaged"),
        Due(NOON, "first_response", "100"),
        Returned(NOON, "<letter-1@example.cn>", "replies/acknowledgement", "requester", "owner@example.com", "", bounce),
        Delivered(NOON, "<letter-1@example.cn>", "replies/acknowledgement", "requester"),
        Ordered(NOON, "note", "cs_clerk", text="已电话联系"),
        Corrected(NOON, "classify", "cs_clerk", ticket()),
    ]


# --- plugins as the loader sees them


@dataclass
class Registered:
    """What a plugin's hooks returned."""

    channels: list[Channel] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    transports: list[Transport] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)


def registered(plugin: object, facts: Site) -> Registered:
    """Register ``plugin`` (a module, or anything with hooks) and collect its objects. A misspelt hook is an error."""
    manager = pluggy.PluginManager("kefud")
    manager.add_hookspecs(api)
    manager.register(plugin)
    manager.check_pending()
    found = Registered()
    for kind in ("channels", "rules", "transports", "observers"):
        for answer in getattr(manager.hook, f"register_{kind}")(site=facts):
            getattr(found, kind).extend(answer)
    return found


def judged(rule: Rule, about: Ticket, occasion: Occasion) -> list[Decision]:
    """The rule's decisions, without the rule numbers and reasons, for comparing."""
    return [replace(decision, rule="", why="") for decision in rule.judge(about, occasion)]


# --- contracts


def channel_contract(
    make: Callable[[], Channel],
    put: Callable[[int], object],
    *,
    facts: Site | None = None,
    garbage: bytes = b"",
    now: Callable[[], datetime] = lambda: NOON,
) -> None:
    """What the core relies on. Raises AssertionError with the sentence that does not hold.

    ``make()`` constructs the channel over one and the same source, ``put(n)`` adds the n-th thing to the source, complete
    and different from all others. ``garbage`` is content that `read` must refuse; with ``facts`` every arrival is read.
    """
    _constructs_without_io(make)
    channel, ledger = make(), MemoryLedger()
    assert channel.id and channel.medium, "a channel has an id and a medium"
    _empty_before(channel, ledger, now)
    for n in (1, 2):
        put(n)
    first = [arrival for batch in channel.fetch(ledger, now) for arrival in batch]
    _sound(first)
    assert len(first) >= 2, "each thing put into the source arrives"
    _offered_until_known(make, first, now)
    _acknowledges_only_what_it_is_given(channel, ledger, first, now)
    channel.close()
    channel.close()
    put(3)
    third = take_in(channel, ledger, now)
    assert third, "a closed channel may be used again"
    assert not {a.ref for a in third} & {a.ref for a in first}, "nothing that is known comes twice"
    assert not take_in(make(), ledger, now), "another process with the same ledger finds nothing new"
    assert channel.wait(0.0) in (True, False), "wait returns a bool"
    _reads(channel, [*first, *third], facts, garbage)
    channel.close()


def _empty_before(channel: Channel, ledger: MemoryLedger, now: Callable[[], datetime]) -> None:
    leftovers = [arrival for batch in channel.fetch(ledger, now) for arrival in batch]
    assert not leftovers, "the contract starts on an empty source"


def _sound(arrivals: list[Arrival]) -> None:
    refs = [arrival.ref for arrival in arrivals]
    assert len(set(refs)) == len(refs), "references are unique"
    for arrival in arrivals:
        assert arrival.ref and arrival.ref.isprintable() and len(arrival.ref) <= 500, "a reference is short printable text"
        assert arrival.received_at.tzinfo is not None, "times are aware"
        assert isinstance(arrival.content, bytes | Large), "content is the raw original"
        assert pickle.loads(pickle.dumps(arrival)) == arrival, "an arrival can cross to another process"


def _offered_until_known(make: Callable[[], Channel], first: list[Arrival], now: Callable[[], datetime]) -> None:
    again = [arrival for batch in make().fetch(MemoryLedger(), now) for arrival in batch]
    assert {a.ref for a in again} == {a.ref for a in first}, "what no ledger knows is offered again under the same reference"


def _acknowledges_only_what_it_is_given(
    channel: Channel, ledger: MemoryLedger, first: list[Arrival], now: Callable[[], datetime]
) -> None:
    one, others = first[0], {arrival.ref for arrival in first[1:]}
    ledger.store([one])
    channel.acknowledge([one.ref])
    channel.acknowledge([one.ref])
    channel.acknowledge([])
    rest = {arrival.ref for batch in channel.fetch(ledger, now) for arrival in batch}
    assert one.ref not in rest, "what the ledger knows is not offered again"
    assert rest == others, "acknowledging one leaves the others as they are"
    ledger.store(first)
    channel.acknowledge([arrival.ref for arrival in first])
    assert not take_in(channel, ledger, now), "nothing that is known comes twice"


def _reads(channel: Channel, arrivals: list[Arrival], facts: Site | None, garbage: bytes) -> None:
    if facts is None:
        return
    for arrival in arrivals:
        read = channel.read(arrival.content[:], arrival, facts)
        assert read.received_at.tzinfo is not None, "the times of a message are aware"
        assert channel.read(arrival.content[:], arrival, facts) == read, "reading is pure"
    try:
        channel.read(garbage, arrivals[0], facts)
    except Unreadable as refusal:
        assert refusal.reason, "what is unreadable has a reason for a person"
    else:
        raise AssertionError("what cannot be read raises Unreadable")


def transport_contract(make: Callable[[], Transport], received: Callable[[], Sequence[bytes]]) -> None:
    """What the outbox relies on. ``received()`` gives all messages that came out at the other end, in order."""
    _constructs_without_io(make)
    transport = make()
    assert transport.id, "a transport has an id"
    for n in (1, 2):
        answer = transport.send(parcel(mail(f"第{n}封\n.\n..点\n")))
        assert answer and answer.isprintable(), "send returns the other side's answer in one line"
        assert len(received()) == n, "one letter, one delivery"
    transport.finish()
    transport.finish()
    letter = parcel(mail("完了。\n"))
    transport.send(letter)
    assert _bare(received()[-1]) == _bare(letter.message), "the letter arrives as it was written"
    before = len(received())
    for address in ("a@example.com\r\nRCPT TO:<b@example.com>", "a@example.com> <b@example.com", "", "a b@example.com"):
        try:
            transport.send(parcel(recipients=(address,)))
        except DeliveryFailed as failure:
            assert failure.permanent and failure.answer, "a bad address fails for good, with a reason"
        else:
            assert len(received()) in (before, before + 1), "an address never becomes a command"
            before = len(received())
    transport.finish()


def rule_contract(rule: Rule, about: Ticket | None = None) -> None:
    """What `deliberate` relies on: any occasion on any ticket gives decisions, the same ones each time, and nothing else."""
    assert rule.name, "a rule has a name"
    for about_this in (Ticket(), about or ticket()):
        for occasion in every_occasion():
            before = pickle.dumps(about_this)
            first = list(rule.judge(about_this, occasion))
            with watching() as seen:
                second = list(rule.judge(about_this, occasion))
            kind = type(occasion).__name__
            assert all(isinstance(decision, Decision) for decision in first), f"on {kind}: only decisions"
            assert first == second, f"on {kind}: the same question gets the same answer"
            assert pickle.dumps(about_this) == before, f"on {kind}: the ticket is not touched"
            assert not seen, f"on {kind}: a rule reads and writes nothing, but: {', '.join(seen)}"


def observer_contract(observer: Observer) -> None:
    """What the core relies on: an observer has a name, hears of any change, also twice, and leaves the ticket as it is."""
    assert observer.name, "an observer has a name"
    for about in (Ticket(number="TEST-0002"), ticket()):
        before = pickle.dumps(about)
        for change in ("opened", "heard", "status:assigned", "due:resolve", "order:note", "delivered", "returned", "opened"):
            observer.ticket_changed(about, change)
        assert pickle.dumps(about) == before, "the ticket is not touched"


def _constructs_without_io(make: Callable[[], object]) -> None:
    make()  # imports on the way are no I/O of the object
    with watching() as seen:
        make()
    assert not seen, f"constructing does no I/O, but: {', '.join(seen)}"


def _with_crlf(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _bare(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n").rstrip(b"\n")


# --- watching for I/O

_IO = (
    "open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.link", "os.symlink", "os.rmdir",
    "os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.__new__", "socket.connect",
    "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "sqlite3.connect",
)  # fmt: skip
_watched = threading.local()
_hooked: list[bool] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    seen: list[str] | None = getattr(_watched, "seen", None)
    if seen is not None and event in _IO:
        seen.append(f"{event} {arguments[0] if arguments else ''}".strip())


@contextmanager
def watching() -> Iterator[list[str]]:
    """The files, sockets and processes this thread touches meanwhile."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_listen)
    _watched.seen = []
    try:
        yield _watched.seen
    finally:
        _watched.seen = None
