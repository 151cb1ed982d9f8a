"""Message or passed deadline → ticket → decisions → letters, one transaction. The only place where tickets change.

Every occasion comes through `Casework`: an arrival that was read, a deadline that is due, a letter that went out or came
back, an order of a person. The rules are asked in a child process; what they decide is saved here, whole or not at all.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from kefud import log
from kefud.api import Site
from kefud.compose import Composer
from kefud.correspondence import SHELF_TAG, Correspondence, decision_json
from kefud.desk import decisions as d
from kefud.desk import tokens, trust
from kefud.desk.message import Address, Bounce, Message
from kefud.desk.occasions import Arrived, Author, Delivered, Due, Heard, Occasion, Opened, Ordered, Returned
from kefud.desk.passages import notice_numbers, passages
from kefud.desk.phones import find_phones, normalise_phone
from kefud.desk.reading import Reading, Sorted, Unread
from kefud.desk.ticket import VOCABULARY, Task, Ticket, chinese, word_meant
from kefud.desk.triage import Outcome, apply, deliberate
from kefud.errors import NotAllowed, Stale, Usage
from kefud.failpoints import reached
from kefud.store import arrivals, letters, numbers, settings, tickets
from kefud.store.database import Connection, Database
from kefud.store.tickets import Ledger


class Judges(Protocol):
    """Where the rules are asked (a reading room in a child process)."""

    def judge(self, batch: Sequence[tuple[Ticket, Occasion, Sequence[d.Decision]]]) -> list[Outcome]: ...

WAVE = 25
"""Deadlines followed in one transaction; between two waves others get their turn."""
NOTICE = re.compile(r"客联〔[0-9]{4}〕[0-9]{3,6}号")
LONGEST_ANSWER = 20_000
"""Characters of a department's mail that are searched for numbers."""
SALUTATION = 30
"""Characters before the first number that need say nothing: 贵中心,现回复如下."""
WAITED = timedelta(days=60)
"""How long before the term for duplicates a matter may be that its household still asks about."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One ticket-to-be or ticket-to-change of an arrival, with the occasion the rules are asked about."""

    reading: Reading
    ticket: Ticket
    occasion: Occasion
    given: tuple[d.Decision, ...] = ()
    sorted: Sorted | None = None
    disposition: str = "new"
    opinions: tuple[Any, ...] = ()
    apart: bool = False
    """Its message tells of another ticket, too, that has nothing to do with it: they are not related, and no letter names both."""


