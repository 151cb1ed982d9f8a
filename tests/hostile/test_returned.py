"""S04, S05: letters that came back, in the words of every system, are bound to the letter they return; machines get no answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hostile.returned import AWAY, FREE, LOST, PEOPLE, REPORTS, Case
from hostile.station import OWN, Station, station
from line.office import mail

from kefud.desk import tokens
from kefud.mime import read_mail

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
    assert len(REPORTS) + len(FREE) >= 45 and len(AWAY) >= 35


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


def test_where_the_address_carries_the_token_no_quotation_is_needed(tmp_path: Path) -> None:
    """A service that gives back nothing of the letter: the address it writes to names the ticket (VERP)."""
    with station(tmp_path, service='authserv_id = "mx.estate.example.com"\nreply_tag = true') as office:
        answered(office)
        [letter] = [x for x in office.smtp.letters if LOST in x.recipients]
        assert letter.sender != OWN and tokens._ADDRESS.search(letter.sender)
        bare = f"收件人({LOST})的邮箱已满,无法接收新的邮件。退信原因:552 Mailbox full"
        for address in (letter.sender, letter.sender.replace("+t1.", "+t1.aaaa")[:80], OWN):
            office.put(mail(bare, sender="PostMaster@qq.example.cn", name="", subject="系统退信", to=address))
        office.work()
        back = [h for h in office.history(office.tickets[0]) if h["what"] == "returned"]
        assert len(back) == 1 and office.arrivals["ignored"] == 2
