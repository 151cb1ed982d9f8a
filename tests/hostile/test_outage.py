"""R13, R16, R17: the server for letters is away for days. What comes after is the newest word, in order, and nothing promised is lost."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station
from line.office import MONDAY, mail
from servers.scripted_smtp import ScriptedSmtp, Talk

from kefud.correspondence import HELD_UP, needless
from kefud.reports.settings import ROLES as REPORTS

OWNER = "heyangban@mail.example.com"
DEPARTMENT = "engineering@estate.example.com"
LEAK = "5号楼1单元201何样板,电话13800000201。卫生间渗水到楼下,请维修。"


class Away(ScriptedSmtp):
    """A server that ends each connection while it is ``away``; ``most`` is how many were open at once."""

    def __init__(self) -> None:
        super().__init__(GREETING=self._greet, QUIT=self._bye)
        self.away = False
        self.open = self.most = 0

    def _greet(self, talk: Talk, line: str) -> str:
        if self.away:
            talk.hang_up()
        self.open += 1
        self.most = max(self.most, self.open)
        return "220 here"

    def _bye(self, talk: Talk, line: str) -> str:
        self.open -= 1
        return "221 bye"


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Station, Away, int]]:
    """Four and a half days without a way out, then a server again; with the number of letters that had gone before."""
    still_on = ("daily", "record")
    server = Away()
    made = station(
        tmp_path_factory.mktemp("outage"), server, service="trust_internal_mail = true",
        off=[kind for kind in REPORTS if kind not in still_on],
    )  # fmt: skip
    with made as office:
        office.put(mail(LEAK, sender=OWNER))
        office.work()
        before = len(server.letters)
        server.away = True
        office.put(mail("8号楼2单元1201魏占空,电话13800000207。墙面渗水,请维修。", sender="wei@mail.example.com", name="魏占空"))
        for _ in range(14):
            office.work()
            office.pass_time(hours=8)
        assert len(server.letters) == before
        assert "since 03-03 09:00" in office.office.status_line(), "whoever asks systemd sees for how long"
        server.away = False
        for _ in range(2):
            office.work()
            office.pass_time(hours=4)
        yield office, server, before


Outage = tuple[Station, Away, int]


def late(outage: Outage) -> list[dict[str, Any]]:
    """The letters written while the server was away."""
    office, _, before = outage
    return office.letters[before:]


def test_of_what_is_said_again_and_again_only_the_newest_goes_out(outage: Outage) -> None:
    office, _, _ = outage
    assert {x["status"] for x in office.letters} == {"sent", "superseded"}
    sent = Counter(
        (x["ticket"], x["template"], x["recipient"], ":".join(x["key"].split(":")[:2]))
        for x in late(outage) if x["status"] == "sent" and x["template"] in ("reports/chaser", "replies/progress")
    )  # fmt: skip
    told = [x for x in late(outage) if x["status"] == "superseded"]
    assert {x["template"] for x in told} >= {"reports/chaser", "replies/progress", "reports/daily"}
    assert max(sent.values()) == 1
    for template in ("reports/chaser", "replies/progress"):
        for old in (x for x in told if x["template"] == template):
            newer = [x for x in late(outage) if x["template"] == template and x["ticket"] == old["ticket"] and x["id"] > old["id"]]
            assert any(x["status"] == "sent" and x["recipient"] == old["recipient"] for x in newer)


def test_only_the_last_digest_goes_out_but_every_record(outage: Outage) -> None:
    digests = [x for x in late(outage) if x["template"] == "reports/daily"]
    assert [x["status"] for x in digests] == ["superseded"] * (len(digests) - 1) + ["sent"] and len(digests) >= 3
    records = [x for x in late(outage) if x["template"] == "reports/daily-record"]
    assert len(records) >= 3 and all(x["status"] == "sent" for x in records)


def test_papers_and_what_was_promised_all_go_out(outage: Outage) -> None:
    office, _, _ = outage
    assert all(x["status"] == "sent" for x in office.letters if x["documents"])
    for ticket in office.tickets:
        assert any(x["documents"] for x in office.letters if x["ticket"] == ticket.id)
        first = ticket.deadline("first_response")
        assert first is not None and first.met is not None
    kept = [x for x in office.letters if x["meets"]]
    assert {x["status"] for x in kept} == {"sent"} and {x["template"] for x in kept} == {"replies/acknowledgement"}


def test_the_history_says_what_was_not_sent(outage: Outage) -> None:
    office, _, _ = outage
    for ticket in office.tickets:
        superseded = {x["id"] for x in office.letters if x["ticket"] == ticket.id and x["status"] == "superseded"}
        said = {h["data"]["letter"] for h in office.history(ticket) if h["what"] == "superseded"}
        assert said == superseded and superseded


def test_letters_of_a_ticket_leave_in_order_over_one_connection(outage: Outage) -> None:
    office, server, before = outage
    order = [x.content for x in server.letters[before:]]
    for ticket in office.tickets:
        mine = [x for x in late(outage) if x["ticket"] == ticket.id and x["status"] == "sent" and x["recipient"] == "requester"]
        places = [next(n for n, c in enumerate(order) if x["message_id"].encode() in c.split(b"\r\n\r\n")[0]) for x in mine]
        assert places == sorted(places)
    assert server.most == 1


def test_what_a_receiver_gets_about_a_ticket_stays_one_conversation(outage: Outage) -> None:
    """Each letter but the first names one that went before; an owner's letters all name his own mail."""
    office, server, _ = outage
    heads = [email.message_from_bytes(x.content, policy=email.policy.default) for x in server.letters]
    head_of = {m["Message-ID"]: m for m in heads}
    talks: dict[tuple[int, str], list[EmailMessage]] = {}
    for x in office.letters:
        if x["ticket"] and x["status"] == "sent":
            talks.setdefault((x["ticket"], x["recipient"]), []).append(head_of[x["message_id"]])
    assert max(len(talk) for talk in talks.values()) >= 2
    for (_, recipient), talk in talks.items():
        heads_of_talk = {talk[0]["In-Reply-To"]} if recipient == "requester" else {m["Message-ID"] for m in talk}
        for m in talk[1:]:
            assert m["In-Reply-To"] in heads_of_talk - {m["Message-ID"]} and m["In-Reply-To"] in m["References"]
        assert talk[0]["In-Reply-To"] or recipient != "requester"