class Casework:
    """Files readings, follows deadlines, records what became of letters, and carries out orders."""

    def __init__(
        self,
        db: Database,
        site: Site,
        composer: Composer,
        judges: Judges,
        *,
        clock: Callable[[], datetime],
        nonce: Callable[[], str],
        can_print: bool = False,
        trust_internal: bool = False,
    ) -> None:
        self.db = db
        self.site = site
        self.judges = judges
        self.clock = clock
        self.trust_internal = trust_internal
        self._turn = threading.RLock()
        self._keys: tuple[bytes, ...] = ()
        self._storm_until: datetime | None = None
        self.answered: Callable[[Reading], str] = lambda reading: ""
        """Takes a mail that answers a letter of no ticket (a digest); why it needs none, "" where it is no such answer."""
        self._transcripts: list[tuple[int, str]] = []
        self._similar: dict[str, tuple[Any, ...]] = {}
        self._bounced: list[tuple[int, str]] = []
        self._letters = Correspondence(
            site, composer, keys=self._token_keys, nonce=nonce, can_print=can_print
        )

    def token_keys(self) -> tuple[bytes, ...]:
        """The keys of tokens; asked for once before a transaction, for they are made in one of their own."""
        return self._token_keys()

    def _token_keys(self) -> tuple[bytes, ...]:
        if not self._keys:
            with self.db.write() as tx:
                self._keys = settings.token_keys(tx)
        return self._keys

    # Arrivals

    def file(self, readings: Sequence[Reading | Unread]) -> None:
        """File what was read, in order, in as few transactions as their relations allow.

        Raises whatever the store or the judges raise; then nothing of the wave at hand is saved.
        """
        with self._turn:
            self._token_keys()
            waiting = list(readings)
            while waiting:
                wave, waiting = _independent(waiting)
                self._file_wave(wave)

    def _file_wave(self, wave: Sequence[Reading | Unread]) -> None:
        now = self.clock()
        cases: list[_Case] = []
        settled: list[tuple[int, str, dict[str, Any]]] = []
        self._similar = {}
        with self.db.read() as tx:
            twins = arrivals.earlier_twins(tx, {x.id: x.message.digest for x in wave if isinstance(x, Reading)})
            for reading in wave:
                if isinstance(reading, Unread):
                    settled.append((reading.id, "shelved", _shelf_values(reading)))
                    continue
                found = self._cases(tx, reading, now, twins.get(reading.id))
                if isinstance(found, str):
                    settled.append((reading.id, "ignored", {"reason": found, **_marks(reading, "ignore")}))
                else:
                    cases += found
        self._decide_and_save(cases, settled, wave, now)

    def _decide_and_save(
        self,
        cases: Sequence[_Case],
        settled: list[tuple[int, str, dict[str, Any]]],
        wave: Sequence[Reading | Unread],
        now: datetime,
    ) -> None:
        outcomes = self.judges.judge([(c.ticket, c.occasion, c.given) for c in cases]) if cases else []
        reached("judged")
        final = [self._merge(*x, now) if _first(x[1], d.Merge) else x for x in _together(zip(cases, outcomes, strict=True))]
        final = [*(x for pair in final for x in self._beside(*pair, now)), *final]
        transcripts, self._transcripts = self._transcripts, []
        bounced, self._bounced = self._bounced, []
        with self.db.write() as tx:
            self._still_to_do(tx, wave, cases)
            ledger = Ledger(tx, now)
            for id, status, values in settled:
                arrivals.settle(tx, id, status, **values)
            for id, reason in bounced:
                letters.came_back(tx, id, reason)
            for id, text in transcripts:
                arrivals.release(tx, id, now, text)
            self._save_cases(ledger, final, now)
            for reading in wave:
                if isinstance(reading, Unread) and reading.transcribe:
                    self._letters.ask_transcription(ledger, reading, now)
            ledger.flush()
            reached("ticket.written")
        reached("ticket.committed")

    def _still_to_do(self, tx: Connection, wave: Sequence[Reading | Unread], cases: Sequence[_Case]) -> None:
        """Raises Stale where another host, that took over while we were silent, has filed some of it meanwhile."""
        arrivals.one_host_at_a_time(tx)
        waiting = arrivals.lock_waiting(tx, [reading.id for reading in wave])
        gone = [reading.id for reading in wave if reading.id not in waiting]
        if not self.db.sqlite:
            gone += arrivals.earlier_twins(tx, {c.reading.id: c.reading.message.digest for c in cases})
        if gone:
            raise Stale(f"filed by another host meanwhile: arrivals {gone}")

    def _save_cases(self, ledger: Ledger, final: Sequence[tuple[_Case, Outcome]], now: datetime) -> None:
        made: dict[int, list[Ticket]] = {}
        last = {case.reading.id: index for index, (case, _) in enumerate(final)}
        filed: dict[int, dict[str, Any]] = {}
        for index, (case, outcome) in enumerate(final):
            reading = case.reading
            if (shelve := _first(outcome, d.Shelve)) or (ignore := _first(outcome, d.Ignore)):
                status, decision = ("shelved", shelve) if shelve else ("ignored", ignore)
                marks = _marks(reading, "shelf" if shelve else "ignore")
                arrivals.settle(ledger.tx, reading.id, status, reason=decision.why if decision else "", **marks)
                continue
            ticket = self._save(ledger, case, outcome, now, () if case.apart else made.get(reading.id, []))
            if not case.apart:
                made.setdefault(reading.id, []).append(ticket)
            ledger.link(reading.id, ticket.id)
            if index == last[reading.id]:
                filed[reading.id] = _marks(reading, case.disposition)
        arrivals.settle_alike(ledger.tx, filed, "filed")

    def _cases(self, tx: Connection, reading: Reading, now: datetime, twin: int | None) -> list[_Case] | str:
        """The cases of an arrival, or why it needs none."""
        message = reading.message
        if twin is not None:
            return f"the same message is filed already as arrival {twin}"
        if message.bounce is not None:
            return self._returned(tx, reading, now)
        if message.medium == "mail" and self.site.is_own(message.sender.email) and not message.automatic:
            return "sent from our own address"
        if (shelf := self._transcribed(reading)) is not None:
            return shelf
        if signed := self.answered(reading):
            return signed
        attached = self._attached(tx, reading, now)
        if attached is not None:
            return attached
        if message.automatic:
            return f"automatic mail ({message.automatic}) that belongs to no ticket"
        return self._new(tx, reading, now)

    def _returned(self, tx: Connection, reading: Reading, now: datetime) -> list[_Case] | str:
        """A delivery report counts only if it quotes a Message-ID of ours with its token (S04)."""
        bounce = reading.message.bounce
        assert bounce is not None
        known = (letters.by_message_id(tx, message_id) for message_id in bounce.message_ids)
        for letter in (*known, self._by_return_path(tx, reading.message), self._by_notice(tx, reading.message)):
            if letter is not None and letter["ticket"] is None and self._is_ours(letter["message_id"]):
                if not bounce.permanent:
                    return f"a letter of no ticket to {letter['recipient']} is delayed"
                self._bounced.append((letter["id"], bounce.reason or bounce.status))
                return f"a letter of no ticket to {letter['recipient']} came back"
            if letter is None or letter["ticket"] is None or letter["status"] != "sent":
                continue
            ticket = tickets.load(tx, [letter["ticket"]])[letter["ticket"]]
            number = next((n for form, n in letter["documents"] if form == "notice"), "")
            about = letter["message_id"], letter["template"], letter["recipient"], ", ".join(letter["addresses"])
            occasion = Returned(now, *about, number, bounce)
            return [_Case(reading, ticket, occasion, disposition="append")]
        return "a delivery report that names no letter of ours"

    def _by_return_path(self, tx: Connection, message: Message) -> dict[str, Any] | None:
        """The letter whose own return address a report came to or names (VERP)."""
        addresses = [a.email for a in (*message.to, *message.cc)]
        addresses += message.bounce.return_addresses if message.bounce else ()
        ids = tokens.returned(self._token_keys(), addresses)
        return next((x for id in ids if (x := letters.by_id(tx, id))), None)

    def _by_notice(self, tx: Connection, message: Message) -> dict[str, Any] | None:
        """The notice whose number a report without any Message-ID names; only where no stranger can write (S04)."""
        named = NOTICE.search(f"{message.subject}\n{message.text[:4000]}") if self.trust_internal else None
        key = ("notice", named[0]) if named else None
        document = letters.documents_numbered(tx, [key]).get(key) if key else None
        if document is None:
            return None
        sent = [x for x in tickets.load(tx, [document["ticket"]])[document["ticket"]].letters if x.status == "sent"]
        rows = (letters.by_message_id(tx, x.message_id) for x in reversed(sent))
        return next((r for r in rows if r and any(tuple(d) == key for d in r["documents"])), None)

    def _is_ours(self, message_id: str) -> bool:
        return bool(tokens.verified(self._token_keys(), [message_id]))

    def _transcribed(self, reading: Reading) -> str | None:
        """The answer to a mail that showed a scan is the scan's text, if it comes from one of our roles."""
        message = reading.message
        keyed = tokens.verified(self._token_keys(), [*message.in_reply_to, *message.references])
        scan = next((tokens.nonce(t.message_id) for t in keyed if t.ticket == 0), "")
        if not scan.startswith(SHELF_TAG) or message.automatic or not message.text.strip():
            return None
        ours = bool(self.site.role_of(message.sender.email)) and (reading.authenticated or self.trust_internal)
        id = int(scan.removeprefix(SHELF_TAG).partition("x")[0], 16)
        if not ours:
            return f"a transcription of scan {id} from a sender who is not proven to be staff"
        self._transcripts.append((id, message.text.strip()))
        return f"transcription of scan {id}"

    def _attached(self, tx: Connection, reading: Reading, now: datetime) -> list[_Case] | str | None:
        message = reading.message
        if message.call is not None:
            return self._of_call(tx, reading, now)
        if message.medium != "mail":
            return None
        found = self._belongs(tx, reading)
        if found is None:
            return None
        if several := self._answers_to_several(tx, reading, *found, now):
            return several
        ticket, verdict = found
        if message.automatic:
            given = (d.Remark(f"收到自动回复({message.automatic}),未作处理", why=verdict.why),)
            nobody = Author("stranger", verdict.author.id)  # it is nobody's word, but a person may want to know who is away
            return [_Case(reading, ticket, Heard(now, message, nobody), given, disposition="ignore")]
        may_answer = self._may_answer(reading)
        occasion = Heard(now, message, verdict.author, reading.channel, may_answer=may_answer)
        return [_Case(reading, ticket, occasion, disposition="append")]

    def _answers_to_several(
        self, tx: Connection, reading: Reading, ticket: Ticket, verdict: trust.Verdict, now: datetime
    ) -> list[_Case] | None:
        """A department's mail whose lines begin with numbers: each ticket hears its own, and what names none is this one's (S1-4.3.6).

        Who has proven to be a department by its letter of one ticket is that department for the others it leads, too.
        """
        message, author = reading.message, verdict.author
        if author.role != "party" or message.automatic:
            return None
        before, parts = passages(message.text[:LONGEST_ANSWER])
        numbers = [number for named, _ in parts for number in named]
        notices = letters.documents_numbered(tx, [("notice", n) for n in numbers if not n.startswith("KF")])
        ids = tickets.ids_of_numbers(tx, [n for n in numbers if n.startswith("KF")]) | {
            number: document["ticket"] for (_, number), document in notices.items()
        }
        loaded = tickets.load(tx, ids.values())
        theirs = {
            number: tickets.successor(tx, loaded[id])
            for number, id in ids.items()
            if self._roster(tx, loaded[id], reading, called=True) == f"party:{author.id}"
        }
        owners = {ticket.id: ticket} | {found.id: found for found in theirs.values()}
        said: dict[int, list[str]] = {}
        strange = []
        for named, words in parts:
            known = dict.fromkeys(theirs[n].id for n in named if n in theirs)
            for id in known:
                said.setdefault(id, []).append(words)
            strange += [] if known else [f"{'、'.join(named)} {words}"]
        if not strange and said.keys() <= {ticket.id}:
            return None
        if ticket.id not in said and len(before) > SALUTATION:
            said[ticket.id] = [before]
        heard = Heard(now, message, author, reading.channel, may_answer=self._may_answer(reading))
        cases = [
            _Case(reading, owners[id], replace(heard, message=replace(message, text="\n".join(words))), disposition="append", apart=True)
            for id, words in said.items()
        ]
        if strange:
            told = f"{chinese(author.id)}来信所写编号不是本件,也不是其承办的联系单,请核实:{'; '.join(strange)[:2000]}"
            doubt = (
                d.Remark(told, rule="S1-4.3.6"),
                d.Write("handler", "reports/alert", {"text": told}, key=f"number:{message.mark}", rule="S1-4.3.6"),
            )
            own = next((n for n, case in enumerate(cases) if case.ticket.id == ticket.id), None)
            if own is None:
                nobody = replace(heard, message=replace(message, text=""), author=Author("stranger", author.id))
                cases.append(_Case(reading, ticket, nobody, doubt, disposition="append", apart=True))
            else:
                cases[own] = replace(cases[own], given=doubt)
        return cases

    def _belongs(self, tx: Connection, reading: Reading) -> tuple[Ticket, trust.Verdict] | None:
        message = reading.message
        ids = [*message.in_reply_to, *reversed(message.references)]
        addresses = [a.email for a in (*message.to, *message.cc)]
        known = tickets.by_message_ids(tx, ids)
        # A letter that is not in the store was written after the backup it was restored from: its ticket's id is another's now.
        keyed = {t.ticket for t in tokens.verified(self._token_keys(), ids, addresses) if not t.message_id or t.ticket in known}
        if back := self._by_return_path(tx, message):
            keyed.add(back["ticket"] or 0)
        named = [*tickets.ids_of_numbers(tx, trust.numbers_in(f"{message.subject}\n{message.text[:2000]}")).values()]
        noticed = self._of_notices(tx, message)
        named += noticed
        titled = {*noticed, *tickets.ids_of_numbers(tx, trust.numbers_in(message.subject)).values()}
        candidates = list(dict.fromkeys([*keyed, *known, *named]))
        loaded = tickets.load(tx, candidates)
        for id in candidates:
            ticket = loaded.get(id)
            if ticket is None:
                continue
            verdict = trust.weigh(
                trust.Claim(
                    token=id in keyed or known.get(id, (0, ""))[0] > 0,
                    thread=id in known,
                    number=id in named,
                    roster=self._roster(tx, ticket, reading, called=id in titled),
                    authenticated=reading.authenticated or self.trust_internal,
                    identity=message.identity,
                    internal=self.trust_internal,
                )
            )
            if verdict.attach:
                return tickets.successor(tx, ticket), verdict
        return None

    def _of_notices(self, tx: Connection, message: Message) -> list[int]:
        """The tickets whose notices one of our parties names at the beginning of a mail of its own (S1-4.3.6)."""
        if not self.site.party_of(message.sender.email):
            return []
        keys = [("notice", number) for number in notice_numbers(f"{message.subject}\n{message.text[:500]}")]
        return [document["ticket"] for document in letters.documents_numbered(tx, keys).values()]

    def _roster(self, tx: Connection, ticket: Ticket, reading: Reading, *, called: bool = False) -> str:
        """Who writes, as the ticket knows him; a department that calls it by a number at the head of its mail means it, too."""
        email = reading.message.sender.email
        if not email:
            return ""
        if email in (ticket.requester.email, ticket.fields.get("reply_to", "")):
            party = self.site.party_of(email)
            return f"party:{party.id}" if party else "requester"
        party = self.site.party_of(email)
        told = {x.recipient for x in ticket.letters}
        involved = {ticket.department, ticket.fields.get("contractor"), *ticket.joint, *told}
        if party and (called or party.id in involved or party.kind in involved):
            return f"party:{party.id}"
        roles = self.site.role_of(email)
        if roles:
            return f"role:{next((r.id for r in roles if r.id in told), roles[0].id)}"
        if email in tickets.senders(tx, ticket.id):
            return "requester"
        merged = tickets.load(tx, tickets.ids_of_numbers(tx, list(ticket.related)).values()).values() if ticket.related else ()
        if any(x.status == "merged" and email in (x.requester.email, x.reply_address) for x in merged):
            return "requester:other"
        return "household" if self._is_household(ticket, reading.message) else ""

    def _is_household(self, ticket: Ticket, message: Message) -> bool:
        """Whether a mail bears the registered name or telephone of the house of a ticket that knows no address."""
        house = self.site.houses.get(ticket.house or "")
        if ticket.origin != "owner" or ticket.requester.email or ticket.fields.get("reply_to"):
            return False
        text = f"{message.sender.name}\n{message.subject}\n{message.text[:4000]}"
        names = {ticket.requester.name, house.owner if house else ""} - {""}
        phones = {normalise_phone(ticket.requester.phone), normalise_phone(house.phone if house else "")} - {""}
        return any(name in text for name in names) or bool(phones & set(find_phones(text)))

    def _of_call(self, tx: Connection, reading: Reading, now: datetime) -> list[_Case] | None:
        """An outgoing call joins its ticket; an answered one that names a ticket number does too (S2-5.2)."""
        message = reading.message
        call = message.call
        assert call is not None
        named = tickets.ids_of_numbers(tx, trust.numbers_in(message.text))
        ids = list(named.values())
        if not ids and call.direction == "out":
            since = message.received_at - timedelta(days=30)
            matter = reading.matters[0].ticket if reading.matters else Ticket()
            related = tickets.of_household(
                tx, house=call.house or matter.house, phone=call.callee, email="", since=since, most=5
            )
            visits = any(word in message.text for word in ("回访", "满意"))
            waiting = [r for r in related if r.status in ("answered", "visiting")] if visits else []
            open_ones = [r.number for r in waiting or related if r.status not in tickets.CLOSED]
            ids = list(tickets.ids_of_numbers(tx, open_ones[:1]).values())
        if not ids:
            return None
        ticket = tickets.load(tx, ids[:1])[ids[0]]
        author = Author("agent", call.agent, verified=True, why="our own phone log")
        return [_Case(reading, ticket, Heard(now, message, author, reading.channel), disposition="append")]

    def _new(self, tx: Connection, reading: Reading, now: datetime) -> list[_Case]:
        flood = self._flood(tx, reading, now)
        if flood is not None:
            return flood
        cases = []
        claims = self._claims(tx, reading.message)
        for part, matter in enumerate(reading.matters, 1):
            ticket = self._draft(reading, matter)
            occasion = replace(
                self._opened(tx, ticket, matter.message, reading.channel, now),
                part=part, parts=len(reading.matters), may_answer=self._may_answer(reading),
                kinds=tuple(x.ticket.kind for x in reading.matters),
            )  # fmt: skip
            given = (*(x for x in matter.decisions if isinstance(x, (d.Shelve, d.Ignore, d.Merge))), *claims)
            cases.append(_Case(reading, ticket, occasion, given, matter, opinions=matter.opinions))
        return cases

    def _opened(self, tx: Connection, ticket: Ticket, message: Message, channel: str, now: datetime) -> Opened:
        """A ticket-to-be beside those of the same household and those of the same kind."""
        term = self.site.term("duplicate_window")
        window = timedelta(days=term.amount) if term.in_days else term.length
        since = message.received_at - window - timedelta(days=1)
        r = ticket.requester
        return Opened(
            now, message, channel,
            related=tickets.of_household(tx, house=ticket.house, phone=r.phone, email=r.email, since=since - WAITED),
            similar=self._similar_to(tx, ticket.category, since),
        )  # fmt: skip

    def _claims(self, tx: Connection, message: Message) -> tuple[d.Decision, ...]:
        """Tickets that a mail names without belonging to them: a person sees the claim, the sender learns nothing (S01)."""
        if message.medium != "mail":
            return ()
        named = tickets.ids_of_numbers(tx, trust.numbers_in(f"{message.subject}\n{message.text[:2000]}"))
        return (d.Effect(tuple(f"claims:{n}" for n in named), why="来信提到工单号,身份未经证实"),) if named else ()

    def _draft(self, reading: Reading, matter: Sorted) -> Ticket:
        fields = dict(matter.ticket.fields)
        owner = str(fields.pop("forwarded_from", ""))  # a colleague passed the owner's mail on (S0-3.4)
        if owner and (reading.authenticated or self.trust_internal):
            fields["reply_to"] = owner
        if reading.message.sender.email and reading.message.identity:
            fields.setdefault("reply_to", reading.message.sender.email)
        fields["verified_sender"] = self._known(reading)
        return matter.ticket.changed(channel=reading.channel, fields=fields)

    def _similar_to(self, tx: Connection, category: str, since: datetime) -> tuple[Any, ...]:
        """Looked up once for a wave: the same tuple for many cases is passed to the rules once."""
        if category not in self._similar:
            self._similar[category] = tickets.of_category(tx, category=category, since=since)
        return self._similar[category]

    def _known(self, reading: Reading) -> bool:
        """Whether the sender's own words may be shown to the sender's address: a registered or vouched-for one (S06)."""
        email = reading.message.sender.email
        return bool(reading.authenticated or self.site.houses_by_contact(email) or self.site.party_of(email))

    def _flood(self, tx: Connection, reading: Reading, now: datetime) -> list[_Case] | None:
        """Too many tickets of one sender within an hour are folded into the last one (S05)."""
        email = reading.message.sender.email
        most = self.site.limits.tickets_per_sender_hour
        if reading.message.medium != "mail" or not email or self.site.party_of(email):
            return None
        hour = now - timedelta(hours=1)
        if tickets.tickets_of_sender(tx, email, hour) < most:
            return None
        related = tickets.of_household(tx, house=None, phone="", email=email, since=hour - timedelta(days=1), most=1)
        ids = tickets.ids_of_numbers(tx, [r.number for r in related])
        if not ids:
            return None
        ticket = tickets.load(tx, ids.values())[next(iter(ids.values()))]
        given = (d.Effect(("flood",), why=f"more than {most} tickets of one sender within an hour"),)
        occasion = Heard(now, reading.message, Author("stranger", why="flood"), reading.channel, may_answer=False)
        return [_Case(reading, ticket, occasion, given, disposition="append")]

    def _may_answer(self, reading: Reading) -> bool:
        message = reading.message
        return bool(
            message.medium == "mail"
            and message.identity
            and message.sender.email
            and not message.automatic
            and not reading.suspect
            and not self.site.is_own(message.sender.email)
        )

    def _merge(self, case: _Case, outcome: Outcome, now: datetime) -> tuple[_Case, Outcome]:
        """The same matter again: the message goes to the open ticket instead of a new one (S0-3.2)."""
        merge = _first(outcome, d.Merge)
        assert merge is not None and case.sorted is not None
        says = _word_of([x for x in outcome.decisions if isinstance(x, d.Merge)])
        with self.db.read() as tx:
            target = tickets.by_number(tx, merge.target)
        if target is None or target.number == case.ticket.number:
            return case, replace(outcome, decisions=tuple(x for x in outcome.decisions if not isinstance(x, d.Merge)))
        message = case.sorted.message
        known = self._is_known(target, message)
        believed = case.reading.authenticated or self.trust_internal
        may_answer = isinstance(case.occasion, Opened) and case.occasion.may_answer
        if says:
            proven = known and (believed if message.medium == "mail" else message.medium in ("call", "entry"))
            author = Author("requester", "" if known else "other", proven, merge.why, believed)
            heard = Heard(now, message, author, case.reading.channel, may_answer=may_answer, says=says)
            return self._take_word(case, outcome, target, heard)
        author = Author("requester", "" if known else "other", why=merge.why, believed=believed)
        heard = Heard(now, message, author, case.reading.channel, merged=True, may_answer=may_answer)
        given: list[d.Decision] = [
            x for x in outcome.decisions if isinstance(x, (d.Effect, d.SetFields, d.Relate, d.Remark)) and "merging" in x.rule
        ]
        given.append(d.Effect((f"merged_contact:{message.medium}",), why=merge.why, rule=merge.rule))
        theirs = () if known else _CONTACT
        new_fields = {k: v for k, v in case.ticket.fields.items() if k not in target.fields and k not in theirs}
        given.append(d.SetFields(new_fields, why="new demands and contacts of the second message take effect (S0-3.2)"))
        again = any(name.startswith("duplicate_of:") for x in outcome.decisions if isinstance(x, d.Effect) for name in x.names)
        way = "merge" if again else "append"  # who asks about an older matter tells nothing twice
        merged = replace(case, ticket=target, occasion=heard, given=tuple(given), disposition=way, opinions=outcome.opinions)
        return merged, self.judges.judge([(target, heard, merged.given)])[0]

    def _take_word(self, case: _Case, outcome: Outcome, target: Ticket, heard: Heard) -> tuple[_Case, Outcome]:
        """The customer's word on a ticket of the household that names no number (S3-2.5.4)."""
        proven, why = heard.author.verified, heard.author.why
        if heard.says == "again" and not proven:  # nothing is lost on a ticket at rest: a new one beside it
            return case, replace(outcome, decisions=tuple(x for x in outcome.decisions if not isinstance(x, d.Merge)))
        given: list[d.Decision] = []
        contact = {k: case.ticket.fields[k] for k in _CONTACT if k in case.ticket.fields}
        if proven and contact and not target.reply_address:
            given.append(d.SetFields(contact, why=why))
        if heard.says == "again" and (case.ticket.urgency, target.urgency) == ("urgent", "normal"):
            given.append(d.Classify(urgency="urgent", rule="S4-4.1.2", why=why))
        said = replace(case, ticket=target, occasion=heard, given=tuple(given), disposition="append", opinions=outcome.opinions)
        return said, self.judges.judge([(target, heard, said.given)])[0]

    def _beside(self, case: _Case, outcome: Outcome, now: datetime) -> list[tuple[_Case, Outcome]]:
        """The other matter that words on a ticket tell of: a ticket of its own for the same people (S0-4.1.4)."""
        told, heard, ticket = _first(outcome, d.Besides), case.occasion, case.ticket
        if told is None or not isinstance(heard, Heard):
            return []
        call = heard.message.call and replace(heard.message.call, content=told.text, result="")
        message = replace(heard.message, subject="", text=told.text, call=call)
        draft = Ticket(text=told.text, medium=message.medium, channel=case.reading.channel, started_at=message.received_at)
        sorted_out = self.judges.judge([(draft, Arrived(now, message, case.reading.channel), ())])[0]
        given = [
            d.Classify(origin=ticket.origin, house=ticket.house, requester=ticket.requester, masked=ticket.masked or None),
            d.SetFields({k: ticket.fields[k] for k in _CONTACT if k in ticket.fields} | {"missing": _still_missing(ticket, sorted_out.ticket)}),
            d.Relate((ticket.number,), rule=told.rule, why=told.why),
        ]
        if ticket.kind == sorted_out.ticket.kind == "consultation" and sorted_out.ticket.category == "general":
            given.append(d.Classify(category=ticket.category, rule=told.rule, why="就答复再问,仍属该类事项"))
        known = deliberate(sorted_out.ticket, heard, (), given=given).ticket
        with self.db.read() as tx:
            opened = self._opened(tx, known, message, case.reading.channel, now)
        related = tuple(r for r in opened.related if r.number != ticket.number)
        opened = replace(opened, related=related, may_answer=heard.may_answer)
        made = self.judges.judge([(sorted_out.ticket, opened, given)])[0]
        matter = Sorted(sorted_out.ticket, message, (), ())
        new = replace(case, ticket=sorted_out.ticket, occasion=opened, given=(), sorted=matter, opinions=sorted_out.opinions, apart=True)
        new = replace(new, disposition="new")
        return [self._merge(new, made, now) if _first(made, d.Merge) else (new, made)]

    def _is_known(self, ticket: Ticket, message: Message) -> bool:
        """Whether the writer is the ticket's requester or registered for its house: to name a house proves nothing (S01)."""
        email = message.sender.email
        if message.medium != "mail" or not email or email in (ticket.requester.email, ticket.reply_address):
            return True
        registered = {house.id for house in self.site.houses_by_contact(email)}
        return ticket.house in registered or (self.trust_internal and not ticket.reply_address)

    # Saving

    def _save(
        self, ledger: Ledger, case: _Case, outcome: Outcome, now: datetime, siblings: Sequence[Ticket] = ()
    ) -> Ticket:
        ticket = outcome.ticket
        message = getattr(case.occasion, "message", None)
        new = not ticket.id
        if new:
            day = (ticket.started_at or now).astimezone(self._letters.zone).date()
            ticket = ticket.changed(number=numbers.ticket_number(ledger.tx, day))
        ticket = self._letters.number_documents(ledger.tx, ticket, outcome, now)
        if siblings:
            ticket = ticket.changed(related=(*ticket.related, *(s.number for s in siblings)))
        ticket = _remembered(ticket)
        ticket = ledger.create(ticket) if new else self._update(ledger, ticket, case.ticket)
        if isinstance(message, Message) and case.reading.id:  # a ticket of another system came with no arrival
            author = case.occasion.author if isinstance(case.occasion, Heard) else Author("requester")
            ledger.message(ticket.id, case.reading.id, message, author)
        self._record(ledger, ticket, case.occasion, outcome, (*case.opinions, *outcome.opinions), new)
        written = self._letters.write(ledger, ticket, outcome, case.occasion, now, siblings)
        if written.effects:
            changed = ticket.changed(effects=(*ticket.effects, *(e for e in written.effects if e not in ticket.effects)))
            ticket = ledger.restate(changed)
        return ticket

    def _update(self, ledger: Ledger, ticket: Ticket, before: Ticket) -> Ticket:
        saved = ledger.save(ticket, before)
        if saved is None:
            raise Stale(f"ticket {ticket.number} was changed meanwhile; try again")
        return saved

    def _record(
        self, ledger: Ledger, ticket: Ticket, occasion: Occasion, outcome: Outcome, opinions: Sequence[Any], new: bool
    ) -> None:
        who, what, why = _story(occasion, new)
        why = _step_taken(occasion, outcome) or why
        data = {"opinions": [decision_json(o) for o in opinions], "status": outcome.ticket.status}
        ledger.history(ticket.id, who, what, why, data)
        for decision in outcome.decisions:
            if isinstance(decision, d.Move):
                ledger.history(ticket.id, decision.by, f"status:{decision.to}", decision.why, {"rule": decision.rule})
            elif isinstance(decision, d.Remark):
                ledger.history(ticket.id, who, "remark", decision.text, {"rule": decision.rule})

    # Deadlines, letters, orders

    def wake(self) -> bool:
        """Ask the rules about deadlines that want attention. True if there were any.

        More than ``limits.due_per_tick`` that are late by an hour or more mean a clock that jumped or a long silence: then
        so many are followed in a minute, and a person is told once (R20).
        """
        now = self.clock()
        if self._storm_until and now < self._storm_until:
            return False
        most = self.site.limits.due_per_tick
        with self.db.read() as tx:
            due = tickets.due_deadlines(tx, now, most + 1)
        late = [x for x in due if x[5] < now - timedelta(hours=1)]
        storm = len(late) > most
        waiting = [(id, ticket, name) for id, ticket, name, *_ in due[:most]]
        while waiting:
            wave = dict(reversed([(ticket, (id, name)) for id, ticket, name in waiting[:WAVE]]))  # of each ticket the first
            with self._turn:
                self._wake_wave({id: (ticket, name) for ticket, (id, name) in reversed(wave.items())}, now)
            waiting = [x for x in waiting if x[0] not in {id for id, _ in wave.values()}]
        if storm and self._storm_until is None:
            log.error("deadlines-late-in-mass", at_once=len(late), followed_each_minute=most)
        self._storm_until = now + timedelta(minutes=1) if storm else None
        return bool(due) and not storm

    def _wake_wave(self, wave: Mapping[int, tuple[int, str]], now: datetime) -> None:
        """Deadlines of different tickets (id: ticket, name) at once.

        Their rows are pushed into the future first, so that an error cannot make the loop hot.
        """
        with self.db.write() as tx:
            mine = tickets.claim_deadlines(tx, list(wave), now, now + timedelta(minutes=5))  # no other host has followed them
            loaded = tickets.load(tx, [wave[id][0] for id in mine])
            found = {id: (loaded[wave[id][0]], loaded[wave[id][0]].deadline(wave[id][1])) for id in wave if id in mine}
            tickets.put_off_deadlines(tx, [id for id, (_, x) in found.items() if x is None or not x.open], None)
        news: list[tuple[Ticket, Occasion]] = [
            (ticket, Due(now, x.name, step_of(x.steps, x.start, x.due, now))) for ticket, x in found.values() if x and x.open
        ]
        try:
            self._happen_to_all(news, now)
        except Exception:
            if len(news) == 1:
                raise
            self._one_by_one(news, now)

    def _one_by_one(self, news: Sequence[tuple[Ticket, Occasion]], now: datetime) -> None:
        """After a wave failed: whatever was wrong with one of it must not hold up the others."""
        failed: Exception | None = None
        for ticket, occasion in news:
            try:
                self._happen(ticket, occasion, now)
            except Exception as error:
                failed = error
        if failed:
            raise failed

    def tell(self) -> bool:
        """Tell tickets what became of their letters: accepted by the server, or failed for good. True if there was news."""
        with self._turn:
            now = self.clock()
            with self.db.read() as tx:
                news = letters.untold(tx, 100)
            quiet = [x["id"] for x in news if not _worth_telling(x)]
            if quiet:
                with self.db.write() as tx:
                    letters.tell(tx, quiet)
            # One letter of each ticket at a time, oldest first: together they are one transaction.
            wave = {x["ticket"]: x for x in reversed(news) if _worth_telling(x)}
            self._tell_wave(list(reversed(wave.values())), now)
            return bool(news)

    def _tell_wave(self, wave: Sequence[dict[str, Any]], now: datetime) -> None:
        if not wave:
            return
        with self.db.read() as tx:
            loaded = tickets.load(tx, [x["ticket"] for x in wave])
        news: list[tuple[Ticket, Occasion]] = [(loaded[x["ticket"]], _fate(x, now)) for x in wave]
        news += [(sibling, what) for ticket, what in news if _is_acknowledgement(what) for sibling in self._siblings(ticket)]
        parts_meet = len({ticket.id for ticket, _ in news}) < len(news)  # parts of one message are told one after the other
        try:
            if not parts_meet or len(wave) == 1:
                self._happen_to_all(news, now, [x["id"] for x in wave])
                return
        except Exception:
            if len(wave) == 1:
                raise
        failed: Exception | None = None
        for letter in wave:  # whatever is wrong with one must not hold up the others
            try:
                self._tell_wave([letter], now)
            except Exception as error:
                failed = error
        if failed:
            raise failed

    def _siblings(self, ticket: Ticket) -> list[Ticket]:
        """The other tickets of the message that ``ticket`` came from: one acknowledgement was for them all."""
        if not any(effect.startswith("split:") for effect in ticket.effects):
            return []
        with self.db.read() as tx:
            others = tickets.of_arrivals(tx, [a.id for a in ticket.arrivals]) - {ticket.id}
            return list(tickets.load(tx, others).values())

    def order(
        self, number: str, command: str, by: str, args: Mapping[str, Any] | None = None, text: str = ""
    ) -> tuple[Ticket, tuple[str, ...]]:
        """Carry out a person's order. Returns the ticket and what was refused (in Chinese).

        Raises Usage for an unknown ticket, NotAllowed where nothing of the order may be done.
        """
        with self._turn:
            now = self.clock()
            with self.db.read() as tx:
                ticket = tickets.by_number(tx, number)
            if ticket is None:
                raise Usage(f"there is no ticket {number}")
            if command == "split":
                return self._split(ticket, by, str((args or {}).get("text") or text), now), ()
            if command == "merge":
                return self._merge_into(ticket, Ordered(now, command, by, dict(args or {}), text), now), ()
            said = _in_our_words(args or {}) if command == "classify" else dict(args or {})
            outcome = self._happen(ticket, Ordered(now, command, by, said, text), now)
            own = [o for o in outcome.opinions if o.occasion == "Ordered"]
            refused = tuple(r for o in own for r in o.refused)
            if refused and not any(x for o in own for x in o.decisions if not isinstance(x, (d.Remark, d.Write))):
                raise NotAllowed("; ".join(refused))
            if not own:
                raise Usage(f"no rule knows the command {command}")
            with self.db.read() as tx:
                return tickets.load(tx, [ticket.id])[ticket.id], refused

    def _split(self, ticket: Ticket, by: str, text: str, now: datetime) -> Ticket:
        """A part of a ticket becomes one of its own: same people, same start, its own number and clocks (S0-4.1.4)."""
        part = text.strip()
        if not part or not ticket.is_open or not ticket.arrivals:
            raise NotAllowed("请写明另立一单的内容" if not part else f"工单当前为“{chinese(ticket.status)}”,不能拆分")
        start = ticket.started_at or now
        sender = Address(ticket.requester.name, ticket.reply_address)
        message = Message(ticket.medium, start, text=part, sender=sender, identity=True)  # type: ignore[arg-type]
        draft = Ticket(text=part, medium=ticket.medium, channel=ticket.channel, started_at=start)
        known = d.Classify(origin=ticket.origin, house=ticket.house, requester=ticket.requester, masked=ticket.masked or None)
        kept: dict[str, Any] = {k: ticket.fields[k] for k in ("reply_to", "verified_sender", "asked_for") if k in ticket.fields}
        kept["missing"] = []  # what the whole lacked was asked for with it, once (S0-4.2.1)
        given = [known, d.SetFields(kept), d.Relate((ticket.number,)), d.Remark(f"由{chinese(by)}从{ticket.number}拆分")]
        made = self._open(ticket.arrivals[0].id, message, draft, given, now)
        told = [d.Relate((made.number,)), d.Effect(("split:2",)), d.Remark(f"{chinese(by)}拆出{made.number}:{part[:200]}")]
        self.carry_out({ticket.number: told}, by, "split", part, lambda tx, at: None)
        return made

    def _merge_into(self, ticket: Ticket, order: Ordered, now: datetime) -> Ticket:
        """A person's word that two tickets are one matter: words, arrivals and customer of the one go to the other (S0-3.2).

        The other keeps the first start. Whoever wrote is told where the matter is handled now; where it is somebody else than the
        customer of the other, its handler is to tell both of the result.
        """
        number = str(order.args.get("target") or order.args.get("into") or "").strip()
        with self.db.read() as tx:
            target = tickets.by_number(tx, number)
        if hindered := _cannot_merge(ticket, target, number, other_house=bool(order.args.get("other_house"))):
            raise NotAllowed(hindered)
        assert target is not None
        who = ticket.requester
        sender = Address(who.name, ticket.reply_address)
        message = Message(
            ticket.medium, ticket.started_at or now, subject=ticket.subject, text=ticket.text, sender=sender, identity=True  # type: ignore[arg-type]
        )
        why = f"{chinese(order.by)}并案"
        theirs_too = {target.requester.phone, target.requester.email, target.reply_address} - {""}
        author = Author("requester", "" if {who.phone, sender.email} & theirs_too else "other", why=why, believed=True)
        heard = Heard(now, message, author, ticket.channel, merged=True, may_answer=ticket.medium == "mail" and bool(sender.email))
        carried: dict[str, Any] = {}
        if ticket.status in _NOT_BEGUN:  # what it asks for; what was done since stays with it
            carried = {k: v for k, v in ticket.fields.items() if k not in target.fields and k not in ("reply_to", "verified_sender")}
        given: list[d.Decision] = [
            d.SetFields(carried, rule="S0-3.2", why=why), d.Relate((ticket.number,), rule="S0-3.2", why=why),
            d.Effect((f"merged_contact:{ticket.medium}",), rule="S0-3.2", why=why),
            d.Remark(f"{ticket.number}并入本单", rule="S0-3.2", why=why),
        ]  # fmt: skip
        if author.id and not heard.may_answer:
            told = f"{ticket.number}的来件人{who.phone}反映同一事项,请将办理结果一并告知"
            given.append(d.AddTask("inform", target.handler or "cs_clerk", told, key=f"also:{ticket.number}", rule="S0-3.2", why=why))
        mine, theirs = self.judges.judge([(ticket, order, ()), (target, heard, tuple(given))])
        if mine.ticket.status != "merged":
            refused = [r for o in mine.opinions if o.occasion == "Ordered" for r in o.refused]
            raise NotAllowed("; ".join(refused) or f"工单当前为“{chinese(ticket.status)}”,不能并案")
        starts = [x.started_at for x in (ticket, target) if x.started_at]
        theirs = replace(theirs, ticket=theirs.ticket.changed(started_at=min(starts, default=None)))
        self._token_keys()
        with self.db.write() as tx:
            ledger = Ledger(tx, now)
            self._save(ledger, _Case(Reading(0, "", _NOBODY), ticket, order), mine, now)
            arrival = ticket.arrivals[0].id if ticket.arrivals else 0
            case = _Case(Reading(arrival, ticket.channel, message), target, heard, tuple(given))
            self._save(ledger, case, theirs, now)
            for one in ticket.arrivals:
                if one.id not in {a.id for a in target.arrivals}:
                    ledger.link(one.id, target.id)
            ledger.flush()
        with self.db.read() as tx:
            return tickets.load(tx, [ticket.id])[ticket.id]

    def enter(self, arrival: int, message: Message, given: Sequence[d.Decision]) -> Ticket:
        """A matter entered by staff at the counter, kept as ``arrival``; what they know goes before what the rules read.

        The same matter again goes to the open ticket, as from any other channel (S0-3.2).
        """
        with self._turn:
            draft = Ticket(text=message.text, subject=message.subject, medium=message.medium, started_at=message.received_at)
            return self._open(arrival, message, draft.changed(channel="counter"), given, self.clock(), again=True)

    def _open(
        self, arrival: int, message: Message, draft: Ticket, given: Sequence[d.Decision], now: datetime, again: bool = False
    ) -> Ticket:
        """A new ticket for words of an arrival that is filed already; ``again``: or the open one of the same matter."""
        self._token_keys()
        channel = draft.channel
        sorted_out = self.judges.judge([(draft, Arrived(now, message, channel), ())])[0]
        locked = [d.Lock(_stated(x)) for x in given if isinstance(x, d.Classify) and _stated(x)]
        opened = Opened(now, message, channel)
        if again:
            known = deliberate(sorted_out.ticket, opened, (), given=given).ticket
            self._similar = {}
            with self.db.read() as tx:
                opened = self._opened(tx, known, message, channel, now)
        opened = replace(opened, may_answer=bool(message.sender.email) and message.medium == "mail")
        outcome = self.judges.judge([(sorted_out.ticket, opened, (*given, *locked))])[0]
        matter = Sorted(sorted_out.ticket, message, (), ())
        reading = Reading(arrival, channel, message, authenticated=True)  # our own people know whom they speak to
        case = _Case(reading, sorted_out.ticket, opened, sorted=matter, opinions=sorted_out.opinions)
        if _first(outcome, d.Merge):
            case, outcome = self._merge(case, outcome, now)
        with self.db.write() as tx:
            ledger = Ledger(tx, now)
            made = self._save(ledger, case, outcome, now)
            ledger.link(arrival, made.id)
            arrivals.settle(tx, arrival, "filed", disposition=case.disposition, reason="")
            ledger.flush()
        with self.db.read() as tx:
            return tickets.load(tx, [made.id])[made.id]

    def carry_out(
        self,
        orders: Mapping[str, Sequence[d.Decision]],
        by: str,
        command: str,
        text: str,
        also: Callable[[Connection, datetime], None],
    ) -> None:
        """Save what a person decided about several tickets at once, together with what ``also`` writes. No rule is asked."""
        with self._turn:
            now = self.clock()
            self._token_keys()
            with self.db.write() as tx:
                also(tx, now)
                ledger = Ledger(tx, now)
                ids = tickets.ids_of_numbers(tx, list(orders))
                loaded = tickets.load(tx, ids.values(), lock=True)
                for number, decisions in orders.items():
                    occasion = Ordered(now, command, by, {}, text)
                    ticket = loaded[ids[number]]
                    outcome = deliberate(ticket, occasion, (), given=decisions)
                    self._save(ledger, _Case(Reading(0, "", _NOBODY), ticket, occasion), outcome, now)
                ledger.flush()

    def file_away(self, before: datetime, after: int = 0) -> int:
        """Archive closed tickets on which nothing has happened since ``before``, a wave of them beyond the id ``after``.

        Nobody is told and no rule is asked; what lacks a paper stays closed. Returns the last id looked at, 0 at the end.
        """
        with self._turn:
            with self.db.read() as tx:
                ids = tickets.settled_before(tx, before, after, WAVE)
            if ids:
                with self.db.write() as tx:
                    ledger = Ledger(tx, self.clock())
                    for ticket in tickets.load(tx, ids, lock=True).values():
                        _file(ledger, ticket)
                    ledger.flush()
            return ids[-1] if ids else 0

    def _happen(self, ticket: Ticket, occasion: Occasion, now: datetime) -> Outcome:
        return self._happen_to_all([(ticket, occasion)], now)[0]

    def _happen_to_all(
        self, cases: Sequence[tuple[Ticket, Occasion]], now: datetime, told: Sequence[int] = ()
    ) -> list[Outcome]:
        """What happened to several tickets, each another one: asked together, saved in one transaction."""
        self._token_keys()
        if not cases:
            return []
        outcomes = self.judges.judge([(ticket, occasion, ()) for ticket, occasion in cases])
        with self.db.write() as tx:
            ledger = Ledger(tx, now)
            letters.tell(tx, told)
            for (ticket, occasion), outcome in zip(cases, outcomes, strict=True):
                if outcome.decisions or outcome.opinions:
                    self._save(ledger, _Case(Reading(0, "", _NOBODY), ticket, occasion), outcome, now)
            ledger.flush()
        return outcomes


