"""What comes in during the demonstration: mails, answers to our letters, a telephone log, scans."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.message import EmailMessage, Message
from email.mime.text import MIMEText
from email.utils import format_datetime, formataddr, make_msgid
from html import escape
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SERVER = "mx.estate.example.com"
CENTRE = "kefu@estate.example.com"
COLUMNS = (
    "呼叫编号", "呼叫时间", "呼叫类型", "主叫号码", "被叫号码", "座席工号", "振铃时长(秒)", "通话时长(秒)", "通话状态",
    "客户姓名", "房号", "来电内容", "处理结果",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail somebody writes to us on his own account."""

    name: str
    address: str
    subject: str
    text: str
    to: str = CENTRE
    charset: str = "utf-8"
    html: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail that answers a letter of ours: sent by whoever got the letter, once the ticket stands in ``state``."""

    about: str
    letter: str
    state: str
    text: str
    subject: str = ""
    automatic: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A row of the telephone log."""

    minutes_ago: int
    caller: str
    status: str
    agent: str
    ring: int
    talk: int
    name: str
    house: str
    content: str
    result: str


@dataclass(frozen=True, slots=True)
class Sample:
    """All that comes in, and the houses of the estate."""

    mails: tuple[Mail, ...]
    answers: tuple[Answer, ...]
    calls: tuple[Call, ...]
    scans: tuple[Path, ...]
    houses: tuple[dict[str, str], ...]

    @property
    def arrivals(self) -> int:
        return len(self.mails) + len(self.answers) + len(self.calls) + len(self.scans)


def sample() -> Sample:
    """The sample that ships beside this file."""
    told: dict[str, Any] = tomllib.loads((HERE / "sample.toml").read_text("utf-8"))
    return Sample(
        mails=tuple(Mail(**m) for m in told["mail"]),
        answers=tuple(Answer(**a) for a in told["answer"]),
        calls=tuple(Call(**c) for c in told["call"]),
        scans=tuple(sorted((HERE / "scans").iterdir())),
        houses=tuple(told["house"]),
    )


def mail_bytes(mail: Mail, at: datetime) -> bytes:
    """The mail as our own server hands it over at ``at``."""
    body = f"<html><body>{escape(mail.text).replace(chr(10), '<br>')}</body></html>" if mail.html else mail.text
    message = MIMEText(body.strip("\n"), "html" if mail.html else "plain", mail.charset)
    return _handed_over(message, (mail.name, mail.address), mail.to, mail.subject, mail.charset, at)


def answer_bytes(answer: Answer, sender: str, letter: bytes, at: datetime) -> bytes:
    """The answer of ``sender`` to a letter as it came out of the mail server: quoted, and in its thread."""
    read: EmailMessage = email.message_from_bytes(letter, policy=email.policy.default)
    said = answer.text.strip() if answer.automatic else "\n".join([answer.text.strip(), "", *_quoted(read)])
    message = MIMEText(said, "plain", "utf-8")
    message["In-Reply-To"] = str(read["Message-ID"])
    message["References"] = " ".join(str(read[h]) for h in ("References", "Message-ID") if read[h])
    if answer.automatic:
        message["Auto-Submitted"] = "auto-replied"
    subject = answer.subject or f"回复:{read['Subject']}"
    return _handed_over(message, ("", sender), CENTRE, subject, "utf-8", at)


def call_log(calls: tuple[Call, ...], at: datetime) -> bytes:
    """The log as a telephone system exports it: CSV, GBK, CRLF. ``at`` is in the office's zone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for number, call in enumerate(calls, 1):
        start = at - timedelta(minutes=call.minutes_ago)
        writer.writerow([
            f"A{start:%Y%m%d%H%M%S}{number}", f"{start:%Y-%m-%d %H:%M:%S}", "呼入", call.caller, "80000000", call.agent,
            call.ring, call.talk, call.status, call.name, call.house, call.content, call.result,
        ])  # fmt: skip
    return text.getvalue().encode("gb18030")


def _handed_over(message: Message, sender: tuple[str, str], to: str, subject: str, charset: str, at: datetime) -> bytes:
    """With the headers of the sender, and above them those of our server, which vouches for the sender."""
    name, address = sender
    domain = address.partition("@")[2]
    trace = (
        f"Return-Path: <{address}>\r\n"
        f"Received: from mail.{domain} (mail.{domain} [192.0.2.17])\r\n\tby {SERVER} with ESMTPS\r\n\tfor <{to}>; "
        f"{format_datetime(at)}\r\n"
        f"Authentication-Results: {SERVER};\r\n\tspf=pass smtp.mailfrom={address};\r\n\tdmarc=pass header.from={domain}\r\n"
    )
    message["From"] = formataddr((name, address), charset)
    message["To"] = to
    message["Subject"] = Header(subject, charset).encode()
    message["Date"] = format_datetime(at)
    message["Message-ID"] = make_msgid(domain=domain)
    return trace.encode() + message.as_bytes(policy=email.policy.compat32.clone(linesep="\r\n"))


def _quoted(letter: EmailMessage) -> Iterator[str]:
    yield "------------------ 原始邮件 ------------------"
    for label, header in (("发件人", "From"), ("收件人", "To"), ("主题", "Subject")):
        yield f"{label}: {letter[header]}"
    body = letter.get_body(("plain",))
    yield ""
    yield from (body.get_content() if body else "").splitlines()
