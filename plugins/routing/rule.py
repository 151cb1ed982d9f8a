"""The routing rule: department, handler, helpers, approvals and registers of a new ticket (RULES §2, §4, §9)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kefud.api import (
    AddTask,
    Assign,
    Call,
    Decision,
    Draw,
    Effect,
    Join,
    Move,
    Moved,
    Occasion,
    Opened,
    Ordered,
    Paper,
    Party,
    Remark,
    SetFields,
    Site,
    Ticket,
    Write,
    chinese,
    fold,
)  # fmt: skip

from .table import Route, Table, merged

RULE_OF_KIND = {
    "complaint": "S1-9.1", "suggestion": "S1-9.2", "repair": "S1-2.2", "document": "S1-4.3.6", "consultation": "S0-3.2",
}  # fmt: skip


class Routing:
    """Asked when a ticket is opened, comes back to triage after a reopening, or a person corrects its class."""

    name = "routing"

    def __init__(self, site: Site, settings: Mapping[str, Any]) -> None:
        data = tomllib.loads((Path(__file__).parent / "routes.toml").read_text("utf-8"))
        self.site = site
        self.data = merged(data, settings)
        self.table = Table(self.data)

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        if isinstance(occasion, Opened):
            return self._opened(ticket, occasion)
        if isinstance(occasion, Ordered) and occasion.command == "classify":
            return self._routed(ticket, self.table.route(self._corrected(ticket, occasion)))
        if isinstance(occasion, Moved) and occasion.to == "triaged" and occasion.came_from == "reopened":
            return self._routed(ticket, self.table.route(ticket))
        return ()

    def _opened(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        yield from self._registers(ticket, occasion)
        route = self.table.route(ticket)
        yield from self._routed(ticket, route)
        effects = tuple(self._effects(ticket, route))
        if effects:
            yield Effect(effects, rule="S1-4.3.5", why="按分类应办事项")
        if ticket.kind in ("liaison", "document") and not ticket.has("inspection"):
            text = f"来函待办:{ticket.subject or ticket.summary}。办理后登记结果并办结。"
            yield AddTask("letter", route.handler, text, key="letter", rule="S1-4.3.6", why="来函须有人办理、催办、归档")
        yield from self._stood_in(route.handler, occasion)
        yield SetFields({"ladder": self._ladder(route)}, rule="S1-4.1.1", why="逐级上报顺序在立单时确定")
        yield Move("triaged", rule="S1-4.3.5", why="性质、类别、紧急程度、经办人均已确定")

    def _routed(self, ticket: Ticket, route: Route) -> Iterator[Decision]:
        yield Assign(route.department, route.handler, rule=_rule_of(ticket), why=f"{route.why}:{chinese(route.department)}")
        joint = tuple(j for j in route.joint if j not in (route.department, ticket.origin, *ticket.joint))
        if joint:
            yield Join(joint, rule="S0-4.2.2", why="协同答复")
            yield Effect(tuple(f"joint:{j}" for j in joint), rule="S0-4.2.2")
            yield from self._coordinated(ticket, joint)
        fields: dict[str, Any] = {}
        if route.copies:
            fields["copies"] = list(route.copies)
        if route.department == "contractor" and "department" not in ticket.locked and (firm := self._contractor(ticket)):
            fields["contractor"] = firm.id
        if fields:
            yield SetFields(fields, rule="S1-4.3.6", why="抄送与施工单位")

    def _corrected(self, ticket: Ticket, order: Ordered) -> Ticket:
        """The ticket as the person corrects it; the correction itself is made, or refused, by a later rule."""
        given = {name: str(order.args[name]) for name in ("kind", "category", "house") if order.args.get(name) is not None}
        return ticket.changed(**given) if given.get("kind", ticket.kind) in self.data["handlers"] else ticket

    def _stood_in(self, handler: str, occasion: Opened) -> Iterator[Decision]:
        """On a day its holder is away the deputy handles what comes, and the ticket says so (S1-3)."""
        role = self.site.role(handler)
        if role is None:
            return
        acting = role.address_on(self.site.calendar.local(occasion.at).date())
        if acting and acting != role.address:
            why = f"{chinese(role.id)}{role.person}不在岗,由代理人{acting}经办"
            yield SetFields({"stood_in": acting}, rule="S1-3", why=why)
            yield Remark(why, rule="S1-3")

    def _coordinated(self, ticket: Ticket, joint: tuple[str, ...]) -> Iterator[Decision]:
        """Where departments answer together the coordinator is named and told, if the office has one (S2-2.1)."""
        if self.site.role("issue_coordinator") is None:
            return
        names = "、".join(map(chinese, joint))
        yield SetFields({"coordinator": "issue_coordinator"}, rule="S2-2.1", why=f"协同{names},由问题协调员跟进")
        told = {"text": f"本件须{names}协同,请跟进各部门意见:{ticket.summary or ticket.subject}"}
        yield Write("issue_coordinator", "reports/alert", told, key="coordinator", rule="S2-2.1", why="协同件指定协调员")

    def _effects(self, ticket: Ticket, route: Route) -> Iterator[str]:
        answerable = ticket.origin != "anonymous"
        if ticket.urgency == "emergency" and ticket.fields.get("emergency_plan"):
            yield f"emergency_plan:{ticket.fields['emergency_plan']}"
        if ticket.important:
            yield f"report_up:{self.data['report']['again' if ticket.round > 1 else 'first']}"
        if ticket.fields.get("at_handover") and ticket.category == "house_quality":
            yield f"report_up:{self.data['report']['handover']}"
        if route.approval and ticket.origin not in self.data["origins"]["without_approval"] and ticket.kind != "praise":
            yield f"approval_required:{route.approval}"
            if answerable:
                yield "holding_reply_without_content"
        if ticket.kind == "suggestion":
            yield from ("adoption_decision_required", "thanks_on_adoption")
        if ticket.kind == "praise" and ticket.fields.get("praised"):
            yield f"praise_forward:{ticket.fields['praised']}"
        if self._is_circulated(ticket):
            yield "circulation"
        if self._is_answered_in_writing(ticket):
            yield f"written_reply_to:{ticket.origin}"
        if ticket.category == "design" and route.department == "design":
            yield "design_reasonableness_check"
        if ticket.has("major_quality"):
            yield "liability_determination"
        if route.handler in ("cs_manager", "leader_in_charge") and ticket.fields.get("accused") in ("cs_center", "cs_manager"):
            yield "conflict_of_interest"

    def _is_circulated(self, ticket: Ticket) -> bool:
        """Letters of offices go round among the staff with read marks (S1-4.3.4, S1-5.5.3)."""
        if ticket.kind == "document":
            return True
        if ticket.has("inspection"):
            return False
        told = ticket.kind == "liaison" and ticket.category in self.data["origins"]["circulated"]
        return told and ticket.origin != "contractor"

    def _is_answered_in_writing(self, ticket: Ticket) -> bool:
        owed = self.data["origins"]["answered_in_writing"].get(ticket.origin)
        return owed is not None and (not owed or ticket.category in owed)

    def _registers(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        message = occasion.message
        yield Draw("front_desk_ledger", rule="S0-4.1.4", why="每件来件即时入台帐")
        if message.call:
            yield Draw("call_register", _call(message.call), rule="S2-5.2")
        if message.paper:
            yield Draw("box_register", _paper(message.paper, message.digest), rule="S1-5.4.3")
        if message.medium != "call" and (ticket.kind == "document" or ticket.origin in self.data["origins"]["registered"]):
            yield Draw("doc_in_register", self._incoming(ticket, occasion), rule="S1-4.3.6")

    def _incoming(self, ticket: Ticket, occasion: Opened) -> dict[str, Any]:
        numbers = [e.partition(":")[2] for e in ticket.effects if e.startswith("incoming_notice_no:")]
        message = occasion.message
        return {
            "number": numbers[0] if numbers else "",
            "title": message.subject or ticket.subject,
            "sender": message.sender.name or chinese(ticket.origin),
            "received_at": message.received_at.isoformat(),
            "attachments": len(message.attachments),
        }

    def _contractor(self, ticket: Ticket) -> Party | None:
        """The firm whose trade the words name, else one that handles the category, else the first (S1-2.2)."""
        firms = [p for p in self.site.parties if p.kind == "contractor"]
        text = fold(f"{ticket.subject}{ticket.summary}{ticket.text}")
        fit = [(sum(fold(k) in text for k in p.keywords), ticket.category in p.handles) for p in firms]
        return firms[max(range(len(firms)), key=lambda i: (fit[i], -i))] if firms else None

    def _ladder(self, route: Route) -> list[str]:
        """The rungs above the handler; two neighbouring rungs held by one person are one (S0, S1-4.1.1)."""
        rungs = list(self.data["ladder"]["rungs"])
        if route.handler in rungs:
            rungs = rungs[rungs.index(route.handler) + 1 :]
        kept: list[str] = []
        before = self._holder(route.handler)
        for rung in rungs:
            holder = self._holder(rung)
            if not holder or holder != before:
                kept.append(rung)
            before = holder or before
        return kept

    def _holder(self, id: str) -> str:
        role = self.site.role(id)
        return (role.address or role.person).lower() if role else ""


def _rule_of(ticket: Ticket) -> str:
    if ticket.has("outside_scope") and not ticket.house:
        return "S0-2.0"
    if ticket.urgency == "emergency":
        return "S1-5.4.2"
    return RULE_OF_KIND.get(ticket.kind, "S1-4.3.5")


def _paper(paper: Paper, scan: str) -> dict[str, Any]:
    return {
        "box": paper.box, "opened_at": paper.opened_at.isoformat(), "registered": paper.registered, "opener": paper.opener,
        "witness": paper.witness, "lock": paper.lock, "pages": paper.pages, "scan": scan,
    }  # fmt: skip


def _call(call: Call) -> dict[str, Any]:
    return {
        "call_id": call.call_id, "started_at": call.started_at.isoformat(), "direction": call.direction, "status": call.status,
        "caller": call.caller, "callee": call.callee, "agent": call.agent, "ring_seconds": call.ring_seconds,
        "talk_seconds": call.talk_seconds, "customer": call.customer, "house": call.house, "content": call.content,
        "result": call.result, "recording": call.recording,
    }  # fmt: skip
