"""A sign-off as people write it, and what it does to tickets."""

import pytest
from reports.town import Town, at

from kefud.desk.message import Address, Message
from kefud.desk.reading import Reading
from kefud.errors import NotAllowed, Usage
from kefud.reports import SignOff, read_sign_off
from kefud.store import registers

A, B = "KF20250401-0001", "KF20250401-0002"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("已阅", SignOff(True)),
        ("退回，漏记一件来电", SignOff()),
        ("请核对后重报", SignOff()),
        ("已阅。请各部门抓紧", SignOff(True, "请各部门抓紧")),
        (f"已阅\n{A} 请今天上门", SignOff(True, "", {A: "请今天上门"})),
        (f"1. {A}:请工程部到场\n2、{B} 重要", SignOff(True, "", {A: "请工程部到场"}, (B,))),
        (f"{A}、{B} 请一并处理", SignOff(True, "", {A: "请一并处理", B: "请一并处理"})),
        (f"{A} 列为重要,请立即上报", SignOff(True, "", {A: "请立即上报"}, (A,))),
        (f"已阅\n> {A} 请今天上门\n在 2025年4月1日 16:00,客服中心写道:\n{B} 重要", SignOff(True)),
        (f"已阅。{A} 请客服专员明天联系业主", SignOff(True, "", {A: "请客服专员明天联系业主"})),
        (f"已阅,{A}重要", SignOff(True, "", {}, (A,))),
        (f"{A}:请工程部到场;{B}:转设计部", SignOff(True, "", {A: "请工程部到场", B: "转设计部"})),
        (f"{A}、0002 请今天派人", SignOff(True, "", {A: "请今天派人", B: "请今天派人"})),
        (f"{A} 2025年清明前办完", SignOff(True, "", {A: "2025年清明前办完"})),
        (f"请客服专员就{A}回访", SignOff(True, "", {A: f"请客服专员就{A}回访"})),
        ("收到\n--\n王示例\n物业主管", SignOff(True)),
        ("> 已阅", SignOff()),
        ("", SignOff()),
        ("已阅\n\n李经理", SignOff(True)),
        ("收到，谢谢！", SignOff(True)),
        ("还没看，周日再签", SignOff()),
        ("我在休假，请张主管代签", SignOff()),
        ("收回刚才的签阅，看错了", SignOff()),
        ("不同意", SignOff()),
        ("没有看到上周数据，请补充", SignOff(True, "没有看到上周数据，请补充")),
        ("已阅\n没有签收的请催办", SignOff(True, "没有签收的请催办")),
        ("请各部门不得代签", SignOff(True, "请各部门不得代签")),
        ("取消原安排，改为周五", SignOff(True, "取消原安排，改为周五")),
        (f"{A} 重要吗？", SignOff(True, "", {A: "重要吗？"})),
        (f"{A} 重要程度一般", SignOff(True, "", {A: "重要程度一般"})),
        ("李经理抓一下漏水", SignOff(True, "李经理抓一下漏水")),
        ("已阅。未办结的请抓紧", SignOff(True, "未办结的请抓紧")),
        ("kf20250401-0001 请核实", SignOff(True, "", {A: "请核实"})),
    ],
)
def test_what_a_mail_says(text, said):
    assert read_sign_off(text) == said


def test_a_bare_read_mark_is_no_guidance():
    assert read_sign_off("已阅").guidance == ""
    assert read_sign_off("已阅\n请加强巡查").guidance == "请加强巡查"


@pytest.fixture
def town(tmp_path):
    """An office whose daily digest of 1 April was sent at four."""
    town = Town(tmp_path)
    town.periodic().step()
    town.numbers = [town.open("4-1 10:00", "complaint"), town.open("4-1 10:30", "consultation")]
    town.now = at("4-1 16:00")
    town.periodic().step()
    return town


def tasks(town, number, kind="order"):
    return [t for t in town.ticket(number).tasks if t.kind == kind]


def test_an_order_becomes_a_task_of_the_handler(town):
    town.now = at("4-1 16:30")
    signed, refused = town.office.signing.sign("daily", None, "property_supervisor", SignOff(True, "", {A: "请今天上门"}))
    (task,) = tasks(town, A)
    assert (task.role, task.text, task.due) == ("cs_specialist", "物业主管安排：请今天上门", at("4-1 17:00"))
    assert (signed.signed_by, signed.signed_at, refused) == ("property_supervisor", at("4-1 16:30"), [])


