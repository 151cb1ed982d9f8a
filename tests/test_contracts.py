"""The contracts in kefud.testing let honest plugins pass, and name what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from kefud.api import (
    Arrival,
    Assign,
    Decision,
    DeliveryFailed,
    Ledger,
    Message,
    Occasion,
    Opened,
    Parcel,
    Site,
    Ticket,
    Unreadable,
    hookimpl,
)
from kefud.testing import (
    ManualClock,
    channel_contract,
    message,
    opened,
    registered,
    rule_contract,
    site,
    ticket,
    transport_contract,
)


class Shelf:
    """An honest channel over a dict."""

    id = "shelf"
    medium = "mail"

    def __init__(self, source: dict[str, bytes]) -> None:
        self.source = source

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        new = [ref for ref in self.source if ref not in ledger.known([ref])]
        if new:
            yield [Arrival(ref, now(), self.source[ref]) for ref in new]

    def acknowledge(self, refs: Sequence[str]) -> None: ...

    def read(self, content: bytes, arrival: Arrival, site: Site) -> Message:
        if not content:
            raise Unreadable("empty")
        return replace(message(content.decode()), message_id="")

    def wait(self, seconds: float) -> bool:
        return True

    def close(self) -> None: ...


class ForgetsTheLedger(Shelf):
    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        yield [Arrival(ref, now(), content) for ref, content in self.source.items()]


class MarksTooMuch(Shelf):
    def acknowledge(self, refs: Sequence[str]) -> None:
        self.source.clear()


class NaiveTimes(Shelf):
    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        for batch in super().fetch(ledger, now):
            yield [replace(arrival, received_at=arrival.received_at.replace(tzinfo=None)) for arrival in batch]


class SameReference(Shelf):
    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        for batch in super().fetch(ledger, now):
            yield [replace(arrival, ref="1") for arrival in batch]


class SwallowsGarbage(Shelf):
    def read(self, content: bytes, arrival: Arrival, site: Site) -> Message:
        return replace(message(), message_id="")


class ReadsAtOnce(Shelf):
    def __init__(self, source: dict[str, bytes]) -> None:
        super().__init__(source)
        Path("/").iterdir().__next__()


def contract_of(kind: type[Shelf], tmp_path: Path) -> None:
    source: dict[str, bytes] = {}
    channel_contract(
        lambda: kind(source), lambda n: source.__setitem__(f"ref{n}", b"%d" % n), facts=site(tmp_path), garbage=b""
    )


def test_an_honest_channel_passes(tmp_path: Path) -> None:
    contract_of(Shelf, tmp_path)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (ForgetsTheLedger, "not offered again"), (MarksTooMuch, "leaves the others"), (NaiveTimes, "aware"),
        (SameReference, "unique"), (SwallowsGarbage, "raises Unreadable"), (ReadsAtOnce, "does no I/O"),
    ],
)  # fmt: skip
def test_a_dishonest_channel_is_told_what_is_wrong(kind: type[Shelf], says: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=says):
        contract_of(kind, tmp_path)


class Pocket:
    """An honest transport into a list."""

    id = "pocket"

    def __init__(self, received: list[bytes]) -> None:
        self.received = received

    def send(self, parcel: Parcel) -> str:
        if any("\n" in address or " " in address or not address for address in parcel.recipients):
            raise DeliveryFailed("bad address", permanent=True)
        self.received.append(parcel.message)
        return "taken"

    def finish(self) -> None: ...


class SendsTwice(Pocket):
    def send(self, parcel: Parcel) -> str:
        super().send(parcel)
        return super().send(parcel)


class Mangles(Pocket):
    def send(self, parcel: Parcel) -> str:
        return super().send(replace(parcel, message=parcel.message.upper()))


def test_an_honest_transport_passes() -> None:
    received: list[bytes] = []
    transport_contract(lambda: Pocket(received), lambda: received)


@pytest.mark.parametrize(("kind", "says"), [(SendsTwice, "one delivery"), (Mangles, "as it was written")])
def test_a_dishonest_transport_is_told_what_is_wrong(kind: type[Pocket], says: str) -> None:
    received: list[bytes] = []
    with pytest.raises(AssertionError, match=says):
        transport_contract(lambda: kind(received), lambda: received)


class Leak:
    """An honest rule."""

    name = "leak"

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterator[Decision]:
        if isinstance(occasion, Opened) and "漏水" in ticket.subject:
            yield Assign("engineering")


class Fickle(Leak):
    def __init__(self) -> None:
        self.asked = 0

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterator[Decision]:
        self.asked += 1
        yield Assign(f"department {self.asked}")


class Meddles(Leak):
    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterator[Decision]:
        ticket.fields["seen"] = True
        yield from ()


class LooksAround(Leak):
    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterator[Decision]:
        Path("/etc/hostname").exists() and open("/dev/null").close()
        yield from ()


def test_an_honest_rule_passes() -> None:
    rule_contract(Leak())


@pytest.mark.parametrize(
    ("kind", "says"), [(Fickle, "same answer"), (Meddles, "not touched"), (LooksAround, "reads and writes")]
)
def test_a_dishonest_rule_is_told_what_is_wrong(kind: type[Leak], says: str) -> None:
    with pytest.raises(AssertionError, match=says):
        rule_contract(kind())


class Plugin:
    @hookimpl
    def register_rules(self, site: Site) -> list[Leak]:
        return [Leak()]


class Misspelt:
    @hookimpl
    def register_rule(self, site: Site) -> list[Leak]:
        return [Leak()]


def test_a_plugin_is_registered_as_the_loader_does(tmp_path: Path) -> None:
    (rule,) = registered(Plugin(), site(tmp_path)).rules
    assert list(rule.judge(ticket(subject="漏水"), opened())) == [Assign("engineering")]


def test_a_misspelt_hook_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="register_rule"):
        registered(Misspelt(), site(tmp_path))


def test_a_manual_clock_goes_when_told() -> None:
    clock = ManualClock()
    assert (clock.advance(30, hours=1) - ManualClock()()).total_seconds() == 3630