def _still_missing(known: Ticket, new: Ticket) -> list[str]:
    """What a matter of people we know lacks: nothing that the ticket on record has, or asked for already (S0-4.2.1)."""
    have = {"姓名": known.requester.name, "联系电话": known.requester.phone, "房号": known.house}
    asked = known.fields.get("asked_for") or ()
    return [item for item in new.fields.get("missing") or () if not have.get(item) and item not in asked]


_CONTACT = ("reply_to", "verified_sender")
_NOT_BEGUN = ("registered", "triaged", "need_info", "need_approval", "assigned", "acknowledged")
_NOBODY = Message("entry", datetime.fromisoformat("1970-01-01T00:00:00+00:00"))


def _in_our_words(args: Mapping[str, Any]) -> dict[str, Any]:
    """What a person says a ticket is, 投诉 or complaint, in the words the rules know; what is no such word stays as it is."""
    meant = {name: word_meant(name, str(args[name])) for name in VOCABULARY if args.get(name) is not None}
    return {**args, **{name: word for name, word in meant.items() if word}}


def _cannot_merge(ticket: Ticket, target: Ticket | None, number: str, *, other_house: bool = False) -> str:
    """Why a person may not merge the one into the other, in Chinese; "" where nothing hinders it."""
    if not ticket.is_open:
        return f"工单当前为“{chinese(ticket.status)}”,不能并案"
    if not number:
        return "请写明并入的工单号"
    if number == ticket.number:
        return f"{number}不能并入自身,请写明另一工单号"
    if target is None:
        return f"没有工单{number}"
    if further := target.fields.get("merged_into"):
        return f"{number}已并入{further},请并入{further}"
    if not target.is_open:
        return f"{number}当前为“{chinese(target.status)}”,不能再并入;请先重开,或另行办理"
    if ticket.house and target.house and ticket.house != target.house and not other_house:
        return f"{number}是另一户({target.house})的事项,同一户才并案(S0-3.2);确属同一事项的群诉,请加 --other-house,结果须逐户告知"
    if ticket.urgency == "emergency" and target.urgency != "emergency":
        return f"紧急事件不并入非紧急的{number};请将{number}并入{ticket.number}"
    return ""


