"""A mailbox gives every mail once, whatever the server does; nothing secret is said before the connection is safe."""

from __future__ import annotations

import base64
import itertools
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.certificates import certificates
from servers.dovecot import Dovecot, dovecot
from servers.dovecot import Mailbox as Account
from servers.scripted_imap import DEFAULT, Command, Script, ScriptedImap, Talk

from kefud.api import INCOMING, LARGE, ChannelConfig, Large, SourceFailed
from kefud.testing import NOON, ManualClock, MemoryLedger, channel_contract, mail, registered, site, take_in

from . import channel as channel_module
from .channel import Mailbox
from .settings import Settings
from .tokens import Tokens

SECRET = "canary-4711"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as running:
        yield running


@pytest.fixture
def account(server: Dovecot) -> Account:
    return server.mailbox()


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Mailbox]]:
    """Channels as the configuration would make them, closed at the end."""
    monkeypatch.setenv("MAILBOX_PASSWORD", SECRET)
    made: list[Mailbox] = []
    facts = site(tmp_path)

    def channel(port: int, **settings: Any) -> Mailbox:
        values = {
            "host": "127.0.0.1", "port": port, "tls": "none", "username": "kefu", "password": {"env": "MAILBOX_PASSWORD"},
            "reconnect": 0.0, "timeout": 10.0, "deadline": 20.0,
        }  # fmt: skip
        config = ChannelConfig(id="mail", plugin="imap_mailbox", **(values | settings))
        made.append(Mailbox("mail", Settings.of(config, facts), facts))
        return made[-1]

    yield channel
    for each in made:
        each.close()


@pytest.fixture
def at(make: Callable[..., Mailbox], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Mailbox]:
    """A channel for an account of the real server."""

    def channel(account: Account, **settings: Any) -> Mailbox:
        monkeypatch.setenv("MAILBOX_PASSWORD", "pw")
        values = {"port": account.port, "username": account.user, "deadline": 20.0, "timeout": 10.0}
        return make(**(values | settings))

    return channel


def numbered(count: int) -> dict[int, bytes]:
    return {n: mail(f"第{n}封", subject=f"mail {n}") for n in range(1, count + 1)}


def contents(ledger: MemoryLedger) -> list[bytes]:
    return [arrival.content for arrival in ledger.arrivals.values()]


def look(channel: Mailbox, ledger: MemoryLedger, now: Any = None) -> str:
    """One look; what went wrong, "" if nothing."""
    try:
        take_in(channel, ledger, now or ManualClock())
    except SourceFailed as failure:
        return failure.reason
    return ""


# --- a real server


def test_contract(account: Account, at: Callable[..., Mailbox], tmp_path: Path) -> None:
    channel_contract(lambda: at(account), lambda n: account.put(mail(str(n))), facts=site(tmp_path), garbage=b" \r\n")


def test_registers_one_channel_for_each_entry(tmp_path: Path) -> None:
    entry = '[[channel]]\nid="{0}"\nplugin="imap_mailbox"\nhost="{0}.example.com"\nusername="k"\npassword={{file="pw"}}\n'
    found = registered(sys.modules[__package__ or ""], site(tmp_path, entry.format("a") + entry.format("b")))
    assert [channel.id for channel in found.channels] == ["a", "b"]


def test_mails_come_whole_and_in_order(account: Account, at: Callable[..., Mailbox]) -> None:
    sent = [mail(f"第{n}封\n.\n尾") for n in range(120)]
    for content in sent:
        account.put(content)
    ledger = MemoryLedger()
    batches = [len(batch) for batch in at(account, batch_mails=50).fetch(ledger, ManualClock())]
    take_in(at(account), ledger)
    assert batches == [50, 50, 20]
    assert contents(ledger) == sent


def test_a_mail_that_comes_later_is_found_on_the_open_connection(account: Account, at: Callable[..., Mailbox]) -> None:
    channel, ledger = at(account), MemoryLedger()
    for n in range(3):
        account.put(mail(str(n)))
        assert len(take_in(channel, ledger)) == 1


