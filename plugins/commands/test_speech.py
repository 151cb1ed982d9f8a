"""Commands are found at the beginning of clauses, whatever mail programs put around them; other words are no commands."""

from __future__ import annotations

import time

import pytest

from .speech import commands, consent, customer_says, is_open, labelled, only_thanks, spoken, withdrawal


def found(text: str) -> list[str]:
    return [said.command for said in commands(text)]


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        ("收到", ["acknowledge"]),
        ("收到。", ["acknowledge"]),
        ("您好,收到,谢谢!", ["acknowledge"]),
        ("客服中心:\n已签收。\n样例物业服务有限公司\n2025年3月3日", ["acknowledge"]),
        ("【收到】", ["acknowledge"]),
        ("好的,收到", ["acknowledge"]),
        ("收到,已安排维修", ["acknowledge", "in_progress"]),
        ("已处理:更换灯泡两只", ["handled"]),
        ("已處理:更換燈泡", ["handled"]),
        ("您反映的问题已修好", ["handled"]),
        ("1. 收到\n2. 已完工,现场照片见附件", ["acknowledge", "handled"]),
        ("申请延期至3月8日17时 因 配件缺货", ["extend"]),
        ("收到。因配件缺货,申请延期至3月8日17:00。", ["acknowledge", "extend"]),
        ("外墙防水因雨天需顺延三天,请业主谅解", ["extend"]),
        ("我队人手不足,请多给我们五个工作日", ["extend"]),
        ("同色地砖缺货,客厅维修恳请宽限到9月29日下午五点前", ["extend"]),
        ("特申请将完工时间由9月26日调整为9月30日", ["extend"]),
        ("今天上午到现场更换了读卡器,测试正常。", ["handled"]),
        ("师傅昨天下午已上门,角阀换新,业主签字确认。", ["handled"]),
        ("该灯已修复,恢复照明。", ["handled"]),
        ("维修已完毕,附照片三张", ["handled"]),
        ("经核查,该保安确有言语不当,已批评教育并向业主致歉。", ["handled"]),
        ("漏点找到并封堵,闭水试验48小时无渗漏", ["handled"]),
        ("窗框维修预计要到6月18日才能完工,望批准顺延。", ["extend"]),
        ("因停电延误,申请展期,6月20日完成", ["extend"]),
        ("原定周五完成的补漆来不及了,请允许延到下周二", ["extend"]),
        ("工单已接收", ["acknowledge"]),
        ("好的,我们今天下午安排人过去", ["in_progress"]),
        ("此项非我公司责任,建议转工程部鉴定", ["return", "transfer"]),
        ("经研究,同意该业主建议,计划下月增设", ["adopted"]),
        ("转 工程部 因 属结构问题", ["transfer"]),
        ("请转设计部门处理", ["transfer"]),
        ("退回 因 房号不清", ["return"]),
        ("经查,信报箱由快递公司投放并维护,不在我司服务范围内,现将该单退回,请另行联系", ["return"]),
        ("把旧锁退回厂家后再换", []),
        ("此事不属于我司职责,请转工程部", ["return", "transfer"]),
        ("暂不采纳,场地不足", ["not_adopted"]),
        ("经研究,同意采纳", ["adopted"]),
        ("不同意", ["disagree"]),
        ("同意", ["agree"]),
        ("收到\n\n发自我的iPhone\n已处理", ["acknowledge"]),
        ("已处理:清理完毕\n--\n王某 13800000000", ["handled"]),
    ],
)
def test_commands(mail: str, expected: list[str]) -> None:
    assert found(mail) == expected


@pytest.mark.parametrize(
    "mail",
    ["配件已订购,到货后安排维修", "业主家中无人,未能维修", "尚未修复,等待材料",
        "待墙面干透后再处理", "修好后再报", "已修了一半,剩余明天继续",
        "我们没有收到联系单",
        "尚未处理,请耐心等待",
        "预计3月8日处理完毕",
        "业主要求退回押金",
        "请转告业主",
        "处理完毕后再回复",
        "关于已处理的问题我们再看看",
        "",
    ],
)
def test_no_commands(mail: str) -> None:
    assert not found(mail)


