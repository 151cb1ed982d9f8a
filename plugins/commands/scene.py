"""Word from the scene of an emergency: the alarms stop, and whoever was alarmed reads what was found (S1-5.4.2, S2-1.B4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kefud.api import Decision, Heard, Remark, SetFields, Site, StopClock, Ticket, Write, fold, without_personal

from .departments import Answer
from .speech import commands, spoken

ALARMS = ("reports/emergency", "reports/important")
"""Letters that alarm somebody."""
_FOUND = re.compile(
    r"(?:到|抵)达?(?:了)?(?:现场|场)|现场(?:核实|查看|勘查|检查|确认|处置|情况|反馈|报告)|(?:无|没有|未见|未发现)(?:明火|火情|火警|险情|燃气味|泄漏)"
    r"|(?:火|明火|火情|火势|险情|警情|现场|漏水|水|燃气|总?阀门?|电源)(?:已经?|均|都|被|也|得到)*(?:扑灭|灭|熄|排除|解除|控制|关闭|切断|止住)"
    r"|(?:人员?|被困人员|业主|乘客)(?:已经?|均|都|全部|安全)*(?:救出|脱困|疏散|撤离|送医)|虚惊|误报"
)
_NOT_YET = re.compile(r"派|安排|通知|赶往|前往|马上|立即|正在?赶|赶来|路上|还[没未]到|[未没]到|将|准备|尽快|多久|几点|[吗?]")
_CLAUSE = re.compile(r"[^,。;!\n]+")


def tells_of_the_scene(text: str) -> bool:
    """Whether somebody says what was found on site, not that he is on his way."""
    return any(_FOUND.search(clause) and not _NOT_YET.search(clause) for clause in _CLAUSE.findall(fold(text[:2000])))


def from_scene(ticket: Ticket, occasion: Heard, site: Site, who: str, answer: Answer) -> Iterator[Decision]:
    """What the duty officer or those who lead on site report of an open emergency; ``who`` is the writer's name."""
    author, at = occasion.author, occasion.message.received_at
    ours = author.role == "staff"
    if ticket.urgency != "emergency" or not ticket.is_open or not (ours or author.id in (ticket.department, "property_company")):
        return
    text = spoken(occasion.message.text).strip()
    roles = {author.id, *(role.id for role in site.role_of(occasion.message.sender.email))} if ours else {author.id}
    found = tells_of_the_scene(text)
    signs = "duty_officer" in roles and any(said.command == "acknowledge" for said in commands(occasion.message.text))
    running = ticket.deadline("acknowledge")
    if (found or signs) and running and running.open:
        yield StopClock("acknowledge", at, rule="S2-1.B4", why=f"{who}{'现场报告' if found else '签收'}")
    if not found:
        return
    told = f"{who}现场报告:{text[:1000]}"
    yield SetFields({"scene_report": told}, rule="S2-1.B4", why="现场报告")
    yield Remark(told, rule="S2-1.B4")
    alarmed = dict.fromkeys(letter.recipient for letter in ticket.letters if letter.template in ALARMS)
    for to in alarmed:
        if to not in {*roles, ticket.handler}:
            shown = told if site.party(to) is None else without_personal(told, ticket)
            yield Write(to, "reports/alert", {"text": shown}, key=f"scene:{occasion.message.mark}:{to}", rule="S1-5.4.2")
    answer.done("scene", "已登记现场情况,不再重复告警,已告知有关人员")
