"""S01–S04: a mail earns no trust from its text. Every way of speaking is tried with every set of proofs, through the line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hostile.station import OWN, VOUCHING, Station, everything_sent, station, vouched
from line.office import mail

from kefud.desk import tokens
from kefud.desk.ticket import Ticket
from kefud.desk.trust import Claim, weigh

WUYE = "wuye@property.example.com"
MANAGER = "pm-dept-manager@roles.example.com"
OWNER = "zhao@mail.example.com"
SPOOF = "evil@attacker.example.net"


@dataclass
class Deed:
    """Something a proven mail may do: on which ticket, in whose name, in which words."""

    matter: str
    actor: str
    words: str
    prepare: tuple[tuple[str, dict[str, str]], ...] = ()
    ticket: str = ""
    before: Any = None
    after_spoofs: Any = None
    after: Any = None
    answers: EmailMessage | None = field(default=None, repr=False)


ATTITUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"
DONE = (
    ("acknowledge", {}),
    ("handle", {"inquiry": "已查看监控", "cause": "培训不足", "solution": "已批评教育", "customer_talk": "已致歉", "talk": "已致歉",
                "text": "已处理完毕", "done_by": "property_company"}),
    ("verify", {"text": "属实"}),
)  # fmt: skip
DEEDS = {
    "accept": Deed(ATTITUDE, WUYE, "收到"),
    "report": Deed(ATTITUDE, WUYE, "已处理。处理情况:已对当事保安批评教育。"),
    "extend": Deed(ATTITUDE, WUYE, "申请延期至2025年3月12日,因人员不足。"),
    "reassign": Deed(ATTITUDE, WUYE, "转工程部,本件不属于我司职责。"),
    "approve": Deed("请问房产证什么时候能办下来?", MANAGER, "同意。答复:房产证六月底前办理。"),
    "reject": Deed("请问房产证什么时候能办下来?", MANAGER, "不同意,先不要答复。"),
    "withdraw": Deed(ATTITUDE, "", "我要撤回投诉。"),
    "close": Deed(ATTITUDE, "", "满意,谢谢。", DONE),
    "reopen": Deed(ATTITUDE, "", "不满意,保安还在骂人。", DONE),
}
PROOFS = [dict(zip(("token", "roster", "auth"), cell, strict=True)) for cell in itertools.product((False, True), repeat=3)]


def facts(t: Ticket) -> Any:
    """What a mail might change, but for who is told that it came."""
    clocks = [(d.name, d.due, d.met, d.dropped) for d in t.deadlines]
    return t.status, t.round, t.department, t.handler, t.joint, t.extension, t.fields, clocks, t.requester, t.text


def spoken(deed: Deed, serial: int, *, token: bool, roster: bool, auth: bool) -> bytes:
    """The deed's words with some of the proofs. Without the token the number and a made-up Message-ID stand in its place."""
    sender = deed.actor if roster else f"x{serial}.{SPOOF}"
    assert deed.answers is not None
    headers = [vouched(sender)] if auth else [("X-Kefud-Command", "close"), ("X-Kefud-Role", "cs_manager")]
    forged = deed.answers["Message-ID"].replace("<kefud.", "<kefud.t1.kefud.", 1) if not token else ""
    if forged:
        headers += [("In-Reply-To", forged), ("References", forged)]
    return mail(
        deed.words, sender=sender, name="样例物业", subject=f"Re: [{deed.ticket}] {deed.answers['Subject']}",
        answers=deed.answers if token else None, headers=tuple(headers),
    )  # fmt: skip


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    with station(tmp_path_factory.mktemp("trust")) as made:
        yield made


def outside(office: Station) -> list[tuple[str, str]]:
    """Letters of the tickets of the deeds to anybody but our own staff."""
    ours = {d.ticket for d in DEEDS.values()}
    rows = [(x["ticket_number"], ", ".join(x["addresses"])) for x in office.letters if x["ticket_number"] in ours]
    return [x for x in rows if not x[1].endswith("@roles.example.com")]