def test_seen_and_deleted_marks_of_others_change_nothing(account: Account, at: Callable[..., Mailbox]) -> None:
    for n in range(3):
        account.put(mail(str(n)))
    new = account.folder() / "new"
    for flags, path in zip(("S", "ST", "F"), sorted(new.iterdir()), strict=True):
        (account.folder() / "cur").mkdir(exist_ok=True)
        path.rename(account.folder() / "cur" / f"{path.name}:2,{flags}")
    assert len(take_in(at(account), MemoryLedger())) == 3


def test_flags_what_is_stored(account: Account, at: Callable[..., Mailbox]) -> None:
    account.put(mail())
    take_in(at(account), MemoryLedger())
    assert [name.rpartition(":2,")[2] for name in account.files()] == ["S"]


def test_moves_into_a_chinese_folder_that_it_creates(account: Account, at: Callable[..., Mailbox]) -> None:
    account.put(mail())
    take_in(at(account, processed_folder="已处理"), MemoryLedger())
    assert (len(account.files()), len(account.files("已处理"))) == (0, 1)


def test_several_folders_and_one_missing(account: Account, at: Callable[..., Mailbox]) -> None:
    account.put(mail())
    account.put(mail(), folder="投诉")
    ledger = MemoryLedger()
    channel = at(account, folder=["INBOX", "没有", "投诉"])
    assert "没有" in look(channel, ledger)
    assert sorted(ref.split("/")[0] for ref in ledger.arrivals) == ["INBOX", "投诉"]


def test_a_crash_between_commit_and_acknowledgement_heals(account: Account, at: Callable[..., Mailbox]) -> None:
    account.put(mail())
    ledger, channel = MemoryLedger(), at(account, processed_folder="Done")
    for batch in channel.fetch(ledger, ManualClock()):
        ledger.store(batch)
    assert len(account.files()) == 1
    assert take_in(at(account, processed_folder="Done"), ledger) == []
    assert (len(account.files()), len(account.files("Done"))) == (0, 1)


def test_a_mailbox_made_anew_is_read_anew_and_old_references_are_passed_over(
    account: Account, at: Callable[..., Mailbox]
) -> None:
    account.put(mail())
    ledger, channel = MemoryLedger(), at(account)
    (first,) = take_in(channel, ledger)
    uidlist = account.folder() / "dovecot-uidlist"
    channel.close()
    for path in account.folder().glob("dovecot*"):
        path.unlink()
    uidlist.write_text("3 V1234567 N1 G0123456789abcdef0123456789abcdef\n")
    (second,) = take_in(channel, ledger)
    assert second.content == first.content and second.ref == "INBOX/1234567/1"
    assert [problem for problem in ledger.problems if "UIDVALIDITY" in problem]
    channel.acknowledge([first.ref])
    assert take_in(channel, ledger) == []


def test_too_large_a_mail_becomes_its_header_and_a_note(account: Account, at: Callable[..., Mailbox], tmp_path: Path) -> None:
    account.put(mail("x" * 50_000, subject="照片"))
    channel = at(account, message_bytes=20_000)
    (arrival,) = take_in(channel, MemoryLedger())
    read = channel.read(arrival.content, arrival, site(tmp_path))
    assert len(arrival.content) < 2000 and arrival.content.startswith(b"X-Kefud-Oversize: 5")
    assert read.subject == "照片" and "超过上限" in read.text and read.sender.email == "owner@example.com"


def test_idle_wakes_on_a_new_mail(account: Account, at: Callable[..., Mailbox]) -> None:
    channel, ledger = at(account), MemoryLedger()
    take_in(channel, ledger)
    assert channel.wait(0.2) is False
    account.put(mail())
    began = time.monotonic()
    assert channel.wait(10.0) is True and time.monotonic() - began < 9
    assert len(take_in(channel, ledger)) == 1


