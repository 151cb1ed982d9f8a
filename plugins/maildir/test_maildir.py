"""A maildir gives every mail once; nothing is followed out of it, and nothing in it is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import ChannelConfig, SourceFailed
from kefud.testing import ManualClock, MemoryLedger, channel_contract, mail, registered, site, take_in

from .channel import Maildir
from .settings import Settings


class Box:
    """A maildir on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True)

    def put(self, number: int, content: bytes | None = None, part: str = "new", flags: str = "") -> Path:
        name = f"{1_700_000_000 + number}.M{number}P1.host,S=1{flags}"
        (self.path / "tmp" / name).write_bytes(content if content is not None else mail(str(number)))
        return (self.path / "tmp" / name).rename(self.path / part / name)

    def names(self, part: str) -> list[str]:
        return sorted(os.listdir(self.path / part))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "box")


@pytest.fixture
def make(tmp_path: Path, box: Box) -> Callable[..., Maildir]:
    facts = site(tmp_path)

    def channel(**settings: Any) -> Maildir:
        config = ChannelConfig(id="box", plugin="maildir", **({"path": "box"} | settings))
        return Maildir("box", Settings.of(config, facts))

    return channel


def test_contract(box: Box, make: Callable[..., Maildir], tmp_path: Path) -> None:
    channel_contract(make, box.put, facts=site(tmp_path), garbage=b"\n")


def test_contract_with_a_processed_folder(box: Box, make: Callable[..., Maildir]) -> None:
    channel_contract(lambda: make(processed_folder="done"), box.put)
    assert box.names("new") == box.names("cur") == []


def test_registers_one_channel_for_each_entry(tmp_path: Path) -> None:
    facts = site(tmp_path, '[[channel]]\nid="a"\nplugin="maildir"\npath="a"\n')
    (channel,) = registered(sys.modules[__package__ or ""], facts).channels
    assert channel.id == "a"


def test_oldest_first_in_batches(box: Box, make: Callable[..., Maildir]) -> None:
    for n in reversed(range(60)):
        box.put(n, part="cur" if n % 2 else "new", flags=":2,S" if n % 2 else "")
    batches = list(make().fetch(MemoryLedger(), ManualClock()))
    assert [len(batch) for batch in batches] == [50, 10]
    refs = [arrival.ref for batch in batches for arrival in batch]
    assert refs == [f"{1_700_000_000 + n}.M{n}P1.host,S=1" for n in range(60)]


def test_settled_mails_lie_in_cur_as_seen(box: Box, make: Callable[..., Maildir]) -> None:
    box.put(1)
    box.put(2, part="cur", flags=":2,F")
    take_in(make(), MemoryLedger())
    assert [name.rpartition(":")[2] for name in box.names("cur")] == ["2,S", "2,FS"] and not box.names("new")


def test_a_crash_between_commit_and_acknowledgement_heals(box: Box, make: Callable[..., Maildir]) -> None:
    box.put(1)
    ledger = MemoryLedger()
    for batch in make().fetch(ledger, ManualClock()):
        ledger.store(batch)
    assert box.names("new") and not take_in(make(), ledger) and not box.names("new")


def test_other_programs_may_move_and_mark_meanwhile(box: Box, make: Callable[..., Maildir]) -> None:
    paths = [box.put(n) for n in range(3)]
    channel, ledger = make(), MemoryLedger()
    for batch in channel.fetch(ledger, ManualClock()):
        paths[0].rename(box.path / "cur" / f"{paths[0].name}:2,R")
        paths[1].unlink()
        channel.acknowledge(ledger.store(batch))
    assert not take_in(channel, ledger) and len(ledger.arrivals) == 3


@pytest.mark.parametrize("kind", ["symlink", "hard link", "fifo", "folder", "loop"])
def test_only_plain_files_are_read(box: Box, make: Callable[..., Maildir], tmp_path: Path, kind: str) -> None:
    foreign, trap = tmp_path / "foreign", box.path / "new" / "1700000000.trap"
    foreign.write_bytes(mail("foreign"))
    plant: dict[str, Callable[[], object]] = {
        "symlink": lambda: trap.symlink_to(foreign), "hard link": lambda: os.link(foreign, trap),
        "fifo": lambda: os.mkfifo(trap), "folder": trap.mkdir, "loop": lambda: trap.symlink_to(trap),
    }  # fmt: skip
    plant[kind]()
    box.put(1)
    channel, ledger = make(), MemoryLedger()
    for _ in range(5):
        take_in(channel, ledger)
    assert len(ledger.arrivals) == 1 and len(ledger.problems) == 1 and "trap" in ledger.problems[0]
    assert os.path.lexists(trap)


def test_new_may_not_be_a_symbolic_link(box: Box, make: Callable[..., Maildir], tmp_path: Path) -> None:
    (box.path / "new").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (box.path / "new").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceFailed):
        take_in(make(), MemoryLedger())


def test_a_missing_maildir_pages(make: Callable[..., Maildir]) -> None:
    with pytest.raises(SourceFailed, match="No such file") as failed:
        take_in(make(path="none"), MemoryLedger())
    assert failed.value.page
    with pytest.raises(SourceFailed):
        make(path="none").probe()
    make().probe()


def test_too_large_a_mail_becomes_its_header_and_a_note(box: Box, make: Callable[..., Maildir], tmp_path: Path) -> None:
    box.put(1, mail("x" * 3000, subject="照片"))
    channel = make(message_bytes=2000)
    (arrival,) = take_in(channel, MemoryLedger())
    read = channel.read(arrival.content, arrival, site(tmp_path))
    assert read.subject == "照片" and "超过上限" in read.text and len(arrival.content) < 1500


def test_names_in_any_bytes_make_printable_references(box: Box, make: Callable[..., Maildir]) -> None:
    for name in (b"1.\xff\xfe", "2.客服".encode(), b"3. a\n"):
        with open(os.fsencode(box.path / "new") + b"/" + name, "wb") as file:
            file.write(mail())
    ledger = MemoryLedger()
    take_in(make(), ledger)
    assert len(ledger.arrivals) == 3 and all(ref.isascii() and ref.isprintable() for ref in ledger.arrivals)
    assert len(box.names("cur")) == 3


def test_a_quiet_maildir_costs_no_listing(box: Box, make: Callable[..., Maildir]) -> None:
    box.put(1)
    channel, ledger, later = make(), MemoryLedger(), ManualClock(datetime(2100, 1, 1, tzinfo=UTC))
    for _ in range(2):
        take_in(channel, ledger, later)
    asked: list[object] = []
    ledger.known = asked.append  # type: ignore[method-assign,assignment]
    assert take_in(channel, ledger, later) == [] and asked == []
    del ledger.known
    box.put(2)
    assert len(take_in(channel, ledger, later)) == 1