def _file(ledger: Ledger, ticket: Ticket) -> None:
    """The ticket goes into the archive if its papers are complete (S1-4.3.5c)."""
    step = d.Move("archived", rule="S1-4.3.5", why="办结已久,资料齐全,归档")
    with suppress(NotAllowed):
        if ledger.save(apply(ticket, step, ledger.now), ticket, quietly=True):
            ledger.history(ticket.id, step.by, "status:archived", step.why, {"rule": step.rule})


def _stated(c: d.Classify) -> tuple[str, ...]:
    """What a person said outright of class and kind; no rule changes it again (S1-4.3.5)."""
    return tuple(n for n in ("kind", "category", "urgency", "house", "origin", "requester") if getattr(c, n) is not None)


def _remembered(ticket: Ticket) -> Ticket:
    """No open ticket without something that reminds a person of it, whatever the rules left out (I8)."""
    if not ticket.is_open or any(x.open for x in ticket.deadlines) or any(x.done_at is None for x in ticket.tasks):
        return ticket
    task = Task("follow_up", ticket.handler or "cs_clerk", None, "本件没有时限也没有待办,请判断如何办理")
    return ticket.changed(tasks=(*ticket.tasks, task))


def step_of(done: int, start: datetime, due: datetime, now: datetime) -> str:
    """The name of the step after ``done`` steps: "50", "80", "100", "+1", … (S1-4.3.6)."""
    names = ("50", "80", "100")
    return names[done] if done < len(names) else f"+{done - len(names) + 1}"


