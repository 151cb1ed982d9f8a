"""S04, S05: letters that came back, in the words of every system, are bound to the letter they return; machines get no answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hostile.returned import AWAY, FREE, LOST, PEOPLE, REPORTS, Case
from hostile.station import OWN, Station, station, vouched
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp

from kefud.desk import tokens
from kefud.mime import read_mail
from kefud.reports.settings import ROLES

NOW = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
ID = tokens.message_id(b"k" * 32, 7, "abcdef0123", "estate.example.com")


def named(cases: list[Case]) -> list[object]:
    return [pytest.param(c, id=c.name) for c in cases]


@pytest.mark.parametrize("case", named([*REPORTS, *FREE]))
def test_a_letter_that_came_back_is_known_by_its_id(case: Case) -> None:
    read = read_mail(case.mail(ID), received_at=NOW)
    assert read.automatic and read.bounce is not None
    assert ID in read.bounce.message_ids
    assert LOST in read.bounce.recipients
    assert OWN not in read.bounce.recipients
    assert read.bounce.permanent is case.permanent
    assert read.bounce.status == case.status or not case.status


@pytest.mark.parametrize("name", AWAY)
def test_a_machine_that_answers_is_known(name: str) -> None:
    read = read_mail(AWAY[name], received_at=NOW)
    assert read.automatic and read.bounce is None


@pytest.mark.parametrize("name", PEOPLE)
def test_a_person_is_no_machine(name: str) -> None:
    read = read_mail(PEOPLE[name], received_at=NOW)
    assert read.automatic == "" and read.bounce is None


def test_there_are_enough_of_them() -> None:
    assert len(REPORTS) + len(FREE) >= 59 and len(AWAY) >= 58 and len(PEOPLE) >= 19


def answered(office: Station) -> str:
    """An owner who wrote and got an answer; its Message-ID."""
    office.put(mail("5号楼1单元201何样板,电话13800000201。厨房水龙头坏了,请维修。", sender=LOST))
    office.work()
    [letter] = office.delivered(LOST)
    return str(letter["Message-ID"])


def test_all_of_them_reach_the_ticket_and_none_is_answered(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        id = answered(office)
        sent = len(office.smtp.letters)
        for case in (*REPORTS, *FREE):
            office.put(case.mail(id))
        for content in AWAY.values():
            office.put(content)
        office.work()
        outside = [x for x in office.smtp.letters[sent:] if not all(r.endswith("@roles.example.com") for r in x.recipients)]
        assert outside == []
        [ticket] = office.tickets
        back = [h for h in office.history(ticket) if h["what"] == "returned"]
        assert len(back) == len(REPORTS) + len(FREE)


def test_what_a_machine_says_moves_nothing_even_in_a_proven_name(tmp_path: Path) -> None:
    """Token, roster, our server's word: all there. It was the machine of a department, and that of the owner."""
    party, sign = "wuye@property.example.com", ("Auto-Submitted", "auto-replied")
    with station(tmp_path) as office:
        office.put(mail("5号楼1单元201何样板,电话13800000201。西门保安骂人,我要投诉。", sender=LOST, headers=(vouched(LOST),)))
        office.work()
        [order], [answer] = office.delivered(party), office.delivered(LOST)
        said = ("收到", "已处理。处理情况:已批评教育。", "转工程部,本件不属于我司职责。")
        for text in said:
            office.put(mail(text, sender=party, answers=order, headers=(vouched(party), sign)))
            office.put(mail(text, sender=party, answers=order, subject=f"自动回复: {order['Subject']}", headers=(vouched(party),)))
        office.work()
        assert office.tickets[0].status == "assigned" and office.arrivals["filed"] == 1 + 2 * len(said)
        given = {"inquiry": "已查看监控", "cause": "培训不足", "solution": "已批评教育", "customer_talk": "已致歉", "talk": "已致歉"}
        for command, by, values in (
            ("acknowledge", "cs_specialist", {}), ("handle", "cs_specialist", {**given, "done_by": "property_company"}),
            ("verify", "cs_supervisor", {}), ("reply", "cs_specialist", {}),
        ):  # fmt: skip
            _, refused = office.office.casework.order(office.tickets[0].number, command, by, values, "已处理完毕,属实")
            assert not refused
        office.work()
        before = office.tickets[0]
        for text in ("不满意", "满意", "我要撤回投诉。"):
            office.put(mail(text, sender=LOST, answers=answer, headers=(vouched(LOST), sign)))
        office.work()
        after = office.tickets[0]
        assert before.status in ("answered", "visiting")
        assert (after.status, after.round, after.fields) == (before.status, before.round, before.fields)
        office.put(mail("不满意", sender=LOST, answers=answer, headers=(vouched(LOST),)))
        office.work()
        assert office.tickets[0].round == before.round + 1, "the owner's own word does"


