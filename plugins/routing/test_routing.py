"""The routing table covers every matter, and says what the service rules say."""

from __future__ import annotations

import itertools
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from kefud.api import Address, Call, Draw, Effect, Message, Moved, Opened, Ordered, Paper, Site, Ticket, Write
from kefud.desk.ticket import CATEGORIES, KINDS, ORIGINS
from kefud.desk.triage import Outcome, deliberate
from kefud.testing import rule_contract
from kefud.testing import site as site_of

from . import SETTINGS, register_rules
from .rule import Routing

TOML = """
[[party]]
id = "contractor-a"
name = "示例防水维修队"
kind = "contractor"
keywords = ["渗水", "防水"]

[[party]]
id = "contractor-b"
name = "样本装饰维修队"
kind = "contractor"
keywords = ["空鼓", "瓷砖"]

[[role]]
id = "cs_specialist"
address = "zhuan@example.com"

[[role]]
id = "cs_supervisor"
address = "jingli@example.com"

[[role]]
id = "cs_manager"
address = "jingli@example.com"

[[role]]
id = "leader_in_charge"
address = "fenguan@example.com"
"""
AT = datetime.fromisoformat("2025-03-11T10:00:00+08:00")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("routing"), TOML)


@pytest.fixture(scope="module")
def rule(site: Site) -> Routing:
    return Routing(site, {})


def opened(rule: Routing, message: Message | None = None, **matter: Any) -> Outcome:
    heard = message or Message("mail", AT, text=matter.get("text", ""), sender=Address("", "a@example.com"))
    return deliberate(Ticket(**matter), Opened(AT, heard), [rule])


@pytest.mark.parametrize(("kind", "category"), list(itertools.product(KINDS, (*CATEGORIES, "new_category"))))
def test_every_pair_has_a_department_and_a_handler(rule: Routing, kind: str, category: str) -> None:
    for origin, urgency in itertools.product(ORIGINS, ("normal", "emergency")):
        ticket = opened(rule, kind=kind, category=category, origin=origin, urgency=urgency).ticket
        assert ticket.department and ticket.handler and ticket.status == "triaged"
        assert ticket.document("front_desk_ledger")


@pytest.mark.parametrize(
    ("kind", "category", "department", "handler", "joint"),
    [
        ("complaint", "environment", "property_company", "cs_specialist", ()),
        ("suggestion", "facility", "property_company", "cs_clerk", ()),
        ("repair", "facility", "property_company", "cs_specialist", ()),
        ("complaint", "attitude", "property_company", "cs_specialist", ()),
        ("consultation", "facility", "cs_center", "cs_clerk", ()),
        ("consultation", "safety", "cs_center", "cs_clerk", ("concierge",)),
        ("complaint", "sales_service", "property_company", "cs_specialist", ()),
        ("consultation", "sales_service", "sales", "cs_clerk", ()),
        ("repair", "house_quality", "contractor", "cs_specialist", ()),
        ("consultation", "house_quality", "cs_center", "cs_clerk", ("engineering",)),
        ("complaint", "design", "design", "cs_specialist", ("engineering",)),
        ("consultation", "design", "cs_center", "cs_clerk", ("design",)),
        ("liaison", "personalisation", "cs_center", "cs_clerk", ("design", "engineering")),
        ("consultation", "personalisation", "cs_center", "cs_clerk", ("design", "engineering")),
        ("repair", "vacant_house", "contractor", "cs_specialist", ()),
        ("complaint", "handover", "sales", "cs_specialist", ()),
        ("consultation", "handover", "cs_center", "cs_clerk", ("sales",)),
        ("complaint", "certificate", "cs_center", "cs_specialist", ()),
        ("consultation", "fees", "cs_center", "cs_clerk", ("finance",)),
        ("consultation", "leasing", "cs_center", "cs_clerk", ("leasing",)),
        ("document", "activity", "cs_center", "cs_clerk", ()),
        ("praise", "facility", "cs_center", "cs_clerk", ()),
    ],
)
def test_table(rule: Routing, kind: str, category: str, department: str, handler: str, joint: tuple[str, ...]) -> None:
    ticket = opened(rule, kind=kind, category=category).ticket
    assert (ticket.department, ticket.handler, ticket.joint) == (department, handler, joint)
    assert {f"joint:{name}" for name in joint} <= set(ticket.effects)


@pytest.mark.parametrize("category", ["certificate", "utility_fee"])
def test_outside_matters_wait_for_approval(rule: Routing, category: str) -> None:
    ticket = opened(rule, kind="consultation", category=category).ticket
    assert {"approval_required:pm_dept_manager", "holding_reply_without_content"} <= set(ticket.effects)