def _independent(waiting: Sequence[Reading | Unread]) -> tuple[list[Reading | Unread], list[Reading | Unread]]:
    """Split off the readings that have nothing to do with an earlier one of the same batch."""
    seen: set[str] = set()
    wave: list[Reading | Unread] = []
    for index, reading in enumerate(waiting):
        keys = _relations(reading) if isinstance(reading, Reading) else set()
        if keys & seen:
            return wave, list(waiting[index:])
        seen |= keys
        wave.append(reading)
    return wave, []


def _relations(reading: Reading) -> set[str]:
    message = reading.message
    keys = {message.digest, message.message_id, *message.in_reply_to, *message.references, message.sender.email}
    for matter in reading.matters:
        r = matter.ticket.requester
        keys |= {r.phone, r.email, f"house {matter.ticket.house}" if matter.ticket.house else ""}
    keys |= {*trust.numbers_in(f"{message.subject} {message.text[:500]}"), *notice_numbers(message.text[:LONGEST_ANSWER])}
    return keys - {""}


def _marks(reading: Reading, disposition: str) -> dict[str, Any]:
    m = reading.message
    return {
        "message_id": m.message_id[:500], "digest": m.digest, "subject": m.subject[:200], "disposition": disposition,
    }  # fmt: skip


def _shelf_values(unread: Unread) -> dict[str, Any]:
    effects = ["ocr_low_confidence", "human_transcription"] if unread.transcribe else []
    return {
        "reason": unread.reason[:500], "draft": unread.draft, "confidence": unread.confidence, "effects": effects,
        "disposition": "shelf",
    }  # fmt: skip


