"""Matters we may not answer ourselves wait for the approver's word (S0-4.2.3, S0-4.2.6); until then no content leaves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from kefud.api import (
    AddTask,
    Decision,
    Draw,
    Effect,
    Heard,
    Move,
    Occasion,
    Opened,
    Ordered,
    Refuse,
    Remark,
    Reply,
    Rule,
    SetFields,
    Signed,
    Site,
    Ticket,
    Write,
    answered_letter,
    chinese,
    hookimpl,
    local,
    objection,
    signed,
)  # fmt: skip

CUSTOMERS = ("owner", "anonymous", "internal", "owners_committee")
CLOSING = ("consultation",)
"""Kinds whose approved answer ends the matter."""


class Approvals:
    """Ask first, then say exactly what was approved."""

    name = "approvals"

    def __init__(self, site: Site) -> None:
        self.site = site

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened() if ticket.status == "triaged" and approver(ticket):
                return self._ask(ticket, occasion)
            case Ordered(command="approve" | "reject"):
                return self._ordered(ticket, occasion)
            case Heard() if ticket.status == "need_approval":
                return self._heard(ticket, occasion)
        return ()

    def _ask(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        role = approver(ticket)
        rule, why, matter = _asked(ticket, role)
        asked_by = ticket.handler or "cs_clerk"
        asked = {"matter": matter, "asked_by": asked_by, "asked_at": occasion.at.isoformat(), "approver": role}
        yield SetFields({"approval_matter": matter, "approval_asked": [role]}, rule=rule, why=why)
        yield Draw("approval_request", asked, rule=rule, why=why)
        asked["proposal"] = str(ticket.fields.get("proposed_answer") or "")
        yield Write(role, "reports/approval-request", asked, key=f"approval:{role}", rule=rule, why=why)
        if _holding(ticket, occasion):
            yield Effect(("holding_reply_without_content",), rule=rule, why="批示前只告知已受理")
            if occasion.parts == 1:
                template = "replies/holding" if ticket.origin in CUSTOMERS else "replies/acknowledgement-letter"
                yield Reply(template, meets="first_response", rule=rule, why="批示前只告知已受理")
        yield Move("need_approval", rule=rule, why=why)

    def _ordered(self, ticket: Ticket, occasion: Ordered) -> Iterator[Decision]:
        if ticket.status != "need_approval":
            yield Refuse(f"工单当前为“{chinese(ticket.status)}”,没有待批示的请示")
        elif occasion.by not in entitled(ticket):
            names = "、".join(chinese(role) for role in entitled(ticket))
            yield Refuse(f"本件由{names}批示(S0-4.2.3)", rule="S0-4.2.3")
        else:
            text = str(occasion.args.get("text") or occasion.text or "")
            yield from self._decided(ticket, Signed(occasion.command == "approve", text.strip()), occasion.by, occasion.at)

    def _heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        role = self._approving_role(ticket, occasion)
        letter = answered_letter(ticket, occasion.message)
        if not role or (letter and letter.template == "reports/held"):
            return  # about a letter that is held: the plugin commands reads it
        said = signed(occasion.message.text)
        if said is None:
            told = f"{chinese(role)}来信未见“同意”或“不同意”,请示继续等待批示:{occasion.message.text.strip()[:2000]}"
            yield Remark(told, rule="S0-4.2.3")
            yield Write("handler", "reports/alert", {"text": told}, key=f"unsigned:{occasion.message.mark}", rule="S0-4.2.3")
            refused = ["未见“同意”或“不同意”,请示继续等待批示;请在首行写明"]
            yield self._transcript(occasion, {"steps": [], "refused": refused, "ignored": True})
        else:
            yield from self._decided(ticket, said, role, occasion.at)
            yield self._transcript(occasion, {"steps": [_understood(ticket, said)], "refused": []})

    def _transcript(self, occasion: Heard, told: dict[str, Any]) -> Write:
        """What was made of the mail, to whoever wrote it."""
        message = occasion.message
        to = message.sender.email or occasion.author.id
        data = {"at": local(message.received_at, self.site.calendar.zone), **told}
        return Write(to, "commands/transcript", data, key=f"transcript:{message.mark}", rule="S0-4.2.3", why="批示已登记")

    def _approving_role(self, ticket: Ticket, occasion: Heard) -> str:
        author = occasion.author
        if not author.verified or author.role not in ("staff", "party"):
            return ""
        held = {author.id, *(role.id for role in self.site.role_of(occasion.message.sender.email))}
        return next((role for role in entitled(ticket) if role in held), "")

    def _decided(self, ticket: Ticket, said: Signed, by: str, at: datetime) -> Iterator[Decision]:
        text = said.text or (str(ticket.fields.get("proposed_answer") or "") if said.approved else "")
        decision = "同意" if said.approved else "不同意"
        why = f"{chinese(by)}批示:{decision}"
        decided = {"approval_decision": decision, "approval_by": by, "approval_at": at.isoformat()}
        yield SetFields(decided, rule="S0-4.2.3", why=why)
        if not said.approved:
            yield SetFields({"approval_reason": text}, rule="S0-4.2.3", why=why)
            yield Move("triaged", by, rule="S0-4.2.3", why=why)
            yield from _task(ticket, "answer", f"请示未获同意:{text or '未写理由'}。请据此拟定答复或另行请示。", "approval-rejected")
            return
        yield SetFields({"approved_text": text}, rule="S0-4.2.3", why=why)
        yield Move("triaged", by, rule="S0-4.2.3", why=why)
        if ticket.category == "activity":
            event = f"活动已获批准,请安排配合:{'。'.join(filter(None, (text, said.remark))) or ticket.summary or ticket.subject}"
            yield AddTask("event", "property_manager", event, key="event", rule="S0-4.2.6", why=why)
        if said.remark:
            yield Remark(f"{why},并交代:{said.remark}", rule="S0-4.2.3")
        if said.waits:
            proposed = f"批准的答复:{text}" if text else "请据此拟定答复"
            told = f"请示已获同意,另有交代:{said.remark}。请先照办,再答复顾客;{proposed}"
            yield from _task(ticket, "answer", told, f"approval-remark:{at.isoformat()}")
            return
        if said.remark:
            told = {"text": f"{why},并交代(未发给顾客):{said.remark}"}
            yield Write("handler", "reports/alert", told, key=f"approval-remark:{at.isoformat()}", rule="S0-4.2.3")
        yield from _say(ticket, text, why)


def approver(ticket: Ticket) -> str:
    """The role that must decide, "" where the matter needs nobody's leave."""
    prefix = "approval_required:"
    return next((name.removeprefix(prefix) for name in ticket.effects if name.startswith(prefix)), "")


