"""An office with all shipped rules whose clock the test owns, and the people of the plots around it.

Time passes in ticks. At each tick first what people did since the last one comes in, then the office works off all that is due.
The clock may jump: ticks are what the office sees, one after the other.
"""

from __future__ import annotations

import csv
import email.utils
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from estate import Estate
from line.office import CHINA, PARTIES, ROLES, mail
from month.people import DEFECTS, IDEAS, MATTERS, NUISANCES, TROUBLES, Act, Plot
from paper import render_letter

from kefud.desk.ticket import Ticket
from kefud.errors import NotAllowed
from kefud.store import letters, tickets
from kefud.wiring import Office

FIRST, LAST = date(2026, 4, 30), date(2026, 6, 2)
"""Thursday before the holidays of Labour Day to the second day of the next month, when the month has been reported."""
ARRIVALS = date(2026, 5, 27)
HOURS = (0, 8, 9, 12, 15, 16, 17, 20)
LEAP, BACK = datetime(2026, 5, 12, 9, tzinfo=CHINA), datetime(2026, 5, 19, 15, tzinfo=CHINA)
SIGNED_WEEK = date(2026, 5, 8)
MORE_PARTIES = """
[[party]]
id = "finance"
name = "财务部"
addresses = ["finance@estate.example.com"]
"""
KNOWLEDGE = """
[[knowledge]]
topic = "快递驿站取件时间"
answer = "快递驿站取件时间为每日 9:00–21:00。"
source = "驿站公示"
verified_on = 2026-04-01
valid_until = 2026-12-31
owner = "cs_clerk"
"""
CHANNELS = """
[[transport]]
id = "out"
plugin = "print_folder"
path = "out"
content = "mail"
[[channel]]
id = "phones"
plugin = "phone_log"
folder = "calls"
[[channel]]
id = "box"
plugin = "complaint_box"
folder = "box"
"""
TRUSTED = 'trust_internal_mail = true\nown_addresses = ["kefu@estate.example.com"]\n'
HEAD = "呼叫编号,呼叫时间,呼叫类型,主叫号码,被叫号码,座席工号,通话状态,来电内容,处理结果,满意度"
PARTY_MAIL = {
    "property_company": "wuye@property.example.com", "engineering": "engineering@estate.example.com",
    "contractor-a": "contractor-a@repair-a.example.com", "finance": "finance@estate.example.com",
}  # fmt: skip
REPORTED = {
    "inquiry": "现场核实属实", "cause": "清扫人手不足", "solution": "增加清扫次数", "customer_talk": "已电话告知,业主认可",
    "result": "楼道已清扫", "done_by": "property_company",
}  # fmt: skip
APPROVAL_MAIL, NOTE_MAIL = "reports/approval-request", "reports/important"


@dataclass
class Matter:
    """One matter of the month: its household, when it reached us, when its ticket was opened, and what came of its plot."""

    index: int
    plot: Plot
    at: datetime
    opened: datetime | None = None
    done: list[tuple[datetime, Act]] = field(default_factory=list)
    number: str = ""
    turn: int = 0
    """Which of the troubles of its kind it is about: within a week no two households tell of the same one."""

    def says_so(self, ticket: Ticket) -> bool:
        if self.plot.way == "mail":
            return ticket.requester.email == self.email
        return ticket.medium == "paper" if self.plot.way == "box" else ticket.requester.phone == self.phone

    @property
    def house(self) -> str:
        return f"{self.index + 1}号楼1单元101"

    @property
    def phone(self) -> str:
        return f"139{self.index:08d}"

    @property
    def email(self) -> str:
        return f"owner{self.index}@mail.example.com"

    @property
    def text(self) -> str:
        said = {"trouble": TROUBLES, "defect": DEFECTS, "matter": MATTERS, "idea": IDEAS, "nuisance": NUISANCES}
        words = {name: texts[self.turn % len(texts)] for name, texts in said.items()}
        return self.plot.words.format(house=self.house, phone=self.phone, **words)


