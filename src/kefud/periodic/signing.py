"""A manager signs a digest, by command or by answering its mail: orders become tasks, marked tickets are reported up.

The signature, the tasks and the reports are saved in one transaction (S0-4.2.4, S0-4.2.5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from kefud.api import Site, due, ordered_until
from kefud.casework import Casework
from kefud.desk import decisions as d
from kefud.desk import tokens
from kefud.desk.reading import Reading
from kefud.desk.ticket import Ticket, chinese
from kefud.errors import NotAllowed, Usage
from kefud.periodic.post import Post
from kefud.periodic.reporting import Reporter
from kefud.reports import RHYTHM, SignOff, parse_period, read_sign_off
from kefud.store import letters, registers, tickets
from kefud.store.database import Connection, Database
from kefud.store.registers import Made

NAMES = {"daily": "日报", "weekly": "周报", "record": "日工作记录", "monthly": "月报", "contractors": "月度考核",
    "meeting": "例会材料",
         "effect": "每周小结", "internal": "内部例会材料", "visit-analysis": "回访分析", "yearly": "年终考核",
         "briefing": "简报"}  # fmt: skip
MARKED = {"daily": ("pm_dept_manager", "S0-4.2.4b"), "weekly": ("leadership", "S0-4.2.5b")}
"""Whom a ticket marked important is reported to at once, and by which rule."""
RULES = {"daily": "S0-4.2.4a", "weekly": "S0-4.2.5a", "record": "S0-5.2", "monthly": "S1-4.3.8", "contractors": "S1-5.7.6",
         "meeting": "S1-5.7.5"}  # fmt: skip
INSTRUCTED = "instruct"
LONGEST = 2000
"""Characters of a mail that are passed on."""


class Signing:
    """Takes sign-offs."""

    def __init__(
        self, db: Database, site: Site, reporter: Reporter, casework: Casework, post: Post, *, clock: Callable[[], datetime]
    ) -> None:
        self.db = db
        self.site = site
        self.reporter = reporter
        self.casework = casework
        self.post = post
        self.clock = clock

    def sign(self, kind: str, period: str | None, role: str, said: SignOff, by_mail: int = 0) -> tuple[Made, list[str]]:
        """Sign the report of ``period``, or the newest unsigned one. Returns it and what could not be done (in Chinese).

        Raises NotAllowed where the role may not sign or guidance is missing, Usage where there is no such report.
        """
        self._may(kind, role, said)
        have = self._report(kind, period)
        self.post.ready()
        refused: list[str] = []
        orders = self._decisions(have, role, said, refused)
        self.casework.carry_out(
            orders, role, INSTRUCTED, said.guidance or "已阅", lambda tx, now: self._keep(tx, have, role, said, now, by_mail)
        )
        with self.db.read() as tx:
            signed = registers.made(tx, have.kind, have.period)
        assert signed is not None
        return signed, refused

    def _may(self, kind: str, role: str, said: SignOff) -> None:
        allowed = self.reporter.settings.told(kind)
        if role not in allowed:
            raise NotAllowed(f"{NAMES.get(kind, kind)}由{'、'.join(map(chinese, allowed))}签阅，{chinese(role)}不能代签")
        if kind == "weekly" and not said.guidance.strip():
            raise NotAllowed("周报签阅须写明指导意见，仅写“已阅”不予登记(S0-4.2.5a)")
        if said.empty:
            raise NotAllowed("签阅没有内容；请写“已阅”，安排另起一行")

    def _report(self, kind: str, period: str | None) -> Made:
        with self.db.read() as tx:
            if period:
                have = registers.made(tx, kind, period)
            else:
                have = registers.last_made(tx, kind, unsigned=True) or registers.last_made(tx, kind)
        if have is not None:
            return have
        return self._early(kind, period)

    def _early(self, kind: str, period: str | None) -> Made:
        """Somebody signs before the digest was sent: it is made now, so that the signature stands under something."""
        now = self.clock()
        rhythm, day = self._asked(kind, period, now)
        slot = self.reporter.slot(kind, day)
        if slot is None or slot.start > now:
            raise Usage(f"there is no {rhythm} report {kind} for {period or day.isoformat()} yet")
        with self.db.read() as tx:
            data = self.reporter.data(tx, slot, now)
        with self.db.write() as tx:
            registers.keep(tx, kind, slot.period, now, {**data, "early": slot.at > now})
            have = registers.made(tx, kind, slot.period)
        assert have is not None
        return have

    def _asked(self, kind: str, period: str | None, now: datetime) -> tuple[str, date]:
        if kind not in RHYTHM:
            raise Usage(f"{kind} is not signed")
        if period is None:
            return RHYTHM[kind], self.site.calendar.local(now).date()
        try:
            return RHYTHM[kind], parse_period(period)[1]
        except ValueError as error:
            raise Usage(str(error)) from None

    def _keep(self, tx: Connection, have: Made, role: str, said: SignOff, now: datetime, by_mail: int) -> None:
        current = registers.made(tx, have.kind, have.period) or have
        data = {
            **current.data, "orders": {**(current.data.get("orders") or {}), **said.orders},
            "marked": sorted({*(current.data.get("marked") or ()), *said.important}),
            "answers": [*(current.data.get("answers") or ()), *([by_mail] if by_mail else [])],
        }  # fmt: skip
        texts = [t for t in (current.text, said.text) if t]
        text = "\n".join(dict.fromkeys(texts))
        first = current.signed_at is None
        registers.sign(
            tx, current.id, role if first else current.signed_by, now if first else current.signed_at or now, text, data
        )
        if said.text and said.text not in current.text:
            self._pass_on(tx, have, role, said.text, now)

    def _pass_on(self, tx: Connection, have: Made, role: str, text: str, now: datetime) -> None:
        """What is said to no ticket is for those who see to it: nobody else would read it before the next report."""
        shown = {
            "name": NAMES.get(have.kind, have.kind), "period": have.period, "by": self.reporter.desk.name(role), "text": text,
            "due": self.reporter.desk.text(ordered_until(text, now, self.site.calendar)),
        }  # fmt: skip
        for reader in self._readers(role):
            key = f"guidance.{have.kind}.{have.period}.{_digest(text)}"
            self.post.write(tx, reader, "reports/guidance", shown, now, key=key)

    def _readers(self, signer: str) -> list[str]:
        """Who sees to what a signer says to no ticket: held roles, and never himself."""
        return [x for x in self.reporter.settings.told("guidance") if x != signer and self.post.reader(x, self.clock())]

    # Orders and marks

    def _decisions(self, have: Made, role: str, said: SignOff, refused: list[str]) -> dict[str, list[d.Decision]]:
        """What the sign-off does to each ticket it names, or to the one that was merged into; each order and each mark once."""
        wanted = [*said.orders, *(n for n in said.important if n not in said.orders)]
        found: dict[str, list[d.Decision]] = {}
        with self.db.read() as tx:
            ids = tickets.ids_of_numbers(tx, wanted)
            loaded = tickets.load(tx, ids.values())
            for number in wanted:
                if number not in ids:
                    refused.append(f"没有工单{number}")
                    continue
                ticket = tickets.successor(tx, loaded[ids[number]])
                given: list[d.Decision] = []
                if number in said.orders:
                    given += self._order(tx, ticket, have, role, said.orders[number])
                if number in said.important:
                    given += self._mark(tx, ticket, have, role)
                if given:
                    before = found.setdefault(ticket.number, [])
                    before += [x for x in given if x not in before]
        return found

    def _order(self, tx: Connection, ticket: Ticket, have: Made, role: str, text: str) -> list[d.Decision]:
        key = f"order.{have.kind}.{have.period}.{_digest(text)}"[:120]
        if letters.keys_used(tx, ticket.id, [key]):
            return []
        rule = RULES.get(have.kind, "S0-4.2.4a")
        until = ordered_until(text, self.clock(), self.site.calendar)
        who = self.reporter.desk.name(role)
        told = {"text": f"{who}安排：{text}", "title": f"{who}安排", "due": self.reporter.desk.text(until)}
        return [
            d.AddTask("order", ticket.handler or "cs_manager", f"{who}安排：{text}", until, key=key, rule=rule),
            d.Write("handler", "reports/task", told, key=key, rule=rule, why=f"{who}在{NAMES.get(have.kind, '')}签阅中的安排"),
            d.Remark(f"{who}安排：{text}", rule=rule),
        ]

    def _mark(self, tx: Connection, ticket: Ticket, have: Made, role: str) -> list[d.Decision]:
        to, rule = MARKED.get(have.kind, MARKED["daily"])
        key = f"marked.{to}"
        if letters.keys_used(tx, ticket.id, [key]):
            return []
        now = self.clock()
        why = f"{self.reporter.desk.name(role)}列为重要"
        given: list[d.Decision] = [
            d.Classify(important=True, rule=rule, why=why), d.Effect((f"report_up:{to}",), rule=rule, why=why),
            d.Write(to, "reports/important", {"reasons": [why]}, key=key, rule=rule, why=why), d.Remark(why, rule=rule),
        ]  # fmt: skip
        running = ticket.deadline("important")
        if ticket.is_open and not (running and running.open):
            term = self.site.term("important.acknowledge")
            until = due(now, term, self.site.calendar)
            given.append(d.StartClock("important", now, until, str(term), next_at=until, rule=rule, why=why))
        return given

    # Spot checks, tasks, boxes, calls on houses

    def verdict(self, number: str, role: str, passed: bool, text: str) -> Made:
        """The inspector's verdict on a ticket of the sample; a failed one asks for rectification (S0-P5, S4-7.2)."""
        allowed = self.reporter.settings.told("spot-check")
        if role not in allowed:
            raise NotAllowed(f"抽查结论由{'、'.join(map(chinese, allowed))}登记")
        with self.db.read() as tx:
            samples = [m for m in registers.listed(tx, ("spot-check",)) if number in (m.data.get("numbers") or ())]
        if not samples:
            raise Usage(f"ticket {number} is in no spot-check sample")
        if not passed and not text:
            raise NotAllowed("抽查不合格须写明问题")
        have = samples[-1]
        orders = {} if passed else {number: self._rectify(number, have, text)}
        self.casework.carry_out(
            orders,
            role,
            INSTRUCTED,
            text or "抽查合格",
            lambda tx, now: self._keep_verdict(tx, have, number, role, passed, text, now),
        )
        return have

    def _rectify(self, number: str, have: Made, text: str) -> list[d.Decision]:
        with self.db.read() as tx:
            ticket = tickets.by_number(tx, number)
        assert ticket is not None
        calendar = self.site.calendar
        day = calendar.local(self.clock()).date()
        for _ in range(3):
            day = calendar.next_service_day(day)
        until = calendar.closing(day)
        told = {"text": f"抽查不合格，请整改：{text}", "title": "抽查整改", "due": self.reporter.desk.text(until)}
        key = f"rectify.{have.period}"
        return [
            d.AddTask("rectify", ticket.handler or "cs_manager", told["text"], until, key=key, rule="S4-7.2"),
            d.Write("handler", "reports/task", told, key=key, rule="S4-7.2", why="服务抽查不合格"),
            d.Remark(told["text"], rule="S0-P5"),
        ]  # fmt: skip

    def _keep_verdict(self, tx: Connection, have: Made, number: str, role: str, passed: bool, text: str, now: datetime) -> None:
        current = registers.made(tx, have.kind, have.period) or have
        verdict = {"verdict": "pass" if passed else "fail", "by": role, "at": self.reporter.desk.text(now), "text": text}
        data = {**current.data, "verdicts": {**(current.data.get("verdicts") or {}), number: verdict}}
        done = set(data["numbers"]) <= set(data["verdicts"])
        if done:
            registers.sign(tx, current.id, role, current.signed_at or now, current.text, data)
        else:
            registers.keep(tx, current.kind, current.period, current.made_at, data)

    def task(self, period: str, role: str, text: str) -> Made:
        """An improvement the figures asked for is dealt with."""
        with self.db.write() as tx:
            have = registers.made(tx, "task", period)
            if have is None:
                raise Usage(f"there is no improvement task {period}")
            registers.sign(tx, have.id, role, self.clock(), text, have.data)
        return have

    def opened(self, channel: str, role: str, at: datetime, text: str) -> None:
        """A complaint box was opened and held no letter (S1-5.4.3)."""
        boxes = {c.id: str(c.settings.get("box") or c.id) for c in self.site.channels if c.plugin == "complaint_box"}
        if channel not in boxes:
            raise Usage(f"there is no complaint box {channel}; known are {', '.join(sorted(boxes)) or 'none'}")
        data = {"channel": channel, "box": boxes[channel], "at": at.isoformat()}
        with self.db.write() as tx:
            period = f"{channel} {at.isoformat()}"
            registers.keep(tx, "box", period, self.clock(), data, signed_by=role, signed_at=at, text=text)

    def called_on(self, house: str, role: str, at: datetime, text: str) -> None:
        """Somebody called on a house of the visit plan (S1-4.2.5)."""
        if house not in self.site.houses:
            raise Usage(f"there is no house {house}")
        with self.db.write() as tx:
            period = f"{house} {at.isoformat()}"
            registers.keep(tx, "contact", period, self.clock(), {"house": house}, signed_by=role, signed_at=at, text=text)

    # Mail

    def answered(self, reading: Reading) -> str:
        """Take a mail that answers a digest, or another letter to the staff that belongs to no ticket.

        Returns why the arrival needs no ticket, "" where it is no such answer. Words that sign nothing are passed on to those who
        see to guidance, and the writer is told; a mail that names a ticket is that ticket's.
        """
        letter = self._letter(reading)
        if letter is None:
            return ""
        about, _, rest = str(letter["key"]).partition(".")
        kind, _, period = rest.partition(".")
        message = reading.message
        if message.automatic:
            return f"automatic mail ({message.automatic}) in answer to the letter {letter['key']}"
        roles = [r.id for r in self.site.role_of(message.sender.email)]
        role = next((r for r in (letter["recipient"], *roles) if r in roles), "")
        if not role or not message.identity:
            return ""
        if about != "report":
            return self._noted(reading, letter, role, rest if about == "task" else "")
        result = self._taken(reading, kind, period, role)
        self.post.tell(message.sender.email, role, kind, result, self.clock(), answers=message)
        return f"sign-off of the report {kind} {period} by {role}: {'taken' if result['ok'] else 'refused'}"

    def _noted(self, reading: Reading, letter: Mapping[str, Any], role: str, task: str) -> str:
        """Take an answer to a letter that nobody signs: an improvement is dealt with, other words are passed on."""
        message = reading.message
        said = read_sign_off(message.text)
        if said.orders or said.important or not (reading.authenticated or self.casework.trust_internal):
            return ""
        why = f"{role} answers the letter {letter['key']}"
        if not said.text:
            return why
        if task:
            self.task(task, role, said.text)
        told = {"name": letter["subject"], "text": said.text, "done": bool(task), "passed_on": ""}
        if not task:
            told["passed_on"] = self._hand_on(reading, role, letter["subject"], said.text)
        key = f"noted.{reading.id}"
        self.post.ready()
        with self.db.write() as tx:
            if registers.made(tx, "noted", str(reading.id)) is None:
                now = self.clock()
                registers.keep(tx, "noted", str(reading.id), now, {"letter": letter["key"], "text": said.text}, signed_by=role)
                self.post.reply(tx, message.sender.email, role, "reports/noted", told, now, key=key, answers=message)
        return why

    def _hand_on(self, reading: Reading, role: str, about: str, text: str) -> str:
        """Words of a mail that no ticket and no signature takes up go to those who see to guidance; their names, once per mail."""
        readers = self._readers(role)
        shown = {"name": about, "by": self.reporter.desk.name(role), "text": text}
        self.post.ready()
        with self.db.write() as tx:
            if registers.made(tx, "handed-on", str(reading.id)) is None:
                now = self.clock()
                registers.keep(tx, "handed-on", str(reading.id), now, shown, signed_by=role)
                for reader in readers:
                    self.post.write(tx, reader, "reports/guidance", shown, now, key=f"guidance.answer.{reading.id}")
        return "、".join(map(self.reporter.desk.name, readers))

    def _letter(self, reading: Reading) -> dict[str, Any] | None:
        """The letter of no ticket that a mail answers: its Message-ID carries our token, and the outbox knows it."""
        message = reading.message
        ids = [*message.in_reply_to, *reversed(message.references)]
        if message.medium != "mail" or not ids:
            return None
        ours = [t.message_id for t in tokens.verified(self.casework.token_keys(), ids) if t.ticket == 0]
        with self.db.read() as tx:
            found = [x for id in ours if (x := letters.by_message_id(tx, id)) and x["recipient"] != "requester"]
        return found[0] if found else None

    def _taken(self, reading: Reading, kind: str, period: str, role: str) -> dict[str, Any]:
        said = read_sign_off(reading.message.text)
        result: dict[str, Any] = {
            "ok": False, "name": NAMES.get(kind, kind), "period": period, "text": said.text, "important": list(said.important),
            "orders": [f"{n} {t}" for n, t in said.orders.items()], "refused": [],
        }  # fmt: skip
        if not (reading.authenticated or self.casework.trust_internal):
            result["refused"] = ["发件人身份未经邮件服务器验证，请用 kefud sign 或办公系统签阅"]
            return result
        with self.db.read() as tx:
            have = registers.made(tx, kind, period)
        if have and reading.id in (have.data.get("answers") or ()):
            return {**result, "ok": True}
        try:
            _, refused = self.sign(kind, period, role, said, by_mail=reading.id)
        except (NotAllowed, Usage) as error:
            words = reading.message.text.strip()[:LONGEST]
            told = self._hand_on(reading, role, f"{NAMES.get(kind, kind)} {period}", words) if words else ""
            return {**result, "refused": [str(error)], "text": words, "passed_on": told}
        others = [self.reporter.desk.name(x) for x in self._readers(role)] if said.text else []
        return {**result, "ok": True, "refused": refused, "passed_on": "、".join(others)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
