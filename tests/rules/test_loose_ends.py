"""What would hang or be lost sight of: parts of one ticket, letters that wait for a signer, answers that ask for more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, station, vouched
from line.office import PARTIES, mail
from paper import typed_letter

from kefud.desk.decisions import Classify
from kefud.desk.ticket import Requester, Ticket
from kefud.reports.ledger import box_rows
from kefud.store import registers

WEI = "wei@mail.example.com"
MY_HOUSE = "我是8号楼2单元1201的业主魏占空,电话13800000207。"
KNOWN = PARTIES.replace('phone = "13800000201"', 'phone = "13800000201"\nemail = "he@mail.example.com"')
OPEN = PARTIES.replace('kind = "property_company"', 'kind = "property_company"\nshow_contact = true')
SALES = """
[[party]]
id = "sales"
name = "销售部"
addresses = ["sales@estate.example.com"]
"""


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Station]:
    with station(tmp_path, parties=KNOWN) as made:
        yield made


def write(office: Station, text: str, *, sender: str = WEI, name: str = "魏占空", **more: Any) -> Ticket:
    more.setdefault("headers", (vouched(sender),))
    office.put(mail(text, sender=sender, name=name, received=office.now, **more))
    office.work()
    return office.tickets[-1]


def order(office: Station, ticket: Ticket, command: str, by: str = "cs_clerk", **arguments: Any) -> Ticket:
    changed, _ = office.office.casework.order(ticket.number, command, by, arguments, str(arguments.get("text", "")))
    office.work()
    return office.ticket(changed.number)


def templates(office: Station, recipient: str) -> list[str]:
    return [x["template"] for x in office.letters if x["recipient"] == recipient]


def test_two_matters_of_one_mail_that_belong_to_one_open_ticket_are_filed(office: Station) -> None:
    """S0-3.2: both parts go to the ticket together."""
    first = write(office, f"{MY_HOUSE}单元门口垃圾没人清理、楼道灯不亮,请尽快处理。")
    office.pass_time(hours=2)
    write(office, f"您好,{MY_HOUSE}\n一、单元门口垃圾没人清理。\n二、楼道灯不亮,请修。\n")
    assert [t.number for t in office.tickets] == [first.number]
    assert office.arrivals == {"filed": 2} and len(office.ticket(first.number).arrivals) == 2
    assert office.broken() == []


def test_the_same_matter_at_the_counter_goes_to_the_open_ticket(office: Station) -> None:
    """S0-3.2: any channel."""
    first = write(office, f"{MY_HOUSE}楼道灯坏了,请修。")
    office.pass_time(hours=3)
    who = Requester("魏占空", "13800000207", "")
    about = {"by": "receptionist", "name": who.name, "house": "8-2-1201", "phone": who.phone}
    again = office.office.enter("楼道灯坏了,还没修。", about, [Classify(house="8-2-1201", requester=who, origin="owner")])
    office.work()
    assert again.number == first.number and len(office.tickets) == 1
    other = office.office.enter("请问装修押金怎么退?", about, [Classify(house="8-2-1201", requester=who, origin="owner")])
    assert other.number != first.number


@pytest.mark.parametrize(("words", "ticket"), [
    ("满意,祝工作顺利!", False), ("很满意,谢谢你们", False), ("一般", False),
    ("还可以吧,不过我家厨房水管这两天在漏水,请派人来修。", True), ("满意。另外请问物业费怎么交?", True), ("不满意,楼道脏", True),
])  # fmt: skip
def test_an_answer_to_a_survey_that_asks_for_something_becomes_a_ticket_too(office: Station, words: str, ticket: bool) -> None:
    """Rule 1: no word of an owner is lost because it came with a vote. The name of a survey may hold a dot."""
    name = "2025.1-6月满意度"
    office.office.surveying.start(name, ["5-1-201"], "您对物业服务满意吗?")
    office.work()
    asked = office.delivered("he@mail.example.com")[-1]
    office.put(mail(words, sender="he@mail.example.com", answers=asked, headers=(vouched("he@mail.example.com"),)))
    office.work()
    assert office.office.surveying.result(name)["answered"] == 1
    assert bool(office.tickets) is ticket


def test_a_letter_that_waits_for_a_signature_is_shown_to_its_signer(office: Station) -> None:
    """S3-2.2.3, RULES §9: a refusal needs the manager's signature, and the manager hears of it."""
    ticket = write(office, f"{MY_HOUSE}我家隔壁的私家花园能不能划给我用?请问怎么申请?")
    ticket = order(office, ticket, "decline", reason="属他人专有部分", alternative="可申请公共绿地认养")
    [shown] = [x for x in office.letters if x["template"] == "reports/held"]
    assert shown["recipient"] == "cs_manager" and "属他人专有部分" in shown["text"] and "S3-2.2.3" in shown["text"]
    assert [t.role for t in ticket.tasks if t.kind == "release" and t.done_at is None] == ["cs_manager"]
    order(office, ticket, "release", by="cs_manager")
    assert templates(office, "requester")[-1] == "replies/declined" and office.letters[-1]["status"] == "sent"
    assert not [t for t in office.ticket(ticket.number).tasks if t.kind == "release" and t.done_at is None]


