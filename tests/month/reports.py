"""The reports of the month recounted: when each is due, to whom, and what its figures must be, without a function of kefud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta

from month.recount import DAY, ZONE, Clock, File, Recount, opening, windows

Sent = tuple[int, str, str]
"""Index of the tick, template, recipient."""
NEAR = timedelta(hours=2)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant of the service: not before the centre opens."""
    return max(datetime.combine(day, time(hour, minute), ZONE), opening(day))


class Reports:
    """What the clock makes, tick by tick: of several periods that were missed only the last (S0-4.2.4, S0-4.2.5, S1-4.3.8)."""

    def __init__(self, recount: Recount, signed: dict[tuple[str, date], datetime], boxes: Sequence[datetime]) -> None:
        self.ticks = recount.ticks
        self.files = recount.files
        self.signed = signed
        self.boxes = boxes
        self.begun = self.ticks[0]
        self.letters: list[Sent] = []
        self.made: set[tuple[str, date]] = set()
        self.limits: list[tuple[str, date, datetime]] = []
        self.looked = self.begun
        self.told: set[tuple[str, date]] = set()
        for n, now in enumerate(self.ticks):
            self.look(n, now)

    def say(self, n: int, template: str, *roles: str) -> None:
        self.letters += [(n, f"reports/{template}", role) for role in roles]

    def look(self, n: int, now: datetime) -> None:
        for name, day, _ in self.slots(now):
            self.make(n, now, name, day)
        self.guided(n, now)
        self.unsigned(n, now)
        self.box(n, now)
        self.feed(n, now)
        self.backlog(n, now)

    def slots(self, now: datetime) -> Iterator[tuple[str, date, datetime]]:
        """The last slot of each report that has come and not been made."""
        days = [now.date() - k * DAY for k in range(35)]
        friday = [d for d in days if d.weekday() == 4]
        monday = [d for d in days if d.weekday() == 0]
        first = [d for d in days if d.day == 1]
        found = {
            "daily": [(d, at(d, 16)) for d in days], "record": [(d, windows(d)[-1][1]) for d in days],
            "weekly": [(d, at(d, 15)) for d in friday], "internal": [(d, at(d, 8, 30)) for d in monday],
            "monthly": [(d, at(d, 9)) for d in first], "meeting": [(d, opening(d)) for d in days if d.day == 22],
        }  # fmt: skip
        for name, all_of in found.items():
            due = next(((d, when) for d, when in all_of if when <= now), None)
            if due and due[1] >= self.begun and (name, due[0]) not in self.made:
                yield name, *due

    def make(self, n: int, now: datetime, name: str, day: date) -> None:
        self.made.add((name, day))
        if name == "daily":
            self.say(n, "daily", "property_supervisor")
            self.limits.append(("daily", now.date(), self.sign_by(now)))
        elif name == "record":
            self.say(n, "daily-record", "cs_supervisor")
        elif name == "weekly":
            self.say(n, "weekly", "property_manager")
            self.say(n, "effect", "director", "pm_dept_manager")
            self.limits.append(("weekly", day, at(day + 2 * DAY, 17)))
        elif name == "internal":
            self.say(n, "internal", "cs_manager", "cs_supervisor", "cs_specialist", "cs_clerk")
            self.say(n, "briefing", "cs_manager", "leader_in_charge")
            self.say(n, "visits", "cs_specialist")
        elif name == "meeting":
            self.say(n, "meeting", "cs_manager", "property_manager", "property_company")
        else:
            self.month(n, day)

    def month(self, n: int, day: date) -> None:
        self.say(n, "monthly", "cs_manager", "leader_in_charge")
        self.say(n, "visit-analysis", "leadership")
        self.say(n, "contractors", "cs_manager")
        figures = Figures(self.files, (day - DAY).replace(day=1), day)
        if figures.closed:
            self.say(n, "spot-check", "service_inspector")
        for _ in range(figures.improvements):
            self.say(n, "improvement", "cs_manager")

    def sign_by(self, made: datetime) -> datetime:
        """Closing time; of a digest that comes late, the closing of the next service day (S0-4.2.4a)."""
        closing = windows(made.date())[-1][1]
        return closing if made < closing else windows(made.date() + DAY)[-1][1]

    def guided(self, n: int, now: datetime) -> None:
        """The weekly sign-off is guidance in words, and somebody sees to it (S0-4.2.5a)."""
        for (name, _), signed in self.signed.items():
            if name == "weekly" and signed == now:
                self.say(n, "guidance", "cs_manager")

    def unsigned(self, n: int, now: datetime) -> None:
        """Next morning the one above hears of what was not signed."""
        for limit in list(self.limits):
            name, day, until = limit
            signed = self.signed.get((name, day))
            if signed and signed <= now:
                self.limits.remove(limit)
            elif max(opening(until.date() + DAY), until) <= now:
                self.limits.remove(limit)
                self.say(n, "sign-off-missing", "property_manager" if name == "daily" else "pm_dept_manager")

    def box(self, n: int, now: datetime) -> None:
        """Tuesday, Thursday, Saturday at ten; two hours later somebody is reminded (S1-5.4.3)."""
        planned = [datetime.combine(now.date() - k * DAY, time(10), ZONE) for k in range(8)]
        due = next((p for p in planned if p.weekday() in (1, 3, 5) and p + NEAR <= now), None)
        if due is None or due < self.begun or ("box", due.date()) in self.made:
            return
        self.made.add(("box", due.date()))
        if not any(opened.date() == due.date() and opened <= now for opened in self.boxes):
            self.say(n, "box-reminder", "cs_clerk")

    def feed(self, n: int, now: datetime) -> None:
        """Each promise that was broken since the last look (S3-5.1.1)."""
        if now <= self.looked:
            return
        if any(self.fresh(file, clock, now) for file in self.files for clock in file.clocks):
            self.say(n, "breaches", "service_inspector")
        self.looked = now

    def fresh(self, file: File, clock: Clock, now: datetime) -> bool:
        known = file.opened
        if known is None or known > now or clock.since > n_of(self.ticks, now):
            return False
        in_time = any(x is not None and x <= clock.due for x in (clock.met, clock.dropped))
        return clock.start < now and not in_time and self.looked <= max(clock.due, known) < now

    def backlog(self, n: int, now: datetime) -> None:
        """More than twenty open with one handler: once a service day, while the centre is open (S3-3.2.3)."""
        if not any(begin <= now < end for begin, end in windows(now.date())):
            return
        open_now = Counter(f.handler for f in self.files if f.opened and f.opened <= now and not f.over_at(n))
        new = [h for h, count in open_now.items() if count > 20 and (h, now.date()) not in self.told]
        self.told |= {(h, now.date()) for h in new}
        if new:
            self.say(n, "backlog", "cs_manager")


