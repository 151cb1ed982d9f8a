"""What may leave the house and what may not (RULES rule 13, S0-4.3.1, S0-4.3.2, S1-6.4)."""

import time

import pytest

from kefud.desk.lint import blocked, lint

FORBIDDEN = [
    "这个我不知道", "我们也不知道啊", "不知道呢", "我真的不太知道", "這個我不知道", "我不 知 道", "我不-知-道",
    "我不\u200b知道", "不晓得",
    "没办法", "这个没有办法", "没什么办法", "我们也没辙", "毫无办法", "沒辦法", "没 办 法",
    "不归我管", "这不归我们管", "这个不归我们客服管", "不属于我们负责", "不由我们处理", "不归物业管的", "不歸我管",
    "不能办", "这个不能办理", "不可以办", "不能给您办", "不给办",
    "不行", "这样不行。", "不行的", "那可不行啊",
    "管不了", "我们管不着", "办不了", "办不成", "解决不了", "我们帮不了您", "处理不了", "弄不了", "做不到",
    "找别人去", "你找别人吧", "您去找其他部门", "问别人去吧", "爱找谁找谁", "您最好直接找别的部门",
    "不是我们的事", "这不是我们的责任", "不关我们的事", "跟我们没关系", "与我中心无关", "我说了不算",
]  # fmt: skip
RUDE = [
    "是你自己弄坏的", "都是您自己造成的", "是您的责任", "明明是您的问题", "谁让您不早说", "怪不得谁", "您早干什么去了",
    "活该", "您怎么不早说", "您搞错了",
    "呵呵", "随便你", "您想多了", "想得美", "爱信不信", "有本事您去告", "走着瞧", "后果自负", "停水停电", "再闹就报警",
    "别怪我们不客气", "少废话", "请您尽快处理!!",
    "真的吗?!", "胡说八道",
]  # fmt: skip
PROMISES = [
    "免除本月物业费", "减免您三个月的停车费", "免收滞纳金",
    "我们保证修好", "一定会解决", "肯定能修好", "绝对没问题", "我们会赔偿您的损失", "同意给予补偿", "赔偿500元",
    "补偿您2,000元", "减免3个月共300元",
    "3月8日前修好", "2025年3月8日17:00前完成", "明天上午修好", "三天内解决", "24小时内上门", "下周完成", "月底前办结",
]  # fmt: skip
FINE = [
    "对不起,给您添麻烦了", "给您带来不便,敬请谅解", "不好意思", "不客气", "不少于三人", "不超过两次",
    "有没有办法可以请工程部判断", "行不行请您告知", "能不能办我们会核实",
    "车辆不行驶时请熄火", "处理不到位,深表歉意", "我们会协调物业公司处理", "我们已转其他部门办理",
    "难怪您着急,我们理解您的心情", "为保证安全,请暂勿靠近", "质量保证期为两年",
    "这不一定会影响使用", "关于您的赔偿要求,我们正在请示", "以下是您的问题的答复", "3月2日19时许发生",
    "我们将于规定时间答复您", "不锈钢栏杆已更换", "办公时间为8:30至17:00",
    "银行卡请妥善保管", "您好!感谢您!", "滚筒洗衣机已维修", "无语音留言", "请您自己保管好钥匙", "没办法律师函的手续",
    "物业费不可减免", "能否免除停车费由物业公司决定", "不仅如此", "您反映保安说“不归我管”,情况属实",
    "您来信提到“你们没办法就别干了”,我们理解", "业主称「不知道找谁」,现转贵部", "> 这个我不知道\n您好,已核实",
    "如有不清楚之处请来电", "我们会尽快处理",
    "已于3月5日完成修补", "3月5日已修好", "维修人员已在24小时内上门处理",
    "3月5日完成防水修补,请您观察", "请于3月6日前来办理手续", "今天上午已处理完毕",
]  # fmt: skip


WIDE = "".join(chr(ord(digit) + 0xFEE0) for digit in "13800000201")


def codes(text: str, severity: str = "block", **options: object) -> set[str]:
    return {f.code for f in lint(text, whole=False, **options) if f.severity == severity}  # type: ignore[arg-type]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_forbidden_phrases_stop_a_letter(text: str) -> None:
    assert codes(text) & {"forbidden", "buck"}
    assert codes(text, audience="staff") & {"forbidden", "buck"}
    assert codes(f"您好,{text},谢谢") & {"forbidden", "buck"}


@pytest.mark.parametrize("text", RUDE)
def test_blame_sarcasm_threats_and_shouting_stop_a_letter(text: str) -> None:
    assert codes(text) & {"blame", "sarcasm", "threat", "quarrel", "exclamation"}


