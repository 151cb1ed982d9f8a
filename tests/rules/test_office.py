"""Rules that show only in the whole: from what arrives to the letters that leave, with all shipped rules."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from click.testing import CliRunner
from estate import Estate
from line.office import PARTIES, ROLES
from month.town import bounce

from kefud import log
from kefud.cli import kefud
from kefud.store import arrivals, tickets
from kefud.store.tables import ArrivalRow

CHINA = timezone(timedelta(hours=8))
MONDAY = datetime(2025, 3, 3, 9, 0, tzinfo=CHINA)
TRUSTED = 'trust_internal_mail = true\nown_addresses = ["kefu@localhost"]\n'
OUT = '[[transport]]\nid = "out"\nplugin = "print_folder"\npath = "out"\ncontent = "mail"\n'
CALLS = '[[channel]]\nid = "phones"\nplugin = "phone_log"\nfolder = "calls"\n'
GUARD = "我是5号楼1单元201的业主何样板,电话13800000201。西门保安态度恶劣,骂人,我要投诉。"
NEIGHBOUR = "我是8号楼2单元1201的业主魏占空,电话13800000207。小区垃圾三天没人清理,我要投诉。"


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    (tmp_path / "calls").mkdir()
    return Estate(tmp_path, f"{OUT}{CALLS}{PARTIES}{ROLES}", service=TRUSTED, now=MONDAY)


def call(estate: Estate, *row: str) -> None:
    """One row of a call log, in a file that is whole and quiet."""
    head = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,座席工号,通话状态,来电内容,处理结果"
    file = estate.home / "calls" / f"{row[0]}.csv"
    file.write_text("\n".join([head, ",".join(row), ""]), "utf-8-sig")
    (estate.home / "calls" / f"{row[0]}.csv.ok").touch()


def due(estate: Estate, index: int = 0) -> dict[str, datetime]:
    return {d.name: d.due.astimezone(CHINA) for d in estate.tickets[index].deadlines if not d.dropped}


LOBBY = """
from kefud.api import Arrival, Message, Unreadable, hookimpl

class Lobby:
    id, medium = "lobby", "entry"
    def fetch(self, ledger, now):
        if not ledger.known(["1"]):
            yield [Arrival("1", now(), "3号楼大堂的灯不亮,请维修。".encode(), "entry")]
    def acknowledge(self, refs): pass
    def read(self, content, arrival, site):
        return Message("entry", arrival.received_at, text=content.decode())
    def wait(self, seconds): return True
    def close(self): pass

@hookimpl
def register_channels(site):
    return [Lobby() for _ in site.channels_of("lobby")]