def test_nobody_is_chased_for_what_was_settled_meanwhile(tmp_path: Path) -> None:
    """Mails still come in while the way out is shut: what they settle need not be asked for when it opens again."""
    server = Away()
    with station(tmp_path, server, service="trust_internal_mail = true") as office:
        for house, name, sender in (("5号楼1单元201", "何样板", OWNER), ("8号楼2单元1201", "魏占空", "wei@mail.example.com")):
            office.put(mail(f"{house}{name},卫生间渗水到楼下,请维修。", sender=sender, name=name))
        office.work()
        first, second = office.tickets
        server.away = True
        for _ in range(12):
            office.pass_time(hours=8)
            office.work()
        waiting = [x["ticket"] for x in office.letters if x["key"].startswith("chase:") and x["status"] == "pending"]
        assert first.id in waiting and second.id in waiting
        [receipt] = [x for x in office.delivered(OWNER) if first.number in x["Subject"]]
        office.put(mail("撤回,已经自己修好了。", sender=OWNER, answers=receipt))
        office.work()
        assert office.ticket(first.number).status == "withdrawn"
        server.away = False
        for _ in range(2):
            office.pass_time(hours=1)
            office.work()
        chasers = [x for x in office.letters if x["key"].startswith("chase:")]
        assert {x["status"] for x in chasers if x["ticket"] == first.id} == {"superseded"}
        assert "sent" in {x["status"] for x in chasers if x["ticket"] == second.id}
        told = [h for h in office.history(first) if h["what"] == "superseded"]
        assert len(told) == len([x for x in chasers if x["ticket"] == first.id]) and "不再发出" in told[-1]["why"]


LATER = MONDAY + timedelta(days=1)
WRITTEN: dict[str, Any] = {
    "template": "replies/answer", "key": "", "meets": "", "created_at": MONDAY, "documents": [], "addresses": ["a@example.com"],
}  # fmt: skip


def waits(template: str, **values: Any) -> dict[str, Any]:
    return {**WRITTEN, "template": template, **values}


CHASER = waits("reports/chaser", key="chase:resolve:x:50:handler")
ACKNOWLEDGED = waits("replies/acknowledgement", meets="first_response")


@pytest.mark.parametrize(
    ("old", "template", "instead", "gone"),
    [
        (CHASER, "reports/chaser", "chase:resolve:", True),
        (CHASER, "reports/chaser", "chase:plan:", False),
        (CHASER, "reports/chaser", "", False),
        ({**CHASER, "addresses": ["b@example.com"]}, "reports/chaser", "chase:resolve:", False),
        ({**CHASER, "documents": [["notice", "客联〔2025〕001号"]]}, "reports/chaser", "chase:resolve:", False),
        (waits("replies/progress"), "replies/progress", "", True),
        (waits("replies/progress", meets="plan"), "replies/progress", "", False),
        (waits("replies/progress", meets="plan"), "replies/answer", "", False),
        (ACKNOWLEDGED, "replies/progress", "", False),
        (ACKNOWLEDGED, "replies/declined", "", True),
        (waits("replies/holding", meets="first_response"), "replies/answer", "", True),
        (waits("replies/holding", created_at=LATER - HELD_UP / 2), "replies/answer", "", False),
        (waits("replies/need-info"), "replies/answer", "", False),
        (waits("replies/answer", meets="reply"), "replies/answer", "", False),
        (waits("replies/extension-consent"), "replies/result", "", False),
    ],
)
def test_what_a_new_letter_makes_needless(old: dict[str, Any], template: str, instead: str, gone: bool) -> None:
    assert needless(old, waits(template, created_at=LATER), instead) is gone


def test_an_acknowledgement_that_speaks_of_other_tickets_stays() -> None:
    assert needless(ACKNOWLEDGED, waits("replies/answer", created_at=LATER), shared=True) is False


def test_the_answer_keeps_the_promise_of_the_acknowledgement_it_replaces(tmp_path: Path) -> None:
    """The server comes back after the matter was answered: the owner gets the answer, and the first response counts as given."""
    server = Away()
    with station(tmp_path, server, service="trust_internal_mail = true") as office:
        server.away = True
        office.put(mail("请问你们中心几点下班?8号楼2单元1201魏占空,电话13800000207。", sender=OWNER, name="魏占空"))
        office.work()
        [ticket] = office.tickets
        office.pass_time(hours=2)
        office.office.casework.order(ticket.number, "reply", "cs_clerk", {}, "平时17时下班。")
        server.away = False
        office.pass_time(hours=4)
        office.work()
        office.pass_time(minutes=10)
        office.work()
        [only] = office.delivered(OWNER)
        assert "17时下班" in only.get_content()
        assert [x["meets"] for x in office.letters if x["status"] == "sent"] == ["reply,first_response"]
        first = office.ticket(ticket.number).deadline("first_response")
        assert first is not None and first.met is not None
