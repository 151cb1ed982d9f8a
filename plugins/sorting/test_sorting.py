"""What the sorting rule makes of messages: a table of matters, and behaviours that a table does not show."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefud.api import (
    Address,
    Arrived,
    Author,
    Call,
    Classify,
    Decision,
    Effect,
    Heard,
    Ignore,
    Message,
    Opened,
    Paper,
    Requester,
    SetFields,
    Site,
    Split,
    Ticket,
    Write,
)  # fmt: skip
from kefud.testing import rule_contract
from kefud.testing import site as site_of

from . import register_rules
from .facts import Origin, agreed_times, contact_of, noted_time, written_name
from .lexicon import Lexicon
from .rule import Sorting

MATTERS = tomllib.loads((Path(__file__).parent / "test_matters.toml").read_text("utf-8"))["m"]
AT = datetime.fromisoformat("2025-03-11T10:00:00+08:00")
TOML = """
[service]
name = "客户服务中心"
hotline = "80000000"
own_addresses = ["kefu@estate.example.com"]

[[role]]
id = "cs_clerk"
address = "clerk@estate.example.com"
""" + "".join(
    f'[[party]]\nid = "{id}"\nkind = "{kind}"\naddresses = ["{address}"]\n'
    for id, kind, address in (
        ("property_company", "property_company", "wuye@property.example.com"),
        ("sales", "department", "sales@estate.example.com"),
        ("design", "department", "design@estate.example.com"),
        ("engineering", "department", "engineering@estate.example.com"),
        ("finance", "department", "finance@estate.example.com"),
        ("legal", "department", "legal@estate.example.com"),
        ("contractor-a", "contractor", "contractor-a@repair-a.example.com"),
        ("contractor-b", "contractor", "contractor-b@repair-b.example.com"),
        ("government", "government", "*@*.gov.example.cn"),
    )
) + "".join(
    f'[[house]]\nid = "{id}"\nowner = "{owner}"\nphone = "{phone}"\n'
    for id, owner, phone in (
        ("5-1-201", "温示范", "13900004201"),
        ("4-1-1102", "严举例", "13900004209"),
        ("9-3-702", "尹示意", "13900004205"),
        ("8-2-1201", "魏虚拟", "13900004207"),
        ("6-3-808", "华例行", "13900004208"),
    )
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return site_of(tmp_path_factory.mktemp("sorting"), TOML)


@pytest.fixture(scope="module")
def rule(site: Site) -> Sorting:
    return Sorting(site, {})


def mail(text: str, **changes: Any) -> Message:
    whole: dict[str, Any] = {"sender": Address("", "someone@mail.example.com"), "identity": True, "received_at": AT, **changes}
    return Message("mail", text=text, **whole)


def call(content: str, **changes: Any) -> Message:
    at = changes.pop("at", AT)
    whole: dict[str, Any] = {"status": "answered", "caller": "13700000999", "callee": "80000000", **changes}
    made = Call("1", at, whole.pop("direction", "in"), whole.pop("status"), content=content, **whole)
    return Message("call", at, text="\n".join(filter(None, (content, made.result))), call=made)


def paper(text: str, at: datetime = AT, **changes: Any) -> Message:
    return Message("paper", at, text=text, paper=replace(Paper("东门意见箱", at, 1), **changes))


def message_of(matter: dict[str, Any]) -> Message:
    at = datetime.fromisoformat(matter["at"]) if "at" in matter else AT
    medium = matter.get("medium", "mail")
    if medium == "paper":
        return paper(matter["t"], at)
    if medium in ("call", "missed"):
        return call(matter["t"], at=at, status="answered" if medium == "call" else "missed", result=matter.get("result", ""))
    sender = Address("", matter.get("from", "someone@mail.example.com"))
    return mail(matter["t"], subject=matter.get("subject", ""), sender=sender, received_at=at)


def judged(rule: Sorting, message: Message) -> list[list[Decision]]:
    """The decisions for each matter, split as the core does it."""
    found = list(rule.judge(Ticket(), Arrived(message.received_at, message)))
    if not (found and isinstance(found[0], Split)):
        return [found]
    parts = [replace(message, text=m.text, subject=m.subject or message.subject) for m in found[0].matters]
    return [list(rule.judge(Ticket(), Arrived(message.received_at, part))) for part in parts]


def classed(decisions: Iterable[Decision]) -> Classify:
    return next(d for d in decisions if isinstance(d, Classify))


def effects(decisions: Iterable[Decision]) -> set[str]:
    return {name for d in decisions if isinstance(d, Effect) for name in d.names}


def fields(decisions: Iterable[Decision]) -> dict[str, Any]:
    return {key: value for d in decisions if isinstance(d, SetFields) for key, value in d.values.items()}


def one(rule: Sorting, message: Message) -> tuple[Classify, set[str], dict[str, Any]]:
    (decisions,) = judged(rule, message)
    return classed(decisions), effects(decisions), fields(decisions)


@pytest.mark.parametrize("matter", MATTERS, ids=lambda m: m["t"][:18].replace("\n", " "))
def test_matter(rule: Sorting, matter: dict[str, Any]) -> None:
    found = judged(rule, message_of(matter))
    wanted = matter.get("split") or [matter["c"]]
    assert len(found) == len(wanted), [classed(d).summary for d in found]
    for words, decisions in zip(wanted, found, strict=True):
        agrees(words, decisions)
    for decisions in found:
        assert set(matter.get("e", ())) <= effects(decisions)
        assert not set(matter.get("n", ())) & effects(decisions)
        assert matter.get("f", {}).items() <= fields(decisions).items()
        told = classed(decisions)
        assert told.origin == matter.get("o", told.origin)
        assert told.house == matter.get("house", told.house)
        assert "name" not in matter or (told.requester and told.requester.name == matter["name"])


def agrees(words: str, decisions: list[Decision]) -> None:
    told = classed(decisions)
    wanted = [*words.rstrip("!-").split(), "*", "*", "*"]
    for value, allowed in zip((told.kind, told.category, told.urgency), wanted, strict=False):
        assert allowed == "*" or value in allowed.split("|"), told
    if words[-1] in "!-":
        assert told.important is (words[-1] == "!"), told


PROMISED = [
    ("师傅答应3月18日17点前修好", True),
    ("物业昨天保证3月18日17点前修好", True),
    ("你们答应过3月18日17点前修好", True),
    ("你们上次承诺3月18日17点前修好", True),
    ("师傅来看过,答应3月18日17点前修好", True),
    ("前台小张和我约好3月18日17点前修好", True),
    ("说好3月18日17点前修好", True),
    ("请你们保证3月18日17点前修好", False),
    ("你们必须保证3月18日17点前修好", False),
    ("你们保证3月18日17点前修好", False),
    ("请承诺3月18日17点前修好,否则投诉", False),
    ("要求物业保证3月18日17点前修好", False),
    ("师傅说3月20日上门,我不同意3月20日上门,太晚了", False),
    ("没有人答应3月18日17点前修好", False),
    ("物业没有答应3月18日17点前修好", False),
    ("能不能约好3月18日17点前修好", False),
    ("你们能保证3月18日17点前修好吗?", False),
    ("我想预约3月18日17点上门维修", False),
    ("如果物业答应3月18日17点前修好,我就等", False),
    ("我同意3月20日上门", False),
]


@pytest.mark.parametrize(("words", "promised"), PROMISED)
def test_a_time_is_agreed_where_our_side_promised_it(rule: Sorting, words: str, promised: bool) -> None:
    """S0-4.1.3: who demands a promise, denies one or asks for one was given none."""
    known = one(rule, Message("mail", AT, text=f"厨房水管漏水。{words}。", sender=Address(email="a@example.com")))[2]
    assert ("promised_at" in known) is promised, known


def test_notes_of_our_own_people_need_no_name_for_our_side(site: Site) -> None:
    known = {"within": timedelta(days=60), "ours": True}
    assert agreed_times("已转物业并答应3月18日上午修好", AT, site, **known)[1] is not None
    assert agreed_times("业主同意3月18日上午上门", AT, site, **known)[1] is not None
    assert agreed_times("业主要求保证3月18日上午修好", AT, site, **known)[1] is None


def test_the_table_is_large_enough() -> None:
    assert len(MATTERS) >= 150
    assert len({m["t"] for m in MATTERS}) == len(MATTERS)


def test_contract(site: Site) -> None:
    (rule,) = register_rules(site)
    rule_contract(rule)


@pytest.mark.parametrize("subject", ["反映一个情况,请保密", "打扰了", "麻烦看看", ""])
def test_a_mail_whose_subject_says_nothing_is_named_after_its_first_telling_words(rule: Sorting, subject: str) -> None:
    """S1-4.3.6: an order's subject says what it is about."""
    text = "你好，我反映一个情况，谢谢。\n3号楼2单元5楼的灯坏了，晚上黑漆漆的。"
    assert one(rule, mail(text, subject=subject))[0].subject == "3号楼2单元5楼的灯坏了，晚上黑漆漆的"


