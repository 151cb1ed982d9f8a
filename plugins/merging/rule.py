"""The merging rule: the same matter again joins its ticket; many households with one matter are a group (S0-3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from kefud.api import (
    Classify,
    Decision,
    Effect,
    Merge,
    Occasion,
    Opened,
    Relate,
    Related,
    Remark,
    Site,
    Ticket,
    due,
    normalise_phone,
)

from .likeness import elsewhere, likeness, near, of_the_estate, pairs, places, things
from .word import TakenBack, again, says_more, taken_back, tells_result, told_on

CLOSED = ("closed", "archived", "declined", "merged", "withdrawn")
SETTLED = ("answered", "visiting", "closed", "archived")
"""States in which the work is done; what is told to be as bad as before is taken up again there, except from the archive."""
VISITED = ("complaint", "repair")
MOST_SIGNATURES = 60
LONGEST_SIGNATURE = 32
SAME_SORTS = frozenset({"complaint", "repair", "suggestion", "consultation"})


class Merging:
    """Asked about every new ticket with its possible relations."""

    name = "merging"

    def __init__(self, site: Site, settings: Mapping[str, Any]) -> None:
        self.site = site
        self.same = float(settings.get("same", 0.34))
        self.same_thing = float(settings.get("same_thing", 0.0))
        self.same_other_category = float(settings.get("same_other_category", 0.6))
        self.anonymous = float(settings.get("anonymous", 0.6))
        self.chased = float(settings.get("chased", 0.15))
        self.group = float(settings.get("group", 0.25))
        self.group_elsewhere = float(settings.get("group_elsewhere", 0.4))
        self.households = int(settings.get("households", 3))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        return self._opened(ticket, occasion) if isinstance(occasion, Opened) else ()

    def _opened(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        start = ticket.started_at or occasion.message.received_at
        words = pairs(ticket.summary or ticket.subject)
        if ticket.origin == "owner" and ticket.kind in SAME_SORTS:
            word = list(self._word(ticket, occasion))
            if word:
                yield from word
                return
        known = occasion.similar if ticket.origin == "anonymous" else occasion.related
        yield from self._signed_by_many(ticket)
        recent = [r for r in known if self._in_window(r.started_at, start) and r.number != ticket.number]
        target = self._target(ticket, words, recent) or self._told_before(ticket, words, recent, start)
        if target is not None:
            yield from self._again(ticket, target)
            return
        older = [r for r in known if r not in recent and r.number != ticket.number]
        waited_for = self._waited_for(ticket, words, older) or self._told_before(ticket, words, older, start)
        if waited_for is not None:
            yield Remark(f"顾客催问{waited_for.number},并入该单", rule="S1-4.3.5")
            yield Merge(waited_for.number, rule="S1-4.3.5", why="同一户催问尚未办结的同一事项")
            return
        yield from self._linked(ticket, words, recent)
        yield from self._many(ticket, words, [r for r in occasion.similar if self._in_window(r.started_at, start)])

    def _in_window(self, one: datetime, other: datetime) -> bool:
        first, second = sorted((one, other))
        return second <= due(first, self.site.term("duplicate_window"), self.site.calendar)

    # the same matter again

    def _target(self, ticket: Ticket, words: frozenset[str], recent: list[Related]) -> Related | None:
        mine = [r for r in recent if r.status not in CLOSED and self._may_join(ticket, r)]
        alike = [(likeness(words, pairs(r.summary)), r) for r in mine]
        same = [(score, r) for score, r in alike if score >= self._needed(ticket, r)]
        if same:
            return max(same, key=lambda pair: (pair[0], pair[1].started_at))[1]
        return self._chased(ticket, alike) if ticket.has("customer_chased") and ticket.origin != "anonymous" else None

    def _told_before(self, ticket: Ticket, words: frozenset[str], known: list[Related], start: datetime) -> Related | None:
        """The matter that the customer says was brought on a day that is named, however differently it was told then."""
        day = told_on(_told(ticket), self.site.calendar.local(start).date()) if ticket.origin == "owner" else None
        if day is None:
            return None
        mine = [r for r in known if r.status not in CLOSED and self._may_join(ticket, r)]
        then = [r for r in mine if self.site.calendar.local(r.started_at).date() == day]
        scored = [(likeness(words, pairs(r.summary)), r) for r in then if not elsewhere(_told(ticket), r.summary)]
        score, nearest = max(scored, key=lambda pair: pair[0], default=(0.0, None))
        plain = score > 0 and sum(s == score for s, _ in scored) == 1
        return nearest if plain else None

    def _waited_for(self, ticket: Ticket, words: frozenset[str], older: list[Related]) -> Related | None:
        """A matter of before the term that is still open, which an impatient customer asks about in words of its own."""
        if not ticket.has("customer_chased") or ticket.origin == "anonymous":
            return None
        mine = [r for r in older if r.status not in CLOSED and self._may_join(ticket, r)]
        if len(mine) == 1 and ticket.category == "general":
            return mine[0]
        told = _told(ticket)
        alike = [(likeness(words, pairs(r.summary)), r) for r in mine if r.category == ticket.category]
        fit = [(score, r) for score, r in alike if score >= self.same or _of_one_thing(told, r.summary)]
        return max(fit, key=lambda pair: (pair[0], pair[1].started_at))[1] if fit else None

    def _chased(self, ticket: Ticket, alike: list[tuple[float, Related]]) -> Related | None:
        """What an impatient customer means: the only matter of that sort, else the one whose words come nearest."""
        if len(alike) == 1 and ticket.category == "general":
            return alike[0][1]
        sort = [(score, r) for score, r in alike if r.category == ticket.category]
        if len(sort) == 1:
            return sort[0][1]
        told = _told(ticket)
        named = [(score, r) for score, r in alike if _of_one_thing(told, r.summary)]  # also where a new demand stands beside it
        score, nearest = max(sort or named or alike, key=lambda pair: (pair[0], pair[1].started_at), default=(0.0, None))
        return nearest if score >= self.chased or (nearest and (score, nearest) in named) else None

    def _may_join(self, ticket: Ticket, other: Related) -> bool:
        """The same household or sender, never another one's ticket; an emergency only an emergency's."""
        if ticket.kind != other.kind and not {ticket.kind, other.kind} <= SAME_SORTS:
            return False
        if ticket.urgency == "emergency" and other.urgency != "emergency":
            return False
        if ticket.origin == "anonymous":
            return not (other.phone or other.email or (other.house or "").count("-") == 2)
        return _same_people(ticket, other)

    def _needed(self, ticket: Ticket, other: Related) -> float:
        if ticket.origin == "anonymous":
            named = places(f"{ticket.subject} {ticket.summary}"), places(other.summary)
            return self.anonymous if near(*named) else 2.0 if any(named) else self.anonymous + 0.15
        if ticket.category != other.category:
            return self.same_other_category
        return self.same_thing if _of_one_thing(_told(ticket), other.summary) else self.same

    def _again(self, ticket: Ticket, target: Related) -> Iterator[Decision]:
        effects = [f"duplicate_of:{target.number}"]
        if ticket.has("customer_chased"):
            effects.append("customer_chased")
        yield Effect(tuple(effects), rule="S0-3.2", why="同一户同一事项,七日内再次反映")
        yield Remark(f"与{target.number}为同一事项,并入该单;来件中的新要求一并办理", rule="S0-3.2")
        yield Merge(target.number, rule="S0-3.2", why="同一户、同一事项,在并案期限内")

    # the customer's word on a matter on record

    def _word(self, ticket: Ticket, occasion: Opened) -> Iterator[Decision]:
        """What takes a matter back, or tells of one that was done and is as before, belongs to its ticket (S3-2.5.4)."""
        mine = [r for r in occasion.related if r.number != ticket.number and self._may_speak_of(ticket, r)]
        text = f"{ticket.subject}\n{occasion.message.text}" if ticket.subject not in occasion.message.text else occasion.message.text
        back = taken_back(text, ticket.requester.name)
        if back:
            said = list(self._taken_back(ticket, [r for r in mine if r.status not in CLOSED], back))
            if said:
                yield from said
                return
        if target := self._spoken_of(ticket, mine, text):
            yield Merge(target.number, "more", rule="S0-3.2", why="同一户就在办事项补充情况或告知结果")
            return
        told = again(text)
        if told is not False:
            yield from self._as_before(ticket, mine, sure=told is True)

    def _may_speak_of(self, ticket: Ticket, other: Related) -> bool:
        hidden = ticket.urgency == "emergency" and other.urgency != "emergency"
        return not hidden and _same_people(ticket, other)

    def _taken_back(self, ticket: Ticket, mine: list[Related], back: TakenBack) -> Iterator[Decision]:
        """The matter it names by its words, else the household's only open one; where that is not plain a person asks."""
        rule, words = "S3-2.5.4", pairs(back.about)
        alike = sorted(mine, key=lambda r: (likeness(words, pairs(r.summary)), r.started_at), reverse=True)
        if alike:
            scores = [likeness(words, pairs(r.summary)) for r in alike]
            named = scores[0] > 0 or bool(things(back.about) & things(alike[0].summary))
            if words and not named and not back.outright:
                return
            plain = (named and scores[0] not in scores[1:]) or (len(alike) == 1 and not words)
            says = "withdraw" if back.sure and plain else "withdraw?"
            yield Merge(alike[0].number, says, rule=rule, why="同一户撤回在办事项" if plain else "同一户似撤回在办事项")
        elif back.sure and back.outright and ticket.category != "safety":
            yield Classify(kind="consultation", category="general", rule=rule, why="顾客表示撤回,未找到其在办工单,不派单")
            yield Remark("顾客表示撤回,未找到其在办的工单,请联系核对", rule=rule)

    def _spoken_of(self, ticket: Ticket, mine: list[Related], text: str) -> Related | None:
        """The matter a message adds to in as many words, or says is done; the one it names, where only one comes near."""
        adds, done = says_more(text), tells_result(text)
        if not adds and not done:
            return None
        told, words = _told(ticket), pairs(done or ticket.summary or ticket.subject)
        at_work = [r for r in mine if r.status not in CLOSED and r.kind in SAME_SORTS and (adds or r.status in SETTLED)]
        scored = [(likeness(words, pairs(r.summary)), r) for r in at_work if not elsewhere(told, r.summary)]
        fit = [(score, r) for score, r in scored if score >= self.chased or _of_one_thing(told, r.summary)]
        score, nearest = max(fit, key=lambda pair: pair[0], default=(0.0, None))
        return nearest if sum(s == score for s, _ in fit) == 1 else None

    def _as_before(self, ticket: Ticket, mine: list[Related], sure: bool) -> Iterator[Decision]:
        told, words = _told(ticket), pairs(ticket.summary or ticket.subject)
        needed = self.chased if sure else self.same
        scored = [(likeness(words, pairs(r.summary)), r) for r in mine if r.kind in VISITED and not elsewhere(told, r.summary)]
        fit = [(score, r) for score, r in scored if score >= needed or _of_one_thing(told, r.summary)]
        if not fit:
            return
        target = max(fit, key=lambda pair: (pair[0], pair[1].started_at))[1]
        if target.status not in SETTLED:
            return
        rule, why = "S3-2.5.4", f"{target.number}已办理,顾客反映问题依旧"
        yield Classify(important=True, rule="S0-4.2.1", why=why)
        yield Effect(("report_up:cs_supervisor",), rule="S0-4.2.1", why=why)
        yield Relate((target.number,), rule=rule, why=why)
        yield Remark(why, rule=rule)
        if target.status != "archived":
            yield Merge(target.number, "again", rule=rule, why=why)

    # matters that have to do with each other

    def _linked(self, ticket: Ticket, words: frozenset[str], recent: list[Related]) -> Iterator[Decision]:
        alike = [r for r in recent if likeness(words, pairs(r.summary)) >= self.same]
        near_enough = [r for r in alike if self._is_linkable(ticket, r)]
        if near_enough:
            numbers = tuple(r.number for r in near_enough)
            yield Relate(numbers, rule="S0-3.2", why="同一户此前的相近事项")
            closed = [r.number for r in near_enough if r.status in CLOSED]
            if closed:
                yield Remark(f"此前{'、'.join(closed)}已办结,本次另立新单", rule="S0-3.2")

    def _is_linkable(self, ticket: Ticket, other: Related) -> bool:
        return ticket.category == other.category or _same_people(ticket, other)

    def _many(self, ticket: Ticket, words: frozenset[str], similar: list[Related]) -> Iterator[Decision]:
        """Three or more households with one matter in the term: told to the superior, the tickets linked (§2, D13)."""
        if ticket.kind not in ("complaint", "repair", "suggestion"):
            return
        same = [r for r in similar if r.category == ticket.category and self._is_same_trouble(ticket, words, r)]
        others = {_household(r.house, r.phone, r.email, r.number) for r in same}
        mine = _household(ticket.house, ticket.requester.phone, ticket.requester.email, "")
        others.discard(mine)
        if same and len(others) + 1 >= self.households:
            yield Classify(important=True, rule="S0-4.2.1", why=f"七日内{len(others) + 1}户反映同一事项")
            yield Effect(("group_complaint", "report_up:cs_supervisor"), rule="S0-4.2.1", why="多户反映同一事项")
            yield Relate(tuple(r.number for r in same), rule="S0-3.2", why="多户反映同一事项")

    def _signed_by_many(self, ticket: Ticket) -> Iterator[Decision]:
        """One letter that several households sign, each with its house (§2, D13)."""
        if ticket.origin != "owner" or ticket.kind not in ("complaint", "repair", "suggestion"):
            return
        houses = {house for line in _signatures(ticket.text) for house in places(line) if house.count("-") == 2}
        if len(houses) >= self.households:
            yield Classify(important=True, rule="S0-4.2.1", why=f"{len(houses)}户联名")
            yield Effect(("group_complaint", "report_up:cs_supervisor"), rule="S0-4.2.1", why="多户联名")

    def _is_same_trouble(self, ticket: Ticket, words: frozenset[str], other: Related) -> bool:
        """The same words in the same building; where no building is named the words alone must be very alike."""
        score = likeness(words, pairs(other.summary))
        together = _buildings(ticket.house, ticket.summary) & _buildings(other.house, other.summary)
        common = things(_told(ticket)) & things(other.summary)
        if common and (together or of_the_estate(common)):
            return True
        return score >= (self.group if together else self.group_elsewhere)


