"""Who gets a 工作联系单 about a ticket, what it asks, and by when. Pure."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from kefud.api import (
    Notice,
    Party,
    Site,
    Term,
    Ticket,
    asks_for_confidence,
    chinese,
    contact_shown,
    due,
    find_phones,
    fold,
    hides_house,
    parse_term,
    sentences,
    without_traces,
)

REQUESTS: dict[str, dict[str, str]] = tomllib.loads((Path(__file__).parent / "requests.toml").read_text("utf-8"))
_NUMBER = re.compile(r"\+?[0-9](?:[0-9]|[ -](?=[0-9])){5,}")
_INTRODUCES = re.compile(r"我是|我叫|本人|业主|住户|住在?|(?:联系)?(?:电话|手机)|号楼|[栋幢]|[0-9]+-[0-9]+")
_OF_SOMEBODY = re.compile(r"[\W_0-9]|业主|住户|女士|先生|联系|电话|手机|号码|姓名|微信|同号|本人|的|是|我")
LEAST = 4
"""Characters that tell something."""
LONGEST_HEADLINE = 40
_CLAUSE = re.compile(r"[^,，;；]+[,，;；]?")
_FORMAL = re.compile(
    r"\s*(?:(?:尊敬的|敬爱的)?[^,。!?\n]{0,16}(?:您好|你好|:)[,。!: ]*|此致|敬礼|谢谢|祝好|(?:住户|业主|居民)们?"
    r"|[0-9年月日./ -]{4,}|[一二三四五六七八九十〇零年月日]{4,})[!。. ]*"
)
_MARKS = " ,，、:："
OUTSIDE = ("government", "owners_committee")
"""Kinds of parties to which nothing leaves without the manager's signature (SERVICE_RULES §9)."""