def test_every_sentence_gives_every_matter_something_to_say(rule: Sorting) -> None:
    for matter in MATTERS:
        for decisions in judged(rule, message_of(matter)):
            told = classed(decisions)
            assert told.subject and told.summary and told.why


def test_the_parts_keep_who_wrote_and_where(rule: Sorting) -> None:
    text = "我是4-1-1102的严举例。楼道灯坏了请修。另外,我想咨询一下车位租金是多少?"
    for decisions in judged(rule, mail(text)):
        told = classed(decisions)
        assert told.house == "4-1-1102"
        assert told.requester and told.requester.name == "严举例"


def test_a_part_is_not_divided_again(rule: Sorting) -> None:
    for matter in (m for m in MATTERS if m.get("split")):
        message = message_of(matter)
        split = next(iter(rule.judge(Ticket(), Arrived(AT, message))))
        assert isinstance(split, Split)
        for part in split.matters:
            again = list(rule.judge(Ticket(), Arrived(AT, replace(message, text=part.text, subject=part.subject))))
            assert not isinstance(again[0], Split)


def test_each_part_is_marked_with_their_number(rule: Sorting) -> None:
    (effect,) = rule.judge(Ticket(), Opened(AT, mail("楼道灯坏了"), part=1, parts=2))
    assert effect == Effect(("split:2",), rule=effect.rule, why=effect.why)