def test_where_the_address_carries_the_token_no_quotation_is_needed(tmp_path: Path) -> None:
    """A service that gives back nothing of the letter: the address it writes to names it (VERP), each letter its own."""
    with station(tmp_path, service='authserv_id = "mx.estate.example.com"\nreply_tag = true') as office:
        answered(office)
        mine, *more = [x for x in office.smtp.letters if LOST in x.recipients]
        assert mine.sender not in (OWN, *(x.sender for x in more)) and b"\nReply-To: kefu+t1." in mine.content
        [answer_to] = re.findall(rb"\nReply-To: (\S+)", mine.content)
        bare = f"收件人({LOST})的邮箱已满,无法接收新的邮件。退信原因:552 Mailbox full"
        other = mine.sender.replace("+r", "+r9")
        for address in (mine.sender, other, mine.sender.replace(".", ".aaaa", 1), answer_to.decode(), OWN):
            office.put(mail(bare, sender="PostMaster@qq.example.cn", name="", subject="系统退信", to=address))
        office.work()
        [back] = [h for h in office.history(office.tickets[0]) if h["what"] == "returned"]
        assert LOST in str(back) and office.arrivals["ignored"] == 4


@pytest.mark.parametrize("place", ["Delivered-To: {}", "Received: from a by b for <{}>;", "X-Postfix-Sender: rfc822; {}"])
def test_the_return_address_is_found_where_it_is_not_written_to(tmp_path: Path, place: str) -> None:
    """A system that writes to whom the From of the letter names, or to nobody: the servers' lines have the address."""
    with station(tmp_path, service='authserv_id = "mx.estate.example.com"\nreply_tag = true') as office:
        answered(office)
        mine = next(x for x in office.smtp.letters if LOST in x.recipients)
        for address in (mine.sender.replace("+r", "+r9"), mine.sender.replace(".", ".aaaa", 1), mine.sender):
            report = mail(f"{LOST} 邮箱已满,退信原因:552 full", sender="PostMaster@qq.example.cn", name="", subject="系统退信", to=OWN)
            office.put(place.format(address).encode() + b"\r\n" + report)
        office.work()
        [back] = [h for h in office.history(office.tickets[0]) if h["what"] == "returned"]
        assert LOST in str(back) and office.arrivals["ignored"] == 2


def test_an_owner_cannot_pretend_that_the_departments_letter_came_back(tmp_path: Path) -> None:
    """What the owner holds, the Message-ID and both addresses of his own letters, says nothing of anybody else's (S04)."""
    with station(tmp_path, service='authserv_id = "mx.estate.example.com"\nreply_tag = true') as office:
        answered(office)
        order = next(x for x in office.letters if x["documents"])
        theirs = order["addresses"][0]
        own = [x for x in office.smtp.letters if LOST in x.recipients]
        held = {x.sender for x in own} | {r.decode() for x in own for r in re.findall(rb"\nReply-To: (\S+)", x.content)}
        for address in held:
            text = f"无法投递到 {theirs}:550 User unknown"
            office.put(mail(text, sender="MAILER-DAEMON@mx.example.com", name="", subject="Undelivered Mail", to=address))
        office.work()
        told = [str(h) for h in office.history(office.tickets[0]) if h["what"] == "returned"]
        assert len(held) >= 2 and not [h for h in told if order["message_id"] in h]


# Letters of no ticket: digests, tasks, surveys


def of_no_ticket(office: Station, template: str) -> list[dict[str, Any]]:
    return [x for x in office.letters if x["ticket"] is None and x["template"] == f"reports/{template}"]


