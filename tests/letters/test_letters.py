"""Every letter can be written, says what the rules ask for, and takes nothing a stranger wrote for anything but text."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kefud.compose import Composer, TemplateFault, sample_context
from kefud.desk.decisions import Notice
from kefud.desk.lint import lint
from kefud.desk.ticket import Ticket
from kefud.desk.view import notice_view, ticket_view
from kefud.shipped import shipped

TEMPLATES = shipped("templates")
AT = datetime.fromisoformat("2025-12-22T10:00:00+08:00")
COMPOSER = Composer([TEMPLATES])
REPLIES = [n for n in COMPOSER.names() if n.startswith("replies/")]
EXPECTED = """
    replies/acknowledgement replies/acknowledgement-complaint replies/holding replies/answer replies/progress
    replies/extension-consent replies/result replies/visit replies/thanks replies/not-adopted replies/declined replies/need-info
    replies/reopened replies/calm replies/written-reply replies/closed replies/merged
    replies/stays-open
    replies/withdrawn
    replies/resumed
    notices/work-order notices/urgent-work-order notices/joint
    reports/important reports/emergency reports/chaser reports/escalation reports/approval-request reports/task
    reports/undelivered reports/praise-forward reports/circulation reports/held reports/daily reports/weekly reports/monthly
    reports/transcription reports/alert commands/transcript