"""


def test_every_way_in_ends_in_one_register_of_one_series(estate: Estate) -> None:
    """Mail, telephone and a plugin the core has never heard of."""
    estate.plugin("lobby", LOBBY)
    estate.configure(f'{OUT}{CALLS}{PARTIES}{ROLES}[[channel]]\nid = "lobby"\nplugin = "lobby"\n', service=TRUSTED)
    estate.put(GUARD)
    call(estate, "A1", "2025-03-03 08:50:00", "呼入", "13800000207", "4000000000", "8001", "已接听", "客厅墙面空鼓,请维修", "")
    estate.work()
    found = estate.tickets
    assert sorted(t.medium for t in found) == ["call", "entry", "mail"]
    assert sorted(t.number for t in found) == [f"KF20250303-000{n}" for n in (1, 2, 3)]
    assert all(t.document("front_desk_ledger") and t.handler for t in found)


def test_the_original_stays_as_it_came(estate: Estate) -> None:
    content = estate.put(GUARD)
    estate.work()
    with estate.open() as office, office.db.read() as tx:
        [sha] = tx.scalars(ArrivalRow.__table__.select().with_only_columns(ArrivalRow.blob))
    assert sha == hashlib.sha256(content).hexdigest()


def test_a_complaint_starts_all_its_clocks_at_once_and_its_form_names_them(estate: Estate) -> None:
    estate.put(GUARD)
    estate.work()
    [ticket] = estate.tickets
    assert {"first_response", "notice_property", "resolve", "progress"} <= set(due(estate))
    form, notice = ticket.document("opinion_form"), ticket.document("notice")
    assert form and notice and form.number and notice.number
    assert form.data["notice_number"] == notice.number and form.data["promised_at"] == "2025年3月6日 17:00"


def test_at_three_in_the_morning_the_handler_is_set_and_the_work_waits_for_the_opening(estate: Estate) -> None:
    estate.now = MONDAY.replace(hour=3)
    estate.put(GUARD)
    estate.work()
    [ticket] = estate.tickets
    assert ticket.handler == "cs_specialist"
    assert due(estate)["first_response"] == MONDAY.replace(hour=9)
    assert due(estate)["notice_property"] == MONDAY.replace(hour=11)


def test_an_emergency_in_the_evening_is_told_at_once(estate: Estate) -> None:
    estate.now = MONDAY.replace(hour=21, minute=15)
    call(estate, "A1", "2025-03-03 21:14:00", "呼入", "13800000207", "4000000000", "8001", "已接听", "8号楼2单元电梯困人", "")
    estate.work()
    [ticket] = estate.tickets
    assert (ticket.urgency, ticket.department) == ("emergency", "property_company")
    told = {x["recipient"] for x in estate.letters if x["template"] == "reports/emergency" and x["status"] == "sent"}
    assert {"duty_officer", "property_company", "cs_supervisor"} <= told


def test_owners_are_treated_alike(estate: Estate) -> None:
    """The same complaint of two households: the same clocks, the same department, the same handler."""
    for flat, phone in (("5号楼1单元201", "13800000201"), ("8号楼2单元1201", "13800000207")):
        estate.put(f"{flat}业主,电话{phone}。小区垃圾三天没人清理,我要投诉。", sender=f"owner{phone}@example.com")
    estate.work()
    one, two = estate.tickets
    assert (one.department, one.handler, one.urgency) == (two.department, two.handler, two.urgency)
    assert due(estate, 0) == due(estate, 1)


def test_what_is_meant_for_the_property_company_is_taken_in_and_passed_on(estate: Estate) -> None:
    estate.put("请转物业:5号楼1单元楼道很脏,一周没打扫了。5-1-201 何样板 13800000201")
    estate.work()
    [ticket] = estate.tickets
    assert (ticket.status, ticket.department) == ("assigned", "property_company")
    [answer] = [m for m in estate.sent if m["To"] and "owner@example.com" in m["To"]]
    body = answer.get_body().get_content()  # type: ignore[union-attr]
    assert ticket.number in body and "请联系物业" not in body and "请您联系物业" not in body


def test_the_promise_in_the_letter_is_the_clock_and_the_letter_shows_hotline_and_hours(estate: Estate) -> None:
    estate.put(GUARD)
    estate.work()
    [answer] = [m for m in estate.sent if m["To"] and "owner@example.com" in m["To"]]
    body = answer.get_body().get_content()  # type: ignore[union-attr]
    assert due(estate)["resolve"] == datetime(2025, 3, 6, 17, 0, tzinfo=CHINA)
    assert "2025年3月6日 17:00" in body
    assert "400-000-0000" in body and "服务时间" in body and "08:30" in body


@pytest.fixture
def lines() -> Iterator[list[str]]:
    found: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.getMessage()} {getattr(record, 'fields', {})}")

    log.set_up("human", verbose=True)
    logging.getLogger("kefud").addHandler(Kept())
    yield found
    logging.getLogger("kefud").handlers.clear()


def test_log_lines_name_no_customer_even_when_they_tell_more(estate: Estate, lines: list[str]) -> None:
    estate.put(GUARD)
    call(estate, "A1", "2025-03-03 08:50:00", "呼入", "13800000207", "4000000000", "8001", "已接听", "魏占空:墙面空鼓", "")
    estate.work()
    assert lines and len(estate.tickets) == 2
    for secret in ("13800000201", "13800000207", "何样板", "魏占空", "owner@example.com", "5-1-201"):
        assert not [line for line in lines if secret in line]


def test_while_a_holder_is_away_the_deputy_gets_the_letters(estate: Estate) -> None:
    away = ROLES.replace(
        'address = "cs-supervisor@roles.example.com"\n',
        'address = "cs-supervisor@roles.example.com"\ndeputy = "deputy@roles.example.com"\n'
        "absences = [{ since = 2025-03-03, until = 2025-03-04 }]\n",
    )
    estate.configure(f"{OUT}{PARTIES}{away}", service=TRUSTED)
    estate.put("我要投诉!保安打伤了我,我要找律师和媒体。5-1-201 何样板 13800000201")
    estate.work()
    told = [m["To"] for m in estate.sent if "supervisor" in m["To"] or "deputy" in m["To"]]
    assert told and all("deputy@roles.example.com" in to for to in told)


def test_a_changed_route_serves_the_next_ticket_and_leaves_the_others(estate: Estate) -> None:
    estate.put("建议小区多设些垃圾桶。5-1-201 何样板 13800000201")
    estate.work()
    changed = '[plugin.routing.routes.environment]\ndefault = { department = "engineering" }\n'
    estate.configure(f"{OUT}{PARTIES}{ROLES}{changed}", service=TRUSTED)
    estate.put("小区垃圾桶太少,建议增加。8-2-1201 魏占空 13800000207", sender="wei@example.com")
    estate.work(minutes=5)
    assert [t.department for t in estate.tickets] == ["property_company", "engineering"]


def test_the_house_remembers_all_its_matters(estate: Estate) -> None:
    estate.put("5-1-201 何样板 13800000201:厨房水龙头坏了,一直滴水。")
    estate.work()
    estate.put("5-1-201 何样板 13800000201:卧室墙面空鼓开裂,请维修。")
    estate.put(NEIGHBOUR, sender="wei@example.com")
    estate.work(days=1)
    with estate.open() as office, office.db.read() as tx:
        found = tickets.load(tx, tickets.search(tx, text="5-1-201")).values()
    assert [t.kind for t in sorted(found, key=lambda t: t.id)] == ["repair", "repair"]


def test_the_same_complaint_again_is_acknowledged_once(estate: Estate) -> None:
    content = estate.put(GUARD, message_id="<one@example.com>")
    estate.work()
    (estate.home / "mail" / "new" / "again").write_bytes(content)
    estate.work(minutes=10)
    assert len(estate.tickets) == 1
    assert len([m for m in estate.sent if "owner@example.com" in m["To"]]) == 1


def test_who_brings_a_matter_of_the_same_house_again_is_answered_and_learns_nothing_of_the_first(estate: Estate) -> None:
    """S0-3.2 and S01: the house is known to both, the first writer's name and what became of the matter are not."""
    estate.put(GUARD, message_id="<one@example.com>")
    estate.work()
    estate.put(
        "我住5号楼1单元201,西门保安态度恶劣骂人,我要投诉,请处理。", sender="wife@example.com", message_id="<two@example.com>"
    )
    estate.work(minutes=10)
    [ticket] = estate.tickets
    [answer] = [m for m in estate.sent if "wife@example.com" in m["To"]]
    text = answer.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert answer["In-Reply-To"] == "<two@example.com>" and ticket.number in text
    assert "何样板" not in text and "此前已有登记" in text and "当前状态" not in text
    assert not [m for m in estate.sent if "owner@example.com" in m["To"] and m["In-Reply-To"] == "<two@example.com>"]
    assert any("wife@example.com" in task.text for task in ticket.tasks if task.done_at is None)
    estate.put("撤回,不投诉了。", sender="wife@example.com", subject=f"Re: {answer['Subject']}", headers={"In-Reply-To": answer["Message-ID"]})
    estate.work(minutes=10)
    assert estate.tickets[0].status == ticket.status, "whoever names the house does not thereby own the matter"


