"""Tickets of another system: numbers go on above theirs, parties are found by name, open matters get their deadlines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from kefud.desk.ticket import Ticket
from kefud.store import numbers, schema, tickets
from kefud.store.database import Database
from kefud.store.imports import take_in
from kefud.store.invariants import violations
from kefud.testing import site as site_of

NOW = datetime(2025, 4, 20, 1, 0, tzinfo=UTC)
SITE = """
[service]
name = "客户服务中心"

[[party]]
id = "property_company"
kind = "property_company"
addresses = ["wuye@property.example.com"]

[[party]]
id = "contractor-1"
kind = "contractor"
name = "示例防水维修队"
addresses = ["a@repair-a.example.com"]

[[party]]
id = "contractor-2"
kind = "contractor"
name = "样本装饰维修队"
addresses = ["b@repair-b.example.com"]
"""
ITEM = {
    "no": "KF20250410-0007", "kind": "repair", "category": "house_quality", "house": "5-2-1103", "department": "contractor",
    "status": "in_progress", "received": "2025-04-10T09:20:00+08:00", "notice": "客联〔2025〕027号",
}  # fmt: skip


@pytest.fixture
def db(tmp_path: Path) -> Database:
    made = Database(f"sqlite:///{tmp_path}/kefud.db")
    schema.ensure(made)
    return made


def imported(db: Database, tmp_path: Path, **changes: object) -> Ticket:
    site = site_of(tmp_path, SITE)
    item = {**ITEM, **changes}
    with db.write() as tx:
        take_in(tx, [item], NOW, "Asia/Shanghai", site)
    with db.read() as tx:
        ticket = tickets.by_number(tx, str(item["no"]))
    assert ticket is not None
    return ticket


def test_notices_are_numbered_on_above_the_imported_ones(db: Database, tmp_path: Path) -> None:
    imported(db, tmp_path)
    with db.write() as tx:
        assert numbers.form_number(tx, "notice", NOW.date()) == "客联〔2025〕028号"


def test_gaps_below_an_imported_number_are_not_ours(db: Database, tmp_path: Path) -> None:
    imported(db, tmp_path)
    assert not [v for v in violations(db, tmp_path) if v.invariant == "numbers without gaps"]


@pytest.mark.parametrize("firm", ["样本装饰维修队", "contractor-2", "b@repair-b.example.com"])
def test_a_firm_is_found_by_name_id_or_address(db: Database, tmp_path: Path, firm: str) -> None:
    ticket = imported(db, tmp_path, contractor=firm)
    assert (ticket.department, ticket.fields["contractor"]) == ("contractor", "contractor-2")


def test_a_firm_as_department_is_a_contractor(db: Database, tmp_path: Path) -> None:
    ticket = imported(db, tmp_path, department="示例防水维修队")
    assert (ticket.department, ticket.fields["contractor"]) == ("contractor", "contractor-1")


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, {"resolve": "2025-04-17T17:00:00+08:00"}),
        ({"promised": "2025-04-21T17:00:00+08:00"}, {"resolve": "2025-04-21T17:00:00+08:00"}),
        ({"status": "visiting"}, {}),
        (
            {"kind": "complaint", "category": "environment", "department": "property_company"},
            {"resolve": "2025-04-13T17:00:00+08:00", "notice_property": "2025-04-10T17:20:00+08:00"},
        ),
        ({"kind": "complaint", "category": "design", "department": "design"}, {}),
    ],
)
def test_open_matters_get_the_deadlines_of_their_kind(
    db: Database, tmp_path: Path, changes: dict[str, object], due: dict[str, str]
) -> None:
    ticket = imported(db, tmp_path, **changes)
    assert {d.name: d.due for d in ticket.deadlines} == {k: datetime.fromisoformat(v) for k, v in due.items()}