""".split()
WICKED = (
    "{{7*7}} {%for i in range(10**9)%}{{''.__class__.__mro__}} <script>alert(1)</script> "
    "a\r\nBcc: v@example.com \u202e\x00\ud800"
)


def with_text(value: Any, text: str) -> Any:
    """The context with every free text replaced."""
    free = ("subject", "summary", "text", "name", "content", "request", "answer", "result", "contact", "place", "salutation")
    if isinstance(value, dict):
        return {
            k: v if k == "site" else text if k in free and isinstance(v, str) else with_text(v, text) for k, v in value.items()
        }
    return value


def test_every_promised_letter_is_there() -> None:
    assert set(EXPECTED) <= set(COMPOSER.names())


@pytest.mark.parametrize("name", COMPOSER.names())
def test_a_letter_is_written(name: str) -> None:
    draft = COMPOSER.write(name, sample_context())
    assert draft.subject and "\n" not in draft.subject
    assert "您好" in draft.text and "样例花园客户服务中心" in draft.text
    assert "{{" not in draft.text and "None" not in draft.text and "\n\n\n" not in draft.text


@pytest.mark.parametrize("name", COMPOSER.names())
def test_what_strangers_wrote_stays_text(name: str) -> None:
    draft = COMPOSER.write(name, with_text(sample_context(), WICKED))
    everything = draft.subject + draft.text + draft.html
    assert "49" not in everything.replace("{{7*7}}", "")
    assert "class 'object'" not in everything
    assert "<script" not in draft.html
    assert not {"\r", "\x00", "\u202e", "\ud800"} & set(everything)
    assert "\n" not in draft.subject
    if name.startswith("notices/"):
        assert "{{7*7}}" in draft.text and "{%for i in range(10**9)%}" in draft.text


def test_an_unknown_sender_finds_none_of_their_words_in_the_acknowledgement() -> None:
    context = with_text(sample_context(), "FREE NITRO http://evil.example.com")
    context["data"] = {"verified": False}
    for name in ("acknowledgement", "acknowledgement-complaint", "holding", "calm", "merged", "need-info"):
        draft = COMPOSER.write(f"replies/{name}", context)
        assert "NITRO" not in draft.subject + draft.text + draft.html
        assert "尊敬的业主" in draft.text


def test_known_owners_are_greeted_by_name_and_others_as_owner() -> None:
    context = sample_context()
    assert COMPOSER.write("replies/answer", context).text.startswith("您好，钱女士！")
    context["data"]["verified"] = False
    assert COMPOSER.write("replies/answer", context).text.startswith("尊敬的业主：")


def test_the_result_lists_what_goes_along_and_how() -> None:
    context = sample_context()
    assert "附送资料：无" in COMPOSER.write("replies/result", context).text
    context["ticket"]["fields"].update(enclosures=["验收单", "发票"], delivery="post")
    for name in ("result", "written-reply", "answer"):
        assert "附送资料：验收单、发票（按您的选择邮寄）" in COMPOSER.write(f"replies/{name}", context).text


def test_one_subject_for_all_replies_of_a_conversation() -> None:
    to_owners = [n for n in REPLIES if n not in ("replies/written-reply", "replies/acknowledgement-letter", "replies/survey")]
    assert len({COMPOSER.write(n, sample_context()).subject for n in to_owners}) == 1


@pytest.mark.parametrize("name", REPLIES)
def test_replies_keep_to_the_wording_rules(name: str) -> None:
    text = COMPOSER.write(name, sample_context()).text
    found = lint(text, allowed_personal=True, approved_promises=True, complaint="complaint" in name)
    assert [f for f in found if f.severity != "hint"] == []


def test_acknowledgement_names_number_handler_time_and_next_step() -> None:
    text = COMPOSER.write("replies/acknowledgement-complaint", sample_context()).text
    for wanted in ("KF20250303-0001", "客服专员", "2025年3月6日 09:12 前", "下一步", "直接回复本邮件即可", "道歉", "房号"):
        assert wanted in text
    assert text.count("一次补齐") == 1


def test_one_acknowledgement_names_all_numbers() -> None:
    context = sample_context()
    other = {"number": "KF20250303-0002", "kind_zh": "咨询", "handler_zh": "客服内勤", "reply_by": "3月4日"}
    context["data"] = {"numbers": ["KF20250303-0001", other]}
    text = COMPOSER.write("replies/acknowledgement", context).text
    assert "KF20250303-0001" in text and "KF20250303-0002（咨询）：由客服内勤经办，3月4日 前答复" in text and "2个事项" in text


@pytest.mark.parametrize(("origin", "owner"), [("owner", True), ("property_company", False)])
def test_an_order_for_an_office_speaks_of_no_owner(origin: str, owner: bool) -> None:
    ticket = Ticket(number="KF20250303-0001", kind="repair", category="vacant_house", house="3-2-501", origin=origin)
    context = sample_context()
    context["notice"] |= {"demand": "请维修"}
    draft = COMPOSER.write("notices/work-order", {**context, "ticket": ticket_view(ticket, "Asia/Shanghai", profile="party")})
    for said in (draft.text, draft.html):
        assert all((word in said) is owner for word in ("业主联系", "答复业主", "业主诉求", "业主同意"))


@pytest.mark.parametrize("before", ["", "所述地点为别的小区,如何答复:"])
def test_a_request_for_approval_says_the_matter_once_and_its_subject_is_short(before: str) -> None:
    asked = "产权证到底什么时候能办下来？去年说年底，今年又说年底。孩子九月报名要用。请给个准话。"
    ticket = Ticket(
        number="KF20250303-0001", category="certificate", summary=asked, fields={"approval_matter": f"{before}{asked}"}
    )
    context = {**sample_context(), "data": {"matter": f"{before}{asked}"}, "ticket": ticket_view(ticket, "Asia/Shanghai")}
    draft = COMPOSER.write("reports/approval-request", context)
    assert draft.text.count(asked) == 1 and f"请示事由：{before}" in draft.text
    assert "产权证照" in draft.subject and len(draft.subject) < 60


@pytest.mark.parametrize(
    ("finish_by", "example"),
    [(AT + timedelta(days=7), "12月31日17时"), (None, "12月24日17时"), (AT - timedelta(days=9), "12月24日17时")],
)
def test_the_example_of_an_extension_lies_after_the_term(finish_by: datetime | None, example: str) -> None:
    ticket, notice = Ticket(number="KF20250303-0001"), Notice("property_company", finish_by=finish_by)
    said = notice_view(ticket, notice, "1", site={"name": "客服中心", "timezone": "Asia/Shanghai"}, at=AT)
    draft = COMPOSER.write("notices/work-order", {**sample_context(), "notice": said})
    assert f"申请延期至 {example}" in draft.text


def test_the_work_order_mail_shows_the_form_and_how_to_answer() -> None:
    draft = COMPOSER.write("notices/work-order", sample_context())
    for wanted in (
        "客联〔2025〕001号",
        "【完成期限】2025年3月6日 09:12",
        "收到",
        "已处理：",
        "申请延期至",
        "转 工程部",
        "退回",
    ):
        assert wanted in draft.text
    assert "<b>2025年3月6日 09:12</b>" in draft.html and "<table" in draft.html
    assert "13800000201" not in draft.text + draft.html and "钱" not in draft.text + draft.html


def test_a_digest_lists_at_most_sixty_rows_and_says_so() -> None:
    rows = [{"number": f"KF20250303-{i:04}", "summary": "漏水" * 50, "due": "3月4日"} for i in range(500)]
    text = COMPOSER.write(
        "reports/daily", {**sample_context(), "data": {"overdue": rows, "channels": {"邮件": 3, "来电": 2}}}
    ).text
    assert "（500件）" in text and "其余440件见台帐" in text and "邮件 3、来电 2" in text


def test_reports_need_no_ticket_where_there_is_none() -> None:
    names = """daily weekly monthly transcription effect internal briefing daily-record visit-analysis contractors meeting
        yearly spot-check visits improvement knowledge sign-off-missing sign-off-result box-reminder breaches backlog
        undelivered-report guidance noted""".split()
    for name in names:
        draft = COMPOSER.write(f"reports/{name}", {**sample_context(), "ticket": {}, "data": {}})
        assert draft.subject and "样例花园客户服务中心" in draft.text


def write(directory: Path, body: str, context: dict[str, Any] | None = None, **files: str) -> Any:
    folder = directory / "replies" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "subject.txt").write_text("x", "utf-8")
    (folder / "body.txt").write_text(body, "utf-8")
    return Composer([directory, TEMPLATES]).write("replies/mine", context or {})


def test_an_unknown_name_is_a_fault_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateFault, match="misspelt") as caught:
        write(tmp_path, "one\ntwo {{ misspelt }}\n")
    assert caught.value.line == 2 and caught.value.file.endswith("replies/mine/body.txt")


def test_a_syntax_error_is_a_fault_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateFault) as caught:
        write(tmp_path, "one\n\n{% if %}\n")
    assert caught.value.line == 3


def test_a_fault_inside_an_included_part_names_the_part(tmp_path: Path) -> None:
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "_part.txt").write_text("a\nb\n{{ gone.away }}\n", "utf-8")
    with pytest.raises(TemplateFault) as caught:
        write(tmp_path, '{% include "replies/_part.txt" %}')
    assert caught.value.file.endswith("_part.txt") and caught.value.line == 3


@pytest.mark.parametrize(
    "body",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ x.append(1) }}",
        "{{ 'a' * 70000 }}",
        "{% for i in range(99999) %}aaaaaaaaaa{% endfor %}",
        "{% for i in range(10**9) %}a{% endfor %}",
        '{% include "../../etc/passwd" %}',
        '{% include "replies/nowhere.txt" %}',
    ],
)
def test_a_template_cannot_leave_its_box(tmp_path: Path, body: str) -> None:
    with pytest.raises(TemplateFault):
        write(tmp_path, body, {"x": [1]})


def test_a_missing_letter_is_a_fault() -> None:
    with pytest.raises(TemplateFault, match="replies/nowhere"):
        COMPOSER.write("replies/nowhere", {})
    with pytest.raises(TemplateFault):
        COMPOSER.write("../letters", {})


def test_only_plain_data_reaches_a_template(tmp_path: Path) -> None:
    with pytest.raises(TemplateFault, match="Path"):
        write(tmp_path, "{{ x }}", {"x": tmp_path})


def test_a_very_long_text_is_cut_not_refused() -> None:
    context = sample_context()
    context["notice"]["content"] = "漏" * 1_048_576
    text = COMPOSER.write("notices/work-order", context).text
    assert "全文共1048576字" in text and len(text.encode()) < 65_536


def test_the_administrators_folder_wins_file_by_file(tmp_path: Path) -> None:
    folder = tmp_path / "replies" / "answer"
    folder.mkdir(parents=True)
    (folder / "subject.txt").write_text("ours {{ ticket.number }}\nsecond line", "utf-8")
    draft = Composer([tmp_path, TEMPLATES]).write("replies/answer", sample_context())
    assert draft.subject == "ours KF20250303-0001 second line" and "现答复如下" in draft.text


def test_the_shipped_templates_pass_their_check() -> None:
    assert COMPOSER.check() == []


def test_the_check_finds_what_a_letter_lacks(tmp_path: Path) -> None:
    folder = tmp_path / "replies" / "acknowledgement-complaint"
    folder.mkdir(parents=True)
    (folder / "body.txt").write_text("这个不归我们管。", "utf-8")
    found = "\n".join(str(p) for p in Composer([tmp_path, TEMPLATES]).check())
    for wanted in ("问候语", "致谢", "致歉", "时间", "不归我管", "acknowledgement-complaint"):
        assert wanted in found
