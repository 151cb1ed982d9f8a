"""Starts the clocks of SERVICE_RULES §3 and stops them when the promise behind each is met."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from kefud.api import (
    PROGRESS_LEAD,
    Corrected,
    Decision,
    Delivered,
    DoneTask,
    DropClock,
    Effect,
    Heard,
    Moved,
    Occasion,
    Opened,
    Ordered,
    Rule,
    Site,
    StartClock,
    StopClock,
    Term,
    Ticket,
    due,
    hookimpl,
    next_step,
    parse_term,
)  # fmt: skip

from .clocks import Clock, by_standard, instant, resolve, wanted

AT_ONCE = ("progress", "sign_off", "acknowledge", "important", "read")
"""Clocks that want attention only when they are due; the others are chased at 50, 80 and 100 percent (S1-4.3.6)."""

ENDED = {"closed": "工单已办结", "declined": "不予受理", "withdrawn": "顾客撤回", "merged": "已并案"}
ALARM = Clock("acknowledge", "first_response.emergency", "S2-1.B4")
"""An emergency is alarmed again until someone on site has signed."""

NOTICED = {"property_company": "notice_property", "engineering": "notice_engineering"}
WRITTEN = ("first_response", "reply", "thanks", "reply_to_property", "reply_to_sales")
"""Promises that only an accepted letter meets; they outlive the ticket's closing until it is delivered."""

_BARE = Term(1, "clock_hours")