@pytest.mark.parametrize("text", PROMISES)
def test_unapproved_promises_stop_a_letter_to_an_owner(text: str) -> None:
    assert "promise" in codes(text)
    assert "promise" not in codes(text, approved_promises=True)
    assert "promise" not in codes(text, audience="staff")


@pytest.mark.parametrize("text", FINE)
def test_polite_words_pass(text: str) -> None:
    assert codes(text) == set()


def test_quoted_words_are_found_line_by_line_and_sentence_by_sentence() -> None:
    words = "保安说不归我管。\n你们没办法就别干了!!这是第二句话呵呵"
    shown = "内容:\n  保安说不归我管。\n  你们没办法就别干了!!业主另称"
    assert codes(shown, audience="party") and not codes(shown, audience="party", quoted=[words])


def test_approved_times_and_amounts_pass() -> None:
    approved = ["2025年3月6日 17:00", "500元", "赔偿500元"]
    assert codes("我们将于2025年3月6日 17:00前答复您", approved_promises=approved) == set()
    assert codes("我们将于3月6日前答复您", approved_promises=approved) == set()
    assert codes("我们将于3月8日前答复您", approved_promises=approved) == {"promise"}


def test_the_customers_own_words_are_passed_over() -> None:
    words = "你们不知道就说不知道"
    assert codes(f"来件原文:{words}") == {"forbidden"}
    assert codes(f"来件原文:{words}", quoted=[words]) == set()
    assert codes(f"来件原文:{words}。这不归我们管", quoted=[words]) == {"forbidden"}
    assert codes("我们说“不归我管”") == {"forbidden"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("电话13800000201", True), ("电话 138 0000 0201", True), ("电话138-0000-0201", True), (f"电话{WIDE}", True),
        ("+8613800000201", True), ("138****0201", False), ("工单 KF20250303-0001", False), ("客联〔2025〕001号", False),
        ("身份证330102199003077777", True), ("33010219900307777X", True),
        ("卡号6222 0202 0000 0000 003", False), ("卡号4111 1111 1111 1111", True),
        ("2025年3月6日 17:00", False), ("呼叫编号 20250310001", False),
    ],
)  # fmt: skip
def test_personal_data_stops_a_letter(text: str, found: bool) -> None:
    assert ("personal" in codes(text)) is found
    assert "personal" not in codes(text, allowed_personal=True)


def test_the_recipients_own_number_may_stand_in_the_letter() -> None:
    assert codes("电话 138-0000-0201", allowed_personal={"13800000201"}) == set()
    assert codes("电话 13900000201", allowed_personal={"13800000201"}) == {"personal"}


def test_a_letter_needs_greeting_closing_and_for_complaints_apology_and_time() -> None:
    found = {f.code for f in lint("您反映的漏水问题已安排维修人员处理。", complaint=True) if f.severity == "warn"}
    assert found == {"greeting", "closing", "apology", "time"}
    polite = "您好!给您带来不便,深表歉意。您反映的漏水问题我们已安排维修人员处理,3月6日 17:00 前答复。感谢您的理解。"
    assert {f.code for f in lint(polite, complaint=True, approved_promises=True) if f.severity != "hint"} == set()
    assert lint("已转工程部处理", audience="staff") == []


def test_perfunctory_answers_get_a_hint() -> None:
    for text in ("已知悉", "收到", "您好!已知悉,会处理。谢谢", "您好,您反映的问题已转达,请耐心等待。"):
        assert "perfunctory" in codes(text, "hint")
    assert "perfunctory" not in codes("北卧室墙面渗水系外墙裂缝所致,防水队已完成修补,请您观察两周。", "hint")


def test_a_bare_negative_is_only_a_hint() -> None:
    assert codes("该处暂不开放,可由东门通行") == set() and "negative" in codes("该处暂不开放,可由东门通行", "hint")


def test_a_finding_points_into_the_text_and_offers_a_better_wording() -> None:
    text = "您好!這個不 歸 我們管,请谅解。"
    (finding,) = [f for f in lint(text, whole=False) if f.code == "forbidden"]
    assert text[slice(*finding.span)] == "不 歸 我們管" and finding.suggestion and blocked([finding])


@pytest.mark.parametrize("unit", ["不", "1", "再投诉", "“说", "一定!?", "1,", "138", "退", "1234 ", "我们", "[", "你"])
def test_a_hostile_text_costs_little(unit: str) -> None:
    started = time.process_time()
    found = lint((unit * 65_536)[:65_536])
    assert time.process_time() - started < 2 and len(found) <= 200