def test_an_anonymous_writer_gets_no_holding_reply(rule: Routing) -> None:
    ticket = opened(rule, kind="complaint", category="certificate", origin="anonymous").ticket
    assert not ticket.has("holding_reply_without_content")


def test_events_need_the_leaders(rule: Routing) -> None:
    ticket = opened(rule, kind="document", category="activity", origin="government", important=True).ticket
    assert {"approval_required:leadership", "circulation", "report_up:cs_supervisor"} <= set(ticket.effects)
    assert ticket.document("doc_in_register")


def test_the_property_company_leads_every_emergency(rule: Routing) -> None:
    matter: dict[str, Any] = {"kind": "repair", "category": "house_quality", "urgency": "emergency", "important": True}
    ticket = opened(rule, **matter, fields={"emergency_plan": "gas"}).ticket
    assert ticket.department == "property_company"
    assert {"emergency_plan:gas", "report_up:cs_supervisor"} <= set(ticket.effects)


def test_serious_quality_goes_to_engineering(rule: Routing) -> None:
    ticket = opened(rule, kind="complaint", category="house_quality", effects=("major_quality",)).ticket
    assert ticket.department == "engineering" and ticket.has("liability_determination")


def test_a_dispute_is_the_managers(rule: Routing) -> None:
    ticket = opened(rule, kind="complaint", category="house_quality", dispute=True).ticket
    assert (ticket.handler, ticket.joint) == ("cs_manager", ("legal",))


@pytest.mark.parametrize(
    ("accused", "department", "handler"),
    [
        ("property_company", "property_company", "cs_specialist"),
        ("cs_center", "cs_center", "cs_manager"),
        ("cs_manager", "cs_center", "leader_in_charge"),
        ("sales", "sales", "cs_specialist"),
    ],
)
def test_nobody_handles_a_complaint_about_himself(rule: Routing, accused: str, department: str, handler: str) -> None:
    ticket = opened(rule, kind="complaint", category="attitude", fields={"accused": accused}).ticket
    assert (ticket.department, ticket.handler) == (department, handler)
    assert ticket.has("conflict_of_interest") is (department == "cs_center")


def test_the_club_contributes(rule: Routing) -> None:
    ticket = opened(rule, kind="consultation", category="general", fields={"topic": "club"}).ticket
    assert ticket.joint == ("clubhouse",) and ticket.handler == "cs_clerk"


def test_a_suggestion_awaits_its_decision(rule: Routing) -> None:
    ticket = opened(rule, kind="suggestion", category="environment").ticket
    assert {"adoption_decision_required", "thanks_on_adoption"} <= set(ticket.effects)


def test_the_property_company_is_answered_in_writing(rule: Routing) -> None:
    ticket = opened(rule, kind="repair", category="house_quality", origin="property_company").ticket
    assert ticket.has("written_reply_to:property_company") and ticket.document("doc_in_register")


def test_sales_wishes_are_answered_policies_go_round(rule: Routing) -> None:
    wish = opened(rule, kind="liaison", category="personalisation", origin="sales").ticket
    policy = opened(rule, kind="liaison", category="sales_policy", origin="sales").ticket
    assert wish.has("written_reply_to:sales") and not wish.has("circulation")
    assert policy.has("circulation") and not policy.has("written_reply_to:sales")


@pytest.mark.parametrize(
    ("text", "firm"), [("客厅空鼓", "contractor-b"), ("窗下渗水", "contractor-a"), ("门锁坏了", "contractor-a")]
)
def test_the_contractor_of_the_trade(rule: Routing, text: str, firm: str) -> None:
    ticket = opened(rule, kind="repair", category="house_quality", text=text).ticket
    assert (ticket.department, ticket.fields["contractor"]) == ("contractor", firm)


def test_registers_follow_the_way_a_matter_came(rule: Routing) -> None:
    call = Message("call", AT, call=Call("1", AT, "in", "missed", "13900004201"))
    paper = Message("paper", AT, paper=Paper("东门意见箱", AT, 1))
    assert opened(rule, call).ticket.document("call_register")
    assert opened(rule, paper).ticket.document("box_register")
    assert not opened(rule).ticket.document("doc_in_register")


def test_the_ladder_is_frozen_and_skips_the_same_person(rule: Routing) -> None:
    ticket = opened(rule, kind="complaint", category="environment").ticket
    assert ticket.fields["ladder"] == ["cs_supervisor", "leader_in_charge", "leadership"]
    own = opened(rule, kind="complaint", category="attitude", fields={"accused": "cs_manager"}).ticket
    assert own.fields["ladder"] == ["leadership"]