def _asked(ticket: Ticket, role: str) -> tuple[str, str, str]:
    """By which rule the approver is asked, why, and about what."""
    matter = ticket.summary or ticket.subject
    if ticket.has("outside_scope"):
        estate = ticket.fields.get("outside_estate") or "其他小区"
        return "S0-2.0", f"所述地点为{estate},须先请示{chinese(role)}", f"所述地点为{estate},似不属本小区,如何答复:{matter}"
    rule = "S0-4.2.6" if ticket.category == "activity" else "S0-4.2.3"
    return rule, f"{chinese(ticket.category)}须先请示{chinese(role)}", matter


def entitled(ticket: Ticket) -> tuple[str, ...]:
    """The roles asked so far: the approver and, where the request went up, the rungs above."""
    return tuple(ticket.fields.get("approval_asked") or (approver(ticket),))


def _understood(ticket: Ticket, said: Signed) -> dict[str, Any]:
    """What a decision came to, as its writer is told."""
    if not said.approved:
        return {"ok": True, "command": "不同意", "text": f"已登记,退回{chinese(ticket.handler or 'cs_clerk')}"}
    if said.waits:
        return {"ok": True, "command": "同意", "text": "已登记,由经办人照交代办理后答复;交代的话不发给顾客"}
    if not (said.text or ticket.fields.get("proposed_answer")):
        return {"ok": True, "command": "同意", "text": "已登记,由经办人拟定答复"}
    sent = bool(ticket.reply_address) and ticket.kind in CLOSING
    return {"ok": True, "command": "同意", "text": "已按批准文本答复" if sent else "已登记,由经办人按批准文本答复"}


def _holding(ticket: Ticket, occasion: Opened) -> bool:
    return occasion.may_answer and occasion.message.medium == "mail" and bool(ticket.reply_address)


def _say(ticket: Ticket, text: str, why: str) -> Iterator[Decision]:
    if not text:
        yield from _task(ticket, "answer", "请示已获同意,批示未附答复文本。请拟定答复后发出。", "approval-text")
        return
    if not ticket.reply_address or ticket.kind not in CLOSING:
        yield from _task(ticket, "answer", f"请示已获同意,请按批准文本答复顾客:{text}", "approval-answer")
        return
    waits = bool(objection(text, approved=True))
    yield SetFields({"held_answer": text} if waits else {"answer": text, "held_answer": ""}, rule="S0-1.0", why=why)
    yield Reply("replies/answer", {"answer": text, "approved": True}, meets="reply", rule="S0-4.2.3", why=why)
    if waits:
        return
    yield Move("answered", rule="S0-4.2.3", why="按批准文本答复")
    yield Move("closed", rule="S0-1.0", why="咨询已答复")


def _task(ticket: Ticket, kind: str, text: str, key: str) -> Iterator[Decision]:
    """What is left to the handler, as a task and by letter."""
    yield AddTask(kind, ticket.handler or "cs_clerk", text, key=key, rule="S0-4.2.3")
    how = f"拟好后登记：kefud ticket reply {ticket.number} --text 答复。"
    yield Write("handler", "reports/task", {"text": text, "how": how}, key=key, rule="S0-4.2.3")


SETTINGS = ()
"""Keys of [plugin.approvals]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Approvals(site)]