@pytest.mark.parametrize(
    "mail",
    [
        "已完成现场勘查,待配件到货后维修。", "已完成现场勘查。", "已完成报价,等业主同意。", "已完成派单", "已恢复供水方案正在制定",
        "材料已更换供应商,下周到货", "现场已清理,待防水施工。", "已解决业主疑问,明天维修", "已更换角阀,地漏预计周五完成", "已退还押金需业主提供卡号",
        "已安装完毕一半", "已拆除旧管,新管将于3月8日安装", "已清理,剩余部分尚未清运",
    ],
)  # fmt: skip
def test_a_step_on_the_way_is_progress_and_no_result(mail: str) -> None:
    """Rule 27: what is still to come is not done."""
    assert found(mail) == ["in_progress"]


@pytest.mark.parametrize(
    "mail",
    [
        "漏点一直没有找到,故障未排除。", "漏点已找到。", "业主确认,周六上午上门维修。", "已经解决不了", "已处理了吗?", "已处理完毕没有?",
        "问题找到了,是主管道开裂,需要开挖,预计周五完成。",
    ],
)  # fmt: skip
def test_a_result_that_is_denied_or_asked_for_is_none(mail: str) -> None:
    assert not found(mail)


@pytest.mark.parametrize(
    "mail",
    [
        "已处理完毕,今后将加强巡查。", "已批评教育,将加强培训", "已更换灯泡,如有问题请联系我们", "已修复,闭水试验未发现渗漏",
        "已处理:更换灯泡两只,预计使用寿命三年", "已处理完毕,周三上午已更换", "已维修完毕,未再漏水", "已清运完毕,明天起每日清运两次",
        "已更换不锈钢水管", "已完成检测并修复,测试正常",
        "已完工,待业主验收", "维修完毕,业主未在家,已电话告知", "整改完成,明日起恢复开放", "业主确认无误", "故障已排除,恢复供水",
    ],
)  # fmt: skip
def test_what_holds_from_now_on_leaves_the_result_a_result(mail: str) -> None:
    assert found(mail) == ["handled"]


def test_steps_on_the_way_are_told_together() -> None:
    [said] = commands("已安排师傅。已完成现场勘查,待配件到货后维修。")
    assert all(word in said.text for word in ("师傅", "现场勘查", "待配件到货"))


def test_the_text_of_a_command_reaches_to_the_next() -> None:
    first, second = commands("已处理:更换灯泡两只,照明恢复。\n申请延期至3月8日,因外墙灯待料")
    assert first.text == "更换灯泡两只,照明恢复"
    assert second.given_reason == "外墙灯待料"


def test_reports_are_read_by_their_labels() -> None:
    text = "调查情况:监控显示属实\n原因:当班人员情绪失控\n整改措施:停岗培训、书面检讨\n处理结果:已向业主致歉"
    assert labelled(text) == {
        "inquiry": "监控显示属实",
        "cause": "当班人员情绪失控",
        "solution": "停岗培训、书面检讨",
        "result": "已向业主致歉",
    }


@pytest.mark.parametrize(
    ("mail", "answer"), [("同意", True), ("可以。", True), ("不同意,我等不了", False), ("再说吧", None), ("", None)]
)
def test_only_a_plain_yes_is_consent(mail: str, answer: bool | None) -> None:
    assert consent(mail) is answer


@pytest.mark.parametrize("mail", ["我同意延期。", "本人同意。", "我们同意延期至3月14日,谢谢", "我家同意延长", "好的,同意", "没问题,请尽快"])
def test_who_agrees_may_name_themselves(mail: str) -> None:
    assert consent(mail) is True


@pytest.mark.parametrize(
    "mail",
    ["五一都放假,能理解。14号就14号,我没问题,别再往后拖就成。", "那就14号吧,我这边没意见", "好的,同意,不要再拖就行"],
)
def test_no_more_than_that_is_a_yes(mail: str) -> None:
    assert consent(mail) is True


@pytest.mark.parametrize("mail", ["别再往后拖就成", "14号就14号?", "14号就14号,但误工费你们出", "不同意,别再拖就行"])
def test_a_wish_without_a_yes_is_none(mail: str) -> None:
    assert consent(mail) is not True