def test_summary_leaves_insults_and_telephone_numbers_out(rule: Sorting) -> None:
    told, marks, noted = one(rule, mail("你们这群王八蛋,3号楼垃圾三天没人收,电话13900004201", subject="混蛋物业"))
    assert "王八" not in f"{told.summary}{told.subject}" and "混蛋" not in f"{told.summary}{told.subject}"
    assert "13900004201" not in (told.summary or "")
    assert "垃圾" in (told.summary or "")
    assert noted["insults"] is True and {"王八蛋", "混蛋"} <= set(noted["quoted_insults"])
    assert "calm_template" in marks


@pytest.mark.parametrize(
    ("note", "summary"),
    [
        ("业主来电 说那帮混蛋又把装修垃圾倒在楼道里 三天没人拉 要求今天清走", "业主来电 说那帮又把装修垃圾倒在楼道里 三天没人拉 要求今天清走"),
        ("业主说楼上那个混蛋又把装修垃圾倒在四楼三天没人拉要求清走", "业主说楼上那个又把装修垃圾倒在四楼三天没人拉要求清走"),
    ],
)
def test_an_insult_in_a_note_without_punctuation_leaves_the_rest(rule: Sorting, note: str, summary: str) -> None:
    told, marks, _ = one(rule, call(note))
    assert told.summary == summary and "calm_template" in marks


def test_summary_names_nobody(rule: Sorting) -> None:
    text = "我是5-1-201的业主温示范,电话13900004201。\n保安骂人,我温示范要求道歉。\n温示范"
    told, _, _ = one(rule, mail(text))
    assert told.summary == "保安骂人,我业主要求道歉。"


def test_traditional_characters_stay_as_written(rule: Sorting) -> None:
    told, _, _ = one(rule, mail("樓道的燈壞了,請派人來修。"))
    assert told.kind == "repair"
    assert "樓道的燈壞了" in (told.summary or "")