def _signatures(text: str) -> Iterator[str]:
    """The short lines at the end of a letter that name a house; those without, such as the date, are passed over."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    for line in reversed(lines[1:][-MOST_SIGNATURES:]):
        if len(line) > LONGEST_SIGNATURE:
            return
        if places(line):
            yield line


def _told(ticket: Ticket) -> str:
    return f"{ticket.subject}\n{ticket.summary}"


def _of_one_thing(one: str, other: str) -> bool:
    return bool(things(one) & things(other)) and not elsewhere(one, other)


def _same_people(ticket: Ticket, other: Related) -> bool:
    if ticket.house and other.house and ticket.house != other.house:
        return near((ticket.house,), (other.house,)) and _same_contact(ticket, other)
    if ticket.house and ticket.house == other.house and ticket.house.count("-") == 2:
        return True
    return _same_contact(ticket, other)


def _same_contact(ticket: Ticket, other: Related) -> bool:
    phone = normalise_phone(ticket.requester.phone)
    email = ticket.requester.email.lower()
    return bool(phone and phone == normalise_phone(other.phone)) or bool(email and email == other.email.lower())


def _buildings(house: str | None, text: str) -> frozenset[str]:
    return frozenset(place.split("-")[0] for place in (*places(text), *filter(None, (house,))))


def _household(house: str | None, phone: str, email: str, number: str) -> str:
    return house or phone or email.lower() or number