@pytest.fixture(scope="module")
def matrix(office: Station) -> dict[str, Deed]:
    """Every deed asked for with seven sets of proofs that do not suffice, then with the eighth."""
    for index, deed in enumerate(DEEDS.values()):
        owner = f"owner{index}@mail.example.com"
        deed.actor = deed.actor or owner
        office.put(
            mail(f"{index + 11}号楼1单元101业主,电话1380000{index:04d}。{deed.matter}", sender=owner, name=f"业主{index}")
        )
    office.work()
    for deed, ticket in zip(DEEDS.values(), office.tickets, strict=True):
        deed.ticket = ticket.number
        for command, args in deed.prepare:
            _, refused = office.office.casework.order(ticket.number, command, "cs_specialist", args, args.get("text", ""))
            assert not refused
    office.work()
    serial = itertools.count()
    for deed in DEEDS.values():
        deed.before = facts(office.ticket(deed.ticket))
        deed.answers = next(
            m
            for m in reversed(office.delivered(deed.actor))
            if deed.ticket in m.as_string() or deed.ticket in str(m["Subject"])
        )
        for proofs in PROOFS[:-1]:
            office.put(spoken(deed, next(serial), **proofs))
    before = outside(office)
    office.work()
    office.spoofed = outside(office)[len(before) :]  # type: ignore[attr-defined]
    for deed in DEEDS.values():
        deed.after_spoofs = facts(office.ticket(deed.ticket))
        office.put(spoken(deed, next(serial), **PROOFS[-1]))
    office.work()
    for deed in DEEDS.values():
        deed.after = facts(office.ticket(deed.ticket))
    return DEEDS


@pytest.mark.parametrize("name", DEEDS)
def test_one_of_eight_cells_acts(matrix: dict[str, Deed], name: str) -> None:
    deed = matrix[name]
    assert deed.after_spoofs == deed.before
    assert deed.after != deed.before


def test_what_does_not_suffice_is_kept_as_a_note_and_seen(matrix: dict[str, Deed], office: Station) -> None:
    for deed in matrix.values():
        ticket = office.ticket(deed.ticket)
        heard = [h for h in office.history(ticket) if h["what"] == "heard"]
        assert len(heard) >= 5, "token, thread or number of the roster attach; the strangers' own do not"
        assert any("missing:" in h["why"] for h in heard)


def test_no_spoofed_mail_makes_a_letter_to_an_outsider_about_the_ticket(matrix: dict[str, Deed], office: Station) -> None:
    assert office.spoofed == []  # type: ignore[attr-defined]
    assert outside(office), "the proven ones did"


@pytest.mark.parametrize(("token", "roster", "auth"), [tuple(c.values()) for c in PROOFS])
@pytest.mark.parametrize("who", ["requester", "party:property_company", "role:cs_manager"])
@pytest.mark.parametrize("weak", [(False, False), (True, False), (False, True), (True, True)])
def test_the_one_function_says_the_same(who: str, token: bool, roster: bool, auth: bool, weak: tuple[bool, bool]) -> None:
    verdict = weigh(Claim(token, *weak, who if roster else "", auth))
    assert verdict.author.verified is (token and roster and auth)
    assert verdict.attach is (token or (roster and any(weak)))
    assert not weigh(Claim(token, *weak, who if roster else "", auth, identity=False)).author.verified


NOT_OURS = {
    "below a foreign hop": (
        ("Received", "from a.attacker.example.net by b.attacker.example.net; Mon, 3 Mar 2025 08:00:00 +0800"), vouched(WUYE),
    ),
    "two that claim to be ours": (vouched(WUYE), vouched(WUYE)),
    "name in another case": (("Authentication-Results", f"{VOUCHING.upper()}; dmarc=pass header.from=property.example.com"),),
    "name behind a comment": (("Authentication-Results", f"(x) {VOUCHING}; dmarc=pass header.from=property.example.com"),),
    "another's name": (("Authentication-Results", "mx.attacker.example.net; dmarc=pass header.from=property.example.com"),),
    "passes for another domain": (vouched(SPOOF),),
    "fails": (vouched(WUYE, "fail"),),
}  # fmt: skip
FROM = [
    b"From: wuye@property.example.com)<evil@attacker.example.net>",
    b'From: "wuye@property.example.com" <evil@attacker.example.net>',
    b"From: wuye@property.example.com\r\nFrom: evil@attacker.example.net",
    b"From: wuye@property.example.com, evil@attacker.example.net",
    b"From: evil@attacker.example.net\r\nSender: wuye@property.example.com\r\nReply-To: wuye@property.example.com",
    "From: wuye\uff20property.example.com".encode(),
    "From: \u202ewuye@property.example.com\u202c <evil@attacker.example.net>".encode(),
    "From: <wuye@\uff50roperty.example.com>".encode(),
    "From: <wuye@property\u3002example\u3002com>".encode(),
    "From: <wuye@pr\u043eperty.example.com>".encode(),
    b"From: <@attacker.example.net:wuye@property.example.com>",
    b"From: <wuye@property.example.com.>",
    b"From: g:wuye@property.example.com;",
    b"From: <wuye\r\n @property.example.com>",
    b"From: ~.*@.*~",
    b"From: =?utf-8?q?wuye=40property=2Eexample=2Ecom?= <evil@attacker.example.net>",
]