def n_of(ticks: Sequence[datetime], now: datetime) -> int:
    return ticks.index(now)


class Figures:
    """The figures of a month, counted by hand from what happened: from ``first`` until the beginning of ``after``."""

    def __init__(self, files: Sequence[File], first: date, after: date) -> None:
        self.start, self.end = (datetime.combine(d, time(), ZONE) for d in (first, after))
        self.files = [f for f in files if f.opened and f.opened < self.end]

    def within(self, when: datetime) -> bool:
        return self.start <= when < self.end

    @property
    def received(self) -> list[File]:
        return [f for f in self.files if self.within(f.at)]

    @property
    def ended(self) -> list[File]:
        return [f for f in self.files if any(self.within(when) for when, _ in f.ended)]

    @property
    def closed(self) -> list[File]:
        return [f for f in self.files if any(self.within(when) and state == "closed" for when, state in f.ended)]

    def open_at(self, when: datetime) -> list[File]:
        return [f for f in self.files if f.at < when and not any(over < when for over, _ in f.ended)]

    def checks(self, *names: str, kind: str = "", agreed: bool = False) -> tuple[int, int]:
        """Promises kept, and all that were kept or broken in the month; a second late is late (S3-5.2.3)."""
        kept = of = 0
        for file in self.files:
            for c in file.clocks:
                wanted = (c.agreed if agreed else c.name in names) and (not kind or file.plot.kind == kind)
                if not wanted or (c.dropped is not None and c.dropped <= c.due):
                    continue
                in_time = c.met is not None and c.met <= c.due
                if self.within(c.met if in_time and c.met else c.due):
                    kept, of = kept + in_time, of + 1
        return kept, of

    @property
    def counts(self) -> dict[str, int]:
        still = self.open_at(self.end)
        late = [
            f for f in still
            if any(c.due < self.end and not any(x and x < self.end for x in (c.met, c.dropped)) for c in f.clocks)
        ]  # fmt: skip
        return {
            "期初未办结": len(self.open_at(self.start)), "受理": len(self.received), "办结": len(self.ended),
            "重新处理": sum(self.within(x) for f in self.files for x in f.reopened), "期末未办结": len(still),
            "期末逾期": len(late),
            "办结后重新打开": sum(
                any(over < self.start for over, _ in f.ended) and any(map(self.within, f.reopened)) for f in self.files
            ),
        }  # fmt: skip

    @property
    def shares(self) -> dict[str, tuple[int, int]]:
        """Part and whole of each indicator."""
        got = self.received
        answers = [said for f in self.files for when, said in f.visits if self.within(when)]
        accepted = [passed for f in self.files for when, passed in f.accepted[:1] if self.within(when)]
        return {
            "complaint_rate": (sum(f.plot.kind == "complaint" for f in got), len(got)),
            "praise_rate": (sum(f.plot.kind == "praise" for f in got), len(got)),
            "first_acceptance": (sum(accepted), len(accepted)),
            "timely_reply": self.checks("reply"),
            "on_time_completion": self.checks("resolve"),
            "complaint_on_time": self.checks("resolve", kind="complaint"),
            "agreed_kept": self.checks(agreed=True),
            "satisfaction": (sum(said != "unsatisfied" for said in answers), len(answers)),
        }

    @property
    def kinds(self) -> dict[str, int]:
        return dict(Counter(f.plot.kind for f in self.received))

    @property
    def ways(self) -> dict[str, int]:
        ways = {"mail": "mail", "call": "call", "missed": "call", "box": "paper"}
        return dict(Counter(ways[f.plot.way] for f in self.received))

    @property
    def improvements(self) -> int:
        """Satisfaction below 95 per cent (S4-4.4.2), and each cause three times among what ended (S2-6.B8)."""
        good, asked = self.shares["satisfaction"]
        causes = Counter(f.cause for f in self.ended if f.cause)
        return (asked > 0 and 100 * good < 95 * asked) + sum(n >= 3 for n in causes.values())