class Deadlines:
    """Every promise gets its clock, from the start instant of the matter."""

    name = "deadlines"

    def __init__(self, site: Site) -> None:
        self.site = site
        self.opinion = parse_term(site.plugin_settings("notices").get("opinion_term", "3 calendar_days"))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened():
                return self._opened(ticket, occasion)
            case Moved():
                return self._moved(ticket, occasion)
            case Heard():
                return self._heard(ticket, occasion)
            case Delivered():
                return self._delivered(ticket, occasion)
            case Ordered():
                return self._ordered(ticket, occasion)
            case Corrected() if ticket.urgency == "emergency" != occasion.was.urgency:
                return self._alarmed(ticket, occasion.at)
        return ()

    def _opened(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        start = ticket.started_at or occasion.message.received_at
        for clock in earliest(ticket, self.site, start):
            started = self._start(clock, start)
            if clock.name == "progress" and started.next_at and started.next_at <= occasion.at:
                started = self._start(clock, occasion.at)  # came to us late: what is said now is the first word
            yield started
        call = occasion.message.call
        answered = call and call.status == "answered"
        if answered or occasion.channel == "counter":
            why = "已与顾客通话,即时响应" if answered else "当面接待,即时响应"
            yield Effect(("first_response_met",), rule="S4-4.1.1", why=why)
            yield StopClock("first_response", start, rule="S4-4.1.1", why=why)
        if ticket.important:
            yield self._start(Clock("important", "important.acknowledge", "S0-4.2.1"), occasion.at)
        if ticket.urgency == "emergency":
            yield self._start(ALARM, occasion.at)
        if ticket.has("circulation"):
            yield self._start(Clock("read", "circulation.read", "S1-4.3.6"), occasion.at)

    def _heard(self, ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
        yield from _spoken(ticket, occasion)
        call = occasion.message.call
        if call and call.status == "answered" and call.direction == "out" and (clock := _spoken_of(ticket)):
            yield self._start(replace(clock, agreed=instant(ticket, "agreed_reply_at")), occasion.message.received_at)
        if ticket.is_open and ticket.important and not ticket.deadline("important"):
            yield self._start(Clock("important", "important.acknowledge", "S0-4.2.1"), occasion.at)
        if ticket.is_open and ticket.urgency != "normal" and not ticket.deadline("plan"):
            shorter = ("plan", "resolve") if ticket.urgency == "emergency" and _running(ticket, "resolve") else ("plan",)
            worse = (clock for clock in by_standard(ticket, wanted(ticket), self.site.terms) if clock.name in shorter)
            for clock in worse:  # a further message made it urgent
                yield self._start(clock, occasion.message.received_at)
            if ticket.urgency == "emergency":
                yield self._start(ALARM, occasion.at)

    def _alarmed(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        """A person calls it an emergency: those on site have to sign, a superior has to know (S1-5.4.2, S2-1.B4)."""
        yield self._start(ALARM, at)
        if not ticket.deadline("important"):
            yield self._start(Clock("important", "important.acknowledge", "S0-4.2.1"), at)

    def _moved(self, ticket: Ticket, occasion: Moved) -> Iterator[Decision]:
        at = occasion.at
        if occasion.came_from == "need_approval":
            yield from _met(ticket, at, "approval", why="已批示")
        if occasion.to in ("acknowledged", "in_progress", "handled"):
            yield from _met(ticket, at, "sign_off", "acknowledge", why="责任部门已签收")
            yield from _done(ticket, at, "phone", why="责任部门已签收")
        if occasion.to in ("handled", "answered"):
            yield from _met(ticket, at, "opinion", why="责任部门已答复")
        if occasion.to == "handled" and ticket.department == "design":
            yield from _met(ticket, at, "drawing", why="设计部门已给出图纸或书面理由")
        if occasion.to in ("verified", "answered", "visiting") and _is_to_be_visited(ticket):
            yield self._start(Clock("visit", "visit", "S1-9.3"), at)
        if occasion.to == "answered":
            yield from _answered(ticket, at)
        if occasion.to == "reopened":
            yield from self._new_round(ticket, at)
        if occasion.to in ENDED:
            yield from _ended(ticket, at, ENDED[occasion.to])

    def _new_round(self, ticket: Ticket, at: datetime) -> Iterator[Decision]:
        start = instant(ticket, "round_started_at") or at
        by_mail = ticket.fields.get("round_medium") == "mail"
        for clock in earliest(ticket, self.site, start):
            if clock.name in ("approval", "callback") or (clock.name == "first_response" and not by_mail):
                continue
            yield self._start(clock, start)
        if ticket.important:
            yield self._start(Clock("important", "important.acknowledge", "S0-4.2.1"), at)
        if ticket.urgency == "emergency":
            yield self._start(ALARM, at)

    def _delivered(self, ticket: Ticket, occasion: Delivered) -> Iterator[Decision]:
        met = [name for name in occasion.meets.replace(" ", "").split(",") if name]
        if "reply" in met or "plan" in met:
            met.append("first_response")
        if occasion.template.startswith("notices/") and occasion.to in NOTICED:
            met.append(NOTICED[occasion.to])  # also for a notice that was sent again to another address
        yield from _met(ticket, occasion.at, *dict.fromkeys(met), why="函件已由对方服务器接收")
        if occasion.template.startswith("notices/") and ticket.status in ("triaged", "assigned", "reopened"):
            yield from self._sent_out(ticket, occasion)

    def _sent_out(self, ticket: Ticket, occasion: Delivered) -> Iterator[Decision]:
        for name, key, rule in (
            ("sign_off", "sign_off.notice", "S1-4.3.6"),
            ("acknowledge", "acknowledge.department", "S0-4.2.2"),
        ):
            if not _running(ticket, name):
                yield self._start(Clock(name, key, rule), occasion.at)
        if ticket.kind == "suggestion" and occasion.to not in ticket.joint and not ticket.deadline("opinion"):
            yield self._opinion(ticket, occasion.at)
        if occasion.to == "design" and ticket.category == "design" and not ticket.deadline("drawing"):
            yield self._start(Clock("drawing", "design.drawing", "S1-5.6.3"), occasion.at)

    def _opinion(self, ticket: Ticket, at: datetime) -> StartClock:
        """By when its notice asks the department what becomes of a suggestion: that is chased like any promise (S1-4.3.6, S0-4.2.2)."""
        start = ticket.started_at or at
        end = due(start, self.opinion, self.site.calendar)
        wake = self._first_chaser(start, end, self.opinion)
        return StartClock("opinion", start, end, term=str(self.opinion), next_at=wake, rule="S1-4.3.6", why="联系单的答复期限")

    def _ordered(self, ticket: Ticket, occasion: Ordered) -> Iterator[Decision]:
        match occasion.command:
            case "classify":
                yield from self._reclassified(ticket, occasion)
            case "adopt":
                yield self._start(Clock("thanks", "thanks.adopted", "S1-5.4.5"), occasion.at)
            case "acknowledge":
                yield from _met(ticket, occasion.at, "important", why="上级已知悉")
            case "plan":
                yield from self._planned(ticket, occasion)

    def _reclassified(self, ticket: Ticket, occasion: Ordered) -> Iterator[Decision]:
        names = ("kind", "category", "urgency", "important", "origin", "department")
        corrected = ticket.changed(**{n: occasion.args[n] for n in names if occasion.args.get(n) is not None})
        start = instant(ticket, "round_started_at") or ticket.started_at or occasion.at
        clocks = {clock.name: clock for clock in by_standard(corrected, wanted(corrected), self.site.terms)}
        for clock in clocks.values():
            if not _same(ticket, clock, self.site):
                yield self._start(clock, start)
        for deadline in ticket.deadlines:
            if deadline.open and deadline.name in INTAKE and deadline.name not in clocks and not deadline.agreed:
                yield DropClock(deadline.name, rule=deadline.rule, why="分类更正后不再适用")
        if corrected.important and not ticket.deadline("important"):
            yield self._start(Clock("important", "important.acknowledge", "S0-4.2.1"), occasion.at)

    def _planned(self, ticket: Ticket, occasion: Ordered) -> Iterator[Decision]:
        promised = ticket.changed(fields={**ticket.fields, "promised_at": occasion.args.get("promised_at")})
        clock = resolve(promised)
        if clock and clock.agreed:
            yield self._start(clock, ticket.started_at or occasion.at)

    def _start(self, clock: Clock, start: datetime) -> StartClock:
        term = self.site.term(clock.key)
        end = clock.agreed or due(start, term, self.site.calendar)
        wake = end if clock.name in AT_ONCE else self._first_chaser(start, end, _BARE if clock.agreed else term)
        wake = wake - PROGRESS_LEAD if clock.name == "progress" else wake
        if clock.name == "visit" and not self.site.calendar.is_open(wake):
            wake = min(end, self.site.calendar.next_opening(wake))  # the customer is asked, and not at night
        return StartClock(
            clock.name,
            start,
            end,
            term="" if clock.agreed else str(term),
            agreed=clock.agreed is not None,
            next_at=wake,
            rule=clock.rule,
            why="按约定时间" if clock.agreed else f"{clock.key} = {term}",
        )

    def _first_chaser(self, start: datetime, end: datetime, term: Term) -> datetime:
        return next_step(start, end, term, self.site.calendar, 0)[1]


INTAKE = (
    "first_response", "plan", "reply", "notice_property", "notice_engineering", "reply_to_property", "reply_to_sales",
    "drawing", "callback", "resolve", "progress",
)  # fmt: skip
"""Clocks that follow from what the matter is; a correction of the class may start or drop them."""


def earliest(ticket: Ticket, site: Site, start: datetime) -> list[Clock]:
    """The clocks of the ticket; while its kind is in doubt, for each name the one that ends first (SERVICE_RULES §9)."""
    kinds = dict.fromkeys((ticket.kind, *(ticket.fields.get("possible_kinds") or ())))
    found: dict[str, tuple[datetime, Clock]] = {}
    for kind in kinds:
        for clock in by_standard(ticket, wanted(ticket.changed(kind=kind)), site.terms):
            end = clock.agreed or due(start, site.term(clock.key), site.calendar)
            if clock.name not in found or end < found[clock.name][0]:
                found[clock.name] = (end, clock)
    return [clock for _, clock in found.values()]


def _is_to_be_visited(ticket: Ticket) -> bool:
    """Every complaint and repair, once in a round; the anonymous cannot be (S1-9.3)."""
    have = ticket.deadline("visit")
    visited = have is not None and have.round == ticket.round
    return ticket.kind in ("complaint", "repair") and ticket.origin != "anonymous" and not visited


def _spoken_of(ticket: Ticket) -> Clock | None:
    """What a call-back promises: the caller's question is known now, and nothing else runs (S3-3.3.1)."""
    running = [d for d in ticket.deadlines if d.open and d.name != "callback"]
    asked = ticket.has("callback") and ticket.status == "triaged" and ticket.kind == "consultation"
    return Clock("reply", "reply.consultation", "S3-3.3.1") if asked and not running else None


def _spoken(ticket: Ticket, occasion: Heard) -> Iterator[Decision]:
    call = occasion.message.call
    if call is None or call.status != "answered" or call.direction == "internal":
        return
    started = occasion.message.received_at
    yield from _met(ticket, started, "first_response", "callback", why="已与顾客通话")
    yield from _done(ticket, started, "callback", "respond", why="已与顾客通话")


def _answered(ticket: Ticket, at: datetime) -> Iterator[Decision]:
    yield from _met(ticket, at, "resolve", "plan", "rectify", why="结果已告知顾客")
    if not ticket.reply_address:
        yield from _met(ticket, at, "reply", "first_response", why="已答复顾客")


def _ended(ticket: Ticket, at: datetime, why: str) -> Iterator[Decision]:
    if ticket.fields.get("visit"):
        yield from _met(ticket, at, "visit", why="已回访")
    for deadline in ticket.deadlines:
        kept = deadline.name in WRITTEN and ticket.status == "closed" and ticket.reply_address
        visited = deadline.name == "visit" and ticket.fields.get("visit")
        if deadline.open and not kept and not visited:
            yield DropClock(deadline.name, rule=deadline.rule, why=why)


def _met(ticket: Ticket, at: datetime, *names: str, why: str) -> Iterator[Decision]:
    for name in names:
        running = _running(ticket, name)
        if running:
            yield StopClock(name, at, rule=running, why=why)


def _done(ticket: Ticket, at: datetime, *kinds: str, why: str) -> Iterator[Decision]:
    for kind in kinds:
        if any(task.kind == kind and task.done_at is None for task in ticket.tasks):
            yield DoneTask(kind, at, rule="S1-4.3.6", why=why)


def _running(ticket: Ticket, name: str) -> str:
    """The rule of the open deadline of that name, "" where none runs."""
    return next((d.rule for d in ticket.deadlines if d.name == name and d.open), "")


def _same(ticket: Ticket, clock: Clock, site: Site) -> bool:
    """True where the ticket already has, or had and met, what this clock would promise."""
    have = ticket.deadline(clock.name)
    if have is None or have.round != ticket.round:
        return False
    return not have.open or have.agreed or have.term == str(site.term(clock.key))


SETTINGS = ()
"""Keys of [plugin.deadlines]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Deadlines(site)]