def test_a_folder_made_anew_in_a_blink_is_read_at_the_next_look(account: Account, at: Callable[..., Mailbox]) -> None:
    """Dovecot then goes on with the old folder for a connection that has it open, and says only NO in passing."""
    account.put(mail("1"), folder="客服")
    channel, ledger = at(account, folder="客服"), MemoryLedger()
    assert len(take_in(channel, ledger)) == 1
    with account.client() as other:
        other.rename_folder("客服", "去年")
        other.create_folder("客服")
    account.put(mail("2"), folder="客服")
    assert "" in [look(channel, ledger) for _ in range(2)]
    assert len(ledger.arrivals) == 2


def test_a_mail_that_others_took_away_holds_no_other_back(account: Account, at: Callable[..., Mailbox]) -> None:
    """Dovecot refuses to move any mail where one of them is gone."""
    for n in range(3):
        account.put(mail(str(n)))
    channel, ledger = at(account, processed_folder="Done"), MemoryLedger()
    [batch] = channel.fetch(ledger, ManualClock())
    ledger.store(batch)
    with account.client() as other:
        other.create_folder("Done")
        other.select_folder("INBOX")
        other.delete_messages([2])
        other.expunge()
    channel.acknowledge([arrival.ref for arrival in batch])
    assert (len(account.files()), len(account.files("Done"))) == (0, 2)
    assert take_in(channel, ledger) == [] and not ledger.problems


def test_a_probe_logs_in_and_opens_every_folder(account: Account, at: Callable[..., Mailbox]) -> None:
    at(account).probe()
    with pytest.raises(SourceFailed, match="没有"):
        at(account, folder=["INBOX", "没有"]).probe()


# --- encryption


def test_verified_tls_of_both_kinds(account: Account, at: Callable[..., Mailbox]) -> None:
    account.put(mail())
    secure = {"host": "localhost", "ca_file": certificates().ca}
    assert len(take_in(at(account, tls="starttls", **secure), MemoryLedger())) == 1
    assert len(take_in(at(account, tls="implicit", port=account.tls_port, **secure), MemoryLedger())) == 1


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize(
    ("host", "authority"), [("127.0.0.1", "ca"), ("localhost", "stranger"), ("localhost", "")], ids=["name", "ca", "none"]
)
def test_a_certificate_that_does_not_fit_gets_no_password(
    make: Callable[..., Mailbox], tls: str, host: str, authority: str
) -> None:
    made = certificates()
    ca_file = getattr(made, authority) if authority else ""
    with ScriptedImap(context=made.server_context(), starttls=tls == "starttls") as evil:
        channel = make(evil.port, tls=tls, host=host, ca_file=ca_file)
        with pytest.raises(SourceFailed, match="certificate") as failed:
            take_in(channel, MemoryLedger())
    assert failed.value.page and not evil.logins and SECRET.encode() not in b"".join(evil.received)


def _refuses(kind: bytes) -> Script:
    return lambda talk, command: talk.send(command.tag + b" " + kind + b" not now\r\n")


def _says_more(talk: Talk, command: Command) -> None:
    talk.send(command.tag + b" OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")


def _early_ok(talk: Talk, command: Command) -> None:
    talk.send(b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + command.tag + b" OK .\r\n" + b"XX1 OK go\r\n")


STRIPPERS: dict[str, dict[str, Any]] = {
    "not offered": {"starttls": False, "context": None},
    "NO": {"STARTTLS": _refuses(b"NO")},
    "BAD": {"STARTTLS": _refuses(b"BAD")},
    "bytes after OK": {"STARTTLS": _says_more},
    "answer before the question": {"CAPABILITY": _early_ok},
    "PREAUTH": {"GREETING": lambda talk, command: talk.send(b"* PREAUTH welcome\r\n")},
    "no TLS after OK": {"STARTTLS": lambda talk, command: (talk.ok(command), talk.send(b"* OK hi\r\n"))},
}