def test_the_register_completes_what_a_caller_does_not_say(rule: Sorting) -> None:
    told, marks, _ = one(rule, call("", status="missed", caller="13900004205"))
    assert told.house == "9-3-702"
    assert told.requester and told.requester.name == "尹示意"
    assert "callback" in marks


def test_a_hidden_number_without_a_name_is_anonymous(rule: Sorting) -> None:
    told, marks, _ = one(rule, call("投诉东门摊贩占道", caller=""))
    assert told.origin == "anonymous" and "anonymous" in marks


def test_an_anonymous_letter_names_neither_house_nor_person(rule: Sorting) -> None:
    told, _, _ = one(rule, paper("5号楼1单元楼道里堆满杂物,没人管。\n住户"))
    assert told.origin == "anonymous" and told.house is None
    assert told.requester and told.requester.anonymous and not told.requester.name


def test_missing_contact_is_listed_once(rule: Sorting) -> None:
    _, _, noted = one(rule, mail("楼道灯不亮,请修。"))
    assert noted["missing"] == ["姓名", "联系电话", "房号"]


def test_a_forwarded_mail_belongs_to_its_writer(rule: Sorting) -> None:
    head = "发件人: 秦试写 <qin@mail.example.com>\n发送时间: 2025年3月11日 9:30\n收件人: 内勤\n主题: 路灯"
    body = f"请处理\n\n---------- 转发的邮件 ----------\n{head}\n\n7号楼前的路灯不亮了。"
    sender = Address("内勤", "clerk@estate.example.com")
    told, _, _ = one(rule, mail(body, subject="转发: 路灯", sender=sender))
    assert told.origin == "owner" and told.kind == "repair"
    assert told.requester and told.requester.email == "qin@mail.example.com"


def test_a_further_message_tells_of_chasing_and_danger(rule: Sorting) -> None:
    told = mail("怎么还没处理?现在水已经流到插座里了,一直在冒火花!")
    ticket = Ticket(number="KF20250311-0001", status="assigned", kind="repair", category="house_quality")
    for author in (Author("requester", keyed=True), Author("requester", believed=True)):
        decisions = list(rule.judge(ticket, Heard(AT, told, author)))
        assert {"customer_chased", "emergency_plan:water_leak"} <= effects(decisions)
        assert classed(decisions).urgency == "emergency" and classed(decisions).important
    unproven = list(rule.judge(ticket, Heard(AT, told, Author("requester"))))
    assert [(type(x), getattr(x, "to", "")) for x in unproven] == [(Write, "handler"), (Write, "duty_officer")]


def test_the_complaint_mailbox_makes_a_complaint_of_the_unclear(site: Site) -> None:
    own = Sorting(site.model_copy(update={"complaint_addresses": ("tousu@estate.example.com",)}), {})
    to = (Address("", "tousu@estate.example.com"),)
    assert one(own, mail("7号楼的事情麻烦你们看一下。", to=to))[0].kind == "complaint"
    assert one(own, mail("请问想咨询一下物业费怎么交?", to=to))[0].kind == "consultation"
    assert one(own, mail("保安小王帮我抬轮椅,特此表扬。", to=to))[0].kind == "praise"


def test_an_office_answer_changes_nothing(rule: Sorting) -> None:
    heard = Heard(AT, mail("已处理,水管已更换。"), Author("party", "property_company", True))
    assert not list(rule.judge(Ticket(), heard))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("物联〔2025〕018号", "物联〔2025〕018号"),
        ("编号:物联[2025]18号", "物联〔2025〕18号"),
        ("根据贵司物联【2025】7号来函", "物联〔2025〕7号"),
        ("(物联(2025)第021号)", "物联〔2025〕021号"),
        ("示范地产有限公司:\n和街函〔2025〕12号\n为做好春季防火工作", "和街函〔2025〕12号"),
        ("文号:和社发〔2025〕3号", "和社发〔2025〕3号"),
        ("来函及和物联〔2025〕9号", "物联〔2025〕9号"),
        ("现以物联〔2025〕037号联系单转贵中心", "物联〔2025〕037号"),
    ],
)
def test_numbers_of_incoming_notices(rule: Sorting, text: str, number: str) -> None:
    sender = Address("物业", "wuye@property.example.com")
    _, marks, _ = one(rule, mail(f"{text}\n3-1-603客厅墙面空鼓,请处理。", sender=sender))
    assert f"incoming_notice_no:{number}" in marks


