"""A letter goes out once and whole, or fails with a reason that says whether trying again can help."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from servers.certificates import certificates
from servers.scripted_smtp import Script, ScriptedSmtp, Talk, greylisting

from kefud.api import DeliveryFailed, TransportConfig
from kefud.testing import ManualClock, mail, parcel, registered, site, transport_contract

from .envelope import acceptable, on_the_wire
from .settings import Settings
from .transport import Smtp

SECRET = "canary-4711"
A, B = "a@example.com", "b@example.com"


@pytest.fixture
def to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Smtp]]:
    """Transports to a server, as the configuration would make them."""
    monkeypatch.setenv("SMTP_PASSWORD", SECRET)
    facts = site(tmp_path)
    made: list[Smtp] = []

    def transport(server: ScriptedSmtp, **settings: Any) -> Smtp:
        values = {"host": "127.0.0.1", "port": server.port, "tls": "none", "timeout": 10.0, "final_timeout": 10.0}
        if settings.get("username"):
            values["password"] = {"env": "SMTP_PASSWORD"}
        config = TransportConfig(id="out", plugin="smtp", **(values | settings))
        made.append(Smtp("out", Settings.of(config, facts)))
        return made[-1]

    yield transport
    for each in made:
        each.finish()


def failure(transport: Smtp, **changes: Any) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failed:
        transport.send(parcel(**changes))
    assert SECRET not in str(failed.value) and failed.value.answer.isprintable()
    return failed.value


def test_contract(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp() as server:
        transport_contract(lambda: to(server), lambda: [letter.content for letter in server.letters])


def test_registers_one_transport_for_each_entry(tmp_path: Path) -> None:
    entry = '[[transport]]\nid="{0}"\nplugin="smtp"\nhost="{0}.example.com"\n'
    found = registered(sys.modules[__package__ or ""], site(tmp_path, entry.format("a") + entry.format("b")))
    assert [transport.id for transport in found.transports] == ["a", "b"]


@pytest.mark.parametrize("can", [("PIPELINING",), ()], ids=["pipelining", "one by one"])
def test_many_letters_over_one_connection(to: Callable[..., Smtp], can: tuple[str, ...]) -> None:
    with ScriptedSmtp(can=can) as server:
        transport = to(server)
        answers = [transport.send(parcel(recipients=(A, B))) for _ in range(3)]
        transport.finish()
    assert server.connections == 1 and server.commands[-1] == "QUIT"
    assert answers == [f"250 2.0.0 taken as {n}" for n in (1, 2, 3)]
    assert {letter.recipients for letter in server.letters} == {(A, B)}


def test_others_work_while_the_server_thinks(to: Callable[..., Smtp]) -> None:
    """The server answers only when it sees that somebody works meanwhile."""
    begun = threading.Event()

    def dot(talk: Talk, line: str) -> str:
        return "250 seen" if begun.wait(5) else "451 nobody works"

    with ScriptedSmtp(DOT=dot) as server:
        transport = to(server)
        transport.meanwhile = begun.set
        assert transport.send(parcel()) == "250 seen"
        transport.meanwhile = None
        assert transport.send(parcel()) == "250 seen"


@pytest.mark.parametrize("can", [("PIPELINING",), ()], ids=["pipelining", "one by one"])
def test_others_work_while_the_server_thinks_about_who_writes(to: Callable[..., Smtp], can: tuple[str, ...]) -> None:
    """Before anything of a letter is sent, however many it is for."""
    begun = threading.Event()
    calls: list[int] = []

    def sender(talk: Talk, line: str) -> str:
        talk.mail_line = line
        return "250 seen" if begun.wait(5) else "451 nobody works"

    def work() -> None:
        calls.append(len(server.letters))
        begun.set()

    with ScriptedSmtp(can=can, MAIL=sender) as server:
        transport = to(server)
        transport.announced = work
        for _ in range(2):
            begun.clear()
            transport.send(parcel(recipients=(A, B)))
    assert calls == [0, 0, 1] and len(server.letters) == 2, "before it connects, too: that may take long"


def test_the_letter_arrives_as_it_was_written(to: Callable[..., Smtp]) -> None:
    letter = parcel(mail(".\n..\n...\n.QUIT\n\n.\n"))
    with ScriptedSmtp() as server:
        to(server).send(letter)
    assert server.letters[0].content == letter.message


@pytest.mark.parametrize(
    "end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r.\n", b"\r\n.\n", b"\n\n.\r\r\n", b"\r\n\x00.\r\n"]
)
def test_no_message_can_smuggle_a_second_one(to: Callable[..., Smtp], end: bytes) -> None:
    evil = b"Subject: a\r\n\r\nb" + end + b"MAIL FROM:<v@example.com>\r\nRCPT TO:<v@example.com>\r\nDATA\r\nx\r\n"
    with ScriptedSmtp() as server:
        transport = to(server)
        transport.send(parcel(evil))
        transport.send(parcel())
    assert [letter.sender for letter in server.letters] == ["kefu@example.cn"] * 2
    data = on_the_wire(evil)
    assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n") and data.count(b"\r\n.\r\n") == 1


def test_the_return_path_is_given_or_null(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp() as server:
        to(server).send(parcel(sender=""))
        to(server, null_return_path=True).send(parcel())
        to(server).send(parcel())
    assert [letter.sender for letter in server.letters] == ["", "", "kefu@example.cn"]


def test_a_probe_logs_in_and_sends_nothing(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp(password=SECRET) as server:
        to(server, username="kefu").probe()
        server.password = "another"
        with pytest.raises(DeliveryFailed, match="login"):
            to(server, username="kefu").probe()
    assert "MAIL" not in server.commands


# --- answers


@pytest.mark.parametrize(
    ("moment", "answer", "permanent"),
    [
        ("MAIL", "550 5.7.1 not you", True), ("MAIL", "451 later", False), ("MAIL", "530 log in first", False),
        ("RCPT", "550 5.1.1 no such user", True), ("RCPT", "450 busy", False), ("RCPT", "452 too many", False),
        ("RCPT", "552 full", True), ("DATA", "451 no room", False), ("DOT", "554 5.6.0 refused", True),
        ("DOT", "452 disk full", False), ("MAIL", "421 closing", False), ("DOT", "421 closing", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("can", [("PIPELINING",), ()], ids=["pipelining", "one by one"])
def test_answers_are_passed_on(to: Callable[..., Smtp], moment: str, answer: str, permanent: bool, can: Any) -> None:
    with ScriptedSmtp(can=can, **{moment: answer}) as server:
        transport = to(server)
        failed = failure(transport)
        assert (failed.code, failed.permanent) == (int(answer[:3]), permanent) and answer[:3] in failed.answer
        del server.script[moment]
        assert transport.send(parcel()).startswith("250")


def test_a_letter_refused_for_one_of_two_goes_to_the_other_once(to: Callable[..., Smtp]) -> None:
    letter = {"recipients": (A, B), "message_id": "<one@example.cn>"}
    with ScriptedSmtp(refuse={B: "450 mailbox busy"}) as server:
        transport = to(server)
        failed = failure(transport, **letter)
        assert not failed.permanent and f"{B}: 450 mailbox busy" in failed.answer and f"delivered to {A}" in failed.answer
        server.refuse.clear()
        transport.send(parcel(**letter))
    assert [taken.recipients for taken in server.letters] == [(A,), (B,)]


def test_a_letter_refused_for_all_is_not_sent(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp(refuse={A: "550 gone", B: "551 moved"}) as server:
        failed = failure(to(server), recipients=(A, B))
    assert failed.permanent and "550 gone" in failed.answer and "551 moved" in failed.answer and not server.letters


def test_data_accepted_for_nobody_sends_nothing(to: Callable[..., Smtp]) -> None:
    def data(talk: Talk, line: str) -> str:
        talk.send("354 go on")
        server.extra = talk.line()  # type: ignore[attr-defined]
        return "554 no valid recipients"

    with ScriptedSmtp(refuse={A: "550 gone"}, DATA=data) as server:
        assert failure(to(server), recipients=(A,)).code == 550
        assert server.extra == b".\r\n"  # type: ignore[attr-defined]


def test_greylisting_is_a_matter_of_time(to: Callable[..., Smtp]) -> None:
    clock = ManualClock()
    with ScriptedSmtp(RCPT=greylisting(clock)) as server:
        transport = to(server)
        assert failure(transport).code == 451
        clock.advance(minutes=6)
        assert transport.send(parcel()).startswith("250")


@pytest.mark.parametrize(
    "address",
    [
        "a b@example.com", "a@example.com>\r\nRCPT TO:<v@example.com", '"a"@example.com', "a@", "@example.com", "a@b@c", ".a@example.com", "a@-x.com",
        "a\0@example.com", "a@example.com\n", "a" * 65 + "@example.com",
    ],
)  # fmt: skip
def test_only_plain_addresses_reach_the_wire(to: Callable[..., Smtp], address: str) -> None:
    with ScriptedSmtp() as server:
        assert failure(to(server), recipients=(address,)).permanent
        assert not acceptable(address) and failure(to(server), sender=address).permanent
    assert server.connections == 0


def test_what_the_server_cannot_carry_is_not_sent(to: Callable[..., Smtp]) -> None:
    raw = b"Subject: a\r\n\r\n\xe4\xbd\xa0\r\n"
    with ScriptedSmtp(can=("SIZE 1000",)) as server:
        transport = to(server)
        assert failure(transport, content=raw).code == 554
        assert failure(transport, recipients=("张三@example.com",)).code == 553
        assert failure(transport, content=b"Subject: a\r\n\r\n" + b"x\r\n" * 1000).code == 552
    with ScriptedSmtp(can=("8BITMIME", "SMTPUTF8", "SIZE")) as server:
        to(server).send(parcel(raw, recipients=("张三@example.com",)))
    assert server.letters[0].mail_line.endswith("BODY=8BITMIME SMTPUTF8")


# --- the connection


@pytest.mark.parametrize("moment", ["GREETING", "EHLO", "MAIL", "DATA", "DOT"])
@pytest.mark.parametrize("way", ["hang up", "reset", "silence", "drip"])
def test_a_broken_connection_is_no_fault_of_the_letter(to: Callable[..., Smtp], moment: str, way: str) -> None:
    def drip(talk: Talk, line: str) -> None:
        for _ in range(80):
            talk.connection.sendall(b"2")
            time.sleep(0.1)

    ways: dict[str, Script] = {
        "hang up": lambda talk, line: talk.hang_up(), "reset": lambda talk, line: talk.reset(), "drip": drip,
        "silence": lambda talk, line: time.sleep(8),
    }  # fmt: skip
    with ScriptedSmtp(**{moment: ways[way]}) as server:
        began = time.monotonic()
        transport = to(server, timeout=0.3, final_timeout=0.3, connect_timeout=0.3)
        failed = failure(transport)
        assert not failed.permanent and time.monotonic() - began < 4
        assert ("may have been taken" in failed.answer) == (moment == "DOT")
        del server.script[moment]
        assert transport.send(parcel()).startswith("250")


def test_a_slow_answer_after_the_final_dot_is_waited_for(to: Callable[..., Smtp]) -> None:
    def slow(talk: Talk, line: str) -> str:
        time.sleep(0.5)
        return "250 at last"

    with ScriptedSmtp(DOT=slow) as server:
        assert to(server, timeout=0.2, final_timeout=5.0).send(parcel()) == "250 at last"


def test_a_connection_that_died_between_two_letters_is_made_anew(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp() as server:
        transport = to(server)
        transport.send(parcel())
        for connection in server._open:
            connection.shutdown(2)
        transport.send(parcel())
        assert (len(server.letters), server.connections) == (2, 2)


def test_a_new_connection_after_so_many_letters(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp() as server:
        transport = to(server, letters_per_connection=2)
        for _ in range(5):
            transport.send(parcel())
    assert server.connections == 3


def test_nobody_there_is_no_fault_of_the_letter(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp() as server:
        pass
    failed = failure(to(server))
    assert not failed.permanent and "127.0.0.1" in failed.answer


@pytest.mark.parametrize(
    "greeting", ["554 blocked", "hello", "220-" + "x" * 5000, "\r\n".join(["220-x"] * 500)], ids=["554", "no", "long", "many"]
)
def test_a_server_that_turns_us_away(to: Callable[..., Smtp], greeting: str) -> None:
    with ScriptedSmtp(GREETING=greeting) as server:
        assert not failure(to(server)).permanent


# --- encryption and login


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_logs_in_behind_verified_tls(to: Callable[..., Smtp], tls: str) -> None:
    made = certificates()
    with ScriptedSmtp(context=made.server_context(), starttls=tls == "starttls", password=SECRET) as server:
        to(server, tls=tls, host="localhost", ca_file=made.ca, username="kefu").send(parcel())
    assert len(server.letters) == 1 and not any(b"AUTH" in line for line in server.in_clear)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize(("host", "authority"), [("127.0.0.1", "ca"), ("localhost", "stranger")], ids=["name", "ca"])
def test_a_certificate_that_does_not_fit_gets_nothing(to: Callable[..., Smtp], tls: str, host: str, authority: str) -> None:
    made = certificates()
    with ScriptedSmtp(context=made.server_context(), starttls=tls == "starttls", password=SECRET) as server:
        failed = failure(to(server, tls=tls, host=host, ca_file=getattr(made, authority), username="kefu"))
    assert "certificate" in failed.answer and not failed.permanent and not server.letters
    assert not {"AUTH", "MAIL"} & set(server.commands)


STRIPPERS: dict[str, Script] = {
    "refused": "454 not now",
    "bytes after 220": lambda talk, line: "220 go\r\n250 ok",
    "no TLS after 220": lambda talk, line: (talk.send("220 go"), time.sleep(0.1), "250 hi")[2],
}


@pytest.mark.parametrize("trick", [*STRIPPERS, "not offered"])
def test_starttls_is_required_not_wished_for(to: Callable[..., Smtp], trick: str) -> None:
    script = {"STARTTLS": STRIPPERS[trick]} if trick in STRIPPERS else {}
    context = certificates().server_context()
    with ScriptedSmtp(
        starttls=trick != "not offered", context=context if script else None, password=SECRET, **script
    ) as server:
        transport = to(server, tls="starttls", host="localhost", ca_file=certificates().ca, username="kefu")
        assert not failure(transport).permanent
    assert not {"AUTH", "MAIL"} & set(server.commands)


@pytest.mark.parametrize("mechanisms", ["PLAIN", "LOGIN", "GSSAPI"])
def test_a_refused_login_is_no_fault_of_the_letter(to: Callable[..., Smtp], mechanisms: str) -> None:
    """The server's answer holds the password; `failure` checks that ours does not."""
    with ScriptedSmtp(password="another", EHLO=f"250-test\r\n250 AUTH {mechanisms}") as server:
        failed = failure(to(server, username="kefu"))
    assert not failed.permanent and "login" in failed.answer


def test_a_server_that_repeats_the_login_betrays_nothing(to: Callable[..., Smtp]) -> None:
    with ScriptedSmtp(password="another", AUTH=lambda talk, line: f"535 {line} {SECRET}") as server:
        failed = failure(to(server, username="kefu"))
    assert failed.answer.count("…") == 2


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"host": "smtp.example.com"}, "loopback"), ({"host": "a\r\nb"}, "line breaks"),
        ({"username": "kefu", "password": None}, "write"),
        ({"passwort": "x"}, 'transport "out": passwort: unknown key'),
        ({"local_name": "客服"}, "ASCII"), ({"timeout": "long"}, "no duration"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(to: Callable[..., Smtp], settings: dict[str, Any], says: str) -> None:
    with ScriptedSmtp() as server, pytest.raises(ValueError, match=says):
        to(server, **settings)


def test_the_final_answer_is_waited_for_ten_minutes() -> None:
    assert timedelta(seconds=Settings(host="smtp.example.com").final_timeout) == timedelta(minutes=10)