def test_what_goes_to_somebody_without_an_address_is_printed(estate: Estate) -> None:
    """A department nobody gave an address to gets its joint notice on paper (S0-3.3)."""
    estate.configure(f'[[transport]]\nid = "paper"\nplugin = "print_folder"\npath = "out"\n{PARTIES}{ROLES}', service=TRUSTED)
    estate.put("请问物业费的收费标准是什么?5-1-201 何样板 13800000201")
    estate.work()
    [notice] = [x for x in estate.letters if x["recipient"] == "finance"]
    assert (notice["addresses"], notice["status"]) == ([], "sent")
    assert list((estate.home / "out").glob(f"{estate.tickets[0].number}_*.pdf"))


def test_a_department_with_many_tickets_hears_what_was_understood_of_each(estate: Estate) -> None:
    """Twelve sign-offs in one morning are twelve transcripts; the cap against loops counts by ticket."""
    troubles = ("楼道没人打扫", "路灯坏了", "保安骂人", "花木枯死", "门禁失灵", "垃圾桶发臭", "广场积水", "围栏破了",
                "消防通道堵塞", "凉亭断腿", "信箱被撬", "水池长满青苔")  # fmt: skip
    for n, trouble in enumerate(troubles, 1):
        estate.put(f"{n}号楼1单元101业主,电话1390000{n:04d}。{trouble},我要投诉物业。", sender=f"o{n}@example.com")
    estate.work()
    for notice in [x for x in estate.letters if x["recipient"] == "property_company" and x["documents"]]:
        estate.put("收到", sender="wuye@property.example.com", headers={"In-Reply-To": notice["message_id"]})
    estate.work(minutes=5)
    transcripts = [x for x in estate.letters if x["template"] == "commands/transcript"]
    assert [x["status"] for x in transcripts] == ["sent"] * 12