def test_our_own_number_is_not_theirs(rule: Sorting) -> None:
    sender = Address("物业", "wuye@property.example.com")
    _, marks, _ = one(rule, mail("关于客联〔2025〕003号:墙面空鼓已转维修。", sender=sender))
    assert not any(mark.startswith("incoming_notice_no") for mark in marks)


def test_a_scan_that_was_hard_to_read_is_marked(rule: Sorting) -> None:
    _, marks, _ = one(rule, paper("路 灯 坏 了 , 请 修 。\n2-1-303 郑范例", confidence=0.7))
    assert "ocr_low_confidence" in marks


def test_words_of_the_administrator_are_added(site: Site) -> None:
    own = Sorting(site, {"words": {"category": {"leasing": {"8": ["共享工位"]}}}})
    told, _, _ = one(own, mail("请问共享工位怎么申请?"))
    assert told.category == "leasing"


def test_lists_with_alternatives_inside_alternatives_are_refused() -> None:
    with pytest.raises(ValueError, match="write two words"):
        Lexicon({"kind": {"repair": {"1": ["(修|换(灯|锁))好"]}}})


def test_a_word_at_the_end_of_a_text_is_as_long_as_it_is() -> None:
    reading = Lexicon({"plan": {"none": {"0": ["停电", "停电通知单"]}}}).read("现在停电")
    assert [(hit.start, hit.end, hit.length) for hit in reading.of("plan.none")] == [(2, 4, 2)]


def test_long_and_repetitive_letters_cost_little(rule: Sorting) -> None:
    for text in ("投诉" * 50_000, "电梯" * 50_000, "一、" * 30_000, "((((" * 20_000, "3号楼" * 30_000, "另外," * 30_000):
        began = time.process_time()
        judged(rule, mail(text))
        assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    "text",
    [
        "本公司可代开各类增值税发票,点数优惠,真票可验,量大从优。联系人:刘经理 微信同号。",
        "无抵押贷款,额度高,当天放款,加微信详谈。",
        "恭喜您被抽中为幸运用户,点击链接领取奖品。",
        "我司专业提供网站建设和关键词优化,价格优惠,欢迎来电咨询。",
        "您的邮箱容量已满即将停用,请点击此处验证登录。诚招代理,日入过千。",
    ],
)
def test_advertising_makes_no_ticket(rule: Sorting, text: str) -> None:
    assert [type(d).__name__ for d in rule.judge(Ticket(), Arrived(AT, mail(text)))] == ["Ignore"]


@pytest.mark.parametrize(
    "text",
    [
        "有人在楼道里贴代开发票、无抵押贷款的小广告,请清理。",
        "你们物业代开各类发票,点数优惠,这合法吗?",
        "5号楼1单元201,我家门上被塞了厂家直销、量大从优的传单,烦死了。",
        "装修押金什么时候退,能开发票吗?",
    ],
)
def test_who_speaks_of_advertising_is_heard(rule: Sorting, text: str) -> None:
    assert "Ignore" not in [type(d).__name__ for d in rule.judge(Ticket(), Arrived(AT, mail(text)))]


@pytest.mark.parametrize("answer", ["答复:不知道,让他问市政", "客服:已解释,业主对推诿不满", "处理结果:没办法,请其投诉12345"])
def test_what_an_agent_noted_as_our_answer_is_not_the_callers_matter(rule: Sorting, answer: str) -> None:
    note = f"业主问北门外修路要修到几月,什么时候恢复通车。{answer}"
    [sorted_] = [d for d in rule.judge(Ticket(), Arrived(AT, call(note))) if isinstance(d, Classify)]
    assert sorted_.kind == "consultation" and not sorted_.important


