"""Ask each rule what it thinks, in order, and apply what it decides. Pure: the ticket that comes out is a changed copy.

`deliberate` is the one door: a new ticket, a heard message, a due deadline, an order of a person all come through here.
A rule that raises costs its own opinion only; the next rule sees the ticket as it stood before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Protocol

from kefud.desk import decisions as d
from kefud.desk.fitness import unfit
from kefud.desk.occasions import Corrected, Moved, Occasion, Ordered
from kefud.desk.states import refusal
from kefud.desk.ticket import VOCABULARY, Deadline, Document, Task, Ticket
from kefud.errors import NotAllowed

LONGEST_FAULT = 500
CLASSED = ("kind", "category", "urgency", "department")
"""What an order corrects so that papers, notices and alarms must follow."""
MOST_DECISIONS = 500
"""Decisions of one rule on one occasion, against rules that never end."""
MOST_MOVES = 8
"""Changes of state that one occasion may set off, against rules that send each other in a circle."""


class Rule(Protocol):
    """What `deliberate` asks. ``name`` stands in the history and in `kefud explain`."""

    name: str

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[d.Decision]: ...


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one rule answered on one occasion; ``error`` where it failed, ``refused`` for decisions that may not be."""

    rule: str
    decisions: tuple[d.Decision, ...] = ()
    error: str = ""
    refused: tuple[str, ...] = ()
    occasion: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The ticket after all rules, the decisions to carry out in order, and who said what."""

    ticket: Ticket
    decisions: tuple[d.Decision, ...]
    opinions: tuple[Opinion, ...]

    @property
    def refused(self) -> tuple[str, ...]:
        return tuple(reason for opinion in self.opinions for reason in opinion.refused)


def deliberate(
    ticket: Ticket,
    occasion: Occasion,
    rules: Sequence[Rule],
    *,
    watch: Callable[[str], None] = lambda name: None,
    given: Sequence[d.Decision] = (),
) -> Outcome:
    """Ask ``rules`` about ``occasion``, then about every change of state or correction that follows from their answers.

    ``given`` are decisions that stand before any rule is asked (a person's order). ``watch`` is told the name of each rule
    before it is asked, so that a supervisor knows whom to blame when the process dies. An order that one rule refuses has no
    effect but what that rule decides beside its refusal.
    """
    taken: list[d.Decision] = []
    opinions: list[Opinion] = []
    waiting: list[Occasion] = []

    def weigh(name: str, answers: Iterable[d.Decision], now: Occasion) -> None:
        nonlocal ticket
        kept, refused, fault = [], [], ""
        for decision in answers:
            try:
                after = apply(ticket, decision, now.at)
            except NotAllowed as error:
                refused.append(str(error))
                continue
            except Exception as error:
                fault = f"{type(decision).__name__} cannot be applied: {type(error).__name__}: {error}"[:LONGEST_FAULT]
                continue
            if after.status != ticket.status:
                waiting.append(Moved(now.at, ticket.status, after.status, getattr(decision, "by", "program")))
            ticket = after
            kept.append(decision)
        taken.extend(kept)
        if kept or refused or fault:
            opinions.append(Opinion(name, tuple(kept), fault, tuple(refused), type(now).__name__))

    if given:
        weigh("order", given, occasion)
    waiting.insert(0, occasion)
    moves = 0
    while waiting and moves <= MOST_MOVES:
        now, before = waiting.pop(0), ticket
        moves += 1
        places = len(taken), len(opinions), len(waiting)
        refusing: list[tuple[str, list[d.Decision]]] = []
        for rule in rules:
            watch(rule.name)
            answers, fault = _answers(rule, ticket, now)
            if isinstance(now, Ordered) and any(isinstance(x, d.Refuse) for x in answers):
                refusing.append((rule.name, answers))
            elif fault:
                opinions.append(Opinion(rule.name, error=fault, occasion=type(now).__name__))
            else:
                weigh(rule.name, answers, now)
        if refusing:  # nobody else acts on an order that is not carried out
            ticket = before
            for kept, place in zip((taken, opinions, waiting), places, strict=True):
                del kept[place:]  # type: ignore[attr-defined]
            for name, answers in refusing:
                weigh(name, answers, now)
        if isinstance(now, Ordered) and any(getattr(before, n) != getattr(ticket, n) for n in CLASSED):
            waiting.append(Corrected(now.at, now.command, now.by, before))
    watch("")
    return Outcome(ticket, tuple(taken), tuple(opinions))


def _answers(rule: Rule, ticket: Ticket, occasion: Occasion) -> tuple[list[d.Decision], str]:
    """What a rule answers, or what is wrong with it: then all of the answer counts for nothing."""
    try:
        answers = list(islice(rule.judge(ticket, occasion), MOST_DECISIONS + 1))
    except BaseException as error:
        return [], f"{type(error).__name__}: {error}"[:LONGEST_FAULT]
    if len(answers) > MOST_DECISIONS:
        return [], f"more than {MOST_DECISIONS} decisions on one occasion"
    return answers, next((fault for x in answers if (fault := unfit(x))), "")


def apply(ticket: Ticket, decision: d.Decision, at: datetime) -> Ticket:
    """The ticket as it is after ``decision`` at ``at``. Raises NotAllowed where the state machine refuses."""
    step = _APPLY.get(type(decision))
    return step(ticket, decision, at) if step else ticket


def _classify(ticket: Ticket, c: d.Classify, at: datetime) -> Ticket:
    names = (
        "kind", "category", "urgency", "important", "origin", "house", "requester", "subject", "summary", "masked", "dispute",
    )  # fmt: skip
    for name, words in VOCABULARY.items():
        if getattr(c, name) not in (None, *words):
            raise ValueError(f"{getattr(c, name)!r:.40} is no {name}")
    locked = () if c.decided else ticket.locked
    changes = {n: getattr(c, n) for n in names if getattr(c, n) is not None and n not in locked}
    return ticket.changed(**changes) if changes else ticket


def _assign(ticket: Ticket, a: d.Assign, at: datetime) -> Ticket:
    changes: dict[str, object] = {}
    locked = () if a.decided else ticket.locked
    if a.department and "department" not in locked:
        changes["department"] = a.department
    if a.handler and "handler" not in locked:
        changes["handler"] = a.handler
    if a.decided and changes:
        changes["locked"] = _added(ticket.locked, changes)
    if a.transfer:
        changes["transfers"] = ticket.transfers + 1
    return ticket.changed(**changes)


def _join(ticket: Ticket, j: d.Join, at: datetime) -> Ticket:
    return ticket.changed(joint=_added(ticket.joint, j.departments))


def _effect(ticket: Ticket, e: d.Effect, at: datetime) -> Ticket:
    kept = tuple(name for name in ticket.effects if name not in e.remove)
    return ticket.changed(effects=_added(kept, e.names))


def _set_fields(ticket: Ticket, s: d.SetFields, at: datetime) -> Ticket:
    return ticket.changed(fields={**ticket.fields, **s.values})


def _start_clock(ticket: Ticket, s: d.StartClock, at: datetime) -> Ticket:
    running = ticket.deadline(s.name)
    if running and running.open and running.round == ticket.round and running.agreed and not s.agreed:
        return ticket
    new = Deadline(s.name, s.start, s.due, s.rule, s.term, agreed=s.agreed, round=ticket.round, next_at=s.next_at)
    old = tuple(_ended(x, "由新的时限取代") if x.name == s.name and x.open else x for x in ticket.deadlines)
    return ticket.changed(deadlines=(*old, new))


def _stop_clock(ticket: Ticket, s: d.StopClock, at: datetime) -> Ticket:
    return _on_clock(ticket, s.name, lambda x: replace(x, met=s.at, next_at=None))


def _drop_clock(ticket: Ticket, s: d.DropClock, at: datetime) -> Ticket:
    return _on_clock(ticket, s.name, lambda x: _ended(x, s.why or "不再适用"))


def _move_clock(ticket: Ticket, m: d.MoveClock, at: datetime) -> Ticket:
    return _on_clock(
        ticket, m.name, lambda x: replace(x, due=m.due, next_at=m.next_at, agreed=x.agreed or m.agreed, steps=0)
    )


def _reminded(ticket: Ticket, r: d.Reminded, at: datetime) -> Ticket:
    return _on_clock(ticket, r.name, lambda x: replace(x, steps=r.steps, next_at=r.next_at))


def _on_clock(ticket: Ticket, name: str, change: Callable[[Deadline], Deadline]) -> Ticket:
    return ticket.changed(deadlines=tuple(change(x) if x.name == name and x.open else x for x in ticket.deadlines))


def _ended(deadline: Deadline, why: str) -> Deadline:
    return replace(deadline, dropped=why, next_at=None)


def _draw(ticket: Ticket, w: d.Draw, at: datetime) -> Ticket:
    return ticket.changed(documents=(*ticket.documents, Document(w.form, data=w.data)))


def _void(ticket: Ticket, v: d.VoidDocument, at: datetime) -> Ticket:
    changed = tuple(
        replace(x, void=v.why or "作废") if x.form == v.form and x.number == v.number else x for x in ticket.documents
    )
    return ticket.changed(documents=changed)


def _notice(ticket: Ticket, n: d.Notice, at: datetime) -> Ticket:
    return ticket.changed(documents=(*ticket.documents, Document("notice", to=n.to)))


def _notify(ticket: Ticket, n: d.Notify, at: datetime) -> Ticket:
    return ticket.changed(notify=_added(ticket.notify, n.roles))


def _add_task(ticket: Ticket, t: d.AddTask, at: datetime) -> Ticket:
    if any(x.kind == t.kind and x.text == t.text and x.done_at is None for x in ticket.tasks):
        return ticket
    return ticket.changed(tasks=(*ticket.tasks, Task(t.kind, t.role, t.due, t.text)))


def _done_task(ticket: Ticket, t: d.DoneTask, at: datetime) -> Ticket:
    done = tuple(replace(x, done_at=t.at) if x.kind == t.kind and x.done_at is None else x for x in ticket.tasks)
    return ticket.changed(tasks=done)


def _move(ticket: Ticket, m: d.Move, at: datetime) -> Ticket:
    if m.to == ticket.status and m.to != "assigned":
        return ticket
    reason = refusal(ticket, m.to, m.by)
    if reason:
        raise NotAllowed(reason)
    return ticket.changed(status=m.to)


def _merge(ticket: Ticket, m: d.Merge, at: datetime) -> Ticket:
    return ticket.changed(related=_added(ticket.related, (m.target,)))


def _relate(ticket: Ticket, r: d.Relate, at: datetime) -> Ticket:
    return ticket.changed(related=_added(ticket.related, tuple(n for n in r.numbers if n != ticket.number)))


def _lock(ticket: Ticket, lock: d.Lock, at: datetime) -> Ticket:
    return ticket.changed(locked=_added(ticket.locked, lock.names))


def _escalate(ticket: Ticket, e: d.Escalate, at: datetime) -> Ticket:
    return ticket.changed(rung=max(ticket.rung, e.rung))


def _extension(ticket: Ticket, e: d.Extension, at: datetime) -> Ticket:
    return ticket.changed(extension=e.state)


def _new_round(ticket: Ticket, n: d.NewRound, at: datetime) -> Ticket:
    ended = tuple(_ended(x, "重新处理,另计时限") if x.open else x for x in ticket.deadlines)
    cleared = {k: v for k, v in ticket.fields.items() if k not in _PER_ROUND}
    return ticket.changed(round=ticket.round + 1, deadlines=ended, fields=cleared, extension="", rung=ticket.rung)


_PER_ROUND = (
    "result", "inquiry", "cause", "solution", "customer_talk", "answer", "visit", "done_by", "contributions",
    "no_answer_reason", "visit_attempts", "acceptance", "progress_note", "progress_at", "progress_by",
    "held_answer", "scene_report", "worse_at", "worse_words",
)  # fmt: skip
"""Fields that belong to one round of work; the history keeps what they said before."""


def _refuse(ticket: Ticket, r: d.Refuse, at: datetime) -> Ticket:
    raise NotAllowed(r.reason)


def _added(have: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return (*have, *dict.fromkeys(name for name in more if name not in have))


_APPLY: dict[type, Callable[[Ticket, Any, datetime], Ticket]] = {
    d.Classify: _classify, d.Assign: _assign, d.Join: _join, d.Effect: _effect, d.SetFields: _set_fields,
    d.StartClock: _start_clock, d.StopClock: _stop_clock, d.DropClock: _drop_clock, d.MoveClock: _move_clock,
    d.Reminded: _reminded, d.Draw: _draw, d.VoidDocument: _void, d.Notice: _notice, d.Notify: _notify,
    d.AddTask: _add_task, d.DoneTask: _done_task, d.Move: _move, d.Merge: _merge, d.Relate: _relate, d.Lock: _lock,
    d.Escalate: _escalate, d.Extension: _extension, d.NewRound: _new_round, d.Refuse: _refuse,
}  # fmt: skip
