"""S01 where a ticket knows no e-mail address: who knows the number, the name and the telephone is heard, and that is all."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.cli import kefud
from kefud.desk.trust import Claim, weigh

NUMBER = "KF20250228-0007"
NAME, PHONE = "何样板", "13800000201"
UNSATISFIED = f"不满意!楼道杂物还在。{NAME},{PHONE},5号楼1单元201。{NUMBER}"
SUPERVISOR = "cs-supervisor@roles.example.com"


def visited(office: Station) -> None:
    """A ticket of an earlier time that waits for its return visit: it knows the house, the name and the telephone, no address."""
    known = {
        "no": NUMBER, "kind": "complaint", "category": "environment", "house": "5-1-201", "summary": "楼道杂物",
        "department": "property_company", "status": "visiting", "received": "2025-02-28T10:00:00+08:00",
        "requester": {"name": NAME, "phone": PHONE},
    }  # fmt: skip
    file = office.home / "open.json"
    file.write_text(json.dumps([known], ensure_ascii=False), "utf-8")
    done = CliRunner().invoke(kefud, ["-c", str(office.path), "ticket", "import", str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def test_a_stranger_with_number_name_and_telephone_is_noted_and_called_back(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        visited(office)
        before = office.ticket(NUMBER)
        for n, sender in enumerate(("neighbour@mail.example.com", "evil@attacker.example.net")):
            words = UNSATISFIED + f"第{n}次"
            office.put(mail(words, sender=sender, name=NAME, subject=f"Re: {NUMBER}", headers=(vouched(sender),)))
        office.work()
        after = office.ticket(NUMBER)
        for fact in ("status", "round", "department", "handler", "requester", "fields", "text"):
            assert getattr(after, fact) == getattr(before, fact)
        assert [t.number for t in office.tickets] == [NUMBER]
        told = "".join(m.as_string() + str(m.get_body()) for m in office.delivered(SUPERVISOR))
        assert told and len([t for t in after.tasks if t.kind == "confirm"]) == 2
        outside = [r for x in office.smtp.letters for r in x.recipients if not r.endswith("@roles.example.com")]
        assert outside == [], "neither the writer nor the department hears of it"


def test_without_the_name_it_is_a_ticket_of_its_own(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        visited(office)
        office.put(mail(f"不满意!{NUMBER}", sender="evil@attacker.example.net", name="路人", subject=f"Re: {NUMBER}"))
        office.work()
        assert office.ticket(NUMBER).status == "visiting" and not office.ticket(NUMBER).arrivals
        [other] = [t for t in office.tickets if t.number != NUMBER]
        assert f"claims:{NUMBER}" in other.effects
        [told] = [x for x in office.letters if x["ticket"] == other.id and x["key"] == "claims"]
        assert told["recipient"] == other.handler and NUMBER in told["text"] and "请联系原登记的顾客核实" in told["text"]


def test_where_no_stranger_can_write_it_takes_the_case_up_again(tmp_path: Path) -> None:
    with station(tmp_path, service="trust_internal_mail = true") as office:
        visited(office)
        office.put(mail(UNSATISFIED, sender="owner@mail.example.com", name=NAME, subject=f"Re: {NUMBER}"))
        office.work()
        assert office.ticket(NUMBER).round == 2


@pytest.mark.parametrize("cell", list(itertools.product((False, True), repeat=5)))
def test_the_name_of_a_house_proves_nothing(cell: tuple[bool, ...]) -> None:
    token, thread, number, authenticated, identity = cell
    verdict = weigh(Claim(token, thread, number, "household", authenticated, identity))
    assert not verdict.author.verified and not verdict.author.believed and verdict.author.role == "stranger"
    assert verdict.attach is (token or (identity and (thread or number)))