@pytest.mark.parametrize(
    ("direction", "status", "note", "matter"),
    [
        ("internal", "answered", "转工程部张工", False),
        ("internal", "answered", "3号楼2单元电梯困人,速通知维保", True),
        ("out", "answered", "", False),
        ("out", "missed", "业主未接", False),
        ("out", "answered", "通知业主交房时间", False),
        ("out", "answered", "催缴物业费", False),
        ("out", "answered", "回访满意度,业主表示满意", False),
        ("out", "answered", "回访,业主对保洁不满意", True),
        ("out", "answered", "催缴物业费,业主称家里漏水没人修,拒缴", True),
        ("out", "answered", "家里厨房水管漏水请来修", True),
        ("in", "answered", "转工程部张工", True),
    ],
)
def test_a_call_of_ours_is_a_matter_only_where_it_tells_of_one(
    rule: Sorting, direction: str, status: str, note: str, matter: bool
) -> None:
    (decisions,) = judged(rule, call(note, direction=direction, status=status))
    assert any(isinstance(d, Ignore) for d in decisions) is not matter


@pytest.mark.parametrize("note", ["转工程部张工", "转财务", "聊天"])
def test_a_note_without_any_telling_word_blames_nobody(rule: Sorting, note: str) -> None:
    (decisions,) = judged(rule, call(note))
    assert (classed(decisions).kind, classed(decisions).category) == ("consultation", "general")


@pytest.mark.parametrize(
    ("text", "name"), [("电梯里的镜子裂了。\n12号楼2单元 老连", "老连"), ("请修。\n1号楼3单元 老曹", "老曹"), ("3号楼 老小区都这样", "")]
)
def test_how_an_owner_is_called_is_a_signature_beside_a_house(text: str, name: str) -> None:
    assert written_name(text) == name


@pytest.mark.parametrize(
    ("note", "when"),
    [
        ("要求周五中午十二点前给信", "2025-03-07T12:00"), ("业主让周四上午10点给回话", "2025-03-06T10:00"), ("周五前给个准信", "2025-03-07T17:00"),
        ("周五下午三点前给她回音", "2025-03-07T15:00"), ("周五不给回话就投诉", ""), ("周五给信用卡中心寄材料", ""),
    ],
)  # fmt: skip
def test_a_note_says_until_when_somebody_wants_to_hear(site: Site, note: str, when: str) -> None:
    at = datetime.fromisoformat("2025-03-04T10:00:00+08:00")
    found = noted_time(note, at, site, within=timedelta(days=60))
    assert (found.isoformat()[:16] if found else "") == when


def requester(site: Site, name: str, subject: str, text: str) -> Requester:
    message = mail(text, subject=subject, sender=Address(name, "someone@mail.example.com"))
    return contact_of(message, f"{subject}\n{text}", site, Origin("owner")).requester


def test_the_subject_of_a_mail_signs_nothing(site: Site) -> None:
    assert requester(site, "廖样板", "红本本", "请问一下6号楼的红本啥时候能下来呀?住6-3-1705,姓廖。").name == "廖样板"


def test_a_tenant_is_not_taken_for_the_landlord(site: Site) -> None:
    words = "I'm the tenant of Building 5 (5-1-201). The toilet keeps leaking. 房东 is 温示范, but call me: 136 0000 4455."
    found = requester(site, "Karen Fang", "Leaking toilet", words)
    assert (found.name, found.phone) == ("Karen Fang", "13600004455")


DISPATCH = (
    "现将市民来电诉求交办如下。\n工单编号:RX20250423-00871\n诉求内容:4号楼消防通道停放三轮车,要求清理。\n"
    "办理要求:请于2025年3月18日17:00前将办理结果书面反馈我中心。\n〔2025〕热办字第0321号"
)


def test_an_authority_says_until_when_and_under_which_number(rule: Sorting) -> None:
    [decisions] = judged(rule, mail(DISPATCH, subject="工单交办", sender=Address("热线", "dispatch@hotline.gov.example.cn")))
    assert {"incoming_notice_no:〔2025〕热办字第0321号", "incoming_notice_no:RX20250423-00871"} <= effects(decisions)
    told = {k: v for d in decisions if isinstance(d, SetFields) for k, v in d.values.items()}
    assert told["promised_at"] == told["agreed_reply_at"] == "2025-03-18T17:00:00+08:00"
