"""Letters that came back: a notice goes out again under its number, people are told, the deadline stays (S1-5.7.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kefud.api import AddTask, Decision, Document, Effect, Remark, Returned, Site, Ticket, Write, chinese, due, local


class ReturnedLetters:
    def __init__(self, site: Site) -> None:
        self.site = site

    def came_back(self, ticket: Ticket, occasion: Returned) -> Iterator[Decision]:
        """What to do about a letter that was refused or bounced."""
        what = f"{occasion.document or occasion.template} 未送达 {chinese(occasion.to)}"
        if not occasion.bounce.permanent:
            yield Remark(f"{what}:暂时退信,继续投递", rule="S1-5.7.1")
        elif occasion.template.startswith("notices/"):
            yield from self._notice(ticket, occasion)
        elif occasion.template.startswith("replies/"):
            yield from self._reply(ticket, occasion)
        else:
            yield Remark(f"{what}:{occasion.bounce.reason or occasion.bounce.status}", rule="S1-4.3.6")
            if not _open_task(ticket, "undelivered"):
                yield AddTask("undelivered", "cs_manager", f"{what},请核对地址", key=f"undelivered:{occasion.message_id}")

    def _notice(self, ticket: Ticket, occasion: Returned) -> Iterator[Decision]:
        rule = "S1-5.7.1"
        document = _notice_of(ticket, occasion)
        number = occasion.document or (document.number if document else "")
        party = self.site.party(occasion.to)
        fallback = party.fallback if party else ""
        again = fallback if fallback and fallback.lower() not in occasion.address.lower() else ""
        yield Effect((f"notice_undelivered:{number}",), rule=rule, why=f"联系单退回:{occasion.bounce.reason}")
        if again and document:
            yield Effect((f"resend_to:{again}",), rule=rule, why="改投备用地址,编号和时限不变")
            yield Write(
                again,
                occasion.template,
                {"notice": self._said(ticket, document, occasion.to)},
                key=f"resend:{number}:{again}",
                documents=(number,),
                rule=rule,
                why="改投备用地址",
            )
        elif not _open_task(ticket, "deliver"):
            text = f"联系单{number}未能以邮件送达{chinese(occasion.to)},请打印送达或电话通知并记录签收"
            yield AddTask("deliver", ticket.handler or "cs_clerk", text, key=f"deliver:{number}", rule=rule)
        yield from self._alert(ticket, occasion, number, again)

    def _alert(self, ticket: Ticket, occasion: Returned, number: str, again: str) -> Iterator[Decision]:
        clock = next((d for n in ("notice_property", "notice_engineering") if (d := ticket.deadline(n)) and d.open), None)
        data = {
            "document": number or chinese(occasion.template), "to_zh": self._name(occasion.to), "address": occasion.address,
            "reason": occasion.bounce.reason or occasion.bounce.status, "resent_to": again,
            "due": local(clock.due, self.site.calendar.zone) if clock else "",
        }  # fmt: skip
        for role in ("handler", "cs_supervisor"):
            key = f"undelivered:{occasion.message_id}:{role}"
            yield Write(role, "reports/undelivered", data, key=key, rule="S1-5.7.1", why="送达失败告警")

    def _reply(self, ticket: Ticket, occasion: Returned) -> Iterator[Decision]:
        why = occasion.bounce.reason or occasion.bounce.status
        yield Remark(f"回信未送达({chinese(occasion.template)}):{why}", rule="S3-2.3.2")
        by = due(occasion.at, self.site.term("first_response.normal"), self.site.calendar)
        if not _open_task(ticket, "call"):
            text = f"给顾客的回信({chinese(occasion.template)})被退回,不算已告知:请按登记电话告知内容,核对邮箱"
            yield AddTask("call", ticket.handler or "cs_clerk", text, due=by, key=f"call:{occasion.message_id}", rule="S3-2.3.2")
        data = {
            "template": chinese(occasion.template), "to_zh": "顾客", "address": occasion.address, "reason": why, "reply": True,
            "due": local(by, self.site.calendar.zone),
        }  # fmt: skip
        yield Write("handler", "reports/undelivered", data, key=f"undelivered:{occasion.message_id}", rule="S3-2.3.2")

    def _said(self, ticket: Ticket, document: Document, to: str) -> dict[str, Any]:
        """What the notice said; of one that was imported only the matter is known."""
        plain = {
            "number": document.number, "to_name": self._name(to), "subject": ticket.subject or ticket.summary,
            "content": ticket.summary, "request": "请核实处理,将结果书面回复我中心。", "finish_by": "", "reply_by": "",
            "limit_rule": "S1-5.7.1", "contact": "请通过客户服务中心联系",
        }  # fmt: skip
        return {**plain, **document.data}

    def _name(self, id: str) -> str:
        party = self.site.party(id)
        return party.name if party and party.name else chinese(id)


def _notice_of(ticket: Ticket, occasion: Returned) -> Document | None:
    """The notice that came back: by its number, else the last one to that party, else the last one."""
    notices = [d for d in reversed(ticket.documents) if d.form == "notice" and not d.void]
    named = [d for d in notices if occasion.document and d.number == occasion.document]
    return next(iter([*named, *(d for d in notices if d.to == occasion.to), *notices]), None)


def _open_task(ticket: Ticket, kind: str) -> bool:
    return any(task.kind == kind and task.done_at is None for task in ticket.tasks)
