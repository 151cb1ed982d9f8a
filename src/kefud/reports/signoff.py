"""What a manager's answer to a digest says: read, orders for tickets, important marks, guidance (S0-4.2.4, S0-4.2.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_NUMBER = re.compile(r"KF(\d{8})[-－—]?(\d{4,6})(?!\d)", re.IGNORECASE)
_SAME_DAY = re.compile(r"[-－—]?(\d{4,6})(?=[\s、,，;；:：和及与]|[\u4e00-\u9fff])(?![年月日号点时])")
"""A further number of the same day, written without its beginning: KF20250303-0001、0002."""
_NEXT_NUMBER = re.compile(r"[;；。]\s*(?=KF\d{8})", re.IGNORECASE)
_SEPARATORS = " \t\u3000、,，;；:：.。和及与"
_READ = re.compile(r"^(?:已阅|已閱|已查阅|阅|閱|已读|知悉|收到|同意)(?:[\s\u3000,，。.;；:：!！]+|$)")
_IMPORTANT = re.compile(r"^(?:列为|列為|标为|标记为|按|属|屬)?重要(?:事项|事項|件|处理)?(?:$|[\s\u3000,，。.;；:：!！、]+)")
_MARKED_WITHIN = re.compile(r"(?<![不未没])(?:列为|标为|标记为|作为|按|属于?)重要")
_NOT_SIGNED = re.compile(
    r"我?(?:还|尚|暂时?|今天|目前)?(?:未|没有?)(?:来得及|有?时间|空)?(?:详?细)?[阅閱看读签](?![到见出明])|不同意|拒签|退回(?!给|业主)|打回|(?:请|须|要|应)?(?:核对|核实|修改|补充|更正|补齐|改正)(?:后|好|完)[^,，。]{0,6}(?:重新?|再)(?:报|送|签)|重报|重新上报"
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
    A line or sentence that begins with ticket numbers is an order for them ("KF20250303-0001 请今天上门"); with 重要 first it marks them
    ("KF20250303-0001 重要"), and what follows is an order as well. A line that names them further on ("请对KF20250303-0001今天上门")
    is an order as it stands, or a mark where it says so ("把KF20250303-0001列为重要").
    """
    read = False
    free: list[str] = []
    orders: dict[str, str] = {}
    important: list[str] = []
    for line in _own_lines(text):
        if not (read or free or orders or important) and _NOT_SIGNED.match(line):
            return SignOff()
        begins = _READ.match(line)
        if begins:
            read, line = True, line[begins.end() :].strip()
        for part in _NEXT_NUMBER.split(line):
            numbers, rest = _addressed(part)
            if numbers:
                mark = _IMPORTANT.match(rest)
                rest = rest[mark.end() :] if mark else rest
            else:
                numbers, rest = _named(part), part.strip()
                mark = _MARKED_WITHIN.search(rest) if numbers else None
                rest = "" if mark else rest
            if numbers:
                important += [n for n in numbers if mark and n not in important]
                _give(orders, numbers if rest else (), rest)
            elif rest and not _COURTESY.fullmatch(rest) and not (read and _NAME.fullmatch(rest)):
                free.append(rest)
            read = read or bool(rest)
    return SignOff(read or bool(free or orders or important), "\n".join(free), orders, tuple(important))


def _give(orders: dict[str, str], numbers: Iterable[str], text: str) -> None:
    for number in numbers:
        orders[number] = f"{orders[number]};{text}" if number in orders else text


def _named(line: str) -> list[str]:
    return list(dict.fromkeys(f"KF{m[1]}-{m[2]}" for m in _NUMBER.finditer(line)))


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
    day = ""
    while match := _NUMBER.match(rest) or (day and _SAME_DAY.match(rest)):
        day = match[1] if match.re is _NUMBER else day
        number = f"KF{day}-{match[match.lastindex or 1]}"
        numbers += [number] if number not in numbers else []
        rest = rest[match.end() :].lstrip(_SEPARATORS)
    return numbers, rest.strip()