def test_an_order_for_a_ticket_that_was_merged_goes_to_the_one_that_goes_on(town):
    town.office.casework.order(B, "merge", "cs_specialist", {"target": A})
    said = SignOff(True, "", {A: "请一并处理", B: "请一并处理"}, (B,))
    _, refused = town.office.signing.sign("daily", None, "property_supervisor", said)
    assert len(tasks(town, A)) == 1 and tasks(town, B) == [] and refused == []
    assert town.ticket(A).important and not town.ticket(B).important


def test_the_same_order_twice_is_one_task(town):
    for _ in range(2):
        town.office.signing.sign("daily", None, "property_supervisor", SignOff(True, "", {A: "请今天上门"}))
    assert len(tasks(town, A)) == 1


def test_a_marked_ticket_is_reported_once_and_at_once(town):
    for _ in range(2):
        town.office.signing.sign("daily", None, "property_supervisor", SignOff(True, important=(A,)))
    (letter,) = town.letters("reports/important")
    assert letter["recipient"] == "pm_dept_manager" and A in letter["subject"]
    assert town.ticket(A).important and town.ticket(A).deadline("important").due == at("4-1 16:30")


def test_guidance_must_say_something(town):
    town.now = at("4-4 15:00")
    town.periodic().step()
    with pytest.raises(NotAllowed, match="S0-4.2.5a"):
        town.office.signing.sign("weekly", None, "property_manager", read_sign_off("已阅"))


def test_the_property_manager_reports_to_the_leaders(town):
    town.now = at("4-4 15:00")
    town.periodic().step()
    town.office.signing.sign("weekly", None, "property_manager", SignOff(True, "加强催办", important=(A,)))
    assert [x["recipient"] for x in town.letters("reports/important")] == ["leadership"]


def test_only_the_right_role_signs(town):
    with pytest.raises(NotAllowed):
        town.office.signing.sign("daily", None, "cs_clerk", SignOff(True))


def test_an_unknown_ticket_is_named_and_the_rest_done(town):
    _, refused = town.office.signing.sign(
        "daily", None, "property_supervisor", SignOff(True, "", {A: "办", "KF20250401-0099": "办"})
    )
    assert refused == ["没有工单KF20250401-0099"] and len(tasks(town, A)) == 1