def told(office: Station) -> list[tuple[str, str]]:
    """Who was told of letters of no ticket that came back, and whose."""
    office.work()
    office.pass_time(minutes=1)
    office.work()
    return [(x["recipient"], x["text"].partition("收件岗位：")[2].split("\n")[0]) for x in of_no_ticket(office, "undelivered-report")]


def with_digest(home: Path, **options: Any) -> Any:
    """An office that sends the daily digest and no other report."""
    return station(home, off=[kind for kind in ROLES if kind != "daily"], **options)


def test_a_digest_that_came_back_is_told_to_a_person_and_is_no_matter(tmp_path: Path) -> None:
    with with_digest(tmp_path) as office:
        office.work()
        office.pass_time(hours=7, minutes=5)
        office.work()
        [digest] = of_no_ticket(office, "daily")
        sent = len(office.smtp.letters)
        for case in (*REPORTS, *FREE):
            if not case.permanent:
                office.put(case.mail(digest["message_id"]))
        forged = digest["message_id"].replace(".t0.", ".t1.")
        for id in (forged, forged.replace(".t1.", ".t0.x"), digest["message_id"].rpartition("@")[0][:-4] + "aaaa@estate.example.com>"):
            office.put(REPORTS[0].mail(id))
        for content in AWAY.values():
            office.put(content.replace(b"Date:", b"In-Reply-To: " + digest["message_id"].encode() + b"\r\nDate:", 1))
        assert told(office) == [] and of_no_ticket(office, "daily")[0]["status"] == "sent"
        for case in (*REPORTS, *FREE):
            office.put(case.mail(digest["message_id"]))
        assert told(office) == [("cs_manager", "物业主管")]
        assert office.tickets == [] and office.arrivals["filed"] == office.arrivals["shelved"] == 0
        assert [x.recipients for x in office.smtp.letters[sent:]] == [("cs-manager@roles.example.com",)]
        [report] = of_no_ticket(office, "undelivered-report")
        assert digest["subject"] in report["text"] and "550" in report["text"]
        office.put(REPORTS[0].mail(report["message_id"]))  # the manager's own goes one up, and there it ends
        assert told(office)[1:] == [("leader_in_charge", "客服经理")]
        office.put(REPORTS[0].mail(of_no_ticket(office, "undelivered-report")[1]["message_id"]))
        assert len(told(office)) == 2 and office.tickets == []


def test_a_digest_that_the_server_refuses_is_told_to_a_person_too(tmp_path: Path) -> None:
    supervisor = "property-supervisor@roles.example.com"
    with with_digest(tmp_path, smtp=ScriptedSmtp(refuse={supervisor: "550 5.1.1 no such user"})) as office:
        office.work()
        office.pass_time(hours=7, minutes=5)
        assert told(office) == [("cs_manager", "物业主管")]
        assert [x["status"] for x in of_no_ticket(office, "daily")] == ["failed"]


def test_a_letter_of_no_ticket_is_found_by_the_address_its_report_came_to(tmp_path: Path) -> None:
    """Nothing of the letter is quoted: the keyed address that it was sent from is enough (VERP)."""
    supervisor = "property-supervisor@roles.example.com"
    with with_digest(tmp_path, service='authserv_id = "mx.estate.example.com"\nreply_tag = true') as office:
        office.work()
        office.pass_time(hours=7, minutes=5)
        office.work()
        [letter] = [x for x in office.smtp.letters if supervisor in x.recipients]
        assert letter.sender != OWN and b"\nReply-To:" not in letter.content
        bare = f"收件人({supervisor})的邮箱已满,无法接收新的邮件。退信原因:552 Mailbox full"
        for address in (OWN, letter.sender.replace("+r", "+r1"), letter.sender.replace(".", ".aaaa", 1)):
            office.put(mail(bare, sender="PostMaster@qq.example.cn", name="", subject="系统退信", to=address))
        assert told(office) == []
        office.put(mail(bare, sender="PostMaster@qq.example.cn", name="", subject="系统退信", to=letter.sender))
        assert told(office) == [("cs_manager", "物业主管")] and office.tickets == []
