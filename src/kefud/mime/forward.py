"""A mail passed on inside another: who wrote it first, when, about what."""

from __future__ import annotations

from dataclasses import dataclass

from kefud.desk.message import Address
from kefud.mime.addresses import first_email
from kefud.mime.headers import clean, clean_name
from kefud.mime.quoting import header_block, is_forward, is_original

_EXAMINED = 256 * 1024
FORWARD_LINE = "---------- 转发的邮件 ----------"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The original of a forwarded mail. ``sent`` is its date as the client wrote it, not parsed."""

    sender: Address
    sent: str
    subject: str
    body: str


def forwarded(text: str) -> Forwarded | None:
    """The first mail passed on in ``text``, inline or attached (as ``read_mail`` writes it out), None without one."""
    lines = text[:_EXAMINED].split("\n")
    for at, line in enumerate(lines):
        if not line or line.isspace():
            continue
        start = _after_marker(lines, at) if is_forward(line) or is_original(line) else at
        fields, body = header_block(lines, start) if start < len(lines) else ({}, start)
        if fields:
            rest = "\n".join(lines[body:]) + text[_EXAMINED:]
            return Forwarded(
                _sender(fields["sender"]), clean(fields.get("sent", "")), clean(fields.get("subject", "")), rest.strip("\n")
            )
    return None


def _after_marker(lines: list[str], at: int) -> int:
    for number in range(at + 1, min(at + 4, len(lines))):
        if lines[number].strip(" \t>|-:"):
            return number
    return at


def _sender(value: str) -> Address:
    email = first_email(value)
    cut = min((at for mark in ("<", "[", "(", "（", "＜", "@") if (at := value.find(mark)) >= 0), default=len(value))
    name = value[:cut] if "@" not in value[: cut + 1] else ""
    return Address(clean_name(name.strip(" \t\"'“”;,")), email)


def write_out(sender: str, sent: str, to: str, subject: str, body: str) -> str:
    """An attached mail as lines of text, so that its words are not lost to the ticket."""
    fields = [("发件人", sender), ("发送时间", sent), ("收件人", to), ("主题", subject)]
    head = "\n".join(f"{label}: {value}" for label, value in fields)
    return f"{FORWARD_LINE}\n{head}\n\n{body}".rstrip()