def test_who_signs_before_four_is_still_sent_the_digest(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.now = at("4-1 11:00")
    town.office.signing.sign("daily", "2025-04-01", "property_supervisor", SignOff(True, "已看台帐"))
    town.now = at("4-1 16:00")
    town.periodic().step()
    (row,) = town.made("daily")
    assert len(town.letters("reports/daily")) == 1 and row.signed_by == "property_supervisor"


def test_there_is_nothing_to_sign_for_tomorrow(town):
    with pytest.raises(Usage):
        town.office.signing.sign("daily", "2025-04-03", "property_supervisor", SignOff(True))


def test_what_the_supervisor_wrote_stands_in_the_ledger(town):
    town.now = at("4-1 16:30")
    town.office.signing.sign("daily", None, "property_supervisor", SignOff(True, "", {A: "请今天上门"}))
    with town.office.db.read() as tx:
        checked = town.reporter.checked(tx)
    assert (checked[A][0]["text"], checked[B][0]["text"]) == ("请今天上门", "已阅")


def answer(town, text, sender="property-supervisor@estate.example.com", **changes):
    letter = town.letters("reports/daily")[0] if "in_reply_to" not in changes else {"message_id": ""}
    values = {"medium": "mail", "received_at": town.now, "subject": "回复", "text": text, "sender": Address("", sender),
        "identity": True,
              "in_reply_to": (letter["message_id"],), "message_id": "<a1@estate.example.com>"} | changes  # fmt: skip
    return town.office.casework.answered(Reading(77, "kefu", Message(**values)))


def test_the_answer_to_the_digest_signs_it(town):
    town.now = at("4-1 16:40")
    assert "taken" in answer(town, f"已阅\n{A} 请今天上门\n{B} 重要")
    (row,) = town.made("daily")
    assert row.signed_at == at("4-1 16:40") and row.data["orders"] == {A: "请今天上门"} and row.data["marked"] == [B]
    assert "已登记" in town.letters("reports/sign-off-result")[0]["text"]


def test_what_is_said_to_no_ticket_is_read_by_the_cs_manager(town):
    for _ in range(2):
        answer(town, "已阅\n三号楼漏水的几户请客服中心集中上门看一次")
    (letter,) = town.letters("reports/guidance")
    assert letter["recipient"] == "cs_manager" and "三号楼漏水的几户请客服中心集中上门看一次" in letter["text"]
    assert "已转客服经理落实" in town.letters("reports/sign-off-result")[0]["text"]
    assert "4月2日" in letter["text"]


def test_a_digest_sent_back_is_not_signed_and_the_words_are_read(town):
    for _ in range(2):
        assert "refused" in answer(town, "退回，漏记一件来电，请核对后重报")
    assert town.made("daily")[0].signed_at is None
    (letter,) = town.letters("reports/guidance")
    assert "漏记一件来电" in letter["text"] and "已转客服经理落实" in town.letters("reports/sign-off-result")[0]["text"]


def test_a_bare_signature_is_passed_on_to_nobody(town):
    answer(town, "已阅，谢谢")
    assert town.letters("reports/guidance") == [] and "已转" not in town.letters("reports/sign-off-result")[0]["text"]


def test_an_order_may_name_its_ticket_anywhere_in_the_line(town):
    answer(town, f"已阅。请对{A}今天上门，把{B}的材料补齐\n请把{B}列为重要")
    (row,) = town.made("daily")
    assert set(row.data["orders"]) == {A, B} and row.data["marked"] == [B] and town.letters("reports/guidance") == []


def missing(town, text, sender="property-manager@estate.example.com"):
    """Tuesday's digest is signed by nobody; the property manager, who is told of it, answers that letter."""
    town.now = at("4-2 08:40")
    town.periodic().step()
    (letter,) = town.letters("reports/sign-off-missing")
    return answer(town, text, sender, in_reply_to=(letter["message_id"],))


def test_what_is_answered_to_a_reminder_is_read_and_opens_no_ticket(town):
    for _ in range(2):
        assert "answers the letter missing.daily" in missing(town, "物业主管这周出差,由我代看。请客服经理下午来一趟。")
    (passed,) = town.letters("reports/guidance")
    assert passed["recipient"] == "cs_manager" and "请客服经理下午来一趟" in passed["text"]
    (reply,) = town.letters("reports/noted")
    assert "已转客服经理阅处" in reply["text"] and reply["addresses"] == ["property-manager@estate.example.com"]


def test_thanks_for_a_reminder_need_no_answer(town):
    assert missing(town, "收到，谢谢") and town.letters("reports/noted") == []


def test_a_reminder_answered_with_a_ticket_number_is_that_ticket_s(town):
    assert missing(town, f"{A} 请今天上门") == ""


def test_the_answer_to_an_improvement_deals_with_it(tmp_path):
    town = Town(tmp_path)
    town.office.signing.post.ready()
    with town.office.db.write() as tx:
        registers.keep(tx, "task", "2025-03 abc", at("4-1 09:00"), {"text": "满意率低于95%"})
        town.office.signing.post.write(
            tx, "cs_manager", "reports/improvement", {"text": "满意率低于95%"}, at("4-1 09:00"), key="task.2025-03 abc"
        )
    (letter,) = town.letters("reports/improvement")
    answer(town, "已组织培训并逐件复盘", "cs-manager@estate.example.com", in_reply_to=(letter["message_id"],))
    (task,) = town.made("task")
    assert (task.signed_by, task.text) == ("cs_manager", "已组织培训并逐件复盘")
    assert "已登记办结" in town.letters("reports/noted")[0]["text"]


def test_the_same_answer_read_again_after_a_crash_does_nothing_more(town):
    for _ in range(2):
        answer(town, f"{A} 请今天上门")
    assert len(tasks(town, A)) == 1


def test_a_stranger_who_answers_signs_nothing(town):
    assert answer(town, "已阅", sender="who@example.com") == ""
    assert town.made("daily")[0].signed_at is None


def test_a_holiday_notice_signs_nothing(town):
    assert "automatic" in answer(town, "已阅", automatic="auto-replied")
    assert town.made("daily")[0].signed_at is None


def test_a_forged_sender_is_refused(tmp_path):
    town = Town(tmp_path)
    town.office.casework.trust_internal = False
    town.periodic().step()
    town.now = at("4-1 16:00")
    town.periodic().step()
    assert "refused" in answer(town, "已阅")
    assert town.made("daily")[0].signed_at is None


def test_a_failed_spot_check_asks_for_rectification(tmp_path):
    town = Town(tmp_path)
    town.periodic().step()
    town.live_two_months()
    town.now = at("5-1 09:00")
    town.periodic().step()
    (sample,) = town.made("spot-check")
    bad, good, last = sample.data["numbers"]
    town.office.signing.verdict(bad, "service_inspector", False, "缺照片")
    town.office.signing.verdict(good, "service_inspector", True, "")
    assert town.made("spot-check")[0].signed_at is None and len(tasks(town, bad, "rectify")) == 1
    town.office.signing.verdict(last, "service_inspector", True, "")
    assert town.made("spot-check")[0].signed_by == "service_inspector"
