"""What staff enter themselves: a visitor at the counter, an inspection, a part of a ticket that is a matter of its own."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from estate import Estate
from line.office import PARTIES, ROLES

from kefud.cli import kefud
from kefud.store.invariants import violations

CHINA = timezone(timedelta(hours=8))
NOW = datetime.now(CHINA).replace(microsecond=0)
"""The commands go by the clock of the machine, so the mails of these tests do too."""
OUT = '[[transport]]\nid = "out"\nplugin = "print_folder"\npath = "out"\ncontent = "mail"\n'


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    service = 'trust_internal_mail = true\nown_addresses = ["kefu@localhost"]\n'
    return Estate(tmp_path, f"{OUT}{PARTIES}{ROLES}", service=service, now=NOW)


def catch_up(estate: Estate) -> None:
    """The daemon's clock is a little ahead of what the commands have just written."""
    estate.now = datetime.now(CHINA).replace(microsecond=0) + timedelta(minutes=1)


def run(estate: Estate, *words: str, fails: bool = False) -> Any:
    done = CliRunner().invoke(kefud, ["-c", str(estate.file), "ticket", *words, "--as", "cs_specialist", "--json"])
    assert (done.exit_code != 0) == fails, f"{done.output} {done.exception}"
    return str(done.exception or "") + done.output if fails else json.loads(done.stdout)


def test_a_visitor_at_the_counter_is_in_the_register_at_once(estate: Estate) -> None:
    """The fourth way in beside mail, telephone and box (S1-4.3.2); spoken with, so the first response is met."""
    people = ("--house", "8号楼2单元1201", "--phone", "13800000207")
    made = run(estate, "new", "--text", "楼道三天没人打扫,我要投诉物业。", *people)
    assert (made["kind"], made["house"], made["arrivals"][0]["channel"]) == ("complaint", "8-2-1201", "counter")
    assert (made["status"], made["department"]) == ("assigned", "property_company")
    assert made["deadlines"]["first_response"]["met"] and made["deadlines"]["notice_property"]
    assert {d["form"] for d in made["documents"]} >= {"front_desk_ledger", "opinion_form", "notice"}
    with estate.open() as office:
        assert not violations(office.db, estate.home / "var")


def test_what_the_clerk_says_it_is_stays(estate: Estate) -> None:
    made = run(estate, "new", "--text", "东门的灯", "--kind", "repair", "--category", "facility", "--name", "何样板")
    assert (made["kind"], made["category"]) == ("repair", "facility")
    assert estate.tickets[0].locked[:2] == ("kind", "category")


def test_the_same_entry_twice_is_one(estate: Estate) -> None:
    at = NOW.isoformat()
    run(estate, "new", "--text", "东门的灯坏了", "--at", at)
    assert "登记过" in run(estate, "new", "--text", "东门的灯坏了", "--at", at, fails=True)
    assert len(estate.tickets) == 1


def test_an_inspection_is_one_notice_whose_items_are_looked_at_one_by_one(estate: Estate) -> None:
    """Two findings: one notice with both, a date to put them right, each with its own state (S1-4.1.3, S1-5.7.2)."""
    due = (NOW + timedelta(days=7)).replace(hour=17, minute=0, second=0)
    made = run(estate, "inspect", "--place", "地下车库", "--finding", "消防通道堆放杂物", "--finding", "两盏灯不亮")
    assert made["status"] == "assigned" and datetime.fromisoformat(made["deadlines"]["rectify"]["due"]) == due
    [notice] = [d for d in estate.tickets[0].documents if d.form == "notice"]
    assert "1. 消防通道堆放杂物" in notice.data["content"] and "2. 两盏灯不亮" in notice.data["content"]
    assert notice.data["finish_by"] == f"{due.year}年{due.month}月{due.day}日 17:00"
    catch_up(estate)
    estate.work()
    [sent] = [x for x in estate.letters if x["recipient"] == "property_company"]
    assert sent["status"] == "sent"
    estate.now += timedelta(minutes=1)
    estate.put("已处理:杂物已清,灯已换。", sender="wuye@property.example.com", headers={"In-Reply-To": sent["message_id"]})
    estate.work(hours=2)
    number = made["number"]
    run(estate, "finding", number, "--item", "1", "--state", "ok")
    assert "第2项" in run(estate, "verify", number, fails=True)
    run(estate, "finding", number, "--item", "2", "--state", "ok", "--text", "已换新灯")
    assert run(estate, "verify", number)["status"] == "closed"
    assert [x["state"] for x in estate.tickets[0].fields["findings"]] == ["ok", "ok"]