class Recipients:
    """The notices a ticket calls for, by what it is now."""

    def __init__(self, site: Site) -> None:
        self.site = site
        settings = site.plugin_settings("notices")
        self.lead = parse_term(settings.get("joint_lead", "1 clock_hours")).length
        self.opinion = parse_term(settings.get("opinion_term", "3 calendar_days"))

    def leader(self, ticket: Ticket) -> str:
        """Who is written to as the leading department: of several contractors the one chosen."""
        party = self._party(ticket, ticket.department or "")
        return party.id if party else ticket.department or ""

    def notices(self, ticket: Ticket, at: datetime, *, again: bool = False) -> Iterator[Notice]:
        """One for the lead department, one for each joint one; ``again`` in a new round, to the lead alone where one leads."""
        lead = ticket.department
        if lead and lead != "cs_center":
            yield self._to_lead(ticket, lead, at, again=again)
        if ticket.has("major_quality") and lead != "engineering":
            yield self._liability(ticket, at)
        if again and lead and lead != "cs_center":
            return
        for department in ticket.joint:
            if department not in (lead, "cs_center", *(["engineering"] if ticket.has("major_quality") else [])):
                yield self._joint(ticket, department, at)

    def _to_lead(self, ticket: Ticket, lead: str, at: datetime, *, again: bool) -> Notice:
        party = self._party(ticket, lead)
        asked = REQUESTS[("resumed" if resumed(ticket) else "reopened") if again else self._key(ticket, party, lead)]
        finish, reply = self._limits(ticket, lead, at)
        mask = not self._shown(ticket, party)
        return Notice(
            party.id if party else lead,
            subject=subject(ticket),
            request=asked["request"],
            content=content(ticket, mask),
            finish_by=finish,
            reply_by=reply,
            limit_rule=asked["rule"],
            mask=mask,
            copy_to=tuple(c for c in ticket.fields.get("copies") or () if c != lead),
            template="notices/work-order" if ticket.urgency == "normal" else "notices/urgent-work-order",
            clock=self._clock(ticket, lead),
            sign="cs_manager" if party and party.kind in OUTSIDE else "",
            rule=asked["rule"],
            why=f"{f'第{ticket.round}轮:' if again else ''}转{_name(party, lead)}办理",
        )

    def _liability(self, ticket: Ticket, at: datetime) -> Notice:
        asked = REQUESTS["major_quality"]
        mask = not self._shown(ticket, self.site.party("engineering"))
        return Notice(
            "engineering",
            subject=subject(ticket),
            request=asked["request"],
            content=content(ticket, mask),
            reply_by=self._end(ticket, at, self.opinion),
            limit_rule=asked["rule"],
            mask=mask,
            template="notices/urgent-work-order",
            clock="notice_engineering",
            rule=asked["rule"],
            why="重大质量问题,书面通知工程部确定责任主体",
        )

    def _joint(self, ticket: Ticket, department: str, at: datetime) -> Notice:
        party = self.site.party(department)
        key = "dispute" if ticket.dispute and department == "legal" else self._joint_key(ticket)
        mask = not self._shown(ticket, party)
        return Notice(
            party.id if party else department,
            subject=subject(ticket),
            request=REQUESTS[key]["request"],
            content=content(ticket, mask),
            reply_by=self._contribution(ticket, at),
            limit_rule=REQUESTS[key]["rule"],
            mask=mask,
            template="notices/joint",
            rule=REQUESTS[key]["rule"],
            why=f"协同{_name(party, department)}答复",
        )

    def _joint_key(self, ticket: Ticket) -> str:
        return ticket.category if ticket.category in ("personalisation", "safety") else "joint"

    def _key(self, ticket: Ticket, party: Party | None, lead: str) -> str:
        if ticket.has("inspection"):
            return "inspection"
        if ticket.urgency == "emergency":
            return "emergency"
        if lead == "engineering" and ticket.has("major_quality"):
            return "major_quality"
        parts = {"property_company": "property", "contractor": "contractor", "design": "design", "sales": "sales"}
        short = parts.get(lead) or parts.get(party.kind if party else "", "")
        if ticket.kind == "repair" and ticket.category == "vacant_house":
            return "repair_vacant_house"
        return next((k for k in (f"{ticket.kind}_{short}", ticket.kind) if k in REQUESTS), "other")

    def _clock(self, ticket: Ticket, lead: str) -> str:
        for name, department in (("notice_property", "property_company"), ("notice_engineering", "engineering")):
            deadline = ticket.deadline(name)
            if lead == department and deadline and deadline.open:
                return name
        return ""

    def _limits(self, ticket: Ticket, lead: str, at: datetime) -> tuple[datetime | None, datetime | None]:
        """Finish by our promise to the owner; report early enough for us to check and tell."""
        drawing = _open_due(ticket, "drawing") if lead == "design" else None
        finish = drawing or _open_due(ticket, "resolve", "rectify")
        if finish is None:
            ours = _open_due(ticket, "reply", "reply_to_property", "reply_to_sales")
            return None, self._before(ticket, ours, at) if ours else self._end(ticket, at, self.opinion)
        return finish, finish if drawing or ticket.urgency != "normal" else self._before(ticket, finish, at)

    def _contribution(self, ticket: Ticket, at: datetime) -> datetime | None:
        ours = _open_due(ticket, "reply", "reply_to_sales", "reply_to_property", "drawing", "resolve", "plan")
        return self._before(ticket, ours, at) if ours else self._end(ticket, at, self.opinion)

    def _before(self, ticket: Ticket, ours: datetime, at: datetime) -> datetime:
        """``lead`` before our own deadline; half-way there where that is too soon."""
        start = ticket.started_at or at
        wanted = ours - self.lead
        return wanted if wanted - start > self.lead else start + (ours - start) / 2

    def _end(self, ticket: Ticket, at: datetime, term: Term) -> datetime:
        return due(ticket.started_at or at, term, self.site.calendar)

    def _party(self, ticket: Ticket, lead: str) -> Party | None:
        """The party itself; of several contractors the one chosen for the ticket."""
        chosen = ticket.fields.get("contractor") if lead == "contractor" else None
        return self.site.party(str(chosen or lead))

    def _shown(self, ticket: Ticket, party: Party | None) -> bool:
        return contact_shown(ticket, party.kind if party else "department", party.show_contact if party else False)