@pytest.mark.parametrize(
    "mail",
    [
        "我不同意延期,请按时修。", "好的,知道了,但是我不同意再拖。", "同意不了,太久了。", "可以理解,但不接受延期", "你好,收到。延期的事我不能接受",
        "怎么可能同意", "不行,等不了", "不能再拖了", "没法接受",
    ],
)  # fmt: skip
def test_any_refusal_is_a_no(mail: str) -> None:
    """Rule 24: more time only with the owner's yes."""
    assert consent(mail) is False


@pytest.mark.parametrize(
    "mail",
    [
        "同意,但只能延一天", "可以,不过要赔偿误工费", "同意,不能再拖了", "我不是不同意", "不反对", "没人同意", "同意吗?", "同意延一天",
        "如果3月14日能修好我就同意", "同意换一家", "为什么要延期?",
    ],
)  # fmt: skip
def test_a_yes_with_an_if_or_a_but_is_for_a_person(mail: str) -> None:
    assert consent(mail) is None


@pytest.mark.parametrize(
    ("mail", "what"),
    [
        ("怎么还没人来修?", "chase"),
        ("都过了三天了,至今没有结果", "chase"),
        ("麻烦催一下", "chase"),
        ("都一个多礼拜啦,师傅影子都没见着,到底啥时候来呀?", "chase"),
        ("都两周了,推拉门还是老样子", "chase"),
        ("麻烦给个准信儿。", "chase"),
        ("我要撤回投诉", "withdraw"),
        ("已经好了,不用处理了", "withdraw"),
        ("请换一家维修队来修", "others"),
        ("请另找别人修", "others"),
    ],
)
def test_what_customers_say(mail: str, what: str) -> None:
    assert customer_says(mail, what)


@pytest.mark.parametrize(
    "mail",
    [
        "撤回", "请把我的报修撤销吧", "是误会,请撤销投诉", "水管自己修好了,不用来了,谢谢", "不用修了,谢谢师傅", "撤回,不投诉了。",
        "不用来了,我自己通好了", "灯自己亮了,不用来了。",
        "我是5号楼1单元201的业主何样板,电话13800000201,我要取消报修。",
    ],
)
def test_a_mail_that_only_takes_the_matter_back_is_a_withdrawal(mail: str) -> None:
    assert withdrawal(mail, "何样板") is True


@pytest.mark.parametrize(
    "mail",
    [
        "我不会撤回投诉的", "请尽快处理", "谢谢", "明天上午家里没人,不用来,后天上午再来修。", "周六不用来了,改周日上午来吧。",
        "小区门口的快递柜被物业取消了,老人取件很不方便", "快递柜被物业取消了", "预约被取消了,请重新安排", "你们说不用处理,我不同意",
        "物业说不用维修,可是墙还在渗水", "师傅说不用修,但还是漏水", "不需要维修费吧", "要求取消停车费", "原来的班车取消了",
    ],
)  # fmt: skip
def test_nobody_withdraws_by_accident(mail: str) -> None:
    assert withdrawal(mail) is False


@pytest.mark.parametrize(
    "mail",
    [
        "我想撤回投诉,另外北门的灯坏了", "撤回投诉可以,但要先道歉", "不用处理了,我去住建局投诉", "报修取消了", "先不用来了,等我通知", "不用来了",
        "通道被车堵住的那个投诉我想撤了,算了",
    ],
)
def test_what_only_sounds_like_a_withdrawal_is_asked_back(mail: str) -> None:
    assert withdrawal(mail) is None


def test_thanks_alone_ask_nothing() -> None:
    assert only_thanks("好的,谢谢!") and only_thanks("收到,辛苦了")
    assert not only_thanks("谢谢,请问什么时候来修?") and not only_thanks("谢谢,另外北门的灯也坏了")


def test_greetings_and_signatures_are_not_speech() -> None:
    assert spoken("尊敬的客服中心:您好!\n灯修好了。\n此致\n敬礼") == "灯修好了。"


@pytest.mark.parametrize(
    "piece",
    [
        "收到,", "已处理:", "转", "原因:", "您好", " ", "同意\n", "我要撤回投诉,", "不用处理", "不不同意", "我们我们", "已完成,明天",
    ],
)  # fmt: skip
def test_long_mails_are_read_in_linear_time(piece: str) -> None:
    begun = time.process_time()
    for read in (commands, labelled, only_thanks, consent, withdrawal, is_open):
        read(piece * 100_000)
    assert time.process_time() - begun < 3
