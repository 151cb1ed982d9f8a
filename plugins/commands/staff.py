"""What the staff say of a ticket by mail: acceptance of work, tasks done, orders of superiors, reports read (S0-4.2.4, S1-2.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from kefud.api import (
    AddTask,
    Decision,
    DoneTask,
    Heard,
    LetterRef,
    Ordered,
    Refuse,
    Remark,
    SetFields,
    Site,
    StopClock,
    Ticket,
    Write,
    answered_letter,
    fold,
    local,
    ordered_until,
)

from .departments import Answer, Departments
from .orders import Orders
from .speech import Said, acceptance, spoken

LEAST = 3
"""Characters that say something."""
WORK = ("handled", "in_progress")
"""What tells of work: the handler's word for it, and everybody's where our own centre does it."""
ABOUT_A_TASK = ("reports/task", "reports/undelivered", "reports/alert")
"""Letters that ask the staff for something beside the work itself."""
COLLEAGUES = ("receptionist", "cs_clerk", "cs_specialist", "duty_officer")
"""Whose words are told to the handler, not ordered."""
REPORTS_UP = ("reports/important", "reports/escalation", "reports/emergency", "reports/circulation")
_NODS = re.compile(
    r"[\W_]|已?(?:收到|收悉|签收|阅|知悉|阅知|阅悉|知道|了解|明白|同意)|好的?|辛苦|谢谢|感谢|了|大家|各位|请?按(?:规定|程序|要求|流程)(?:办理?|处理)"
)
_NOD = re.compile(rf"(?:{_NODS.pattern})+")


class Staff:
    """Carries out what a proven member of the staff says; what is no command is read by the handler."""

    def __init__(self, site: Site, departments: Departments, orders: Orders) -> None:
        self.site = site
        self.departments = departments
        self.orders = orders

    def said(self, ticket: Ticket, occasion: Heard, said: list[Said], answer: Answer) -> Iterator[Decision]:
        by, at = occasion.author.id, occasion.message.received_at
        verdict = acceptance(occasion.message.text) if ticket.status == "handled" else None
        if verdict:
            yield from self._accepted(ticket, by, at, *verdict, answer)
            return
        letter = answered_letter(ticket, occasion.message)
        ours = ticket.department in (None, "cs_center")
        beside_the_work = letter and letter.template in ABOUT_A_TASK and not (ours and letter.template == "reports/alert")
        if letter and beside_the_work and (kind := _kind_of_task(letter.key)) != "complete":
            yield from self._task_done(ticket, occasion, kind, said, answer)
            if answer.steps:
                return
        for one in said:
            if one.command == "acknowledge":
                answer.done("acknowledge", "已登记知悉")
                yield Remark(f"{self.departments.name(by)}知悉。{one.text}".strip(), rule="S0-4.2.4")
            elif one.command == "agree" and any(letter.status == "held" for letter in ticket.letters):
                answer.refuse("release", "请直接回复所指函件的“待放行”邮件,以免误放其他函件")
            elif one.command in ("extend", "transfer") or (one.command in WORK and (ours or by == ticket.handler)):
                if one.command == "in_progress" and not ours:  # our own arranging is no signature of the department
                    yield from self.departments.progress(by, one, at)
                    answer.done("in_progress", "已记录进展")
                else:
                    yield from self.departments.carry_out(ticket, by, one, at, answer)
        yield from self._read(ticket, occasion, at, letter, answer)
        if by != ticket.handler and not any(one.command in ("extend", "transfer", "agree") for one in said):
            yield from self._instructed(ticket, occasion, answer)

    def _task_done(self, ticket: Ticket, occasion: Heard, kind: str, said: list[Said], answer: Answer) -> Iterator[Decision]:
        """An answer to the letter of a task is about the task, and no result of the ticket's work (S1-9.1)."""
        done = next((one for one in said if one.command in WORK and fold(one.words).startswith("已")), None)
        if done is None:
            return
        open_one = any(task.kind == kind and task.done_at is None for task in ticket.tasks)
        answer.done("task", "已登记办完" if open_one else "已记入备注,工单状态未变;办理结果请用 handle 登记")
        yield DoneTask(kind, occasion.message.received_at, rule="S1-5.1")
        told = f"{self.departments.name(occasion.author.id)}{'办完待办' if open_one else '来信'}:{spoken(occasion.message.text)[:2000]}"
        yield Remark(told, rule="S1-5.1")

    def _instructed(self, ticket: Ticket, occasion: Heard, answer: Answer) -> Iterator[Decision]:
        """What a superior or a colleague says beside having read it is the handler's to see to (S0-4.2.4)."""
        by, text = occasion.author.id, spoken(occasion.message.text)
        if _NOD.fullmatch(fold(text)) or len(_NODS.sub("", fold(text))) < LEAST:
            return
        who = self.departments.name(by)
        key = f"order:{occasion.message.mark}"
        if by in COLLEAGUES or not ticket.is_open:
            yield Remark(f"{who}来信:{text[:2000]}", rule="S0-4.2.4")
            yield Write("handler", "reports/alert", {"text": f"{who}来信:{text[:2000]}"}, key=key, rule="S0-4.2.4")
        else:
            calendar = self.site.calendar
            until = ordered_until(text, occasion.message.received_at, calendar)
            told = {"text": f"{who}批示：{text[:2000]}", "title": f"{who}批示", "due": local(until, calendar.zone)}
            yield AddTask("order", ticket.handler or "cs_manager", told["text"], until, key=key, rule="S0-4.2.4")
            yield Write("handler", "reports/task", told, key=key, rule="S0-4.2.4", why=f"{who}批示")
            yield Remark(f"{who}批示：{text[:2000]}", rule="S0-4.2.4")
        answer.done("instruct", "已转经办人办理")

    def _accepted(self, ticket: Ticket, by: str, at: datetime, passed: bool, text: str, answer: Answer) -> Iterator[Decision]:
        """Whoever asked for the work says whether it is done, as by `kefud ticket verify` (S1-2.2)."""
        if not passed and len(text) < LEAST:
            answer.refuse("verify", "请写明哪里不合格，以便责任部门重做")
            return
        made = list(self.orders.carry_out(ticket, Ordered(at, "verify", by, {"passed": passed, "text": text})))
        refused = [step.reason for step in made if isinstance(step, Refuse)]
        for reason in refused:
            answer.refuse("verify", reason)
        if refused:
            return
        answer.done("verify", "已登记验收合格" if passed else "已登记验收不合格，退回重做")
        yield from made

    def _read(
        self, ticket: Ticket, occasion: Heard, at: datetime, letter: LetterRef | None, answer: Answer
    ) -> Iterator[Decision]:
        """Who answers a report has read it; with the last reader of what goes round the circulation is over (S0-4.2.4, S1-4.3.6)."""
        by = occasion.author.id
        nods = any(step["command"] == "收到" for step in answer.steps) or bool(_NOD.fullmatch(fold(spoken(occasion.message.text))))
        if not nods and not (letter and letter.template in REPORTS_UP):
            return
        if not answer.steps:
            answer.done("acknowledge", "已登记知悉")
        running = ticket.deadline("important")
        if running and running.open:
            yield StopClock("important", at, rule="S0-4.2.4", why=f"{self.departments.name(by)}已知悉")
        told = {letter.recipient for letter in ticket.letters if letter.template == "reports/circulation"}
        mine = told & {by, *(role.id for role in self.site.role_of(occasion.message.sender.email))}
        if not mine:
            return
        marks = {**(ticket.fields.get("read_marks") or {}), **{role: at.isoformat() for role in sorted(mine)}}
        yield SetFields({"read_marks": marks}, rule="S1-4.3.6", why="已阅")
        running = ticket.deadline("read")
        if running and running.open and not told - set(marks):
            yield StopClock("read", at, rule="S1-4.3.6", why="均已阅")


def _kind_of_task(key: str) -> str:
    """The kind of task a letter of reports/task is about, by the key it was written under."""
    head = re.split(r"[:.]", key, maxsplit=1)[0]
    if head == "undelivered":
        return "call"
    return "answer" if head == "contributions" or head.startswith("approval") else head
