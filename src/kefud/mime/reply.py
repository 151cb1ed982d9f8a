"""What the writer says now, and what they quote. Line by line, linear, nothing thrown away."""

from __future__ import annotations

import re
from itertools import takewhile

from kefud.mime.quoting import attribution, header_block, is_original, is_rule

_EXAMINED = 256 * 1024
_WROTE = ("wrote", "writes", "写道", "寫道", "写到", "寫到", "来信", "來信")
_WORDS = (
    *_WROTE, ">", "＞", "&gt;", "from", "發自", "发件", "發件", "寄件", "发信", "发自", "发送时", "发送日",
    "发送自", "箱发送", "客户端发", "傳送自",
    "原始", "原文", "原邮件", "回复的", "答复的", "original", "message", "sent", "來自", "来自", "从我的", "從我的", "outlook",
)  # fmt: skip
_SIGNATURE = re.compile(
    r"(?:发自|發自|來自|来自|发送自|從我的|从我的|傳送自|sent from|sent via|get outlook for|获取 ?outlook|取得 "
    r"?outlook|下载 ?outlook|"
    r"使用.{0,12}邮箱.{0,6}发送|通过.{0,12}邮箱.{0,6}发送)",
    re.I,
)
_DEVICE = re.compile(
    r"我的|邮箱|邮件|信箱|iphone|ipad|手机|手機|outlook|mail|android|yahoo|foxmail|huawei|华为|小米|samsung|mobile|安卓|钉钉|网易|客户端",
    re.I,
)


_INTRODUCES = re.compile(r"(?:原话|原文|如下|留言|反映|反应|诉求|描述|内容|来信|来电|表示|说|称)[^。.!?！？]{0,12}[:：]\s*$")
_MARKS = " \t\xa0\u3000>＞"


def split_reply(text: str, *, answers: bool = True) -> tuple[str, str]:
    """The new words of a reply, and everything it quotes, client signatures included.

    Lines with ">" that the writer's own words introduce and go on after are a citation, and belong to them; in a mail that
    ``answers`` nothing one of the two is enough.
    Looks at the first 256 KiB; what follows goes with the quotation if one was found, else with the new words.
    Where nothing new would be left, all of it is new.
    """
    head, tail = _cut(text)
    if not _may_quote(head):
        return text.strip("\n"), ""
    lines = head.split("\n")
    new, quoted = _sort_lines(lines, answers)
    _move_signature(new, quoted)
    if not any(line.strip() for line in new):
        return text.strip("\n"), ""
    if tail:
        (quoted if quoted else new).append(tail)
    return "\n".join(new).strip("\n"), "\n".join(quoted).strip("\n")


def _may_quote(text: str) -> bool:
    """Whether any word of a quotation occurs at all; most mails are done with this."""
    return _contains([text], _WORDS)


def _cut(text: str) -> tuple[str, str]:
    if len(text) <= _EXAMINED:
        return text, ""
    at = text.rfind("\n", 0, _EXAMINED)
    return (text[:at], text[at + 1 :]) if at > 0 else (text[:_EXAMINED], text[_EXAMINED:])


def _sort_lines(lines: list[str], answers: bool) -> tuple[list[str], list[str]]:
    new: list[str] = []
    quoted: list[str] = []
    at = 0
    attributed = _contains(lines, _WROTE)
    while at < len(lines):
        line = lines[at]
        if _is_marked(line):
            end = next((n for n in range(at, len(lines)) if not _is_marked(lines[n])), len(lines))
            if not quoted and _is_citation(lines, at, end, new, answers):
                new.extend(one.lstrip(_MARKS) for one in lines[at:end])
            else:
                quoted.extend(lines[at:end])
            at = end
        elif attributed and (count := attribution(lines, at)):
            quoted.extend(lines[at : at + count])
            at += count
            if not _next_is_prefixed(lines, at):
                return new, quoted + lines[at:]
        elif _begins_quotation(lines, at):
            return new, quoted + lines[at:]
        else:
            new.append(line)
            at += 1
    return new, quoted


def _is_marked(line: str) -> bool:
    return line.lstrip(" \t").startswith((">", "＞", "&gt;"))


def _is_citation(lines: list[str], at: int, end: int, new: list[str], answers: bool) -> bool:
    """Whether marked lines are what the writer cites of somebody else's words, and no mail that is answered."""
    before = next((line.strip() for line in reversed(new) if line.strip()), "")
    bare = [line.lstrip(_MARKS) for line in lines[at : min(end, at + 8)]]
    announced = any(bare[n] and (attribution(bare, n) or _begins_quotation(bare, n)) for n in range(len(bare)))
    if not before or announced:
        return False
    introduced = bool(_INTRODUCES.search(before[-60:]))
    following = takewhile(lambda line: not line.startswith("--"), lines[end : end + 40])
    goes_on = any(line.strip() and not is_client_signature(line) for line in following)
    return introduced and goes_on if answers else introduced or goes_on


def _contains(lines: list[str], words: tuple[str, ...]) -> bool:
    text = "\n".join(lines).lower()
    return any(word in text for word in words)


def _next_is_prefixed(lines: list[str], at: int) -> bool:
    """Whether the quotation that was announced is marked line by line; then unmarked lines below are new words."""
    for line in lines[at : at + 5]:
        if line.strip():
            return line.lstrip().startswith(">")
    return False


def _begins_quotation(lines: list[str], at: int) -> bool:
    line = lines[at]
    if not line or line.isspace():
        return False
    if is_original(line) or (_could_be_field(line) and header_block(lines, at)[0]):
        return True
    if is_rule(line) or line.strip() in ("原始邮件", "Original Message", "原始郵件"):
        following = next((n for n in range(at + 1, min(at + 4, len(lines))) if lines[n].strip()), -1)
        return following > 0 and bool(header_block(lines, following)[0] or attribution(lines, following))
    return False


def _could_be_field(line: str) -> bool:
    return ":" in line or "：" in line or "|" in line


def _move_signature(new: list[str], quoted: list[str]) -> None:
    """Take the client's advertisement from the end of the new words to the top of the quotation."""
    end = len(new)
    while end and (not new[end - 1].strip() or is_client_signature(new[end - 1])):
        end -= 1
    moved = [line for line in new[end:] if line.strip()]
    del new[end:]
    quoted[:0] = moved


def is_client_signature(line: str) -> bool:
    """``发自我的iPhone``, ``Sent from my iPhone``: one short line that no person typed."""
    bare = line.strip(" \t-—_\xa0\u3000")
    return len(bare) <= 80 and bool(_SIGNATURE.match(bare) and _DEVICE.search(bare))