class Town(Estate):
    """The office, kept open from tick to tick; ``ticks`` are the instants it has worked at."""

    def __init__(self, home: Path, matters: Iterable[Matter]) -> None:
        (home / "calls").mkdir()
        (home / "box").mkdir()
        self.matters = list(matters)
        houses = "".join(
            f'[[house]]\nid = "{m.index + 1}-1-101"\nowner = "业主{m.index}"\nphone = "{m.phone}"\n' for m in self.matters
        )
        limits = "[limits]\nletters_per_hour = 1000\ndue_per_tick = 1000\n"
        more = f"{CHANNELS}{limits}{PARTIES}{MORE_PARTIES}{ROLES}{KNOWLEDGE}{houses}"
        super().__init__(home, more, service=TRUSTED, now=instant(FIRST, 8))
        self.ticks: list[datetime] = []
        self._numbers = 0
        self.unsigned: list[dict[str, Any]] = []
        self.signed: dict[tuple[str, date], datetime] = {}
        self.signatures = 0
        self.office: Office

    @contextmanager
    def running(self) -> Iterator[Town]:
        self.office = self.open().__enter__()
        try:
            yield self
        finally:
            self.office.__exit__(None, None, None)

    def restart(self) -> None:
        """The daemon ends and another begins; nothing but the store stays."""
        self.office.__exit__(None, None, None)
        self.office = self.open().__enter__()

    def tick(self, now: datetime) -> None:
        """Let all happen that people did until now, then let the office work."""
        self.now = now
        for matter in self.matters:
            if matter.opened is None and matter.at <= now:
                self._arrives(matter)
                matter.opened = now
            elif matter.opened is not None:
                self._people(matter, now)
        self._sign(now)
        undone = self.office.run_once()
        assert not any(undone.values()), (now, undone)
        self.ticks.append(now)
        with self.office.db.read() as tx:
            digests = [x for x in letters.listed(tx, most=200) if x["template"] in ("reports/daily", "reports/weekly")]
        self.unsigned = [x for x in digests if x["created_at"] == now]

    def _sign(self, now: datetime) -> None:
        """The supervisor signs each day but Tuesdays, the property manager the second week and no other."""
        for letter in self.unsigned:
            kind = letter["template"].removeprefix("reports/")
            day = letter["created_at"].astimezone(CHINA).date()
            if (kind == "daily" and day.weekday() != 1) or (kind == "weekly" and day == SIGNED_WEEK):
                text = "已阅。" if kind == "daily" else "已阅。请各部门优先办理逾期事项。"
                answers = {"Message-ID": letter["message_id"], "References": "", "Subject": letter["subject"]}
                self._post(mail(text, sender=address(letter["recipient"]), name="", answers=answers, received=now))
                self.signed[kind, day] = now
                self.signatures += 1
        self.unsigned = []

    def _people(self, matter: Matter, now: datetime) -> None:
        assert matter.opened is not None
        for act in matter.plot.acts[len(matter.done) :][:1]:  # one after the other: nobody answers what has not come in
            at = matter.opened + timedelta(minutes=act.after)
            if at <= now:
                self._does(matter, act, at)
                matter.done.append((at, act))

    def _arrives(self, matter: Matter) -> None:
        if matter.plot.way == "mail":
            self._post(mail(matter.text, sender=matter.email, name=f"业主{matter.index}", received=matter.at))
        elif matter.plot.way == "box":
            self._drop(matter)
        else:
            status = "已接听" if matter.plot.way == "call" else "未接"
            self._call(matter.at, "呼入", matter.phone, "4000000000", status, matter.text)

    def _drop(self, matter: Matter) -> None:
        """A letter in the complaint box, opened and scanned at the time of the matter."""
        scan = self.home / "box" / f"{matter.index}.png"
        scan.write_bytes(render_letter(matter.text))
        os.utime(scan, (matter.at.timestamp(),) * 2)
        scan.with_name(f"{scan.name}.ok").touch()

    def _post(self, content: bytes) -> None:
        self._numbers += 1
        (self.home / "mail" / "new" / f"{self._numbers:06d}.test").write_bytes(content)

    def _call(self, at: datetime, way: str, caller: str, callee: str, status: str, content: str, judged: str = "") -> None:
        self._numbers += 1
        id = f"C{self._numbers:06d}"
        row = [id, f"{at:%Y-%m-%d %H:%M:%S}", way, caller, callee, "8001", status, content, "", judged]
        file = self.home / "calls" / f"{id}.csv"
        with file.open("w", encoding="utf-8-sig", newline="") as table:
            csv.writer(table).writerows([HEAD.split(","), row])
        (self.home / "calls" / f"{id}.csv.ok").touch()

    # What people do

    def ticket(self, matter: Matter) -> Ticket:
        """The ticket of a matter, found by what only that matter has."""
        with self.office.db.read() as tx:
            if matter.number:
                [id] = tickets.ids_of_numbers(tx, [matter.number]).values()
            else:
                found = tickets.load(tx, tickets.search(tx, most=10_000)).values()
                [id] = [t.id for t in found if t.started_at == matter.at and matter.says_so(t)]
            ticket = tickets.load(tx, [id])[id]
        matter.number = ticket.number
        return ticket

    def _does(self, matter: Matter, act: Act, at: datetime) -> None:
        later = (matter.opened or at) + timedelta(days=12)
        words = act.words.format(cause=f"人手不足{matter.index}", later=f"{later:%Y}年{later.month}月{later.day}日17时")
        ticket = self.ticket(matter)
        if act.who == "owner":
            letter = self._last(ticket, "requester")
            self._post(mail(words, sender=matter.email, name=f"业主{matter.index}", answers=letter, received=at))
        elif act.who == "stranger":
            letter = self._last(ticket, "requester")
            self._post(mail(words, sender=f"other{matter.index}@mail.example.com", name="", answers=letter, received=at))
        elif act.who == "server":
            self._post(bounce(self._last(ticket, ticket.department or ""), at))
        elif act.who == "call":
            self._call(at, "呼出", "4000000000", matter.phone, "已接听", words, "满意" if act.means == "satisfied" else "")
        elif act.who in PARTY_MAIL:
            headers = (("Auto-Submitted", "auto-replied"),) if act.means == "is away" else ()
            notice = self._last(ticket, act.who)
            self._post(mail(words, sender=PARTY_MAIL[act.who], name="", answers=notice, received=at, headers=headers))
        elif act.means in ("approves", "rejects", "takes note"):
            letter = self._last(ticket, act.who)
            self._post(mail(words, sender=address(act.who), name="", answers=letter, received=at))
        else:
            self._order(ticket, act, words)

    def _order(self, ticket: Ticket, act: Act, words: str) -> None:
        command, args = {
            "verifies": ("verify", {}), "completes": ("handle", REPORTED), "visits": ("visit", {"result": words}),
            "answers": ("reply", {"text": words}), "thanks": ("adopt", {"reason": "建议合理", "plan": "计划下月安装"}),
            "closes": ("close", {"reason": "已转达并致谢"}), "plans": ("plan", {"text": words}),
            "tells": ("reply", {"text": words, "by": "phone"}),
        }[act.means]  # fmt: skip
        try:
            self.office.casework.order(ticket.number, command, act.who, args)
        except NotAllowed as error:
            raise AssertionError(f"{ticket.number} {ticket.status} {command}: {error}") from error

    def _last(self, ticket: Ticket, recipient: str) -> Any:
        """The last letter to somebody, as a mail program shows it."""
        found = [x for x in ticket.letters if x.recipient == recipient and x.status == "sent"]
        assert found, (ticket.number, recipient, [(x.recipient, x.template, x.status) for x in ticket.letters])
        return {"Message-ID": found[-1].message_id, "References": "", "Subject": f"[{ticket.number}]"}

    # What came of it

    def all_letters(self) -> list[dict[str, Any]]:
        with self.office.db.read() as tx:
            return list(reversed(letters.listed(tx, most=1_000_000)))


