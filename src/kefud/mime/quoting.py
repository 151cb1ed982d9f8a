"""How mail clients write "here begins another mail": separators, header blocks, attribution lines."""

from __future__ import annotations

import re

_DASHES = " \t\u3000\xa0-—–_=*~>|"
_ORIGINAL = frozenset(
    "原始邮件 原邮件 原始消息 原始郵件 原始郵件訊息 原始信件 回复的原邮件 回复的邮件 答复的原邮件 原文 引用原文 "
    "originalmessage original originale-mail originalemail originalmail replymessage repliedmessage "
    "originalappointment originalmeeting quotedmessage".split()
)
_FORWARD = frozenset(
    "forwardedmessage forwardedmail forwardmessage 转发邮件信息 转发的邮件 转发邮件 转发信息 转发的原邮件 轉寄郵件 轉寄的郵件 "
    "已转发邮件 已转发的邮件 转发的消息 beginforwardedmessage startofforwardedmessage 以下是转发的邮件 開始轉寄郵件 "
    "以下為轉寄信件 "
    "forwardedby 以下是转发内容 转发邮件内容".split()
)
_LABELS = {
    "sender": "发件人 寄件者 寄件人 发信人 發件人 from 发自",
    "sent": "发送时间 发送日期 日期 时间 寄件日期 发件时间 傳送日期 發送時間 已发送 sent date 發件日期 發送日期 "
    "傳送時間 sentat",
    "to": "收件人 收件者 收信人 to",
    "cc": "抄送 副本 cc 抄送人 副本抄送 密送 bcc",
    "subject": "主题 主旨 標題 标题 主題 subject",
    "other": "附件 attachments importance 重要性 reply-to 回复 message-id 优先级 organization",
}
_FIELD_OF = {label: name for name, labels in _LABELS.items() for label in labels.split()}
_FIELD = re.compile(
    r"[>|*\s\u3000]{0,12}([A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff\s\u3000-]{0,14})\*?\s{0,3}[:：|]\*?(.*)", re.S
)
_IN_LINE = re.compile(
    r"[\s*](发送时间|发送日期|日期|收件人|抄送|主题|发件时间|寄件日期|收件者|主旨|Sent|Date|To|Cc|Subject)\*?\s?[:：]\*?"
)
_WROTE = (
    "写道：",
    "写道:",
    "寫道：",
    "寫道:",
    "wrote:",
    "wrote：",
    "writes:",
    "写到：",
    "写到:",
    "寫到：",
    "來信：",
    "来信：",
    "writes：",
)
_STARTS = ("on ", "at ", "在", "于", "於", "le ", "am ", "> on ")
_DATE = re.compile(
    r"(?:19|20)\d\d\s?[-年/.]\s?\d{1,2}|\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d\d|\d{1,2},? (?:19|20)\d\d|\d{1,2}月\s?\d{1,2}"
)

LOOK = 500
"""Characters of a line that are looked at; a mark stands at its beginning."""


def is_rule(line: str) -> bool:
    """A line of at least twelve dashes, underscores or equals signs and nothing else."""
    bare = line.strip()
    return len(bare) >= 12 and not bare[:LOOK].strip("-_=—")


def _core(line: str) -> str:
    bare = line[:LOOK].strip(_DASHES).rstrip(":：")
    return "".join(bare.split()).lower() if 1 < len(bare) <= 60 else ""


def _has_dashes(line: str) -> bool:
    bare = line.lstrip(" \t>*\xa0\u3000")
    return bare.startswith(("--", "==", "__", "——", "~~", "- -"))


def is_original(line: str) -> bool:
    """``-----原始邮件-----`` and its like: what follows is the mail being answered."""
    return _has_dashes(line) and _core(line) in _ORIGINAL


def is_forward(line: str) -> bool:
    """``---------- Forwarded message ----------`` and its like: what follows is passed on."""
    core = _core(line)
    if core in ("beginforwardedmessage", "startofforwardedmessage", "開始轉寄郵件", "以下是转发的邮件", "以下為轉寄信件"):
        return True
    return core in _FORWARD and _has_dashes(line)


def field_of(line: str) -> tuple[str, str]:
    """``发件人: 张三`` as ("sender", "张三"); ("", "") for any other line. Netease tables and bold marks are understood."""
    match = _FIELD.match(line[:LOOK])
    if not match:
        return "", ""
    name = _FIELD_OF.get("".join(match[1].split()).lower(), "")
    return (name, match[2].strip(" \t*|\xa0\u3000")) if name else ("", "")


def header_block(lines: list[str], at: int) -> tuple[dict[str, str], int]:
    """The header lines of a quoted mail that begin at ``at``, and the line after them; ({}, at) if there are none.

    It takes a sender and two more fields, in the next twelve lines or on one line.
    """
    name, value = field_of(lines[at])
    if name != "sender":
        return {}, at
    found = _one_line(lines[at])
    if len(found) >= 3:
        return found, at + 1
    found = {name: value}
    position, blanks = at + 1, 0
    while position < min(len(lines), at + 14):
        line = lines[position]
        name, value = field_of(line)
        if name == "sender":
            break
        if name:
            found.setdefault(name, value)
            blanks = 0
        elif line.strip(" \t>|-:") == "":
            blanks += 1
            if blanks > 1 or ("subject" in found and "sent" in found):
                break
        elif not line.startswith((" ", "\t")) and "<" not in line:
            break
        position += 1
    return (found, position) if len(found) >= 3 else ({}, at)


def _one_line(line: str) -> dict[str, str]:
    pieces = _IN_LINE.split(line[: 2 * LOOK])
    name, value = field_of(pieces[0])
    found = {name: value} if name else {}
    for label, text in zip(pieces[1::2], pieces[2::2], strict=False):
        found.setdefault(_FIELD_OF[label.lower()], text.strip(" \t*;"))
    return found


def attribution(lines: list[str], at: int) -> int:
    """How many lines from ``at`` say "on that day so-and-so wrote:", 0 if they do not. Up to three, as clients wrap it."""
    first = lines[at][:LOOK].strip()
    if not first:
        return 0
    joined = ""
    begins = first.lower().startswith(_STARTS) or first[:4].isdigit() or first.endswith(_WROTE)
    for count, line in enumerate(lines[at : at + 3], 1):
        piece = line[:LOOK].strip()
        if not piece or piece.startswith(">") or (count > 1 and not begins):
            return 0
        joined = f"{joined} {piece}" if joined else piece
        if joined.endswith(_WROTE):
            return count if _is_attribution(joined, begins) else 0
        if len(joined) > LOOK:
            return 0
    return 0


def _is_attribution(joined: str, begins: bool) -> bool:
    return begins and len(joined) <= LOOK and bool("@" in joined or _DATE.search(joined))
