"""What is settled goes into the archive by itself, quietly, and comes out again when its customer writes (S1-4.3.5c)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.desk.ticket import Ticket
from kefud.store import personal, tickets

HE, WUYE = "heyangban@mail.example.com", "wuye@property.example.com"
LAMP = "我是5号楼1单元201的业主何样板,电话13800000201。楼道灯坏了,请派人来修。"


def put(office: Station, text: str, sender: str = HE, answers: Any = None) -> None:
    office.put(mail(text, sender=sender, answers=answers, headers=(vouched(sender),), received=office.now))
    office.work()


def closed(office: Station) -> Ticket:
    """A repair that was done, and with which its owner is satisfied."""
    put(office, LAMP)
    put(office, "已处理:更换灯泡两只,照明恢复。", WUYE, office.delivered(WUYE)[-1])
    office.office.casework.order(office.tickets[0].number, "verify", "cs_clerk")
    office.work()
    put(office, "满意", answers=office.delivered(HE)[-1])
    [ticket] = office.tickets
    assert ticket.status == "closed"
    return ticket


def filed(office: Station) -> Ticket:
    office.pass_time(days=31)
    office.work()
    [ticket] = office.tickets
    return ticket


def test_what_was_quiet_for_a_month_is_filed_and_nobody_hears_of_it(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        ticket = closed(office)
        office.pass_time(days=29)
        office.work()
        assert office.ticket(ticket.number).status == "closed"
        before = len(office.letters)
        assert filed(office).status == "archived" and len(office.letters) == before
        assert [h["who"] for h in office.history(ticket) if h["what"] == "status:archived"] == ["program"]
        with office.office.db.read() as tx:
            assert tickets.search(tx, status="archived", text="5-1-201") == [ticket.id]
            soon = (ticket.updated_at or office.now) + timedelta(minutes=1)  # the terms of keeping count from the closing
            assert personal.past_retention(tx, soon, soon)[0] == [ticket.id]


@pytest.mark.parametrize("archived", [False, True])
def test_a_customer_who_writes_again_is_served_alike(tmp_path: Path, archived: bool) -> None:
    with station(tmp_path, more="" if archived else "[retention]\narchive_days = 9999\n") as office:
        closed(office)
        assert filed(office).status == ("archived" if archived else "closed")
        before = len(office.letters)
        put(office, "不满意,灯又坏了。", answers=office.delivered(HE)[-1])
        [ticket] = office.tickets
        assert (ticket.status, ticket.round) == ("reopened", 2)
        told = [(x["recipient"], x["template"]) for x in office.letters[before:]]
        assert ("requester", "replies/reopened") in told and ("property_company", "notices/work-order") in told


def test_a_new_matter_of_the_same_house_is_a_new_ticket(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        closed(office)
        filed(office)
        put(office, LAMP)
        assert [t.status for t in office.tickets] == ["archived", "assigned"]


def test_a_letter_that_waits_for_a_word_keeps_its_ticket_out(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        closed(office)
        [ticket] = office.tickets
        office.office.casework.order(ticket.number, "reply", "cs_clerk", {"text": "补充说明:请直接联系师傅13911112222。"})
        office.work()
        [ticket] = office.tickets
        assert ticket.status == "closed" and any(x.status == "held" for x in ticket.letters)
        assert filed(office).status == "closed"
        office.office.casework.order(ticket.number, "release", "cs_manager")
        office.work()
        assert filed(office).status == "archived"