def _worth_telling(letter: dict[str, Any]) -> bool:
    """A ticket hears of notices, of promises kept by a letter, and of every letter that could not be delivered."""
    if letter["ticket"] is None:
        return False
    return letter["status"] == "failed" or bool(letter["meets"]) or bool(letter["documents"])


def _fate(letter: Mapping[str, Any], now: datetime) -> Occasion:
    """What became of a letter, as its ticket hears it."""
    number = next((n for form, n in letter["documents"] if form == "notice"), "")
    about = letter["message_id"], letter["template"], letter["recipient"]
    if letter["status"] == "sent":
        return Delivered(letter["sent_at"] or now, *about, number, letter["meets"])
    bounce = Bounce((letter["message_id"],), tuple(letter["addresses"]), reason=letter["last_answer"])
    return Returned(now, *about, ", ".join(letter["addresses"]), number, bounce)


def _is_acknowledgement(what: Occasion) -> bool:
    return isinstance(what, Delivered) and bool(what.meets) and what.to == "requester"


def _together(decided: Iterable[tuple[_Case, Outcome]]) -> list[tuple[_Case, Outcome]]:
    """Matters of one arrival that belong to the same open ticket go there as one message, for it is changed only once."""
    found: dict[tuple[int, int | str], tuple[_Case, Outcome]] = {}
    for index, (case, outcome) in enumerate(decided):
        merge = _first(outcome, d.Merge)
        place = (case.reading.id, merge.target if merge else index)
        found[place] = _joined(*found[place], case, outcome) if place in found else (case, outcome)
    return list(found.values())


