"""The month recounted: which letter the rules call for at which tick. Nothing of kefud is used here.

The model knows the plots, when the clock stood where, and the service rules as they are written: terms, chasers, the ladder,
progress, visits, approvals. It goes through the ticks one by one, as the office does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone

from month.people import Act, Plot

ZONE = timezone(timedelta(hours=8))
HOLIDAYS = {date(2026, 5, n) for n in (1, 2, 3, 4, 5)}
MAKE_UP = {date(2026, 5, 9)}
DAY = timedelta(days=1)
LADDER = ("cs_supervisor", "cs_manager", "leader_in_charge", "leadership")
Letter = tuple[int, int, str, str]
"""Index of the matter, index of the tick, template, recipient."""


# The calendar (S1-5.2)


def windows(day: date) -> list[tuple[datetime, datetime]]:
    """When the centre is open."""

    def at(hour: int, minute: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute), ZONE)

    if (day.weekday() < 5 and day not in HOLIDAYS) or day in MAKE_UP:
        return [(at(8, 30), at(12)), (at(13), at(17))]
    return [(at(9), at(17))]


def opening(day: date) -> datetime:
    return windows(day)[0][0]


def after_service(start: datetime, minutes: float) -> datetime:
    """The end of a term in service minutes."""
    left, day = timedelta(minutes=minutes), start.date()
    while True:
        for begin, end in windows(day):
            begin = max(begin, start)
            if begin < end and left <= end - begin:
                return begin + left
            left -= max(end - begin, timedelta())
        day += DAY


def when_open(at: datetime) -> datetime:
    """The instant itself, or the next opening where the centre is closed."""
    while not any(begin <= at < end for begin, end in windows(at.date())):
        later = [begin for begin, _ in windows(at.date()) if begin > at]
        at = later[0] if later else opening(at.date() + DAY)
    return at


def closing_after(start: datetime, days: int) -> datetime:
    """Calendar days: the first is not counted, the last ends at five."""
    return datetime.combine(start.date() + days * DAY, time(17), ZONE)


@dataclass
class Clock:
    """A promise that runs, with the instants at which it is chased; ``done`` of them are behind us."""

    name: str
    start: datetime
    due: datetime
    steps: list[tuple[str, datetime]]
    done: int = 0
    met: datetime | None = None
    dropped: datetime | None = None
    agreed: bool = False
    since: int = 0

    @property
    def runs(self) -> bool:
        return self.met is None and self.dropped is None


def chased(name: str, start: datetime, due: datetime, service: float = 0, agreed: bool = False) -> Clock:
    """A promise chased at 50, 80 and 100 per cent, then at the opening of each service day (S1-4.3.6).

    ``service`` is the term in service minutes, where it counts in those.
    """
    if service:
        points = [after_service(start, service * share) for share in (0.5, 0.8)]
    else:
        points = [start + (due - start) * share for share in (0.5, 0.8)]
    later = [opening(due.date() + n * DAY) for n in range(60)]
    steps = [("50", points[0]), ("80", points[1]), ("100", due)]
    steps += [(f"+{n}", at) for n, at in enumerate((x for x in later if x > due), 1)]
    return Clock(name, start, due, steps, agreed=agreed)


def once(name: str, start: datetime, due: datetime) -> Clock:
    return Clock(name, start, due, [("100", due)])


@dataclass
class File:
    """What the model knows of one matter at a tick."""

    index: int
    plot: Plot
    at: datetime
    letters: list[Letter] = field(default_factory=list)
    clocks: list[Clock] = field(default_factory=list)
    state: str = "assigned"
    department: str = ""
    round: int = 1
    rung: int = 0
    asked: list[str] = field(default_factory=list)
    waiting_for: set[str] = field(default_factory=set)
    important_told: int = 0
    opened: datetime | None = None
    ended: list[tuple[datetime, str]] = field(default_factory=list)
    visits: list[tuple[datetime, str]] = field(default_factory=list)
    reopened: list[datetime] = field(default_factory=list)
    accepted: list[tuple[datetime, bool]] = field(default_factory=list)
    extension: datetime | None = None
    over: int | None = None
    cause: str = ""

    @property
    def open(self) -> bool:
        return self.state not in ("closed", "withdrawn")

    def over_at(self, tick: int) -> bool:
        return self.over is not None and self.over <= tick

    @property
    def works(self) -> bool:
        return self.state in ("assigned", "acknowledged", "in_progress", "reopened")

    @property
    def written_to(self) -> bool:
        return self.plot.way == "mail"

    @property
    def handler(self) -> str:
        return "cs_specialist" if self.plot.kind in ("complaint", "repair") else "cs_clerk"

    @property
    def lead(self) -> str:
        """Recipient of letters to the leading department: contractors are addressed by their kind."""
        return "contractor" if self.department.startswith("contractor") else self.department

    def clock(self, name: str) -> Clock | None:
        return next((c for c in reversed(self.clocks) if c.name == name and c.runs), None)


class Recount:
    """All matters, taken through the ticks."""

    def __init__(self, matters: Sequence[tuple[int, Plot, datetime]], ticks: Sequence[datetime]) -> None:
        self.ticks = list(ticks)
        self.files = [File(index, plot, at) for index, plot, at in matters]
        for file in self.files:
            _Life(file, self.ticks).live()

    @property
    def letters(self) -> list[Letter]:
        return sorted(letter for file in self.files for letter in file.letters)


class _Life:
    """One matter from its arrival to the last tick."""

    def __init__(self, file: File, ticks: Sequence[datetime]) -> None:
        self.f = file
        self.ticks = ticks
        self.n = 0

    @property
    def now(self) -> datetime:
        return self.ticks[self.n]

    def begin(self, clock: Clock) -> None:
        clock.since = self.n
        self.f.clocks.append(clock)

    def say(self, template: str, to: str) -> None:
        self.f.letters.append((self.f.index, self.n, template, to))

    def live(self) -> None:
        begun = next((n for n, now in enumerate(self.ticks) if now >= self.f.at), None)
        if begun is None:
            return
        waiting = list(self.f.plot.acts)
        for n in range(begun, len(self.ticks)):
            self.n = n
            if self.f.opened is None:
                self.open()
            elif waiting and self.f.opened + timedelta(minutes=waiting[0].after) <= self.now:
                act = waiting.pop(0)
                self.act(act, self.f.opened + timedelta(minutes=act.after))
            self.look()

    # The beginning

    def open(self) -> None:
        f, plot = self.f, self.f.plot
        f.opened = self.now
        f.department = plot.department
        if plot.way == "missed":
            f.state = "triaged"
            self.begin(chased("callback", f.at, after_service(f.at, 30), 30))
            return
        self.start_clocks(f.at)
        if plot.important:
            self.note_important(self.now)
        self.pass_on()
        self.look()  # what had passed on the way counts before the acknowledgement can leave
        self.answer()

    def start_clocks(self, start: datetime) -> None:
        plot = self.f.plot
        if plot.way == "box":
            pass  # nobody can be answered
        elif plot.urgency == "normal":
            self.begin(chased("first_response", start, after_service(start, 30), 30))
        else:
            self.begin(chased("first_response", start, start + timedelta(minutes=5)))
            self.begin(chased("plan", start, start + timedelta(hours=2)))
        if plot.kind in ("complaint", "suggestion") and plot.department == "property_company":
            self.begin(chased("notice_property", start, start + timedelta(hours=8)))
        if plot.kind == "consultation":
            self.begin(chased("reply", start, closing_after(start, 1)))
        if plot.category == "certificate":
            self.begin(chased("approval", start, after_service(start, 240), 240))
        if plot.kind == "complaint":
            self.begin(chased("resolve", start, closing_after(start, 3)))
        if plot.kind == "repair":
            end = start + DAY if plot.urgency == "emergency" else closing_after(start, 7)
            self.begin(chased("resolve", start, end))
        if plot.kind != "praise" and plot.way != "box":
            days = 2 if plot.urgency == "normal" else 1
            self.begin(once("progress", start, closing_after(start, days)))

    def note_important(self, start: datetime) -> None:
        self.begin(once("important", start, start + timedelta(minutes=30)))

    def pass_on(self) -> None:
        f, plot = self.f, self.f.plot
        if plot.urgency == "emergency":
            for to in ("duty_officer", "property_company", "cs_supervisor"):
                self.say("reports/emergency", to)
            f.important_told = 1
            self.begin(once("acknowledge", self.now, self.now + timedelta(minutes=5)))
        elif plot.important:
            self.say("reports/important", "cs_supervisor")
            f.important_told = 1
        if plot.department != "cs_center":
            self.notice(plot.department)
        elif plot.category == "fees":
            f.waiting_for = {"finance"}
            self.say("notices/joint", "finance")
            self.unsigned()
        elif plot.category == "certificate":
            f.state = "need_approval"
            f.asked = ["pm_dept_manager"]
            self.say("reports/approval-request", "pm_dept_manager")
        else:
            f.state = "triaged"

    def notice(self, to: str) -> None:
        self.say("notices/work-order" if self.f.plot.urgency == "normal" else "notices/urgent-work-order", to)
        self.unsigned()

    def unsigned(self) -> None:
        """Two service hours to sign, then a call; four, then the property manager (S0-4.2.2)."""
        if not self.f.clock("sign_off"):
            self.begin(once("sign_off", self.now, after_service(self.now, 120)))
        if not self.f.clock("acknowledge"):
            self.begin(once("acknowledge", self.now, after_service(self.now, 240)))
        if self.f.plot.kind == "suggestion" and not any(c.name == "opinion" for c in self.f.clocks):
            self.begin(chased("opinion", self.f.at, closing_after(self.f.at, 3)))

    def answer(self) -> None:
        f, plot = self.f, self.f.plot
        if plot.department == "property_company":
            self.meet("notice_property")
        if plot.way == "box":
            return
        if plot.way == "call":
            self.meet("first_response", f.at)  # an answered call is a response
        elif plot.name == "archive answers":
            self.say("replies/answer", "requester")
            self.meet("reply")
            self.end("closed")
        elif plot.category == "certificate":
            self.say("replies/holding", "requester")
        elif plot.kind == "complaint":
            self.say("replies/acknowledgement-complaint", "requester")
        else:
            self.say("replies/acknowledgement", "requester")
        if plot.kind == "praise":
            self.say("reports/praise-forward", "property_company")
        self.meet("first_response")

    # What people do

    def act(self, act: Act, at: datetime) -> None:
        getattr(self, f"_{act.means.replace(' ', '_')}")(act, at)

    def transcript(self, act: Act) -> None:
        self.say("commands/transcript", act.who)

    def signed(self) -> None:
        if self.f.state in ("assigned", "reopened"):
            self.f.state = "acknowledged"
        self.meet("sign_off", "", "acknowledge")

    def _signs(self, act: Act, at: datetime) -> None:
        self.transcript(act)
        self.signed()

    def _says_done(self, act: Act, at: datetime) -> None:
        self.transcript(act)
        self.signed()
        self.f.state = "in_progress"

    def _lacks(self, act: Act, at: datetime) -> None:
        self._says_done(act, at)
        self.say("reports/task", self.f.handler)  # what is still to be written

    def _handles(self, act: Act, at: datetime) -> None:
        self.f.cause = str(self.f.index) if "{cause}" in act.words else ""
        self.transcript(act)
        self.signed()
        self.say("reports/verify", self.f.handler)
        if self.f.plot.urgency == "emergency":  # whoever was alarmed reads what was found (S1-5.4.2)
            alarmed = {to for _, _, template, to in self.f.letters if template in ("reports/emergency", "reports/important")}
            for to in alarmed - {self.f.handler, act.who}:
                self.say("reports/alert", to)
        self.f.state = "handled"

    def _completes(self, act: Act, at: datetime) -> None:
        self.f.cause = "reported"
        self.signed()
        self.f.state = "handled"

    def _verifies(self, act: Act, at: datetime) -> None:
        f = self.f
        f.accepted.append((self.now, True))
        if f.plot.way == "box":
            self.meet("resolve")
            self.end("closed")
            return
        visit = chased("visit", self.now, closing_after(self.now, 3))
        visit.steps[0] = ("50", when_open(visit.steps[0][1]))  # nobody is asked at night
        self.begin(visit)
        if not f.written_to:
            f.state = "verified"
            return
        self.say("replies/result", "requester")
        self.answered()

    def answered(self) -> None:
        """Progress has nothing to tell any more; that is seen when it is next looked at."""
        self.f.state = "visiting"
        self.meet("resolve", "", "plan")

    def _tells(self, act: Act, at: datetime) -> None:
        self.meet("reply")
        self.answered()

    def _satisfied(self, act: Act, at: datetime) -> None:
        f = self.f
        if act.who == "stranger":
            self.say("reports/alert", f.handler)  # nobody knows who that was
            return
        f.visits.append((self.now, "satisfied"))
        self.meet("visit", at)
        if f.written_to:
            self.say("replies/closed", "requester")
        self.end("closed")

    _mostly = _satisfied

    def _visits(self, act: Act, at: datetime) -> None:
        self.f.visits.append((self.now, "satisfied"))
        self.meet("visit")
        self.end("closed")

    def _unsatisfied(self, act: Act, at: datetime) -> None:
        f = self.f
        f.visits.append((self.now, "unsatisfied"))
        f.reopened.append(self.now)
        self.meet("visit", at)
        for clock in f.clocks:
            if clock.runs:
                clock.dropped = self.now
        f.round, f.state, f.rung = f.round + 1, "reopened", max(f.rung, 1)
        f.important_told = 2  # the manager is told, and the supervisor's rung is passed by
        self.start_clocks(at)
        self.note_important(self.now)
        self.say("reports/important", "cs_manager")
        self.say("replies/reopened", "requester")
        self.notice(f.department)
        self.look()
        self.meet("first_response", "", "notice_property")

    def _asks_badly(self, act: Act, at: datetime) -> None:
        self.transcript(act)

    _passes_to_nobody = _asks_badly

    def _asks_for_time(self, act: Act, at: datetime) -> None:
        assert self.f.opened
        self.transcript(act)
        self.say("replies/extension-consent", "requester")
        self.f.extension = datetime.combine((self.f.opened + 12 * DAY).date(), time(17), ZONE)

    def _agrees(self, act: Act, at: datetime) -> None:
        """The deadline moves, and is chased anew from where it began (S3-2.3.3)."""
        old = self.f.clock("resolve")
        assert old and self.f.extension
        self.f.clocks.remove(old)
        self.begin(chased("resolve", old.start, self.f.extension, agreed=True))
        self.say("reports/alert", self.f.lead)

    def _disagrees(self, act: Act, at: datetime) -> None:
        self.say("reports/alert", self.f.lead)

    def _passes_on(self, act: Act, at: datetime) -> None:
        """Who passes it on has seen it; whoever has it now has the whole time to sign."""
        self.transcript(act)
        self.meet("sign_off", at, "acknowledge", at)
        self.f.department, self.f.state = "engineering", "assigned"
        self.notice("engineering")

    def _returns(self, act: Act, at: datetime) -> None:
        self.transcript(act)
        self.say("reports/escalation", "property_manager")

    def _is_away(self, act: Act, at: datetime) -> None:
        """An automatic answer is nobody's word; the handler hears that they are away."""
        self.say("reports/alert", self.f.handler)

    def _bounces(self, act: Act, at: datetime) -> None:
        self.say("notices/work-order", "property_company")
        self.say("reports/undelivered", self.f.handler)
        self.say("reports/undelivered", "cs_supervisor")
        self.unsigned()

    def _chases(self, act: Act, at: datetime) -> None:
        self.say("reports/alert", self.f.handler)
        self.say("reports/alert", self.f.lead)

    def _withdraws(self, act: Act, at: datetime) -> None:
        self.say("reports/alert", self.f.lead)
        if self.f.written_to:
            self.say("replies/withdrawn", "requester")
        self.end("withdrawn")

    def _answers(self, act: Act, at: datetime) -> None:
        self.say("replies/answer", "requester")
        self.meet("reply")
        self.end("closed")

    def _contributes(self, act: Act, at: datetime) -> None:
        self.transcript(act)
        self.signed()
        self.f.waiting_for.clear()
        self.f.state = "handled"
        self.say("reports/task", self.f.handler)

    def _adopts(self, act: Act, at: datetime) -> None:
        self.transcript(act)
        self.signed()
        self.f.state = "handled"
        self.meet("opinion")
        self.say("reports/task", self.f.handler)

    def _thanks(self, act: Act, at: datetime) -> None:
        f = self.f
        f.accepted.append((self.now, True))
        self.begin(chased("thanks", self.now, closing_after(self.now, 1)))
        self.say("replies/thanks", "requester")
        self.meet("thanks")
        self.end("closed")

    def _closes(self, act: Act, at: datetime) -> None:
        self.end("closed")

    def _plans(self, act: Act, at: datetime) -> None:
        self.say("replies/progress", "requester")
        self.look()  # a letter keeps a promise only when it has left
        self.meet("plan")

    def _approves(self, act: Act, at: datetime) -> None:
        self.say("commands/transcript", f"{act.who.replace('_', '-')}@roles.example.com")
        self.meet("approval")
        self.say("replies/answer", "requester")
        self.meet("reply")
        self.end("closed")

    def _rejects(self, act: Act, at: datetime) -> None:
        self.say("commands/transcript", f"{act.who.replace('_', '-')}@roles.example.com")
        self.meet("approval")
        self.say("reports/task", self.f.handler)
        self.f.state = "triaged"

    def _takes_note(self, act: Act, at: datetime) -> None:
        self.say("commands/transcript", f"{act.who.replace('_', '-')}@roles.example.com")
        self.meet("important", at)

    def _called_back(self, act: Act, at: datetime) -> None:
        """The caller was told the answer on the telephone."""
        self.meet("callback", at)
        reply = chased("reply", at, closing_after(at, 1))
        reply.met = self.now
        self.begin(reply)
        self.end("closed")

    # Promises

    def meet(self, *names: str | datetime) -> None:
        """These promises are kept: now, or at the instant that follows a name."""
        given = list(names)
        for place, name in enumerate(given):
            following = given[place + 1] if place + 1 < len(given) else None
            if isinstance(name, str) and (clock := self.f.clock(name)):
                clock.met = following if isinstance(following, datetime) else self.now

    def drop(self, name: str) -> None:
        if clock := self.f.clock(name):
            clock.dropped = self.now

    def end(self, state: str) -> None:
        f = self.f
        f.state, f.over = state, self.n
        f.ended.append((self.now, state))
        for clock in f.clocks:
            if clock.runs:
                clock.dropped = self.now

    def look(self) -> None:
        """Every promise whose next step has come: of several that have passed the last one counts."""
        while True:
            waiting = [c for c in self.f.clocks if c.runs and self.step_of(c)]
            if not waiting:
                return
            for clock in sorted(waiting, key=lambda c: c.steps[c.done][1]):
                self.remind(clock, *self.step_of(clock))  # type: ignore[misc]

    def step_of(self, clock: Clock) -> tuple[str, int] | None:
        passed = [n for n, (_, at) in enumerate(clock.steps) if at <= self.now and n >= clock.done]
        if clock.name == "progress" and not passed and clock.due - timedelta(minutes=30) <= self.now and not clock.done:
            return "100", 0
        return (clock.steps[passed[-1]][0], passed[-1]) if passed else None

    def remind(self, clock: Clock, name: str, number: int) -> None:
        clock.done = number + 1
        special = {
            "progress": self.progress, "sign_off": self.call_department, "acknowledge": self.unacknowledged,
            "important": self.still_important,
        }  # fmt: skip
        if clock.name in special:
            special[clock.name](clock)
            return
        if self.f.opened is not None and clock.steps[number][1] <= self.f.opened:
            self.came_late(clock, number)
            return
        if clock.name == "visit" and self.f.written_to and not getattr(clock, "asked", False) and name in ("50", "80", "100"):
            clock.asked = True  # type: ignore[attr-defined]
            self.say("replies/visit", "requester")
        for to in self.chased_people(clock):
            self.say("reports/chaser", to)
        if number >= 2:
            self.climb(clock, number - 2)

    def came_late(self, clock: Clock, number: int) -> None:
        """What had passed before anybody could be asked: no department is chased for it, one superior learns of it."""
        leaves_now = {"first_response", "notice_property", *(["reply"] if self.f.plot.name == "archive answers" else [])}
        if number < 2 or clock.name == "approval" or clock.name in leaves_now:
            return
        self.say("reports/chaser", self.f.handler)
        if not self.f.rung:
            self.climb_to(0)

    def climb_to(self, place: int) -> None:
        self.f.rung = max(self.f.rung, place + 1)
        self.say("reports/escalation", LADDER[place])

    def chased_people(self, clock: Clock) -> Iterator[str]:
        f = self.f
        if clock.name == "approval":
            yield f.asked[-1]
            return
        if clock.name in ("resolve", "reply", "opinion"):
            if f.department != "cs_center" and f.works:
                yield f.lead
            yield from sorted(f.waiting_for)
        yield f.handler

    def climb(self, clock: Clock, days_late: int) -> None:
        f = self.f
        if clock.name == "approval":
            above = {"pm_dept_manager": "director", "director": "leadership"}.get(f.asked[-1])
            if above:
                f.asked.append(above)
                f.rung = max(f.rung, len(f.asked) - 1)
                self.say("reports/approval-request", above)
            return
        place = min(days_late, f.rung)
        if place < len(LADDER):
            self.climb_to(place)
        stuck = clock.name in ("resolve", "reply", "opinion") and f.works and (f.department != "cs_center" or f.waiting_for)
        if stuck and not getattr(clock, "stuck", False):
            clock.stuck = True  # type: ignore[attr-defined]
            self.say("reports/escalation", "property_manager")

    def progress(self, clock: Clock) -> None:
        f = self.f
        if f.state in ("visiting", "closed", "withdrawn"):
            clock.dropped = self.now
            return
        clock.met = self.now
        days = 2 if f.plot.urgency == "normal" else 1
        self.begin(once("progress", self.now, closing_after(self.now, days)))
        if f.written_to:
            self.say("replies/progress", "requester")

    def call_department(self, clock: Clock) -> None:
        self.say("reports/task", self.f.handler)

    def unacknowledged(self, clock: Clock) -> None:
        f = self.f
        if f.plot.urgency != "emergency":
            self.say("reports/escalation", "property_manager")
            return
        alarm = len(clock.steps)
        for to in ("duty_officer", "property_company", *(["property_manager"] if alarm > 1 else [])):
            self.say("reports/emergency", to)
        if alarm < 12:
            clock.steps.append(("again", self.now + timedelta(minutes=5)))

    def still_important(self, clock: Clock) -> None:
        f = self.f
        if f.state in ("handled", "verified", "visiting", "closed"):
            clock.dropped = self.now
            return
        if f.important_told < len(LADDER):
            f.rung = max(f.rung, f.important_told + 1)
            self.say("reports/important", LADDER[f.important_told])
            f.important_told += 1
            if f.important_told < len(LADDER):
                clock.steps.append(("again", self.now + timedelta(minutes=30)))


def tick_of(ticks: Sequence[datetime], at: datetime) -> int:
    """The first tick that saw the instant as past, also where the clock went back in between."""
    highest: list[datetime] = []
    for now in ticks:
        highest.append(max(now, highest[-1]) if highest else now)
    return bisect_left(highest, at)