def test_the_property_company_is_chased_for_what_was_found(estate: Estate) -> None:
    run(estate, "inspect", "--finding", "楼道灯不亮")
    for _ in range(10):
        estate.work(days=1)
    chased = {x["recipient"] for x in estate.letters if x["template"] == "reports/chaser"}
    assert {"property_company", "cs_specialist"} <= chased
    assert any(x["recipient"] == "property_manager" for x in estate.letters if x["template"] == "reports/escalation")


def test_a_part_becomes_a_ticket_of_its_own(estate: Estate) -> None:
    """Same people and start, its own number, clocks and notice; both know of each other (S0-4.1.4)."""
    estate.put("5-1-201 何样板 13800000201:厨房水龙头坏了,一直滴水,门口保安也骂人。")
    estate.work()
    [whole] = estate.tickets
    part = run(estate, "split", whole.number, "--text", "门口保安骂人,我要投诉。")
    first, second = estate.tickets
    assert (second.number, second.kind) == (part["number"], "complaint")
    assert (second.house, second.requester) == (whole.house, whole.requester)
    assert second.started_at == first.started_at and second.arrivals[0].id == first.arrivals[0].id
    assert first.related == (second.number,) and second.related == (first.number,)
    assert second.department == "property_company" and second.document("opinion_form")
    told = [x for x in estate.letters if x["ticket_number"] == second.number and x["recipient"] == "requester"]
    assert told and not [x for x in told if "一次补齐" in x["text"]], "telephone and house are known"
    with estate.open() as office:
        assert not violations(office.db, estate.home / "var")


def test_nothing_is_split_without_words_or_after_the_end(estate: Estate) -> None:
    estate.put("我要投诉保安骂人。5-1-201 何样板 13800000201")
    estate.work()
    number = estate.tickets[0].number
    assert "内容" in run(estate, "split", number, "--text", " ", fails=True)
    run(estate, "withdraw", number, "--text", "不投诉了")
    assert "不能拆分" in run(estate, "split", number, "--text", "灯坏了", fails=True)


def test_a_survey_asks_a_list_and_counts_what_comes_back(tmp_path: Path) -> None:
    """Five houses, one without an address, one that wants no contact: three asked, two answer (S2-4.4)."""
    houses = "".join(f'[[house]]\nid = "1-1-{n}01"\nemail = "o{n}@mail.example.com"\n' for n in (1, 2, 3))
    houses += '[[house]]\nid = "1-1-401"\n[[house]]\nid = "1-1-501"\nemail = "o5@mail.example.com"\nstatus = "opted_out"\n'
    estate = Estate(tmp_path, f"{OUT}{ROLES}{houses}", now=NOW)

    def survey(*words: str) -> Any:
        done = CliRunner().invoke(kefud, ["-c", str(estate.file), "survey", *words, "--json"])
        return json.loads(done.stdout) if done.exit_code == 0 else str(done.exception or done.output)

    begun = survey("start", "春季", "--question", "您对保洁满意吗?")
    assert (begun["sent"], begun["without_address"], begun["response"]) == (3, ["1-1-401"], 0.0)
    assert "已经发出" in survey("start", "春季")
    catch_up(estate)
    estate.work()
    asked = {x["addresses"][0]: x for x in estate.letters if x["template"] == "replies/survey"}
    assert {x["status"] for x in asked.values()} == {"sent"} and "您对保洁满意吗?" in asked["o1@mail.example.com"]["text"]
    for number, words in ((1, "满意"), (2, "不满意,楼道垃圾三天没人清,请尽快打扫。1-1-201")):
        sender = f"o{number}@mail.example.com"
        estate.put(words, sender=sender, headers={"In-Reply-To": asked[sender]["message_id"]})
    estate.put("满意", sender="stranger@example.com", headers={"In-Reply-To": asked["o3@mail.example.com"]["message_id"]})
    estate.work(minutes=2)
    counted = survey("show", "春季")
    assert (counted["answered"], counted["response"], counted["satisfied"], counted["unsatisfied"]) == (2, 66.7, 1, 1)
    assert [t.house for t in estate.tickets if t.kind == "complaint"] == ["1-1-201"]  # what is wrong becomes a matter
