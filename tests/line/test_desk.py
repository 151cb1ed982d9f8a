"""What the office orders at the desk reaches departments, clocks and the customer, through the whole line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hostile.station import Station, station, vouched
from line.office import mail

from kefud.desk.decisions import Classify
from kefud.desk.ticket import Requester, Ticket

HE = "heyangban@mail.example.com"
TAP = "我是5号楼1单元201的业主何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"
REFUSE = "我是5号楼1单元201的业主何样板,电话13800000201。请问小区垃圾多久清运一次?"
RUDE = "我是5号楼1单元201的业主何样板,电话13800000201。我要投诉客服前台小赵态度恶劣,大声吼人。"


def brought(office: Station, text: str, subject: str = "来信") -> Ticket:
    """The ticket of a mail whose sender is proven."""
    office.put(mail(text, sender=HE, subject=subject, headers=(vouched(HE),), received=office.now))
    office.work()
    return office.tickets[-1]


def order(office: Station, ticket: Ticket, command: str, by: str = "cs_specialist", **args: Any) -> Ticket:
    office.office.casework.order(ticket.number, command, by, args)
    office.work()
    return office.ticket(ticket.number)


def written(office: Station, since: int) -> list[tuple[str, str]]:
    return [(x["recipient"], x["template"]) for x in office.letters[since:]]


def test_a_caller_who_brings_the_papers_is_served(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        caller = Requester("赵样", "13800000388")
        given = [Classify(house="6-1-401", requester=caller, origin="owner")]
        ticket = office.office.enter("请问怎么办理装修手续?", {"by": "receptionist"}, given)
        assert order(office, ticket, "need_info", missing=["装修图纸"]).status == "need_info"
        back = order(office, ticket, "got_info", text="图纸已送到前台")
        assert back.status == "triaged" and not [t for t in back.tasks if t.done_at is None]
        assert order(office, ticket, "reply", text="手续已齐,可到前台办理。", by="phone").status == "closed"