def test_a_corrected_class_is_routed_again(rule: Routing) -> None:
    ticket = Ticket(status="triaged", kind="complaint", category="design", department="cs_center", handler="cs_clerk")
    outcome = deliberate(ticket, Ordered(AT, "classify", "cs_clerk"), [rule])
    assert (outcome.ticket.department, outcome.ticket.handler) == ("design", "cs_specialist")
    assert not any(isinstance(d, Draw) for d in outcome.decisions)


@pytest.mark.parametrize(("args", "department"), [({"category": "design"}, "design"), ({"kind": "nonsense"}, "property_company")])
def test_it_is_routed_as_the_person_says_it_is(rule: Routing, args: dict[str, Any], department: str) -> None:
    ticket = Ticket(status="triaged", kind="complaint", category="facility")
    assert deliberate(ticket, Ordered(AT, "classify", "cs_clerk", args), [rule]).ticket.department == department


@pytest.mark.parametrize(("kind", "urgency"), list(itertools.product(KINDS, ("normal", "emergency"))))
def test_a_matter_of_another_estate_stays_with_us_until_a_person_decides(rule: Routing, kind: str, urgency: str) -> None:
    there: dict[str, Any] = {"effects": ("outside_scope",), "fields": {"outside_estate": "翠湖花园"}}
    ticket = opened(rule, kind=kind, category="facility", urgency=urgency, **there).ticket
    assert ticket.department == "cs_center" and not ticket.joint
    assert ticket.has("approval_required:pm_dept_manager") is (kind != "praise")
    assert opened(rule, kind="repair", category="facility", house="3-1-201", **there).ticket.department == "property_company"


def test_a_reopened_ticket_is_routed_again(rule: Routing) -> None:
    ticket = Ticket(status="triaged", kind="repair", category="facility", round=2)
    outcome = deliberate(ticket, Moved(AT, "reopened", "triaged"), [rule])
    assert outcome.ticket.department == "property_company"


def test_locked_fields_stay(rule: Routing) -> None:
    ticket = opened(rule, kind="complaint", category="design", department="sales", locked=("department",)).ticket
    assert ticket.department == "sales"


def test_routes_are_a_setting(site: Site) -> None:
    own = Routing(site, {"routes": {"environment": {"default": {"department": "concierge"}}}})
    assert opened(own, kind="complaint", category="environment").ticket.department == "concierge"
    assert opened(own, kind="consultation", category="environment").ticket.department == "cs_center"


def test_contract(site: Site) -> None:
    (rule,) = register_rules(site)
    rule_contract(rule)


def test_effects_are_named_once(rule: Routing) -> None:
    outcome = opened(rule, kind="complaint", category="design", effects=("design_reasonableness_check",))
    assert outcome.ticket.effects.count("design_reasonableness_check") == 1
    assert any(isinstance(d, Effect) for d in outcome.decisions)


def test_a_joint_ticket_names_its_coordinator(tmp_path: Any) -> None:
    """Only where the office has one (S2-2.1)."""
    (rule,) = register_rules(site_of(tmp_path, '[[role]]\nid = "issue_coordinator"\naddress = "co@example.com"\n'))
    outcome = deliberate(Ticket(kind="consultation", category="fees"), Opened(AT, Message("mail", AT)), [rule])
    assert outcome.ticket.fields["coordinator"] == "issue_coordinator"
    assert [d.to for d in outcome.decisions if isinstance(d, Write)] == ["issue_coordinator"]


def test_the_deputy_of_an_absent_handler_stands_on_the_ticket(tmp_path: Any) -> None:
    """Away from the third to the fifth: what comes on the fourth is the deputy's, afterwards the holder's again (S1-3)."""
    role = '[[role]]\nid = "cs_specialist"\naddress = "s@example.com"\ndeputy = "d@example.com"\n'
    (rule,) = register_rules(site_of(tmp_path, f"{role}absences = [{{ since = 2025-03-03, until = 2025-03-05 }}]\n"))

    def stood_in(day: str) -> Any:
        at = datetime.fromisoformat(f"2025-{day}T10:00:00+08:00")
        ticket = Ticket(kind="complaint", category="environment")
        return deliberate(ticket, Opened(at, Message("mail", at)), [rule]).ticket.fields.get("stood_in")

    assert (stood_in("03-04"), stood_in("03-06")) == ("d@example.com", None)


def test_every_table_of_the_routes_may_be_changed() -> None:
    assert set(SETTINGS) == set(tomllib.loads((Path(__file__).parent / "routes.toml").read_text("utf-8")))
