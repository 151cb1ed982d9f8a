"""Watching: chasers, the ladder, stuck departments, progress messages, letters that came back (S1-4.3.6, S0-4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

from kefud.api import (
    PROGRESS_LEAD,
    AddTask,
    Deadline,
    Decision,
    DropClock,
    Due,
    Escalate,
    Occasion,
    Remark,
    Reminded,
    Reply,
    Returned,
    Rule,
    SetFields,
    Site,
    StartClock,
    StopClock,
    Ticket,
    Write,
    answer_deadline,
    as_instant,
    chinese,
    due,
    fold,
    hookimpl,
    local,
)

from .returned import ReturnedLetters
from .steps import Step, last_step

LADDER = ("cs_supervisor", "cs_manager", "leader_in_charge", "leadership")
ALARMS = 12
"""How often an emergency that nobody signs for is alarmed again: for an hour, while the ladder goes on climbing."""
APPROVERS = ("pm_dept_manager", "director", "leadership")
WORKING = ("assigned", "acknowledged", "in_progress", "reopened")
PROMISED = ("resolve", "reply", "plan", "reply_to_property", "reply_to_sales")
BY_DEPARTMENT = ("resolve", "rectify", "drawing", "opinion", "reply", "reply_to_property", "reply_to_sales")
"""Deadlines on which the department's work depends; the others are the handler's own."""

NAMES = {
    "first_response": "首次响应", "plan": "详细解决方案", "reply": "答复", "notice_property": "书面通知物业公司",
    "notice_engineering": "书面通知工程部", "reply_to_property": "书面答复物业公司", "reply_to_sales": "书面答复销售部",
    "drawing": "出图及设计工单", "approval": "请示批复", "callback": "回拨", "resolve": "办结", "rectify": "整改", "read": "传阅",
    "visit": "回访", "opinion": "部门答复",
    "thanks": "答谢",
}  # fmt: skip
STATES = {
    "registered": "事项已登记,正在分派经办部门。",
    "triaged": "经办人正在核实情况,安排处理。",
    "need_approval": "事项正在请示,批复后即答复您。",
    "need_info": "正在等待补充资料,同时继续核实。",
    "assigned": "已书面转交责任部门,正在跟进其签收和安排。",
    "acknowledged": "责任部门已签收,正在安排处理。",
    "in_progress": "责任部门正在处理,我们持续跟进。",
    "handled": "责任部门已处理,我们正在验收。",
    "verified": "处理结果已验收,即将答复您。",
    "reopened": "已重新安排处理,由主管督办。",
}
TO_BE_ANSWERED = "意见已齐,正在拟定答复。"
"""What contributions or a word on a suggestion have brought to an end: there is no work to accept."""
COORDINATED = "正在协调落实责任部门,我们持续跟进。"
"""What no department has taken on yet, though one has answered."""

_DAY_OF_SAYING = re.compile(r"[今明后昨][天日早晚]|马上|立即|稍后|刚")


class Escalation:
    """Nothing is forgotten: each step of each deadline happens once, to those who can do something about it."""

    name = "escalation"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.calendar = site.calendar
        self.returned = ReturnedLetters(site)
        self._special: dict[str, Callable[[Ticket, Deadline, datetime], Iterator[Decision]]] = {
            "progress": self._progress,
            "sign_off": self._sign_off,
            "acknowledge": self._unacknowledged,
            "important": self._important,
            "read": self._unread,
        }

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Due():
                deadline = ticket.deadline(occasion.name)
                if deadline is None or not deadline.open:
                    return ()
                special = self._special.get(occasion.name)
                return special(ticket, deadline, occasion.at) if special else self._chased(ticket, deadline, occasion.at)
            case Returned():
                return self.returned.came_back(ticket, occasion)
        return ()

    def _unread(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        """Who has not read what goes round is asked again each service day; that is nobody else's affair (S1-4.3.6)."""
        step = last_step(deadline, at, self.calendar)
        waiting = unread(ticket)
        if not waiting:
            yield StopClock("read", at, rule=deadline.rule, why="均已阅")
            return
        yield Reminded("read", step.done, step.next_at, rule=deadline.rule, why=step.name or "尚未到下一步")
        for role in waiting if step.name and ticket.is_open else ():
            yield self._chaser(role, deadline, step)

    def _chased(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        step = last_step(deadline, at, self.calendar)
        if not ticket.is_open:
            yield Reminded(deadline.name, step.done, None, rule=deadline.rule, why="工单已结束,不再催办")
            return
        known_late = bool(step.passed_at and ticket.created_at and step.passed_at <= ticket.created_at)
        why = f"收件时已过{step.name}%" if known_late and step.late <= 0 else "收件时已逾期" if known_late else step.name
        yield Reminded(deadline.name, step.done, step.next_at, rule="S1-4.3.6", why=why or "尚未到下一步")
        if not step.name:
            return
        if known_late:
            yield from self._came_late(ticket, deadline, step)
            return
        for to in self._asked(ticket, deadline):
            yield self._chaser(to, deadline, step)
        if deadline.name == "approval" and step.late >= 0:
            yield from self._higher_approval(ticket, deadline, step)
        elif step.late >= 0:
            yield from self._up(ticket, deadline, step)

    def _came_late(self, ticket: Ticket, deadline: Deadline, step: Step) -> Iterator[Decision]:
        """The term had passed when we took the matter in: no fault of those who are only asked now. A superior learns of it."""
        if step.late < 0 or deadline.name == "approval" or _answer_is_on_its_way(ticket, deadline):
            return
        yield self._chaser("handler", deadline, step)
        ladder = tuple(ticket.fields.get("ladder") or LADDER)
        if not ticket.rung and ladder:
            why = f"我中心收到来件时,{_name(deadline)}时限已过({deadline.rule})"
            yield Escalate(ladder[0], 1, rule="S1-4.1.1", why=why)
            yield self._report(ladder[0], ticket, deadline, why, step)

    def _asked(self, ticket: Ticket, deadline: Deadline) -> tuple[str, ...]:
        """Who is chased: the approver, the departments that have not done their part, and always the handler."""
        if deadline.name == "approval":
            return tuple(ticket.fields.get("approval_asked") or _approver(ticket))[-1:]
        if deadline.name not in BY_DEPARTMENT:
            return ("handler",)
        given = ticket.fields.get("contributions") or {}
        late = [joint for joint in ticket.joint if joint not in given]
        if ticket.department not in (None, "cs_center") and ticket.status in WORKING:
            late.insert(0, "department")
        return (*late, "handler")

    def _chaser(self, to: str, deadline: Deadline, step: Step) -> Write:
        data = {"step": step.name, "name_zh": _name(deadline), "due": self._text(deadline.due), "rule": deadline.rule}
        why = f"{_name(deadline)}时限{step.name}%" if step.late <= 0 else f"{_name(deadline)}逾期第{step.late}个服务日"
        key, before = _key("chase", deadline, step.name, to), f"chase:{deadline.name}:"
        return Write(to, "reports/chaser", data, key=key, instead=before, rule="S1-4.3.6", why=why)

    def _up(self, ticket: Ticket, deadline: Deadline, step: Step) -> Iterator[Decision]:
        ladder = tuple(ticket.fields.get("ladder") or LADDER)
        place = min(step.late, ticket.rung)
        if place < len(ladder):
            why = f"{_name(deadline)}逾期({deadline.rule})"
            yield Escalate(ladder[place], place + 1, rule="S1-4.1.1", why=why)
            yield self._report(ladder[place], ticket, deadline, why, step)
        stuck = deadline.name in BY_DEPARTMENT and ticket.status in WORKING
        if stuck and (ticket.department not in (None, "cs_center") or ticket.has_unanswered_joint):
            why = f"责任部门{_name(deadline)}逾期"
            key = _key("stuck", deadline, "overdue", "property_manager")
            data = {"reason": why, "due": self._text(deadline.due), "rule": deadline.rule}
            yield Write("property_manager", "reports/escalation", data, key=key, rule="S0-4.2.2", why=why)

    def _report(self, to: str, ticket: Ticket, deadline: Deadline, why: str, step: Step) -> Write:
        data: dict[str, Any] = {"reason": why, "due": self._text(deadline.due), "rule": deadline.rule}
        if chased := sum(1 for x in ticket.letters if x.template == "reports/chaser" and x.status == "sent"):
            data["steps"] = f"{chased}次"
        key, before = _key("up", deadline, step.name, to), f"up:{deadline.name}:"
        return Write(to, "reports/escalation", data, key=key, instead=before, rule="S1-4.1.1", why=why)

    def _higher_approval(self, ticket: Ticket, deadline: Deadline, step: Step) -> Iterator[Decision]:
        asked = list(ticket.fields.get("approval_asked") or _approver(ticket))
        above = APPROVERS[APPROVERS.index(asked[-1]) + 1 :] if asked and asked[-1] in APPROVERS else ()
        if not above:
            return
        why = f"{chinese(asked[-1])}逾时未批示,报{chinese(above[0])}"
        data = {
            "matter": ticket.fields.get("approval_matter") or ticket.summary, "due": self._text(deadline.due),
            "proposal": ticket.fields.get("proposed_answer") or "",
        }  # fmt: skip
        yield SetFields({"approval_asked": [*asked, above[0]]}, rule="S0-4.2.3", why=why)
        yield Escalate(above[0], len(asked), rule="S0-4.2.3", why=why)
        yield Write(above[0], "reports/approval-request", data, key=f"approval:{above[0]}", rule="S0-4.2.3", why=why)

    def _progress(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        """The regular word to the customer, never empty, and the next one is set at once (S3-2.3.2)."""
        if ticket.status in ("answered", "visiting") or not ticket.is_open:
            yield DropClock("progress", rule=deadline.rule, why="已答复顾客")
            return
        if at < deadline.due - PROGRESS_LEAD:
            yield Reminded("progress", 0, deadline.due - PROGRESS_LEAD, rule=deadline.rule)
            return
        yield StopClock("progress", at, rule=deadline.rule, why="告知进展")
        term = self.site.term("progress.normal" if ticket.urgency == "normal" else "progress.urgent")
        end = due(at, term, self.calendar)
        again = end - PROGRESS_LEAD
        yield StartClock("progress", at, end, term=str(term), next_at=again, rule=deadline.rule, why="下一次进展告知")
        said = self._how_far(ticket, at)
        if ticket.reply_address:
            told = answer_deadline(ticket)
            late = bool(told and told < at) or any(d.open and d.due < at and d.name in PROMISED for d in ticket.deadlines if not told)
            yield Reply("replies/progress", {"progress": said, "late": late}, rule=deadline.rule, why="告知进展")
        elif not _open_task(ticket, "progress"):
            text, key = f"请电话告知顾客进展:{said}", f"progress:{at:%Y%m%d}"
            yield AddTask("progress", ticket.handler or "cs_clerk", text, due=end, key=key, rule=deadline.rule)

    def _how_far(self, ticket: Ticket, at: datetime) -> str:
        """What was last said of the work, with its day where that is not today: 明天 is a word of the day it was said (S3-2.3.2)."""
        note = str(ticket.fields.get("progress_note") or "")
        if not note or ticket.status in ("handled", "verified"):  # said before it was done
            return _stands(ticket)
        said_at = as_instant(ticket.fields.get("progress_at"))
        if said_at is None:  # said before its day was kept
            return _stands(ticket) if _DAY_OF_SAYING.search(fold(note)) else note
        day = self.calendar.local(said_at).date()
        if day == self.calendar.local(at).date():
            return note
        by_us = self.site.party(str(ticket.fields.get("progress_by") or "")) is None
        return f"{day.month}月{day.day}日{'告知' if by_us else '报告'}:{note}"

    def _sign_off(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        if at < deadline.due:
            yield Reminded("sign_off", 0, deadline.due, rule=deadline.rule)
            return
        yield Reminded("sign_off", 1, None, rule=deadline.rule, why="联系单未签收,电话提醒")
        silent = self._unsigned(ticket)
        numbers = "、".join(number for id in silent for number in _notices_to(ticket, id))
        text = f"联系单{numbers}发出后两个服务小时仍未签收,请电话提醒{self._department(ticket)}"
        yield AddTask("phone", ticket.handler or "cs_clerk", text, key=f"phone:{ticket.round}", rule=deadline.rule)
        yield Write("handler", "reports/task", {"text": text}, key=_key("phone", deadline, "", "handler"), rule=deadline.rule)

    def _unacknowledged(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        if _is_dealt_with(ticket):
            yield DropClock("acknowledge", rule=deadline.rule, why="已处理,不再催签")
            return
        if at < deadline.due:
            yield Reminded("acknowledge", 0, deadline.due, rule=deadline.rule)
            return
        if ticket.urgency == "emergency":
            yield from self._alarm_again(ticket, deadline, at)
            return
        yield Reminded("acknowledge", 1, None, rule="S0-4.2.2", why="部门未签收,报物业经理协调")
        why = f"{self._department(ticket)}收到联系单后四个服务小时仍未签收"
        data = {"reason": why, "due": self._text(deadline.due), "rule": deadline.rule}
        key = _key("stuck", deadline, "silent", "property_manager")
        yield Write("property_manager", "reports/escalation", data, key=key, rule="S0-4.2.2", why=why)
        yield Remark(why, rule="S0-4.2.2")

    def _alarm_again(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        """Nobody on site has signed: alarm again every five minutes, from the second time the property manager too."""
        done = deadline.steps + 1
        wake = due(at, self.site.term("first_response.emergency"), self.calendar) if done < ALARMS else None
        yield Reminded("acknowledge", done, wake, rule="S2-1.B4", why="紧急事件未签收,再次告警")
        for to in ("duty_officer", "property_company", *(("property_manager",) if done > 1 else ())):
            data = {"plan": ticket.fields.get("emergency_plan") or ""}
            key = _key("alarm", deadline, str(done), to)
            why = f"第{done + 1}次告警"
            yield Write(to, "reports/emergency", data, key=key, instead="alarm:", rule="S2-1.B4", why=why)

    def _important(self, ticket: Ticket, deadline: Deadline, at: datetime) -> Iterator[Decision]:
        """Not acknowledged: one rung further every half hour, up to the top of the ladder (S0-4.2.1)."""
        if _is_dealt_with(ticket):
            yield DropClock("important", rule=deadline.rule, why="已处理,不再逐级上报")
            return
        if at < deadline.due:
            yield Reminded("important", 0, deadline.due, rule=deadline.rule)
            return
        ladder = tuple(ticket.fields.get("ladder") or LADDER)
        told = [place for place, role in enumerate(ladder) if role in ticket.notify or ticket.has(f"report_up:{role}")]
        place = max(told, default=-1) + 1 + deadline.steps
        wake = due(at, self.site.term("important.acknowledge"), self.calendar) if place + 1 < len(ladder) else None
        yield Reminded("important", deadline.steps + 1, wake, rule=deadline.rule, why="重要事项未签阅")
        if place < len(ladder):
            why = "重要事项三十分钟内未签阅,报上一级"
            yield Escalate(ladder[place], place + 1, rule="S0-4.2.5", why=why)
            key = _key("important", deadline, str(place), ladder[place])
            again = f"本轮顾客反映:{ticket.fields.get('visit_reason')}" if ticket.round > 1 and ticket.fields.get("visit_reason") else ""
            reasons = [why, *filter(None, [again, str(ticket.fields.get("scene_report") or "")])]
            yield Write(ladder[place], "reports/important", {"reasons": reasons}, key=key, rule="S0-4.2.5", why=why)

    def _department(self, ticket: Ticket) -> str:
        """Who has not signed: the leading department; where we lead, those who were asked to contribute."""
        return "、".join(self._name_of(ticket, id) for id in self._unsigned(ticket))

    def _unsigned(self, ticket: Ticket) -> list[str]:
        if ticket.department in (None, "cs_center") and ticket.has_unanswered_joint:
            given = ticket.fields.get("contributions") or {}
            return [id for id in ticket.joint if id not in given]
        return [ticket.department or "cs_center"]

    def _name_of(self, ticket: Ticket, id: str) -> str:
        party = self.site.party(str(ticket.fields.get("contractor") or id) if id == "contractor" else id)
        return party.name if party and party.name else chinese(id)

    def _text(self, instant: datetime) -> str:
        return local(instant, self.calendar.zone)


def _notices_to(ticket: Ticket, id: str) -> list[str]:
    """The numbers of the notices that stand for a department; for "contractor" those of the firm chosen."""
    its = str(ticket.fields.get("contractor") or id) if id == "contractor" else id
    return [d.number for d in ticket.documents if d.form == "notice" and not d.void and d.to == its][-1:]


def _stands(ticket: Ticket) -> str:
    """Where the matter stands, in a sentence for the customer: what nobody accepts is not said to be accepted (S3-2.3.2)."""
    if ticket.status == "handled" and ticket.kind not in ("complaint", "repair") and not _open_task(ticket, "verify"):
        return TO_BE_ANSWERED
    if ticket.status in WORKING and _open_task(ticket, "coordinate"):
        return COORDINATED
    return STATES.get(ticket.status, "事项正在办理,我们持续跟进。")


def _is_dealt_with(ticket: Ticket) -> bool:
    return not ticket.is_open or ticket.status in ("handled", "verified", "answered", "visiting")


def _answer_is_on_its_way(ticket: Ticket, deadline: Deadline) -> bool:
    return any(x.status in ("pending", "leased") and deadline.name in x.meets.replace(" ", "").split(",") for x in ticket.letters)


def unread(ticket: Ticket) -> tuple[str, ...]:
    """The roles that got what goes round and have not said that they read it."""
    marks = ticket.fields.get("read_marks") or {}
    told = (letter.recipient for letter in ticket.letters if letter.template == "reports/circulation")
    return tuple(dict.fromkeys(role for role in told if role not in marks))


def _approver(ticket: Ticket) -> tuple[str, ...]:
    prefix = "approval_required:"
    return tuple(name.removeprefix(prefix) for name in ticket.effects if name.startswith(prefix))[:1]


def _name(deadline: Deadline) -> str:
    return NAMES.get(deadline.name, deadline.name)


def _key(what: str, deadline: Deadline, step: str, to: str) -> str:
    """Unique for the step of this deadline: a moved deadline has steps of its own."""
    return f"{what}:{deadline.name}:{deadline.due:%Y%m%dT%H%M}:{step}:{to}"


def _open_task(ticket: Ticket, kind: str) -> bool:
    return any(task.kind == kind and task.done_at is None for task in ticket.tasks)


SETTINGS = ()
"""Keys of [plugin.escalation]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Escalation(site)]