@pytest.mark.parametrize("trick", STRIPPERS)
def test_starttls_is_required_not_wished_for(make: Callable[..., Mailbox], trick: str) -> None:
    options = {"starttls": True, "context": certificates().server_context()} | STRIPPERS[trick]
    with ScriptedImap(**options) as evil:
        assert look(make(evil.port, tls="starttls", host="localhost", ca_file=certificates().ca), MemoryLedger())
    assert not evil.logins and SECRET.encode() not in b"".join(evil.received)
    assert not {"LOGIN", "AUTHENTICATE"} & set(evil.commands)


# --- a hostile or broken server


def test_the_refused_password_is_nowhere_in_the_reason(make: Callable[..., Mailbox]) -> None:
    def echo(talk: Talk, command: Command) -> None:
        talk.no(command, b"bad " + b" ".join(command.words) + b" " + base64.b64encode(SECRET.encode()) + b"\x1b[2J")

    with ScriptedImap(LOGIN=echo) as server, pytest.raises(SourceFailed) as failed:
        take_in(make(server.port), MemoryLedger())
    assert failed.value.page and SECRET not in str(failed.value) and failed.value.__cause__ is None
    assert base64.b64encode(SECRET.encode()).decode() not in str(failed.value) and failed.value.reason.isprintable()