def _joined(case: _Case, outcome: Outcome, also: _Case, what: Outcome) -> tuple[_Case, Outcome]:
    assert case.sorted is not None and also.sorted is not None
    message = case.sorted.message
    whole = replace(message, text=f"{message.text}\n{also.sorted.message.text}")
    ticket = case.ticket.changed(fields={**also.ticket.fields, **case.ticket.fields})
    joined = replace(case, ticket=ticket, sorted=replace(case.sorted, message=whole))
    return joined, replace(outcome, decisions=(*outcome.decisions, *what.decisions))


def _word_of(merges: Sequence[d.Merge]) -> str:
    """What matters of one message together say of their ticket: where one takes it back and another does not, a person asks."""
    said = {merge.says for merge in merges}
    if len(said) == 1:
        return merges[0].says
    return "withdraw?" if said & {"withdraw", "withdraw?"} else ""


def _first(outcome: Outcome, kind: type[Any]) -> Any:
    return next((x for x in outcome.decisions if isinstance(x, kind)), None)


def _step_taken(occasion: Occasion, outcome: Outcome) -> str:
    """What a due deadline led to, "" for any other occasion: of several steps that have passed only the last one counts."""
    if not isinstance(occasion, Due):
        return ""
    steps = (d.Reminded, d.StopClock, d.DropClock)
    return next((x.why for x in outcome.decisions if isinstance(x, steps) and x.name == occasion.name), "")


def _story(occasion: Occasion, new: bool) -> tuple[str, str, str]:
    """Who, what and why of an occasion for the history."""
    if isinstance(occasion, Opened):
        return "program", "opened", f"来自{chinese(occasion.message.medium)}"
    if isinstance(occasion, Heard):
        who = f"{occasion.author.role}:{occasion.author.id}".rstrip(":")
        return who, "merged" if occasion.merged else "heard", occasion.author.why
    if isinstance(occasion, Due):
        return "program", f"due:{occasion.name}", occasion.step
    if isinstance(occasion, Ordered):
        return occasion.by, f"order:{occasion.command}", occasion.text
    if isinstance(occasion, Delivered):
        return "outbox", "delivered", f"{occasion.template} → {occasion.to}"
    if isinstance(occasion, Returned):
        return "outbox", "returned", f"{occasion.template} → {occasion.to}: {occasion.bounce.reason}"
    return "program", "changed", ""