def address(role: str) -> str:
    return f"{role.replace('_', '-')}@roles.example.com"


def bounce(letter: Any, at: datetime) -> bytes:
    """A delivery report of a mail server about a letter of ours."""
    head = f"Received: from mx.example.com by mx.estate.example.com; {email.utils.format_datetime(at)}\r\n"
    return (
        f"{head}From: MAILER-DAEMON@mx.property.example.com\r\nTo: kefu@estate.example.com\r\nSubject: Undelivered Mail\r\n"
        f"Date: {email.utils.format_datetime(at)}\r\nMessage-ID: {email.utils.make_msgid(domain='mx.property.example.com')}\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nThe mailbox is gone.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.property.example.com\r\n\r\n"
        "Final-Recipient: rfc822; wuye@property.example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
        f"--b\r\nContent-Type: message/rfc822-headers\r\n\r\nMessage-ID: {letter['Message-ID']}\r\n\r\n--b--\r\n"
    ).encode()


def instant(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), CHINA)


def month(plots: Sequence[Plot], seed: int = 1) -> list[Matter]:
    """A matter of each plot, spread over the month at any hour."""
    chance = random.Random(seed)
    days = (ARRIVALS - FIRST).days
    found = []
    for n, plot in enumerate(plots):
        hour = chance.choice(HOURS[1:])
        found.append(Matter(n, plot, instant(FIRST + timedelta(days=chance.randrange(days)), hour) - timedelta(minutes=2)))
    turns: Counter[str] = Counter()
    for matter in sorted(found, key=lambda m: (m.at, m.index)):
        matter.turn = turns[matter.plot.kind]
        turns[matter.plot.kind] += 1
    return found


def ticks(matters: Iterable[Matter], hours: Iterable[int]) -> Iterator[datetime]:
    """When the office looks: at these hours of each day, and closely where something is alarming.

    The clock leaps over a day, and once it goes back by an hour and goes on from there.
    """
    found: set[datetime] = set()
    for day in range((LAST - FIRST).days + 1):
        found |= {instant(FIRST + timedelta(days=day), hour) for hour in hours}
    for m in matters:
        near = range(7, 75, 6) if m.plot.urgency == "emergency" else (31, 62, 93, 124) if m.plot.important else ()
        found |= {m.at + timedelta(minutes=2 + after) for after in near}
    begun = [now for now in sorted(found) if now >= instant(FIRST, 8) and not LEAP < now < LEAP + timedelta(days=1)]
    for now in begun:
        yield now
        if now == BACK:
            yield from (BACK - timedelta(minutes=m) for m in (57, 33, 9))
