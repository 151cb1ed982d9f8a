"""A word on a matter on record that names no number: it ends the matter or takes it up again (S3-2.5.4, S1-9.3)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from hostile.station import Station, station, vouched
from line.office import mail

from kefud.cli import kefud

LAMP, CEILING, AISLE = "KF20250227-0001", "KF20250225-0002", "KF20250226-0003"
HE = "heyangban@mail.example.com"
HEAD = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,座席工号,通话状态,来电内容\n"


def known(number: str, summary: str, status: str, **more: Any) -> dict[str, Any]:
    return {
        "no": number, "kind": "repair", "category": "facility", "house": "5-1-201", "summary": summary, "status": status,
        "department": "property_company", "received": "2025-02-26T10:00:00+08:00",
        "requester": {"name": "何样板", "phone": "13800000201"}, **more,
    }  # fmt: skip


def taken_in(office: Station) -> None:
    file = office.home / "open.json"
    rows = [
        known(LAMP, "单元门口地灯不亮", "acknowledged", notice="客联〔2025〕032号"),
        known(CEILING, "卫生间吊顶滴水", "visiting", category="house_quality"),
        known(AISLE, "消防通道被车堵住", "in_progress", category="safety", kind="complaint"),
    ]
    file.write_text(json.dumps(rows, ensure_ascii=False), "utf-8")
    done = CliRunner().invoke(kefud, ["-c", str(office.path), "ticket", "import", str(file)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def called(office: Station, words: str) -> None:
    row = f"T1,2025-03-03 08:40:00,呼入,13800000201,80000000,802,已接,{words}\n"
    (office.home / "calls" / "0303.csv").write_text(HEAD + row, "utf-8")
    (office.home / "calls" / "0303.csv.ok").touch()
    for _ in range(2):
        office.work()
        office.pass_time(seconds=1)


def wrote(office: Station, words: str) -> None:
    office.put(mail(words, sender=HE, headers=(vouched(HE),)))
    office.work()


def told(office: Station) -> list[tuple[str, str]]:
    return [(x["recipient"], x["template"]) for x in office.letters]


def test_a_call_ends_a_matter(tmp_path: Path) -> None:
    with station(tmp_path, folders=("calls",)) as office:
        taken_in(office)
        called(office, "业主来电 地灯已经自己亮了 前几天的报修取消")
        ticket = office.ticket(LAMP)
        assert ticket.status == "withdrawn" and "报修取消" in ticket.fields["withdrawal"] and len(office.tickets) == 3


def test_a_call_takes_a_matter_up_again(tmp_path: Path) -> None:
    with station(tmp_path, folders=("calls",)) as office:
        taken_in(office)
        called(office, "业主称上回修过的卫生间吊顶又滴水了")
        ticket = office.ticket(CEILING)
        assert ticket.round == 2 and ticket.has("reopened:round2") and len(office.tickets) == 3
        assert ticket.document("visit_record")


def test_from_an_address_nobody_knows_it_changes_no_state(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        taken_in(office)
        wrote(office, "5号楼1单元201,门口地灯自己好了,报修取消。")
        assert office.ticket(LAMP).status == "acknowledged" and len(office.tickets) == 3
        assert [to for to, template in told(office) if template == "reports/alert"] == ["cs_specialist"]
        assert not [template for to, template in told(office) if to == "requester" or template.startswith("notices/")]
        wrote(office, "5号楼1单元201,上次修过的卫生间吊顶又滴水了。")
        assert office.ticket(CEILING).round == 1
        [beside] = [t for t in office.tickets if t.number not in (LAMP, CEILING, AISLE)]
        assert beside.important and CEILING in beside.related


def test_safety_stays_open_and_its_owner_is_told(tmp_path: Path) -> None:
    with station(tmp_path, service="trust_internal_mail = true") as office:
        taken_in(office)
        wrote(office, "5号楼1单元201何样板,消防通道被车堵的那个投诉我想撤了。")
        assert office.ticket(AISLE).status == "in_progress"
        assert {("requester", "replies/stays-open"), ("cs_specialist", "reports/alert")} <= set(told(office))


def test_another_matter_beside_a_verdict_gets_its_own_ticket(tmp_path: Path) -> None:
    with station(tmp_path, service="trust_internal_mail = true") as office:
        taken_in(office)
        office.put(mail(f"满意。另外,楼道三楼的灯不亮了,请修。何样板 {CEILING}", sender=HE, headers=(vouched(HE),)))
        office.work()
        [beside] = [t for t in office.tickets if t.number not in (LAMP, CEILING, AISLE)]
        assert "灯不亮" in beside.text and beside.house == "5-1-201" and CEILING in beside.related
        assert beside.document("notice") and beside.requester.name == "何样板"
        assert not beside.fields["missing"], "nobody asks for what the first ticket knows"
