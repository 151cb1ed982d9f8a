"""What a manager's answer to a digest says: read, orders for tickets, important marks, guidance (S0-4.2.4, S0-4.2.5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NUMBER = re.compile(r"KF(\d{8})[-－—]?(\d{4,6})(?!\d)", re.IGNORECASE)
_SEPARATORS = " \t\u3000、,，;；:：.。和及与"
_READ = re.compile(r"^(?:已阅|已閱|已查阅|阅|閱|已读|知悉|收到|同意)(?:[\s\u3000,，。.;；:：!！]+|$)")
_IMPORTANT = re.compile(r"^(?:列为|列為|标为|标记为|按|属|屬)?重要(?:事项|事項|件|处理)?(?:$|[\s\u3000,，。.;；:：!！、]+)")
_NOT_SIGNED = re.compile(
    r"我?(?:还|尚|暂时?|今天|目前)?(?:未|没有?)(?:来得及|有?时间|空)?(?:详?细)?[阅閱看读签](?![到见出明])|不同意|拒签"
    r"|(?:收回|撤回|取消|作废)[^，。,.]{0,8}(?:签阅|签字|已阅)|(?:我|本人|请|由)[^不禁严未勿]{0,15}代(?:为)?[签阅]"
)
"""How a mail begins that signs nothing; further on the same words are about something else."""
_COURTESY = re.compile(r"(?:谢谢|感谢|多谢|辛苦了?|好的?|收到|明白|知道了|了解|嗯|ok)(?:大家|各位|你们)?[\s,，。.!！~～]*", re.IGNORECASE)
_NAME = re.compile(r"[\u4e00-\u9fff]{1,3}(?:经理|总监|主任|主管|部长|书记|总)$")
_HISTORY = re.compile(
    r"^\s*(?:-{2,}\s*(?:原始|轉寄|转发|Original)|发件人[:：]|寄件者[:：]|From:\s|在.{4,80}(?:写道|寫道)[:：]?\s*$"
    r"|On .{4,120}wrote:\s*$|_{10,})"
)
_SIGNATURE = re.compile(r"^\s*(?:--|——+|—{2,})\s*$")
_QUOTED = re.compile(r"^\s*[>＞|]")


@dataclass(frozen=True, slots=True)
class SignOff:
    """A sign-off as read. ``text`` is what is said beside orders and the bare 已阅; ``orders`` are by ticket number."""

    read: bool = False
    text: str = ""
    orders: dict[str, str] = field(default_factory=dict)
    important: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.read or self.text or self.orders or self.important)

    @property
    def guidance(self) -> str:
        """All that guides: the free text and the orders. A bare 已阅 is none (S0-4.2.5a)."""
        said = [f"{number} {order}" for number, order in self.orders.items()]
        return "\n".join([*([self.text] if self.text else []), *said])


def read_sign_off(text: str) -> SignOff:
    """The sign-off in a mail's own words; quoted lines, signatures and the history below are not its words.

    Who says that he has not read, does not agree or takes back has not signed: then it is empty. Thanks and a name are no words.
    A line that begins with ticket numbers is an order for them ("KF20250303-0001 请今天上门"); with 重要 first it marks them
    ("KF20250303-0001 重要"), and what follows is an order as well.
    """
    read, free = False, []
    orders: dict[str, str] = {}
    important: list[str] = []
    for line in _own_lines(text):
        numbers, rest = _addressed(line)
        if numbers:
            mark = _IMPORTANT.match(rest)
            if mark:
                important += [n for n in numbers if n not in important]
                rest = rest[mark.end() :]
            for number in numbers if rest else ():
                orders[number] = f"{orders[number]};{rest}" if number in orders else rest
            continue
        if not read and not orders and not important and _NOT_SIGNED.match(line):
            return SignOff()
        begins = _READ.match(line)
        if begins:
            read, line = True, line[begins.end() :].strip()
        if line and not _COURTESY.fullmatch(line) and not (read and _NAME.fullmatch(line)):
            free.append(line)
        read = read or bool(line)
    return SignOff(read or bool(free or orders or important), "\n".join(free), orders, tuple(important))


def _own_lines(text: str) -> list[str]:
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        if _HISTORY.match(line) or _SIGNATURE.match(line):
            break
        if line.strip() and not _QUOTED.match(line):
            lines.append(line.strip().strip("\u3000"))
    return lines


def _addressed(line: str) -> tuple[list[str], str]:
    """Ticket numbers a line begins with, and the rest of it; a list mark before them is passed over."""
    rest = re.sub(r"^(?:[-*·•]|\d{1,2}[.、．)])\s*", "", line)
    numbers: list[str] = []
    while match := _NUMBER.match(rest):
        number = f"KF{match[1]}-{match[2]}"
        numbers += [number] if number not in numbers else []
        rest = rest[match.end() :].lstrip(_SEPARATORS)
    return numbers, rest.strip()
