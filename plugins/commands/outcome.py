"""The answer to the customer: what counts as one, and the states it leads through once it is on its way (S0-1.0)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kefud.api import Decision, Delivered, Discard, LetterRef, Move, Moved, Remark, SetFields, Ticket, chinese, refusal

ANSWERS = ("replies/answer", "replies/result", "replies/written-reply")
"""Letters that end a matter as far as it lies with us."""

_LINE = ("reopened", "triaged", "assigned", "acknowledged", "in_progress", "handled", "verified", "answered")


FORBIDDEN = "禁用语"
"""How the language check names words that never leave (rule 13)."""

OVERTAKEN = {
    "answered": "已另行答复", "closed": "工单已办结", "merged": "工单已并案", "withdrawn": "顾客已撤回", "declined": "已不予受理",
    "reopened": "已重新处理",
}  # fmt: skip
"""States in which what still waits for a person's word is not to be said any more, and why."""


def overtaken(ticket: Ticket, occasion: Moved) -> Iterator[Decision]:
    """A letter to the customer that is still held says what was, once the matter has gone on (S0-4.3.2)."""
    waiting = [x for x in ticket.letters if x.status == "held" and x.recipient == "requester"]
    if occasion.to == "verified":  # the result is written now
        waiting, why = held_answers(ticket), "已另拟答复"
    elif occasion.to in OVERTAKEN:
        why = OVERTAKEN[occasion.to]
        if ticket.fields.get("held_answer"):
            yield SetFields({"held_answer": ""}, rule="S0-4.3.2", why=why)
    else:
        return
    for letter in waiting:
        yield Discard(letter.message_id, rule="S0-4.3.2", why=f"{why},原文不再发出")


def not_held(letter: LetterRef) -> str:
    """What became of a letter that is held no more."""
    name = f"《{chinese(letter.template)}》"
    if letter.status == "superseded":
        return f"{name}已不再发出({letter.hold or '已由更新的函件代替'}),不能放行"
    return f"{name}已发出" if letter.status == "sent" else f"{name}已放行"


def held_answers(ticket: Ticket) -> list[LetterRef]:
    """Answers to the customer that wait for a person's word."""
    return [x for x in ticket.letters if x.status == "held" and x.recipient == "requester" and x.template in ANSWERS]


def gone_out(ticket: Ticket, occasion: Delivered) -> Iterator[Decision]:
    """A letter that had waited for a person is with the customer: only now is the matter answered, or declined (S0-4.3.2)."""
    text, by = str(ticket.fields.get("held_answer") or ""), str(ticket.fields.get("answered_by") or "program")
    if occasion.to != "requester":
        return
    if occasion.template == "replies/declined" and (by := str(ticket.fields.get("declined_by") or "")):
        yield SetFields({"declined_by": ""}, rule="S3-2.2.3", why="不予受理的答复已发出")
        if not refusal(ticket, "declined", by):
            yield Move("declined", by, rule="S3-2.2.3", why="不予受理的答复已签发")
    elif occasion.template in ANSWERS and text:
        why = "暂缓的答复已放行发出"
        said = ticket.changed(fields={**ticket.fields, "answer": text, "result": ticket.fields.get("result") or text})
        through = between(ticket.status, "handled") if all_contributed(ticket) else ()
        if is_answer(ticket) and not hindered(said, (*through, "answered"), by):
            yield SetFields({"answer": text, "held_answer": ""}, rule="S0-1.0", why=why)
            yield from answered(said, by, why)
        else:  # answered in another way meanwhile, or taken up again
            yield SetFields({"held_answer": ""}, rule="S0-1.0", why=why)
            yield Remark(f"{why};工单当前为“{chinese(ticket.status)}”,请核对", rule="S1-4.3.3")


def answered(ticket: Ticket, by: str, why: str) -> Iterator[Decision]:
    """The customer has the answer, which ``fields`` hold: through the states between to the answered one."""
    if all_contributed(ticket):
        yield SetFields({"result": ticket.fields.get("result") or "协同部门意见已收齐"}, rule="S0-4.2.2")
        for step in between(ticket.status, "handled"):
            yield Move(step, by, rule="S0-4.2.2", why="协同意见已收齐")
    yield Move("answered", by, rule="S0-1.0", why=why)


def is_answer(ticket: Ticket) -> bool:
    """Whether words to the customer end the matter, and are not a word in between."""
    asked = ticket.status == "triaged" and ticket.kind not in ("complaint", "repair")
    return asked or ticket.status in ("handled", "verified") or all_contributed(ticket)


def hindered(ticket: Ticket, steps: Iterable[str], by: str) -> str:
    """Why these steps may not all be taken one after the other, "" where they may."""
    for step in steps:
        if reason := refusal(ticket, step, by):
            return reason
        ticket = ticket.changed(status=step)
    return ""


def all_contributed(ticket: Ticket) -> bool:
    asked = ticket.kind == "consultation" and ticket.status in ("assigned", "acknowledged", "in_progress")
    return asked and not ticket.has_unanswered_joint


def between(now: str, to: str) -> tuple[str, ...]:
    """The states after ``now`` up to ``to`` that a ticket passes when nothing is left out."""
    if now not in _LINE:
        return ()
    steps = _LINE[_LINE.index(now) + 1 : _LINE.index(to) + 1]
    return tuple(s for s in steps if not (now in ("triaged", "reopened") and s in ("assigned", "acknowledged")))