def test_forged_vouching_and_confusing_senders_do_nothing(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。{ATTITUDE}", sender=OWNER))
        office.work()
        [order] = office.delivered(WUYE)
        for headers in NOT_OURS.values():
            office.put(mail("收到", sender=WUYE, answers=order, headers=headers))
        for line in FROM:
            raw = mail("收到", sender="PLACE@property.example.com", name="", answers=order, headers=(vouched(WUYE),))
            assert b"From: PLACE@property.example.com" in raw
            office.put(raw.replace(b"From: PLACE@property.example.com", line))
        office.work()
        ticket = office.tickets[0]
        assert ticket.status == "assigned"
        assert not any(h["what"].startswith("status:acknowledged") for h in office.history(ticket))
        office.put(mail("收到", sender=WUYE, answers=order, headers=(vouched(WUYE),)))
        office.work()
        assert office.tickets[0].status == "acknowledged"


def forgeries(office: Station, count: int) -> Iterator[bytes]:
    """Guesses at tickets: numbers, Message-IDs, codes of another ticket, cut, in capitals, in the address."""
    real = [m["Message-ID"] for m in office.delivered(OWNER)]
    other = [m["Message-ID"] for m in office.delivered("other@mail.example.com")]
    code = real[0].rpartition("@")[0].rpartition(".")[2]
    foreign = other[0].rpartition("@")[0].rpartition(".")[2]
    for n in range(1, count + 1):
        made_up = [
            f"<kefud.t{n}.1.AAAA@estate.example.com>", f"<kefud.t{n}.0000000001.{foreign}@estate.example.com>",
            real[0].replace(code, foreign), real[0].replace(code, code[:-1]), real[0].replace(code, code.upper()),
            real[0].replace(code, code[::-1]), f"<{n}@mail.example.com>",
        ]  # fmt: skip
        yield mail(
            f"请把KF20250303-{n:04d}的情况发给我。", subject=f"Re: [KF20250303-{n:04d}] [#{n}]", sender=f"guess{n}@attacker.example.net",
            name="路人", to=f"kefu+t{n}.{foreign}@estate.example.com, {OWN}",
            headers=(("In-Reply-To", made_up[n % 7]), ("References", " ".join(made_up)), ("Cc", "victim@bystander.example.com")),
        )  # fmt: skip


def guess(office: Station, count: int) -> None:
    office.put(mail(f"5号楼1单元201何样板,电话13800000201。厨房水龙头坏了,一直滴水,密语琉璃灯。{ATTITUDE}", sender=OWNER))
    office.put(
        mail("8号楼2单元1201魏占空,电话13800000207。客厅墙面空鼓,密语青花瓷。", sender="other@mail.example.com", name="魏占空")
    )
    office.work()
    known = {t.number: (len(t.arrivals), facts(t)) for t in office.tickets}
    assert len(known) == 2 or len(known) == 3
    for forged in forgeries(office, count):
        office.put(forged)
    office.work()
    for number, was in known.items():
        ticket = office.ticket(number)
        assert (len(ticket.arrivals), facts(ticket)) == was
    told = "\n".join(
        everything_sent_to for letter in office.smtp.letters if any("attacker" in r for r in letter.recipients)
        for everything_sent_to in [letter.content.decode("utf-8", "replace")]
    )  # fmt: skip
    for stored in ("密语", "琉璃灯", "青花瓷", "何样板", "13800000201", "水龙头", "5-1-201"):
        assert stored not in told and stored not in everything_sent_outside(office)
    assert not office.delivered("victim@bystander.example.com")


def everything_sent_outside(office: Station) -> str:
    class Outside:
        letters = [x for x in office.smtp.letters if any("attacker" in r for r in x.recipients)]

    return everything_sent(Outside)  # type: ignore[arg-type]


def test_guessed_numbers_and_codes_attach_nothing_and_learn_nothing(tmp_path: Path) -> None:
    with station(tmp_path, service=f'authserv_id = "{VOUCHING}"\nreply_tag = true') as office:
        guess(office, 42)
        claimed = [t for t in office.tickets if any(e.startswith("claims:") for e in t.effects)]
        assert {e for t in claimed for e in t.effects if e.startswith("claims:")} >= {
            "claims:KF20250303-0001",
            "claims:KF20250303-0002",
        }
        assert not any(x["in_reply_to"].startswith("<kefud.") for x in office.letters if "attacker" in str(x["addresses"]))


def test_five_hundred_codes_are_not_ours() -> None:
    keys = (b"k" * 32, b"old" * 11)
    good = tokens.message_id(keys[0], 7, "abcdef0123", "estate.example.com")
    code = tokens.mac(keys[0], 7, "abcdef0123")
    assert tokens.verified(keys, [good]) and tokens.verified(keys, [tokens.message_id(keys[1], 7, "abcdef0123", "x.example")])
    tries = [tokens.message_id(b"%d" % n, 7, "abcdef0123", "estate.example.com") for n in range(300)]
    tries += [good.replace(".t7.", f".t{n}.") for n in range(8, 108)]
    tries += [good.replace(code, code[:n] + code[n + 1 :]) for n in range(16)]
    tries += [good.replace(code, code[:n] + ("a" if code[n] != "a" else "b") + code[n + 1 :]) for n in range(16)]
    tries += [
        good.replace(".t7.", ".t07."),
        good.upper(),
        good.replace(code, code.upper()),
        good.replace(code, "a" * 16),
        good + "x",
        good.replace("<", "<x"),
    ]
    tries += [good.replace("abcdef0123", f"abcdef{n:04d}") for n in range(200, 300)]
    assert len(tries) > 500
    assert tokens.verified(keys, tries) == ()
    assert tokens.verified(keys, [], [f"kefu+t{n}.{code}@estate.example.com" for n in range(1, 500)]) == ()
    back = tokens.return_address(keys[0], 7, "kefu@estate.example.com")
    assert tokens.returned(keys, [back]) == (7,) and tokens.returned(keys[1:], [back]) == ()
    assert tokens.returned(keys, [back.replace("+r7.", f"+r{n}.") for n in range(8, 500)]) == ()
    stolen = back.partition(".")[2].partition("@")[0]
    assert tokens.verified(keys, [f"<kefud.t7.return.{stolen}@estate.example.com>"], [f"kefu+t7.{stolen}@estate.example.com"]) == ()


def report(message_id: str, recipient: str, sender: str = "MAILER-DAEMON@mx.other.example.com") -> bytes:
    """A delivery report (RFC 3464) about a message of ours, real or pretended."""
    return f"""Return-Path: <>\r
Received: from mx.other.example.com by mx.estate.example.com; Mon, 03 Mar 2025 09:00:00 +0800\r
From: {sender}\r
To: {OWN}\r
Subject: Undelivered Mail Returned to Sender\r
Date: Mon, 03 Mar 2025 09:00:00 +0800\r
Message-ID: <{abs(hash((message_id, recipient)))}@mx.other.example.com>\r
MIME-Version: 1.0\r
Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r
\r
--b\r
Content-Type: text/plain\r
\r
<{recipient}>: user unknown\r
--b\r
Content-Type: message/delivery-status\r
\r
Reporting-MTA: dns; mx.other.example.com\r
\r
Final-Recipient: rfc822; {recipient}\r
Action: failed\r
Status: 5.1.1\r
Diagnostic-Code: smtp; 550 5.1.1 user unknown\r
\r
--b\r
Content-Type: text/rfc822-headers\r
\r
Message-ID: {message_id}\r
Subject: x\r
\r
--b--\r
""".encode()


def test_forged_bounces_change_nothing_and_a_real_one_reaches_a_person(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。{ATTITUDE}", sender=OWNER))
        office.put(
            mail("8号楼2单元1201魏占空,电话13800000207。客厅墙面空鼓,请维修。", sender="other@mail.example.com", name="魏占空")
        )
        office.work()
        [order] = office.delivered(WUYE)
        ours = order["Message-ID"]
        code = ours.rpartition("@")[0].rpartition(".")[2]
        office.put(report("", WUYE))
        office.put(report("<made.up@estate.example.com>", WUYE))
        office.put(report(ours.replace(code, "a" * 16), WUYE))
        office.put(report(ours.replace(".t1.", ".t2."), WUYE))
        sent = len(office.smtp.letters)
        before = [(facts(t), t.effects, len(t.arrivals)) for t in office.tickets]
        office.work()
        assert [(facts(t), t.effects, len(t.arrivals)) for t in office.tickets] == before
        assert len(office.smtp.letters) == sent, "a report is never answered"
        office.put(report(ours, WUYE))
        office.work()
        assert any(e.startswith("notice_undelivered:") for e in office.tickets[0].effects)
        assert office.delivered("wuye-backup@property.example.com")


SIGN_UP = "Verify your account"


@pytest.mark.parametrize("sender", ["no-reply@shop.example.net", "accounts@shop.example.net"])
def test_a_sign_up_mail_to_a_reply_address_helps_nobody(tmp_path: Path, sender: str) -> None:
    """S04: neither the requester of the ticket nor the other service is told anything."""
    with station(tmp_path, service=f'authserv_id = "{VOUCHING}"\nreply_tag = true') as office:
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。{ATTITUDE}", sender=OWNER))
        office.work()
        address = office.delivered(OWNER)[0]["Reply-To"] or OWN
        sent = len(office.smtp.letters)
        office.put(
            mail(
                "Click https://shop.example.net/v?code=777123 to sign in.",
                subject=SIGN_UP,
                sender=sender,
                name="Shop",
                to=str(address),
            )
        )
        office.put(
            mail(
                "Click https://shop.example.net/v?code=777124 to sign in.", subject=SIGN_UP, sender=sender, name="Shop", to=OWN
            )
        )
        office.work()
        assert not office.delivered(sender)
        later = office.smtp.letters[sent:]
        assert all(r.endswith("@roles.example.com") for x in later for r in x.recipients)
        assert "777123" not in "".join(m.as_string() for m in office.delivered(OWNER))


def test_copies_and_reply_to_of_a_mail_never_add_a_recipient(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        others = (("Cc", "friend@bystander.example.com"), ("Reply-To", "victim@bystander.example.com"), ("Bcc", "b@bystander.example.com"),
                  ("Disposition-Notification-To", "d@bystander.example.com"), ("Return-Receipt-To", "r@bystander.example.com"))  # fmt: skip
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。{ATTITUDE}", sender=OWNER, headers=others))
        office.work()
        [acknowledgement] = office.delivered(OWNER)
        office.put(mail("补充一下,当时还有人看见。", sender=OWNER, answers=acknowledgement, headers=(*others, vouched(OWNER))))
        office.work()
        office.pass_time(days=1)
        office.work()
        assert not [r for x in office.smtp.letters for r in x.recipients if "bystander" in r]
        assert "bystander" not in everything_sent(office.smtp)


def test_a_letter_written_before_the_keys_were_changed_still_finds_its_ticket(tmp_path: Path) -> None:
    from kefud.store import settings

    with station(tmp_path) as office:
        office.put(mail(f"5号楼1单元201何样板,电话13800000201。{ATTITUDE}", sender=OWNER))
        office.work()
        [order] = office.delivered(WUYE)
        ours = [order["Message-ID"]]
        with office.office.db.write() as tx:
            old = settings.token_keys(tx)
            settings.rotate_token_keys(tx)
            new = settings.token_keys(tx)
            assert new[1:] == old and tokens.verified(new, ours)
        office.put(mail("收到", sender=WUYE, answers=order, headers=(vouched(WUYE),)))
        office.work()
        assert office.tickets[0].status == "acknowledged"
        with office.office.db.write() as tx:
            settings.rotate_token_keys(tx)
            assert not tokens.verified(settings.token_keys(tx), ours), "two keys are alive, no more"
