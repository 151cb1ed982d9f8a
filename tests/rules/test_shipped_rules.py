"""Single clauses, shown on the shipped rules as the daemon loads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from line.office import PARTIES, ROLES
from reports.town import Town

from kefud.api import (
    Address,
    AddTask,
    Arrived,
    Call,
    Message,
    Moved,
    Notice,
    Opened,
    Ordered,
    Requester,
    Rule,
    Site,
    Ticket,
    Write,
)  # fmt: skip
from kefud.config import DEFAULT_RULES
from kefud.desk.triage import Outcome, deliberate
from kefud.loader import collect, find
from kefud.shipped import shipped
from kefud.testing import NOON, site


@pytest.fixture
def facts(tmp_path: Path) -> Site:
    return site(tmp_path, f"{PARTIES}{ROLES}")


def rules(facts: Site, *names: str) -> list[Rule]:
    found = find([shipped("plugins")])
    return [rule for name in names for rule in collect(found[name], "register_rules", facts)]


def opened(facts: Site, *names: str, call: Call | None = None, **values: Any) -> Outcome:
    message = Message("call" if call else "mail", NOON, call=call)
    ticket = Ticket(started_at=NOON, requester=Requester("何样板", "13800000201", "owner@example.com"), **values)
    return deliberate(ticket, Opened(NOON, message), rules(facts, *names))


def test_a_defect_found_at_hand_over_is_told_to_the_manager(facts: Site) -> None:
    values = {"kind": "repair", "category": "house_quality", "fields": {"at_handover": True}}
    assert opened(facts, "routing", **values).ticket.has("report_up:cs_manager")


@pytest.mark.parametrize(("category", "copy"), [("sales_service", "sales"), ("handover", "legal")])
def test_who_has_a_stake_gets_a_copy(facts: Site, category: str, copy: str) -> None:
    ticket = opened(facts, "routing", kind="complaint", category=category).ticket
    assert copy in ticket.fields["copies"]


def test_a_policy_goes_round_and_becomes_a_task_for_the_archive(facts: Site) -> None:
    effects = ("knowledge_entry_valid_from:2026-04-01",)
    found = opened(facts, "routing", "notices", kind="liaison", category="sales_policy", origin="sales", effects=effects)
    told = {d.to for d in found.decisions if isinstance(d, Write) and d.template == "reports/circulation"}
    assert told and told <= {"cs_clerk", "cs_specialist", "receptionist"}
    assert "knowledge" in [t.kind for t in found.ticket.tasks]


def test_a_visit_that_was_not_announced_begins_with_an_apology(facts: Site) -> None:
    values = {"kind": "repair", "status": "answered", "fields": {"answer": "已修好", "result": "已修好"}}
    ticket = Ticket(started_at=NOON, handler="cs_specialist", requester=Requester("何样板", "13800000201"), **values)
    found = deliberate(ticket, Moved(NOON, "verified", "answered"), rules(facts, "visits"))
    [task] = [d for d in found.decisions if isinstance(d, AddTask)]
    assert task.kind == "visit" and "未预约上门的先致歉" in task.text


def test_the_name_of_a_recording_stands_in_the_call_register(facts: Site) -> None:
    call = Call("A1", NOON, "in", "answered", caller="13800000201", recording="20260304-A1.wav")
    document = opened(facts, "routing", call=call, kind="repair", category="facility").ticket.document("call_register")
    assert document and document.data["recording"] == "20260304-A1.wav"


def test_the_month_has_figures_for_each_handler(tmp_path: Path) -> None:
    town = Town(tmp_path)
    town.finish(town.open("4-1 09:00", "consultation"), "4-1 09:30")
    town.open("4-2 09:00", "complaint")
    rows = {r["handler"]: r for r in town.data("monthly", "4-1", "5-1 09:00")["handlers"]}
    found = {handler: (row["received"], row["handled"], row["open"]) for handler, row in rows.items()}
    assert found == {"cs_clerk": (1, 1, 0), "cs_specialist": (1, 0, 1)}


def test_a_matter_of_another_estate_waits_for_a_person_who_may_say_it_is_ours(tmp_path: Path) -> None:
    facts = site(tmp_path, f'[service]\nestate = "样例花园"\n{PARTIES}{ROLES}')
    rule = rules(facts, *DEFAULT_RULES)
    mail = Message("mail", NOON, text="我是翠湖花园5号楼业主,楼道的灯坏了,请派人修。", sender=Address("", "owner@example.com"))
    sorted_ = deliberate(Ticket(started_at=NOON, text=mail.text), Arrived(NOON, mail), rule).ticket
    found = deliberate(sorted_, Opened(NOON, mail), rule)
    assert found.ticket.has("outside_scope") and found.ticket.department == "cs_center"
    assert found.ticket.status == "need_approval" and not [d for d in found.decisions if isinstance(d, Notice)]
    [asked] = [d for d in found.decisions if isinstance(d, Write)]
    assert asked.to == "pm_dept_manager" and "翠湖花园" in str(asked.data["matter"])
    ours = deliberate(found.ticket, Ordered(NOON, "classify", "cs_clerk", {"house": "3-1-201"}), rule).ticket
    assert ours.department == "property_company"
    sent = deliberate(ours, Ordered(NOON, "approve", "pm_dept_manager"), rule)
    assert [d.to for d in sent.decisions if isinstance(d, Notice)] == ["property_company"]
