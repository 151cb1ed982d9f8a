"""A further message makes it worse: those who have to act read the new words, and clocks and superiors follow (S1-5.4.2, S0-4.2.1)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hostile.station import Station, station, vouched
from line.office import mail

HE, WUYE = "heyangban@mail.example.com", "wuye@property.example.com"
DRAIN = "我是5号楼1单元201的业主何样板,电话13800000201。卫生间地漏堵了,水下得慢,请来疏通。"
FLOOD = "水管爆了!水已经漫到客厅插座,快来人!"


def next_day(office: Station, words: str) -> int:
    """The owner answers our letter on the next day; returns how many letters there were."""
    office.put(mail(DRAIN, sender=HE, subject="地漏", headers=(vouched(HE),), received=office.now))
    office.work()
    office.pass_time(hours=22)
    before = len(office.letters)
    office.put(mail(words, sender=HE, answers=office.delivered(HE)[-1], headers=(vouched(HE),), received=office.now))
    office.work()
    return before


def test_a_burst_pipe_on_the_second_day_is_an_emergency_of_its_own(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        before = next_day(office, FLOOD)
        [ticket] = office.tickets
        new = office.letters[before:]
        assert ticket.urgency == "emergency"
        told = [x for x in new if x["template"] in ("reports/emergency", "notices/urgent-work-order")]
        assert {x["recipient"] for x in told} >= {"duty_officer", "property_company", "cs_supervisor"}
        assert all("漫到客厅插座" in x["text"] for x in told), "the new words, not only the old matter"
        for name, most in (("resolve", 24), ("plan", 2)):
            clock = ticket.deadline(name)
            assert clock and clock.open and clock.due <= office.now + timedelta(hours=most), name
        [answer] = [x for x in new if x["recipient"] == "requester"]
        assert "赶赴现场" in answer["text"]


def test_a_threat_on_the_second_day_reaches_the_superior(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        before = next_day(office, "再不处理我就找记者曝光,去法院告你们!")
        [ticket] = office.tickets
        assert ticket.important and ticket.deadline("important")
        [report] = [x for x in office.letters[before:] if x["template"] == "reports/important" and x["recipient"] == "cs_supervisor"]
        assert "找记者曝光" in report["text"]


def test_who_is_not_to_be_known_is_not_named_by_the_new_words(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        words = f"我是何样板,电话13800000201,{FLOOD}请不要告诉物业是我说的"
        before = next_day(office, words)
        [ticket] = office.tickets
        told = [x for x in office.letters[before:] if x["recipient"] == "property_company"]
        assert ticket.masked and ticket.urgency == "emergency" and told
        assert not any("何样板" in x["text"] or "13800000201" in x["text"] for x in told)


def test_before_the_approval_no_content_leaves_unseen(tmp_path: Path) -> None:
    question = "我是5号楼1单元201的业主何样板,电话13800000201。请问房产证什么时候能办下来?"
    with station(tmp_path) as office:
        office.put(mail(question, sender=HE, subject="房产证", headers=(vouched(HE),), received=office.now))
        office.work()
        [ticket] = office.tickets
        assert ticket.status == "need_approval"
        for command in ("reply", "plan"):
            office.office.casework.order(ticket.number, command, "cs_clerk", {"text": "房产证六月底能拿到"})
        office.work()
        assert not any("六月底" in m.get_body().get_content() for m in office.delivered(HE))  # type: ignore[union-attr]


def test_what_the_owner_adds_completes_the_ticket(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail("卫生间地漏堵了,水下得慢,请来疏通。", sender="new@mail.example.com", headers=(vouched("new@mail.example.com"),)))
        office.work()
        [asked] = office.delivered("new@mail.example.com")
        words = "我是6-2-102,电话13800000612,姓钱"
        office.put(mail(words, sender="new@mail.example.com", answers=asked, headers=(vouched("new@mail.example.com"),)))
        office.work()
        [ticket] = office.tickets
        assert (ticket.house, ticket.requester.phone, ticket.fields["missing"]) == ("6-2-102", "13800000612", [])


def test_a_department_may_name_our_notice_in_a_mail_of_its_own(tmp_path: Path) -> None:
    """It joins the ticket, and acts no more than a mail that proves nothing (S02)."""
    with station(tmp_path) as office:
        office.put(mail(DRAIN, sender=HE, subject="地漏", headers=(vouched(HE),), received=office.now))
        office.work()
        [ticket] = office.tickets
        notice = ticket.document("notice")
        assert notice
        written = notice.number.replace("〔", "[").replace("〕", "]")
        office.put(mail("已处理:疏通完毕。", sender=WUYE, subject=f"关于{written}的回复", headers=(vouched(WUYE),), received=office.now))
        office.work()
        [ticket] = office.tickets
        assert ticket.status == "assigned"
        assert any("疏通完毕" in x["text"] for x in office.letters if x["template"] == "reports/alert" and x["recipient"] == ticket.handler)


# an emergency that turns out to be none

FIRE = "5号楼1单元201何样板,13800000201,家里着火了!快来人!"
DUTY, BOSS = "duty-officer@roles.example.com", "cs-supervisor@roles.example.com"


def fire(office: Station) -> None:
    office.put(mail(FIRE, sender=HE, subject="着火", headers=(vouched(HE),), received=office.now))
    office.work()


def says(office: Station, who: str, text: str) -> int:
    before = len(office.letters)
    office.put(mail(text, sender=who, answers=office.delivered(who)[-1], headers=(vouched(who),), received=office.now))
    office.work()
    return before


def minutes(office: Station, count: int) -> list[tuple[str, str]]:
    before = len(office.letters)
    for _ in range(count // 10):
        office.pass_time(minutes=10)
        office.work()
    return [(x["recipient"], x["template"]) for x in office.letters[before:]]


@pytest.mark.parametrize("text", ["已到现场,火已扑灭,无人受伤。", "现场核实为业主烧糊锅,无火情,已开窗通风。"])
def test_who_is_on_site_ends_the_alarms_and_all_who_were_alarmed_read_it(tmp_path: Path, text: str) -> None:
    with station(tmp_path) as office:
        fire(office)
        before = says(office, DUTY, text)
        told = {x["recipient"] for x in office.letters[before:] if text[:5] in x["text"] and x["template"] == "reports/alert"}
        assert told >= {"property_company", "cs_supervisor", "cs_specialist"}
        assert not [x for x in minutes(office, 60) if x[1] == "reports/emergency"]
        assert office.tickets[0].is_open


@pytest.mark.parametrize("text", ["正在赶往现场。", "马上到场!"])
def test_who_is_on_the_way_has_not_been_there(tmp_path: Path, text: str) -> None:
    with station(tmp_path) as office:
        fire(office)
        says(office, DUTY, text)
        assert [x for x in minutes(office, 10) if x[1] == "reports/emergency"]


def test_a_false_alarm_of_the_owner_is_read_at_once_and_ends_nothing(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        fire(office)
        before = says(office, HE, "不好意思,误报,是锅烧糊了冒烟,火已经关了,没事了,不用来了。")
        told = {x["recipient"] for x in office.letters[before:] if "误报" in x["text"] and "核实" in x["text"]}
        assert told >= {"duty_officer", "property_company", "cs_supervisor", "cs_specialist"}
        assert ("duty_officer", "reports/emergency") in minutes(office, 10) and office.tickets[0].is_open


def test_nobody_higher_is_told_of_a_fire_that_was_dealt_with(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        fire(office)
        says(office, WUYE, "已处理:到场核实,业主烧糊锅,无火情。")
        assert office.tickets[0].status == "handled"
        assert not [x for x in minutes(office, 120) if x[1] in ("reports/emergency", "reports/important")]


# what every alarm tells

TAP = "我是5号楼1单元201的业主何样板,电话13800000201。厨房水龙头坏了,一直滴水,请派人来修。"
TRAPPED = "楼下电梯困人了,快来人!"


def test_every_alarm_and_the_order_tell_of_the_danger_that_came_up_in_another_matters_thread(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        office.put(mail(TAP, sender=HE, subject="报修", headers=(vouched(HE),), received=office.now))
        office.work()
        before = says(office, HE, TRAPPED)
        minutes(office, 30)
        alarms = [x for x in office.letters[before:] if x["template"] == "reports/emergency"]
        orders = [x for x in office.letters[before:] if x["template"] == "notices/urgent-work-order"]
        assert len(alarms) > 4 and orders
        for letter in (*alarms, *orders):
            assert "电梯困人" in letter["text"] and "电梯困人" in letter["subject"], letter["subject"]


def test_the_newest_word_of_danger_stands_in_the_next_alarm(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        fire(office)
        before = says(office, HE, "阳台也着火了,快来人!")
        minutes(office, 10)
        alarms = [x for x in office.letters[before:] if x["template"] == "reports/emergency"]
        assert alarms and all("阳台也着火" in x["text"] for x in alarms)
