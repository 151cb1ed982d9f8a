"""One acknowledgement for each message: number, reply time, handler, next step, what is missing (S3-2.1.3, S4-3.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kefud.api import AddTask, Decision, Effect, Heard, Occasion, Opened, Remark, Reply, Rule, SetFields, Site, Ticket, hookimpl

CUSTOMERS = ("owner", "internal", "owners_committee")
"""Origins that are written to as persons; all others get the short letter between offices."""

TIMED = ("reply", "reply_to_property", "reply_to_sales", "resolve", "plan", "drawing", "progress")
"""Deadlines that give the acknowledgement its time; without one it does not count as a response (SERVICE_RULES §9)."""

WITHOUT_TIME = ("praise", "liaison", "document")


class Acknowledge:
    """Tell the sender that the matter is taken in, once, with no word of theirs in it (S06)."""

    name = "acknowledge"

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened() if not _reachable(ticket, occasion):
                return _call(ticket)
            case Opened() if occasion.part == occasion.parts:
                return _acknowledge(ticket, occasion)
            case Heard() if occasion.merged and _reachable(ticket, occasion):
                return _merged(ticket, occasion)
            case Heard() if _has_become_an_emergency(ticket, occasion) and _reachable(ticket, occasion):
                why = "险情已知,告知已派人和注意事项"
                return (Reply("replies/acknowledgement", {}, meets="first_response", rule="S1-5.4.2", why=why),)
        return ()


def _has_become_an_emergency(ticket: Ticket, occasion: Heard) -> bool:
    return ticket.urgency == "emergency" and ticket.fields.get("worse_at") == occasion.message.mark


def _reachable(ticket: Ticket, occasion: Opened | Heard) -> bool:
    """True where an answer may go out at all: a person's mail, with an address, from somebody who signed."""
    message = occasion.message
    if not occasion.may_answer or message.automatic or message.medium != "mail" or ticket.status in ("merged", "declined"):
        return False
    signed = ticket.origin != "anonymous" and not ticket.requester.anonymous
    return signed and bool(ticket.reply_address or message.sender.email)


def _merged(ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
    """Who wrote is answered, not who brought the matter first; of whom, and what they wrote, the other learns nothing."""
    writer = occasion.message.sender.email
    other = occasion.author.id == "other"
    yield Reply("replies/merged", to_writer=other, rule="S0-3.2", why="同一事项,来信并入已有工单")
    if other:
        told = f"另有来信人 {writer} 反映同一事项,核实身份后请将办理结果一并告知"
        clock = ticket.deadline("resolve") or ticket.deadline("reply")
        due = clock.due if clock else None
        yield AddTask("inform", ticket.handler or "cs_clerk", told, due=due, key=f"also:{writer}", rule="S0-3.2")


def _acknowledge(ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
    alone = occasion.parts == 1
    if alone and (ticket.has("instant_answer") or _waits_for_approval(ticket)):
        return  # the answer, or the holding reply, is the acknowledgement
    missing = [str(item) for item in ticket.fields.get("missing") or ()]
    if missing:
        yield SetFields({"asked_for": missing}, rule="S0-4.2.1", why="所缺资料一次问全")
    template, rule = _template(ticket, occasion)
    if template == "replies/calm":
        yield Effect(("calm_template",), rule=rule, why="来信言辞激烈,用平和的措辞回复")
    why = "收到来信即告知工单号、时限、经办人和下一步"
    yield Reply(template, {"missing": missing}, meets=_meets(ticket), rule=rule, why=why)


def _call(ticket: Ticket) -> Iterator[Decision]:
    """Who cannot be written to is called: calls and papers need a person (SERVICE_RULES §9)."""
    if ticket.fields.get("number_hidden") and not ticket.text.strip():
        yield Remark("号码隐藏,无法回拨", rule="S2-5.2")
        told = "来电号码隐藏,无法回拨:有留言的请听取录音并登记;无从联系的,写明原因后办结"
        yield AddTask("callback", ticket.handler or "cs_clerk", told, key="callback", rule="S2-5.2", why="号码隐藏,无法回拨")
        return
    for name, kind, text in (("callback", "callback", "未接来电,请回拨"), ("first_response", "respond", "请电话联系顾客")):
        clock = ticket.deadline(name)
        if clock and clock.open and ticket.is_open and ticket.origin != "anonymous":
            told = f"{text},告知工单号、答复时间和经办人" + (";无电话的请上门联系" if not ticket.requester.phone else "")
            yield AddTask(kind, ticket.handler or "cs_clerk", told, due=clock.due, key=kind, rule=clock.rule)
            return


def _waits_for_approval(ticket: Ticket) -> bool:
    return any(name.startswith("approval_required:") for name in ticket.effects)


def _template(ticket: Ticket, occasion: Opened) -> tuple[str, str]:
    if ticket.origin not in CUSTOMERS:
        return "replies/acknowledgement-letter", "S3-2.1.3"
    if ticket.fields.get("insults"):
        return "replies/calm", "S0-4.3.1"
    if "complaint" in (ticket.kind, *occasion.kinds):
        return "replies/acknowledgement-complaint", "S4-3.5.1"
    return "replies/acknowledgement", "S3-2.1.3"


def _meets(ticket: Ticket) -> str:
    """An automatic acknowledgement is a response by mail if it names handler and time (SERVICE_RULES §9)."""
    timed = ticket.kind in WITHOUT_TIME or any(d.open and d.name in TIMED for d in ticket.deadlines)
    return "first_response" if ticket.handler and timed else ""


SETTINGS = ()
"""Keys of [plugin.acknowledge]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Acknowledge()]