def test_a_missing_password_file_pages(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap() as server, pytest.raises(SourceFailed) as failed:
        take_in(make(server.port, password={"file": "/nonexistent"}), MemoryLedger())
    assert failed.value.page


def test_says_who_it_is_before_opening_a_folder(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap() as server:
        take_in(make(server.port), MemoryLedger())
    assert server.commands.index("ID") < server.commands.index("SELECT")


def test_one_login_for_many_looks(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(2)) as server:
        channel, ledger = make(server.port), MemoryLedger()
        for _ in range(5):
            take_in(channel, ledger)
    assert server.logins == 1


@pytest.mark.parametrize("share", [n / 16 for n in range(16)])
def test_a_connection_lost_in_a_mail_leaves_nothing_half(make: Callable[..., Mailbox], share: float) -> None:
    mails = numbered(3)
    lost: list[bool] = []

    def cut(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" not in b"".join(command.words) or lost:
            return DEFAULT
        lost.append(True)
        answer = b"".join(server.fetched(uid, command) for uid in command.uids)
        talk.send(answer[: int(len(answer) * share)])
        return talk.reset() if share > 0.5 else talk.hang_up()

    with ScriptedImap(mails, FETCH=cut) as server:
        channel, ledger = make(server.port), MemoryLedger()
        assert look(channel, ledger) and not ledger.arrivals
        assert not look(channel, ledger) and contents(ledger) == list(mails.values())


def _drip_greeting(talk: Talk, command: Command) -> None:
    talk.drip(b"* OK " + b"x" * 1000, 0.1)


def _drip_answer(talk: Talk, command: Command) -> None:
    talk.drip(b"* 1 FETCH (UID 1 BODY[] {5000}\r\n" + b"x" * 5000, 0.1)


@pytest.mark.parametrize("moment", ["GREETING", "CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH"])
def test_a_server_that_drips_holds_nobody(make: Callable[..., Mailbox], moment: str) -> None:
    drip = _drip_greeting if moment == "GREETING" else _drip_answer
    with ScriptedImap(numbered(1), **{moment: drip}) as server:
        began = time.monotonic()
        assert "too long" in look(make(server.port, deadline=0.4, timeout=0.3), MemoryLedger())
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("moment", ["GREETING", "LOGIN", "FETCH"])
def test_a_silent_server_holds_nobody(make: Callable[..., Mailbox], moment: str) -> None:
    with ScriptedImap(numbered(1), **{moment: lambda talk, command: time.sleep(8)}) as server:
        began = time.monotonic()
        assert look(make(server.port, deadline=5.0, timeout=0.2), MemoryLedger())
    assert time.monotonic() - began < 4


def _announces(size: int) -> Script:
    def fetch(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" not in b"".join(command.words):
            return DEFAULT
        talk.send(b"* 1 FETCH (UID 1 BODY[] {%d}\r\n" % size)
        return talk.drip(b"x" * 100, 0.05)

    return fetch


def test_a_large_mail_goes_to_a_file_as_it_comes(account: Account, at: Callable[..., Mailbox], tmp_path: Path) -> None:
    small, large = mail("小件"), mail("照片" * 900_000)
    for content in (small, large, small):
        account.put(content)
    channel, ledger = at(account), MemoryLedger()
    first, second, third = take_in(channel, ledger)
    assert (first.content, third.content) == (small, small)
    assert isinstance(second.content, Large) and second.content[:] == large and len(large) > LARGE
    assert second.content.path.parent == tmp_path / "spool" / INCOMING
    assert channel.read(second.content, second, site(tmp_path)) == channel.read(large, second, site(tmp_path))
    del second
    ledger.arrivals.clear()
    assert list((tmp_path / "spool" / INCOMING).iterdir()) == [], "nobody took it"


def test_a_large_mail_that_breaks_off_leaves_nothing(make: Callable[..., Mailbox], tmp_path: Path) -> None:
    def half(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" not in b"".join(command.words):
            return DEFAULT
        talk.send(b"* 1 FETCH (UID 1 BODY[] {3000000}\r\n" + b"x" * 1_700_000)
        raise ConnectionError

    with ScriptedImap(numbered(1), FETCH=half) as server:
        assert "after 1700000 of 3000000 bytes" in look(make(server.port), MemoryLedger())
    assert list((tmp_path / "spool" / INCOMING).iterdir()) == []


@pytest.mark.parametrize("size", [2_000_000_000, 10**30])
def test_a_monstrous_literal_is_refused_before_memory_is_taken(make: Callable[..., Mailbox], size: int) -> None:
    with ScriptedImap(numbered(1), FETCH=_announces(size)) as server:
        channel, ledger = make(server.port), MemoryLedger()
        tracemalloc.start()
        assert "more than was asked for" in look(channel, ledger)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 64 * 1024 * 1024


def test_answers_without_end_are_refused(make: Callable[..., Mailbox]) -> None:
    def flood(talk: Talk, command: Command) -> None:
        for _ in range(100):
            talk.send(b"* 1 EXISTS\r\n" * 1000)

    with ScriptedImap(SEARCH=flood) as server:
        assert "without end" in look(make(server.port), MemoryLedger())


def test_a_line_without_end_is_refused(make: Callable[..., Mailbox]) -> None:
    def flood(talk: Talk, command: Command) -> None:
        for _ in range(100):
            talk.send(b"x" * 100_000)

    with ScriptedImap(SEARCH=flood) as server:
        assert "a line of more than" in look(make(server.port), MemoryLedger())


@pytest.mark.parametrize(
    "nonsense",
    [
        b"* SEARCH 1 1 2 \xff\x00 3 (MODSEQ 9)\r\n", b"* SEARCH\r\n* SEARCH 3 1\r\n* SEARCH 2\r\n",
        b"* 9 EXPUNGE\r\n* SEARCH 3 2 1\r\n",
    ],
)  # fmt: skip
def test_untidy_lists_of_mails_are_understood(make: Callable[..., Mailbox], nonsense: bytes) -> None:
    def search(talk: Talk, command: Command) -> None:
        talk.send(nonsense)
        talk.ok(command)

    with ScriptedImap(numbered(3), SEARCH=search) as server:
        ledger = MemoryLedger()
        assert not look(make(server.port), ledger)
    assert [ref.rsplit("/")[-1] for ref in ledger.arrivals] == ["1", "2", "3"]


def test_other_clients_may_delete_while_we_fetch(make: Callable[..., Mailbox]) -> None:
    def fetch(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" in b"".join(command.words):
            server.mails.pop(2, None)
            talk.send(b"* 2 EXPUNGE\r\n* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 77 FETCH (FLAGS ())\r\n")
        return DEFAULT

    with ScriptedImap(numbered(3), FETCH=fetch) as server:
        channel, ledger = make(server.port), MemoryLedger()
        assert not look(channel, ledger) and not look(channel, ledger)
    assert [ref.rsplit("/")[-1] for ref in ledger.arrivals] == ["1", "3"]


@pytest.mark.parametrize("garbage", [b"* 1 FETCH ((((((\r\n", b"* 1 FETCH (UID x BODY[] y)\r\n", b"\xff\xfe\r\n", b"* \r\n"])
def test_garbage_is_a_failure_not_a_crash(make: Callable[..., Mailbox], garbage: bytes) -> None:
    def fetch(talk: Talk, command: Command) -> None:
        talk.send(garbage)
        talk.ok(command)

    with ScriptedImap(numbered(1), FETCH=fetch) as server:
        channel, ledger = make(server.port), MemoryLedger()
        look(channel, ledger)
    assert not ledger.arrivals


def test_one_mail_the_server_cannot_hand_out_stops_no_other(make: Callable[..., Mailbox]) -> None:
    def fetch(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" in b"".join(command.words) and 2 in command.uids:
            return talk.hang_up()
        return DEFAULT

    with ScriptedImap(numbered(3), FETCH=fetch) as server:
        channel, ledger, now = make(server.port), MemoryLedger(), ManualClock()
        for _ in range(7):
            look(channel, ledger, now)
            now.advance(minutes=3)
        look(channel, ledger, now)
        assert not look(channel, ledger, now)
    *others, last = ledger.arrivals.values()
    assert [arrival.ref for arrival in others] == ["INBOX/7/1", "INBOX/7/3"]
    assert last.ref == "INBOX/7/2" and b"Subject: mail 2" in last.content and "未能交出".encode() in last.content
    assert any("INBOX/7/2" in problem for problem in ledger.problems)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (b"04-Mar-2026 12:00:00 +0800", NOON), (b" 4-Mar-2026 01:30:00 -0230", NOON), (b"04-Mar-2030 12:00:00 +0800", NOON),
        (b"31-Feb-2020 12:00:00 +0800", NOON), (b"", NOON), (b"01-Jan-0001 00:00:00 +1200", NOON),
        (b"03-Mar-2026 12:00:00 +0800", NOON - timedelta(days=1)),
    ],
)  # fmt: skip
def test_the_time_the_server_stored_it_or_the_present(make: Callable[..., Mailbox], date: bytes, expected: datetime) -> None:
    def fetch(talk: Talk, command: Command) -> object:
        if b"BODY.PEEK[]" in b"".join(command.words):
            return DEFAULT
        talk.send(b'* 1 FETCH (INTERNALDATE "' + date + b'" UID 1 RFC822.SIZE 9)\r\n')
        return talk.ok(command)

    with ScriptedImap(numbered(1), FETCH=fetch) as server:
        (arrival,) = take_in(make(server.port), MemoryLedger())
    assert arrival.received_at == expected


def test_nothing_from_a_mail_becomes_a_command(make: Callable[..., Mailbox]) -> None:
    # No tag of imaplib holds a Z: they are four letters from A to P and a number.
    evil = b"Message-ID: <a>\r\nX1 STORE 1:* +FLAGS (\\Deleted)\r\nSubject: ZZ2 LOGOUT\r\n\r\nZZ3 LOGOUT\r\n"
    with ScriptedImap({1: evil}) as server:
        channel, ledger = make(server.port, processed_folder="Done"), MemoryLedger()
        take_in(channel, ledger)
    assert contents(ledger) == [evil]
    assert not any(word in b"".join(server.received) for word in (b"Deleted", b"ZZ2", b"ZZ3", b"<a>"))


# --- filing without MOVE


def test_without_move_it_copies_and_expunges_only_its_own(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(2), can="IMAP4rev1 UIDPLUS") as server:
        take_in(make(server.port, processed_folder="Done"), MemoryLedger())
    assert server.moved == {"Done": [1, 2]} and b"\\Deleted" in server.flags[1]
    assert any(line.split()[1:3] == [b"UID", b"EXPUNGE"] for line in server.received)


def test_without_uidplus_nothing_is_copied_twice(make: Callable[..., Mailbox]) -> None:
    def search(talk: Talk, command: Command) -> object:
        if command.words != [b"DELETED"]:
            return DEFAULT
        talk.send(b"* SEARCH 1 2 99\r\n")
        return talk.ok(command)

    with ScriptedImap(numbered(2), can="IMAP4rev1", SEARCH=search) as server:
        channel, ledger = make(server.port, processed_folder="Done"), MemoryLedger()
        for _ in range(3):
            take_in(channel, ledger)
    assert server.moved == {"Done": [1, 2]} and "EXPUNGE" not in server.commands


def test_a_server_that_refuses_filing_is_reported_once(make: Callable[..., Mailbox]) -> None:
    """Though it says each time how long that took it; and again where it could be done in between."""
    answers = itertools.count()

    def store(talk: Talk, command: Command) -> object:
        n = next(answers)
        return DEFAULT if n == 3 else talk.no(command, b"read only (0.00%d secs)" % n)

    with ScriptedImap(numbered(1), STORE=store) as server:
        channel, ledger = make(server.port), MemoryLedger()
        for _ in range(3):
            assert not look(channel, ledger)
        assert len(ledger.arrivals) == 1 and len(ledger.problems) == 1 and "flagged: " in ledger.problems[0]
        for n in (2, 3):
            server.mails[n] = mail(str(n))
            assert not look(channel, ledger)
    assert next(answers) >= 5 and len(ledger.problems) == 2


# --- waiting


def test_an_announcement_in_idle_is_heard(make: Callable[..., Mailbox]) -> None:
    def idle(talk: Talk, command: Command) -> None:
        talk.send(b"+ ok\r\n* 2 EXISTS\r\n")
        assert talk.line().strip() == b"DONE"
        talk.ok(command)

    with ScriptedImap(numbered(1), IDLE=idle) as server:
        channel, ledger = make(server.port), MemoryLedger()
        take_in(channel, ledger)
        assert channel.wait(5.0) is True
        server.mails[2] = b"Subject: two\r\n\r\n"
        assert len(take_in(channel, ledger)) == 1


def test_a_deaf_server_is_looked_at_all_the_same(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(1)) as server:
        channel = make(server.port, full_look=0.3)
        take_in(channel, MemoryLedger())
        assert channel.wait(0.05) is False
        assert channel.wait(0.3) is True


@pytest.mark.parametrize("way", ["NO", "hang up", "not offered", "switched off"])
def test_without_idle_time_passes(make: Callable[..., Mailbox], way: str) -> None:
    scripts: dict[str, Script] = {"NO": _refuses(b"NO"), "hang up": lambda talk, command: talk.hang_up()}
    can = "IMAP4rev1" if way == "not offered" else "IMAP4rev1 IDLE"
    with ScriptedImap(numbered(1), can=can, **({"IDLE": scripts[way]} if way in scripts else {})) as server:
        channel, ledger = make(server.port, idle=way != "switched off"), MemoryLedger()
        take_in(channel, ledger)
        began = time.monotonic()
        assert channel.wait(0.2) is True and time.monotonic() - began >= 0.19
        assert not look(channel, ledger)


# --- the ledger's hints


def test_looks_only_above_what_is_known_and_at_everything_once_a_day(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(3)) as server:
        channel, ledger, now = make(server.port), MemoryLedger(), ManualClock()
        for _ in range(3):
            take_in(channel, ledger, now)
        now.advance(days=1)
        take_in(channel, ledger, now)
    searched = [line.split()[-1] for line in server.received if b"SEARCH" in line]
    assert searched == [b"1:*", b"1:*", b"4:*", b"1:*"]


def test_a_mail_that_was_missed_is_found_by_the_daily_comparison(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(3)) as server:
        late = server.mails.pop(2)
        channel, ledger, now = make(server.port), MemoryLedger(), ManualClock()
        for _ in range(2):
            take_in(channel, ledger, now)
        server.mails[2] = late
        assert take_in(channel, ledger, now) == []
        now.advance(days=1)
        assert [arrival.ref for arrival in take_in(channel, ledger, now)] == ["INBOX/7/2"]


def test_what_is_not_stored_is_offered_again(make: Callable[..., Mailbox]) -> None:
    with ScriptedImap(numbered(60)) as server:
        channel, ledger = make(server.port, batch_mails=50), MemoryLedger()
        for number, batch in enumerate(channel.fetch(ledger, ManualClock())):
            if number:
                ledger.store(batch)
        again = take_in(channel, ledger)
        assert len(again) == 50 and len(ledger.arrivals) == 60


# --- tokens


class Microsoft:
    """msal's application as far as we use it."""

    answers: list[dict[str, Any]] = []
    asked = 0

    def __init__(self, *_: object, **__: object) -> None: ...

    def acquire_token_for_client(self, scopes: list[str]) -> dict[str, Any]:
        type(self).asked += 1
        return type(self).answers[0]


@pytest.fixture
def microsoft() -> type[Microsoft]:
    return type("Microsoft", (Microsoft,), {"answers": [{"access_token": "t0ken", "expires_in": 3600}], "asked": 0})


def oauth(tmp_path: Path, port: int = 1) -> Settings:
    (tmp_path / "secret").write_text("s3cret\n")
    secret = {"file": str(tmp_path / "secret")}
    return Settings(
        host="127.0.0.1", port=port, tls="none", username="kefu", auth="xoauth2", client_id="id", client_secret=secret
    )  # fmt: skip


def test_a_token_is_asked_for_once_until_it_expires(tmp_path: Path, microsoft: type[Microsoft]) -> None:
    clock = ManualClock()
    tokens = Tokens(oauth(tmp_path), microsoft, lambda: clock.now.timestamp())
    assert (tokens(), tokens(), microsoft.asked) == ("t0ken", "t0ken", 1)
    clock.advance(hours=1)
    assert (tokens(), microsoft.asked) == ("t0ken", 2)


def test_logs_in_with_the_token(tmp_path: Path, microsoft: type[Microsoft]) -> None:
    with ScriptedImap(numbered(1)) as server:
        settings = oauth(tmp_path, server.port)
        channel = Mailbox("mail", settings, site(tmp_path), Tokens(settings, microsoft))
        assert len(take_in(channel, MemoryLedger())) == 1
        channel.close()
    said = base64.b64encode(b"user=kefu\1auth=Bearer t0ken\1\1")
    assert said in b"".join(server.received)


def test_a_refused_token_pages_and_shows_no_secret(tmp_path: Path, microsoft: type[Microsoft]) -> None:
    microsoft.answers = [{"error": "invalid_client", "error_description": "s3cret is wrong"}]
    with pytest.raises(SourceFailed, match="invalid_client") as failed:
        Tokens(oauth(tmp_path), microsoft)()
    assert failed.value.page and "s3cret" not in str(failed.value)


# --- settings


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"folder": "IN\r\nBOX"}, "line breaks"), ({"username": "a\nb"}, "line breaks"),
        ({"host": "imap.example.com"}, "loopback"), ({"password": {}}, "write"), ({"acknowledge": "move"}, "processed_folder"),
        ({"processed_folder": "INBOX"}, "differ"), ({"folders": "INBOX"}, 'channel "mail": folders: unknown key'),
        ({"auth": "xoauth2"}, "client_id"),
        ({"timeout": "soon"}, "no duration"), ({"password": "open"}, "must not stand in the file"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(make: Callable[..., Mailbox], settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(1, **settings)


def test_the_constants_say_how_long_a_mail_may_resist() -> None:
    assert channel_module.TRIES == 5 and timedelta(minutes=15) == channel_module.TRIED_FOR
