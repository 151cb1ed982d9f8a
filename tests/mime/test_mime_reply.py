"""What a person says now is told from what they quote, whatever program they write with."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kefud.mime import forwarded, split_reply

NEW = "师傅来过了，还是漏水。"
OLD = "尊敬的业主，您的报修已派单。"

STYLES = {
    "qq": f'{NEW}\n\n\n------------------ 原始邮件 ------------------\n发件人: "客服" <cs@estate.cn>;\n'
    f'发送时间: 2025年3月3日(星期一) 上午9:05\n收件人: "张三"<z3@qq.com>;\n主题: 回复：报修\n\n{OLD}',
    "qq-nbsp": f'{NEW}\n\n------------------\xa0原始邮件\xa0------------------\n发件人:\xa0 "客服"\n{OLD}',
    "qq-new": f"{NEW}\n\n\n\n\n         原始邮件\n         \n       \n发件人：客服 <cs@estate.cn>\n"
    f"发件时间：2025年3月3日 09:05\n收件人：张三 <z3@qq.com>\n主题：回复：报修\n\n{OLD}",
    "163-old": f'{NEW}\n\n在2011-03-03 09:05:10，"客服" <cs@estate.cn> 写道：\n{OLD}',
    "163-new": f'{NEW}\n\n在 2025-03-03 09:05:10，"客服" <cs@estate.cn> 写道：\n\n{OLD}',
    "163-at": f'{NEW}\n\nAt 2025-03-03 09:05:10, "客服" <cs@estate.cn> wrote:\n{OLD}',
    "163-master": f"{NEW}\n\n发自网易邮箱大师\n\n---- 回复的原邮件 ----\n| 发件人 | 客服<cs@estate.cn> |\n"
    f"| 日期 | 2025年03月03日 09:05 |\n| 收件人 | z3@163.com |\n| 主题 | 回复：报修 |\n{OLD}",
    "163-original": f"{NEW}\n\n-----原始邮件-----\n发件人:客服 <cs@estate.cn>\n发送时间:2025-03-03 09:05:10 (星期一)\n"
    f"收件人: z3@126.com\n"
    f"主题: 报修\n\n{OLD}",
    "outlook-zh": f"{NEW}\n\n发件人: 客服 <cs@estate.cn>\n发送时间: 2025年3月3日 9:05\n收件人: 张三 <z3@outlook.com>\n"
    f"主题: 回复: 报修\n\n{OLD}",
    "outlook-rule": f"{NEW}\n\n________________________________\n发件人: 客服 <cs@estate.cn>\n发送时间: 2025年3月3日 9:05\n"
    f"收件人: 张三 <z3@outlook.com>\n主题: 回复: 报修\n\n{OLD}",
    "outlook-bold": f"{NEW}\n\n*发件人:* 客服 <cs@estate.cn>\n*发送时间:* 2025年3月3日 9:05\n*收件人:* 张三\n*主题:* "
    f"报修\n\n{OLD}",
    "outlook-one-line": f"{NEW}\n发件人: 客服 发送时间: 2025年3月3日 9:05 收件人: 张三 主题: 报修\n{OLD}",
    "outlook-en": f"{NEW}\n\n-----Original Message-----\nFrom: CS <cs@estate.cn>\nSent: Monday, March 3, 2025 9:05 AM\nTo: Z\n"
    f"Subject: RE: repair\n\n{OLD}",
    "outlook-en-block": f"{NEW}\n\nFrom: CS <cs@estate.cn>\nSent: Monday, March 3, 2025 9:05 AM\nTo: Z <z@example.cn>\n"
    f"Subject: repair\n\n{OLD}",
    "outlook-tw": f"{NEW}\n\n寄件者: 客服 <cs@estate.cn>\n寄件日期: 2025年3月3日 上午 09:05\n收件者: 張三\n主旨: 報修\n\n{OLD}",
    "gmail-zh": f"{NEW}\n\n2025年3月3日周一 09:05，客服 <cs@estate.cn> 写道：\n\n> {OLD}\n> 谢谢",
    "gmail-zh-2": f"{NEW}\n\n客服 <cs@estate.cn> 于2025年3月3日周一 09:05写道：\n\n> {OLD}",
    "gmail-tw": f"{NEW}\n\n客服 <cs@estate.cn> 於 2025年3月3日 週一 上午9:05寫道：\n\n> {OLD}",
    "gmail-wrapped": f"{NEW}\n\nOn Mon, Mar 3, 2025 at 9:05 AM Customer Service\n<cs@estate.cn> wrote:\n\n> {OLD}",
    "apple-en": f"{NEW}\n\nOn 3 Mar 2025, at 09:05, Customer Service Of The Estate\n<customer.service@estate.cn>\n"
    f"wrote:\n\n{OLD}",
    "iphone": f"{NEW}\n\n发自我的iPhone\n\n> 在 2025年3月3日，09:05，客服 <cs@estate.cn> 写道：\n> \n> {OLD}",
    "iphone-bare": f"{NEW}\n\n发自我的 iPhone\n\n在 2025年3月3日，09:05，客服 <cs@estate.cn> 写道：\n\n{OLD}",
    "foxmail": f"{NEW}\n\n\n\n张三\n \n发件人： 客服\n发送时间： 2025-03-03 09:05\n收件人： 张三\n主题： 报修\n{OLD}",
    "dingtalk": f"{NEW}\n\n------------------------------------------------------------------\n发件人：客服<cs@estate.cn>\n"
    f"日\u3000期：2025年03月03日 09:05:10\n收件人：张三<z3@dingtalk.com>\n主\u3000题：报修\n\n{OLD}",
    "yahoo": f"{NEW}\n\n    On Monday, March 3, 2025 at 09:05:10 AM GMT+8, CS <cs@estate.cn> wrote:  \n \n {OLD}",
    "huawei": f"{NEW}\n\n发自我的华为手机\n\n-------- 原始邮件 --------\n发件人： 客服 <cs@estate.cn>\n日期： "
    f"2025年3月3日周一 09:05\n{OLD}",
}


@pytest.mark.parametrize("style", STYLES)
def test_only_the_new_words_remain(style: str) -> None:
    new, quoted = split_reply(STYLES[style])
    assert NEW in new
    assert OLD in quoted
    assert OLD not in new
    assert "发件人" not in new and "写道" not in new and "wrote" not in new and "发自" not in new


@pytest.mark.parametrize("style", STYLES)
def test_every_line_is_kept_somewhere(style: str) -> None:
    text = STYLES[style]
    new, quoted = split_reply(text)
    kept = {line.strip() for line in f"{new}\n{quoted}".split("\n")}
    assert {line.strip() for line in text.split("\n")} <= kept | {""}


def test_answers_between_quoted_lines_are_new() -> None:
    text = "On Mon, Mar 3, 2025 at 9:05 AM CS <cs@example.cn> wrote:\n> 几号楼？\n3号楼\n> 哪天方便？\n周六上午\n"
    assert split_reply(text) == (
        "3号楼\n周六上午",
        "On Mon, Mar 3, 2025 at 9:05 AM CS <cs@example.cn> wrote:\n> 几号楼？\n> 哪天方便？",
    )


def test_an_answer_below_the_quotation_is_new() -> None:
    new, quoted = split_reply("2025年3月3日，客服 <cs@example.cn> 写道：\n\n> 还漏吗？\n\n还漏。")
    assert (new, "还漏吗" in quoted) == ("还漏。", True)


RELAY = "今接3号楼业主留言，原话如下：\n\n> 大门往下坠，关不上。\n> 请来修。\n\n经查属实，请安排处理。"


@pytest.mark.parametrize("answers", [False, True])
def test_what_the_writer_cites_in_the_middle_of_a_letter_is_read(answers: bool) -> None:
    assert split_reply(RELAY, answers=answers) == (RELAY.replace("> ", ""), "")


def test_a_citation_is_told_from_the_mail_that_is_answered() -> None:
    assert split_reply("> 几号楼？\n3号楼\n> 哪天方便？\n周六上午")[0] == "3号楼\n周六上午"
    assert split_reply("周六上午可以。\n> 哪天方便？\n谢谢")[1] == "> 哪天方便？"
    assert split_reply(f"还在漏，情况如下：\n> 2025年3月3日，客服 <cs@example.cn> 写道：\n> {OLD}\n请来修", answers=False)[0] == (
        "还在漏，情况如下：\n请来修"
    )
    assert split_reply(f"还在漏\n> {OLD}", answers=False) == ("还在漏", f"> {OLD}")


def test_a_mail_that_is_all_quotation_stays_whole() -> None:
    text = "-----原始邮件-----\n发件人: a\n发送时间: 2025-03-03\n主题: b\n\n正文"
    assert split_reply(text) == (text, "")


@pytest.mark.parametrize(
    "line",
    [
        "发自我的iPhone",
        "发自 网易邮箱大师",
        "Sent from my iPhone",
        "来自QQ邮箱",
        "发自我的小米手机",
        "获取 Outlook for iOS<https://aka.ms/o>",
        "Get Outlook for Android",
        "发自我的 iPad",
        "从我的 iPhone 发送",
        "發自我的 iPhone",
    ],
)
def test_the_advertisement_of_the_mail_program_is_no_new_word(line: str) -> None:
    assert split_reply(f"漏水\n\n{line}\n") == ("漏水", line)


@pytest.mark.parametrize(
    "text",
    [
        "尊敬的客服：\n发件人写错了，请改。\n时间：周六\n谢谢",
        "物业在公告里写道：\n本周停水。\n请解释。",
        "联系人：张三\n主题：漏水\n地址：3-1-502",
        "收件人：张三\n地址：3号楼\n电话：138\n快递被退回了",
        "--------------------\n一、漏水\n--------------------\n二、停电",
        "发自内心地感谢物业",
        "From what I see, the roof leaks.\nTo be fixed soon.",
    ],
)
def test_what_merely_resembles_a_quotation_is_not_cut(text: str) -> None:
    assert split_reply(text) == (text, "")


def test_a_signature_with_the_phone_number_stays() -> None:
    assert split_reply("漏水\n\n-- \n张三 13800000000")[0].endswith("13800000000")


@pytest.mark.parametrize(
    "text",
    [
        "On x at x wrote\n" * 60_000,
        ">" * 1_000_000,
        "m" + "te" * 100_000,
        "写道：\n" * 100_000,
        "发件人：\n" * 100_000,
        "-" * 1_000_000,
        "On 2025-01-01 a@b.c\n" * 50_000,
        "发件人: a 发送时间: " * 50_000,
        "| 发件人 |" * 60_000,
        " " * 1_000_000,
        "\n" * 500_000,
        "在 2025年3月3日 " * 30_000 + "写道：",
        "发自" * 200_000,
    ],
)
def test_hostile_repetition_is_kept_whole(text: str) -> None:
    new, quoted = split_reply(text)
    assert len(new) + len(quoted) >= len(text.strip("\n")) - 2


def test_beyond_the_first_256_kib_the_quotation_goes_on() -> None:
    new, quoted = split_reply(f"{NEW}\n-----原始邮件-----\n" + f"{OLD}\n" * 60_000)
    assert new == NEW and quoted.count(OLD) == 60_000


@given(
    st.lists(
        st.sampled_from(
            [
                "> a",
                "漏水",
                "发件人: a <b@example.cn>",
                "主题: x",
                "发送时间: 2025-03-03",
                "",
                "-----原始邮件-----",
                "On Mon, 3 Mar 2025, a@example.cn",
                "wrote:",
                "发自我的iPhone",
                "------------------------",
            ]
        ),
        max_size=30,
    )
)
def test_no_line_is_ever_lost(lines: list[str]) -> None:
    new, quoted = split_reply("\n".join(lines))
    assert sorted(line for line in f"{new}\n{quoted}".split("\n") if line) == sorted(line for line in lines if line)


FORWARDS = {
    "gmail": "请处理\n\n---------- Forwarded message ---------\n发件人： 李四 <li4@example.cn>\nDate: 2025年3月3日周一 "
    "09:05\nSubject: 漏水\nTo: <cs@estate.cn>\n\n\n厨房漏水",
    "gmail-en": "pls\n\n---------- Forwarded message ---------\nFrom: 李四 <li4@example.cn>\nDate: 2025年3月3日周一 09:05\n"
    "Subject: 漏水\nTo: <cs@example.cn>\n\n厨房漏水",
    "163": '请处理\n\n-------- 转发邮件信息 --------\n发件人："李四" <li4@example.cn>\n发送日期：2025年3月3日周一 09:05\n'
    "收件人：cs@example.cn\n主题：漏水\n\n厨房漏水",
    "163-master": "---- 转发的原邮件 ----\n| 发件人 | 李四<li4@example.cn> |\n| 发送日期 | 2025年3月3日周一 09:05 |\n| "
    "收件人 | cs@example.cn |\n| 主题 | 漏水 |\n\n厨房漏水",
    "qq": '------------------ 原始邮件 ------------------\n发件人: "李四" <li4@example.cn>;\n发送时间: 2025年3月3日周一 '
    '09:05\n收件人: "cs"<cs@example.cn>;\n主题: 漏水\n\n厨房漏水',
    "outlook": "请处理\n\n发件人: 李四 <li4@example.cn>\n发送时间: 2025年3月3日周一 09:05\n收件人: cs@example.cn\n抄送: b@example.cn\n"
    "主题: 漏水\n\n厨房漏水",
    "foxmail": "\n \n发件人： 李四 [mailto:li4@example.cn]\n发送时间： 2025年3月3日周一 09:05\n收件人： cs\n主题： 漏水\n\n厨房漏水",
    "apple": "Begin forwarded message:\n\nFrom: 李四 <li4@example.cn>\nSubject: 漏水\nDate: 2025年3月3日周一 09:05\nTo: "
    "cs@example.cn\n\n厨房漏水",
    "apple-zh": "以下是转发的邮件：\n\n> 发件人: 李四 <li4@example.cn>\n> 主题: 漏水\n> 日期: 2025年3月3日周一 09:05\n> "
    "收件人: cs@example.cn\n> \n> 厨房漏水",
}


@pytest.mark.parametrize("style", FORWARDS)
def test_the_first_writer_of_a_forwarded_mail_is_found(style: str) -> None:
    found = forwarded(FORWARDS[style])
    assert found is not None
    assert (found.sender.name, found.sender.email) == ("李四", "li4@example.cn")
    assert (found.sent, found.subject) == ("2025年3月3日周一 09:05", "漏水")
    assert "厨房漏水" in found.body and "发件人" not in found.body


def test_a_plain_mail_forwards_nothing() -> None:
    assert forwarded("客服您好：\n厨房漏水。") is None