def subject(ticket: Ticket) -> str:
    """A neutral subject: what it is about, without the writer's own heading where that was rude."""
    if ticket.fields.get("insults"):
        return ""
    return ticket.subject or ticket.summary


def headline(words: str, ticket: Ticket) -> str:
    """What the newest words tell, as a subject: less the clauses that only say who writes. "" where the words were rude."""
    if ticket.fields.get("insults"):
        return ""
    clauses = [clause for line in sentences(words) for clause in _CLAUSE.findall(line)]
    told = "".join(_unsigned(clause, ticket.requester.name) for clause in clauses if not asks_for_confidence(clause))
    return told.strip(_MARKS)[:LONGEST_HEADLINE]


def content(ticket: Ticket, mask: bool) -> str:
    """The facts for the department in the writer's words, without greeting and signature.

    Our own summary where the words were rude; where the writer is not to be known, nothing they say of themselves.
    """
    if findings := ticket.fields.get("findings"):
        place = str(ticket.fields.get("place") or "")
        items = [f"{n}. {found['text']}" for n, found in enumerate(findings, 1)]
        return "\n".join([f"巡查发现下列问题{f'（{place}）' if place else ''}：", *items])
    if ticket.fields.get("insults") or not ticket.text.strip():
        return ticket.summary
    told = [_facts(line, ticket, mask) for line in sentences(ticket.text) if not _FORMAL.fullmatch(fold(line))]
    return "\n".join(line for line in told if line) or ticket.summary


def _facts(sentence: str, ticket: Ticket, mask: bool) -> str:
    """The sentence, less who writes and what asks for confidence."""
    if not mask:
        return sentence
    clauses = _CLAUSE.findall(sentence)
    kept = ["" if asks_for_confidence(c) else _unsigned(c, ticket.requester.name) for c in clauses]
    if hides_house(ticket):
        kept = [without_traces(c) for c in kept]
    return sentence if kept == clauses else "".join(kept).strip(_MARKS)


def _unsigned(clause: str, name: str) -> str:
    """The clause without name and telephone, "" where it tells nothing else: 钱女样 13800000612 楼道灯坏了 → 楼道灯坏了."""
    told = [m.span() for m in _NUMBER.finditer(clause) if find_phones(m[0])]
    told += [m.span() for m in re.finditer(re.escape(name), clause)] if name else []
    if not told:
        return "" if find_phones(clause) else clause  # one that is written in another way
    pieces, last = [], 0
    for start, end in sorted(told):
        pieces.append(clause[last:start])
        last = max(last, end)
    if _INTRODUCES.search(fold(pieces[0])):
        pieces[0] = ""
    pieces = [piece.strip("(（)）" + _MARKS) for piece in pieces]
    rest = "".join((*pieces, clause[last:].lstrip(")）" + _MARKS)))
    tells = len(_OF_SOMEBODY.sub("", fold(rest))) >= LEAST
    return rest if tells and not find_phones(rest) else ""


def _open_due(ticket: Ticket, *names: str) -> datetime | None:
    for name in names:
        deadline = ticket.deadline(name)
        if deadline and deadline.open:
            return deadline.due
    return None


def _name(party: Party | None, id: str) -> str:
    return party.name if party and party.name else chinese(id)


def resumed(ticket: Ticket) -> bool:
    """Whether this round began with a withdrawal taken back, not with a result that did not satisfy."""
    return ticket.fields.get("resumed_round") == ticket.round


def said_by_customer(ticket: Ticket) -> str:
    """What the customer said at the return visit, for the notice of the next round."""
    return str(ticket.fields.get("visit_reason") or "")


