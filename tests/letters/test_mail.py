"""Mails read back as they were meant, and no value becomes a header (S10)."""

import email
import email.policy
from datetime import datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

import pytest

from kefud.compose import Draft, LetterFault, build_mail
from kefud.desk.message import Address

WHEN = datetime(2025, 3, 3, 9, 12, tzinfo=timezone(timedelta(hours=8)))
DRAFT = Draft("[KF20250303-0001] 关于您来件的回复", "您好，钱女士！\n正文 1\n.\nMAIL FROM:<v@example.com>\n")


def built(draft: Draft = DRAFT, **changes: Any) -> bytes:
    given: dict[str, Any] = {
        "sender": Address("客户服务中心", "kefu@example.com"),
        "to": [Address("钱样例", "qian@example.com")],
        "message_id": "<KF20250303-0001.a1b2@example.com>",
        "date": WHEN,
    }
    return build_mail(draft, **{**given, **changes})


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def on_the_wire(raw: bytes) -> None:
    assert raw.isascii()
    assert raw.replace(b"\r\n", b"").count(b"\r") == raw.replace(b"\r\n", b"").count(b"\n") == 0
    assert max(map(len, raw.split(b"\r\n"))) <= 200
    head = raw.split(b"\r\n\r\n")[0]
    assert all(line[:1] in b" \t" or b":" in line for line in head.split(b"\r\n"))


def test_a_plain_letter_reads_back() -> None:
    raw = built(automatic="auto-replied", in_reply_to="<q@example.com>", references=["<p@example.com>", "<q@example.com>"])
    on_the_wire(raw)
    m = parsed(raw)
    assert m["Subject"] == DRAFT.subject
    assert m["From"].addresses[0].display_name == "客户服务中心" and m["From"].addresses[0].addr_spec == "kefu@example.com"
    assert m["To"].addresses[0].display_name == "钱样例"
    assert m["Date"].datetime == WHEN
    assert m["Auto-Submitted"] == "auto-replied" and m["X-Auto-Response-Suppress"] == "All"
    assert m["In-Reply-To"] == "<q@example.com>" and m["References"].split() == ["<p@example.com>", "<q@example.com>"]
    assert m["Precedence"] is None
    assert m.get_content().replace("\r\n", "\n") == DRAFT.text
    assert not m.defects


def test_a_letter_with_html_and_paper_reads_back() -> None:
    name = "工作联系单 客联〔2025〕001号.pdf"
    raw = built(Draft("题", "字", "<p>字</p>"), files=[(name, "application/pdf", b"%PDF-1.7\n" + bytes(range(256)) * 20)])
    on_the_wire(raw)
    m = parsed(raw)
    assert m.get_content_type() == "multipart/mixed"
    body, html = m.get_body(("plain",)), m.get_body(("html",))
    assert body and html and body.get_content().strip() == "字" and html.get_content().strip() == "<p>字</p>"
    (paper,) = m.iter_attachments()
    assert paper.get_filename() == name and paper.get_content_type() == "application/pdf"
    assert paper.get_content() == b"%PDF-1.7\n" + bytes(range(256)) * 20
    old = list(email.message_from_bytes(raw).walk())[-1]
    assert "=?utf-8?B?" in old["Content-Type"] and "filename*" in old["Content-Disposition"]


@pytest.mark.parametrize(
    "name",
    [
        "a.pdf",
        "长" * 119 + ".pdf",
        "单.pdf",
        'q"uo;te\\.pdf',
        "../../etc/x",
        "C:\\x.pdf",
        "\u200b.htaccess",
        "",
        "a\r\nBcc: v@example.com",
    ],
)
def test_file_names_are_tamed_and_read_back(name: str) -> None:
    raw = built(files=[(name, "application/pdf", b"x")])
    on_the_wire(raw)
    (paper,) = parsed(raw).iter_attachments()
    got = paper.get_filename()
    assert got and len(got) <= 120 and not set(got) & set('/\\\r\n"\u200b')
    if name.endswith(".pdf"):
        assert got.endswith(".pdf")


INJECTIONS = [
    "x\r\nBcc: v@example.com", "x\nBcc: v@example.com", "x\rBcc: v@example.com", "x\u2028Bcc: v@example.com",
    "x\x85Bcc: v@example.com",
    "x\x00\x0b\x0cBcc: v@example.com", "x\r\n\r\nbody", "=?utf-8?q?x=0D=0ABcc:_v@example.com?=", "\ud800x",
    "题" * 500 + "\r\nBcc: v@example.com",
]  # fmt: skip


@pytest.mark.parametrize("value", INJECTIONS)
@pytest.mark.parametrize("place", ["subject", "sender", "to", "cc", "header", "file", "body", "references"])
def test_no_value_becomes_a_header(value: str, place: str) -> None:
    places: dict[str, dict[str, Any]] = {
        "subject": {"draft": Draft(value, "t")},
        "sender": {"sender": Address(value, "kefu@example.com")},
        "to": {"to": [Address(value, "q@example.com")]},
        "cc": {"cc": [Address(value, "q@example.com"), Address("", "r@example.com")]},
        "header": {"headers": [("X-Kefud-Ticket", value)]},
        "file": {"files": [(value, "text/plain", b"t")]},
        "body": {"draft": Draft("s", value)},
        "references": {"references": [value, f"<{value}@example.com>"], "in_reply_to": value},
    }
    raw = built(**places[place])
    on_the_wire(raw)
    m = parsed(raw)
    assert m["Bcc"] is None and not any(line.lower().startswith(b"bcc") for line in raw.split(b"\r\n"))
    assert m["To"].addresses and len(m["From"].addresses) == 1


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@b", "a b@example.com", "a@b\r\nBcc: v@example.com", "a@例.com", "<a@example.com>", "a@b,c@d",
    "a..b@example.com", "a@" + "b" * 260]
)  # fmt: skip
def test_a_bad_address_is_refused(address: str) -> None:
    with pytest.raises(LetterFault):
        built(to=[Address("", address)])
    with pytest.raises(LetterFault):
        built(sender=Address("", address))


def test_bad_ids_and_header_names_are_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {"message_id": "<a b@c>"},
        {"message_id": "<a@b>\r\nX: y"},
        {"to": []},
        {"headers": [("Bcc", "x")]},
        {"headers": [("Content-Type", "x")]},
        {"headers": [("X:\r\nY", "x")]},
    ]
    for changes in wrong:
        with pytest.raises(LetterFault):
            built(**changes)


def test_display_names_survive() -> None:
    for name in ("Li, Lei", 'The "Boss"', "a@b", "钱样例（业主）", "x" * 90, "长" * 90, "back\\slash"):
        m = parsed(built(to=[Address(name, "q@example.com")]))
        assert (
            m["To"].addresses[0].display_name.replace("长 长", "长长") == name
            and m["To"].addresses[0].addr_spec == "q@example.com"
        )


def test_equal_input_gives_equal_bytes_and_many_references_are_cut() -> None:
    ids = [f"<{i}@example.com>" for i in range(100)]
    assert built(references=ids) == built(references=ids)
    kept = parsed(built(references=ids))["References"].split()
    assert len(kept) == 20 and kept[0] == ids[0] and kept[-1] == ids[-1]