def test_what_a_cap_holds_is_told_once(office: Station) -> None:
    """S05: held, and a person knows; what we say to our own people does not grow with a flood."""
    for number in range(8):
        write(office, f"请问第{number}栋的快递柜怎么收费?", sender="a@mail.example.com", name="")
        office.pass_time(minutes=1)
    held = [x for x in office.letters if x["status"] == "held"]
    told = [x for x in office.letters if x["template"] == "reports/held"]
    assert len(held) > 2 and len(told) == 1


def test_a_forged_mail_changes_nothing_and_its_alarm_is_checked_by_telephone(office: Station) -> None:
    """S02: number and From alone; those who can ask back at once hear of a danger all the same (S1-5.4.2)."""
    ticket = write(office, f"{MY_HOUSE}卫生间渗水,请派人来修。")
    before = len(office.letters)
    words = f"{ticket.number} 家里燃气泄漏,有人晕倒了!我要找律师索赔,不赔就上电视台曝光!"
    write(office, words, subject=f"Re: {ticket.number}", headers=(vouched(WEI, "fail"),))
    after = office.ticket(ticket.number)
    assert (after.urgency, after.important, after.dispute, after.effects) == ("normal", False, False, ticket.effects)
    new = office.letters[before:]
    assert {x["recipient"] for x in new} == {"cs_specialist", "duty_officer"}
    assert any("未经证实" in x["text"] for x in new if x["recipient"] == "duty_officer")


def test_a_paper_with_two_matters_is_one_letter_of_its_opening(tmp_path: Path) -> None:
    """S1-5.4.3: the register shows what was written down at the box, and each letter once."""
    papers = [
        "我是5号楼1单元201何样板,电话13800000201。\n第一,家里厨房水管漏水,请派人维修。\n第二,投诉保洁不到位,楼道很脏没人扫。",
        f"{MY_HOUSE}阳台窗户关不严,请派人维修。",
    ]
    with station(tmp_path, folders=("box",)) as office:
        told = 'opened_at = 2025-03-03T08:30:00\nopener = "甲"\nwitness = "乙"\nlock = "异常"\ncount = 2\n'
        (tmp_path / "box" / "box.toml").write_text(told, "utf-8")
        for number, text in enumerate(papers):
            (tmp_path / "box" / f"{number}.pdf").write_bytes(typed_letter(text))
        for _ in range(3):
            office.work()
            office.pass_time(minutes=1)
        with office.office.db.read() as tx:
            letters = registers.box_letters(tx, office.now - timedelta(days=9), office.now)
        rows = box_rows(letters, [], office.office.reporter.desk)
        tickets = [t.number for t in office.tickets]
    assert len(tickets) == 3 and sorted("、".join(r["ticket"] for r in rows).split("、")) == tickets
    wanted = {"count": 2, "pages": 1, "opener": "甲", "witness": "乙", "lock": "异常", "opened_at": "2025年3月3日 08:30"}
    assert [{key: r[key] for key in wanted} for r in rows] == [wanted, wanted]


def test_a_copy_of_a_notice_shows_no_customer_to_who_may_not_see_one(tmp_path: Path) -> None:
    """P6: the property company leads and may see the contact, sales gets a copy and may not."""
    with station(tmp_path, more=SALES, parties=OPEN) as office:
        write(office, "我是5号楼1单元201的业主何样板,电话13800000201。售楼处样板间的保洁很差,服务人员不接待,我要投诉案场服务。",
              sender="he@mail.example.com", name="何样板")  # fmt: skip
        notices = {tuple(x["addresses"]): x for x in office.letters if x["template"].startswith("notices/")}
        lead, copy = notices["wuye@property.example.com",], notices["sales@estate.example.com",]
        assert "13800000201" in lead["text"] and lead["documents"]
        assert "13800000201" not in copy["text"] and "何样板" not in copy["text"] and not copy["documents"]
        assert copy["text"].startswith("销售部：") and "知悉" in copy["text"] and "PDF" not in copy["text"]


def test_the_letter_of_a_second_round_promises_no_time_of_the_first(office: Station) -> None:
    """S3-2.5.4: a new round, new clocks."""
    talk = "我是6号楼1单元301的业主钱样。楼道灯坏了三天,我要投诉物业不作为。前台小张已和我约定3月4日17点前答复我。"
    ticket = write(office, talk, sender="q@mail.example.com", name="钱样")
    assert "3月4日" in office.delivered("q@mail.example.com")[0].get_content()
    found = {"inquiry": "现场", "cause": "灯管坏", "solution": "更换", "customer_talk": "已电话"}
    order(office, ticket, "handle", text="已更换", done_by="property_company", **found)
    order(office, ticket, "verify")
    office.pass_time(days=3)
    before = len(office.letters)
    ticket = write(office, "不满意,灯又坏了。", sender="q@mail.example.com", name="钱样", answers=office.delivered("q@mail.example.com")[-1])
    assert ticket.round == 2
    again = [x["text"] for x in office.letters[before:] if x["recipient"] == "requester"]
    assert again and not any("3月4日" in text for text in again)