def test_who_has_not_read_what_goes_round_is_asked_again(estate: Estate) -> None:
    """A letter of the street office: two readers, one answers, the other is chased after a working day (S1-4.3.6)."""
    letter = "各物业服务企业:\n现将《关于开展消防安全检查的通知》(西街办〔2025〕12号)转发给你们,请遵照执行。\n西街街道办事处"
    estate.put(letter, sender="office@street.example.com", subject="关于开展消防安全检查的通知")
    estate.work()
    round_ = {x["recipient"]: x for x in estate.letters if x["template"] == "reports/circulation"}
    assert len(round_) >= 1
    reader, *others = sorted(round_)
    said = {"In-Reply-To": round_[reader]["message_id"]}
    estate.put("已阅。", sender=f"{reader.replace('_', '-')}@roles.example.com", headers=said)
    estate.work(hours=1)
    assert reader in estate.tickets[0].fields["read_marks"]
    estate.work(days=2)
    chasers = [x for x in estate.letters if x["template"] == "reports/chaser"]
    chased = [x["recipient"] for x in chasers if "传阅" in x["subject"] + x["text"]]
    assert sorted(chased) == sorted(others)
    clock = estate.tickets[0].deadline("read")
    assert clock and (clock.met is None) == bool(others)


def test_a_mail_without_a_word_waits_for_a_person(estate: Estate) -> None:
    """Nothing to register: it lies on the shelf with its reason, and is no ticket (S1-4.3.3)."""
    estate.put("", subject="")
    estate.put("", subject="Re: ")
    estate.put("", subject="楼道灯坏了")
    estate.work()
    assert [t.summary for t in estate.tickets] == ["楼道灯坏了"]
    with estate.open() as office, office.db.read() as tx:
        assert [entry.reason for entry in arrivals.shelf(tx)] == ["来件没有文字,请人工查看后登记"] * 2


def test_a_digest_that_comes_back_is_told_to_the_manager(estate: Estate) -> None:
    """Nobody would miss it: the supervisor never saw the day, the manager hears of it, once (S0-4.2.4a)."""
    estate.work()
    estate.work(hours=7, minutes=1)
    [digest] = [x for x in estate.letters if x["template"] == "reports/daily"]
    report = bounce({"Message-ID": digest["message_id"]}, estate.now)
    (estate.home / "mail" / "new" / "bounce").write_bytes(report)
    estate.work(minutes=5)
    estate.work(minutes=5)
    [told] = [x for x in estate.letters if x["template"] == "reports/undelivered-report"]
    assert told["recipient"] == "cs_manager" and "物业主管" in told["text"] and "550" in told["text"]


def test_the_check_names_roles_that_nobody_holds(estate: Estate) -> None:
    estate.configure(f"{OUT}{PARTIES}{ROLES.replace('cs_manager', 'cs_other')}", service=TRUSTED)
    done = CliRunner().invoke(kefud, ["-c", str(estate.file), "check", "--json"])
    warned = [w["message"] for w in json.loads(done.stdout)["warnings"]]
    assert any('"cs_manager"' in w and "S1-4.1.1" in w for w in warned) and not any('"cs_clerk"' in w for w in warned)
