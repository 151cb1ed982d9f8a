"""Decisions → numbered papers and letters, in the ticket's own transaction. Nothing here sends.

Who gets a letter, in which thread it stands, which papers are enclosed, whether it is held: decided here, once, for every
rule alike. Automatic mail is never answered and caps hold whatever a rule wanted.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from kefud.api import Party, Site
from kefud.compose import Composer, Plain, PlainView, plain
from kefud.desk import decisions as d
from kefud.desk import tokens
from kefud.desk.discretion import contact_shown
from kefud.desk.lint import lint
from kefud.desk.message import Message
from kefud.desk.occasions import Heard, Occasion, Opened
from kefud.desk.reading import Unread
from kefud.desk.ticket import Document, Task, Ticket, chinese
from kefud.desk.triage import Opinion, Outcome
from kefud.desk.view import Profile, TicketView, answer_deadline, form_data, local, notice_view, ticket_view
from kefud.errors import KefudError
from kefud.store import arrivals, letters, numbers, tickets
from kefud.store.database import Connection
from kefud.store.tickets import Ledger

URGENT = {"emergency": 0, "urgent": 2, "normal": 5}
SHELF_TAG = "shelf"
FREE_TEXT = ("replies/answer", "replies/result", "replies/written-reply", "replies/declined")
"""Letters whose substance a person wrote: promises in them must have been approved."""
INTERIM = (
    "replies/acknowledgement", "replies/acknowledgement-complaint", "replies/acknowledgement-letter", "replies/calm",
    "replies/holding", "replies/progress",
)  # fmt: skip
"""Letters that say no more than that an answer will come."""
TO_STAFF = ("reports/", "commands/")
HELD_UP = timedelta(hours=1)
"""What has waited so long for its server was held up: an answer that is written meanwhile goes in its place (R17)."""


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing: effects for the ticket (outgoing_blocked)."""

    effects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Recipient:
    key: str
    name: str
    address: str
    profile: Profile = "full"


class Correspondence:
    """Numbers papers and writes letters for the decisions of one site."""

    def __init__(
        self,
        site: Site,
        composer: Composer,
        *,
        keys: Callable[[], tuple[bytes, ...]],
        nonce: Callable[[], str],
        can_print: bool = False,
    ) -> None:
        self.site = site
        self.composer = composer
        self.zone = ZoneInfo(site.timezone)
        self._keys = keys
        self._nonce = nonce
        self._can_print = can_print
        self._domain = site.outgoing.address.rpartition("@")[2] or "localhost"
        self._site = site_view(site)
        self._plain_site = Plain(plain("", {"site": self._site})["site"])
        self._answers_of: tuple[Connection, letters.Answers] | None = None
        self._viewed: Ticket | None = None
        self._views: dict[str, TicketView] = {}
        self._plain_views: dict[str, PlainView] = {}
        self._names = {p.id: p.name for p in site.parties if p.name} | {r.id: r.name for r in site.roles if r.name}

    # A ticket goes to several readers in several letters: each reader's view of it is made once.

    def _view(self, ticket: Ticket, profile: Profile) -> TicketView:
        if self._viewed is not ticket:
            self._viewed, self._views, self._plain_views = ticket, {}, {}
        if profile not in self._views:
            self._views[profile] = ticket_view(ticket, self.site.timezone, profile=profile, names=self._names)
        return self._views[profile]

    def _plain_view(self, ticket: Ticket, profile: Profile) -> PlainView:
        view = self._view(ticket, profile)
        if profile not in self._plain_views:
            self._plain_views[profile] = PlainView(view, self.site.timezone)
        return self._plain_views[profile]

    # Papers

    def number_documents(self, tx: Connection, ticket: Ticket, outcome: Outcome, now: datetime) -> Ticket:
        """Give new papers their numbers and their data, as they will be printed."""
        day = now.astimezone(self.zone).date()
        notices = [x for x in outcome.decisions if isinstance(x, d.Notice)]
        numbered = ticket.changed(documents=tuple(self._numbered(tx, x, day) for x in ticket.documents))
        made = [x if x.id else self._made(x, numbered, notices, now) for x in numbered.documents]
        return ticket.changed(documents=tuple(made))

    def _numbered(self, tx: Connection, document: Document, day: date) -> Document:
        if document.id or document.number or document.form not in numbers.SERIES:
            return document
        return replace(document, number=numbers.form_number(tx, document.form, day))

    def _made(self, document: Document, ticket: Ticket, notices: list[d.Notice], now: datetime) -> Document:
        number = document.number
        if document.form == "notice" and notices:
            data = self._notice(ticket, notices.pop(0), number, now)
        else:
            notice = ticket.document("notice")
            extra = {
                "notice_number": notice.number if notice else "", **document.data, "number": number, "at": now,
                "signatures": self._signatures(ticket, now),
            }  # fmt: skip
            data = form_data(
                document.form, ticket, self._site, self.site.timezone, extra, names=self._names,
                view=self._view(ticket, "full"),
            )  # fmt: skip
        return replace(document, data=_plain(data))

    def _notice(self, ticket: Ticket, notice: d.Notice, number: str, now: datetime) -> dict[str, Any]:
        party = self._party(ticket, notice.to)
        names = {**self._names, notice.to: party.name if party and party.name else chinese(notice.to)}
        profile: Profile = "masked" if notice.mask else "party"
        view = self._view(ticket, profile)
        said = notice_view(ticket, notice, number, site=self._site, at=now, names=names, view=view)
        return form_data(
            "notice", ticket, self._site, self.site.timezone,
            {**said, "at": now, "signatures": self._signatures(ticket, now)}, names=names, profile=profile, view=view,
        )  # fmt: skip

    def _signatures(self, ticket: Ticket, now: datetime) -> dict[str, Any]:
        """Who prepared a paper; who reviews and approves it signs by hand or with its release (S0-6.0)."""
        role = self.site.role(ticket.handler or "")
        name = (role.person or role.name if role else "") or chinese(ticket.handler or "cs_clerk")
        return {"prepared": {"name": name, "at": local(now, self.zone)}}

    # Letters

    def write(
        self, ledger: Ledger, ticket: Ticket, outcome: Outcome, occasion: Occasion, now: datetime, siblings: Sequence[Ticket]
    ) -> Written:
        """Put the letters of an outcome into the outbox."""
        effects: list[str] = []
        used = self._used_keys(ledger.tx, ticket, outcome)
        notices = [x for x in ticket.documents if x.form == "notice" and not x.id]
        for decision in outcome.decisions:
            if isinstance(decision, d.Reply):
                effects += self._reply(ledger, ticket, decision, occasion, now, siblings)
            elif isinstance(decision, d.Notice):
                effects += self._send_notice(ledger, ticket, decision, notices.pop(0), now)
            elif isinstance(decision, d.Write) and not (decision.key and decision.key in used):
                used.add(decision.key)
                effects += self._write(ledger, ticket, decision, now)
            elif isinstance(decision, d.StopClock | d.DropClock):
                self._stop_chasing(ledger, ticket, decision.name)
            elif isinstance(decision, d.Release):
                letters.release_held(ledger.tx, ticket.id, now, decision.letter)
                self._signer_is_done(ledger, ticket, now)
            elif isinstance(decision, d.Discard):
                letters.discard(ledger.tx, ticket.id, decision.letter, decision.why)
                self._signer_is_done(ledger, ticket, now)
            elif isinstance(decision, d.Notify):
                for role in decision.roles:
                    key = f"notify.{decision.template}.{role}.{ticket.round}"
                    if key not in used:
                        used.add(key)
                        one = d.Write(role, decision.template, decision.data, key, rule=decision.rule, why=decision.why)
                        effects += self._write(ledger, ticket, one, now)
        return Written(tuple(dict.fromkeys(effects)))

    def _stop_chasing(self, ledger: Ledger, ticket: Ticket, name: str) -> None:
        """Chasers of a term that is kept now and still wait for the server ask for what is done."""
        moot = [x.id for x in ticket.letters if x.status == "pending" and x.key.startswith(f"chase:{name}:")]
        for letter in letters.withdraw(ledger.tx, moot, "所催事项已办,不再发出") if moot else ():
            ledger.history(ticket.id, "outbox", "superseded", f"催办函尚未发出,{name} 已办结,不再发出", {"letter": letter})

    def _used_keys(self, tx: Connection, ticket: Ticket, outcome: Outcome) -> set[str]:
        keys = [x.key for x in outcome.decisions if isinstance(x, d.Write)]
        for x in outcome.decisions:
            if isinstance(x, d.Notify):
                keys += [f"notify.{x.template}.{role}.{ticket.round}" for role in x.roles]
        return letters.keys_used(tx, ticket.id, keys) if keys and ticket.letters else set()

    def _reply(
        self, ledger: Ledger, ticket: Ticket, reply: d.Reply, occasion: Occasion, now: datetime, siblings: Sequence[Ticket]
    ) -> list[str]:
        address = str(ticket.fields.get("reply_to") or ticket.requester.email)
        answering = isinstance(occasion, (Opened, Heard))
        if reply.to_writer:
            address = occasion.message.sender.email if answering else ""  # type: ignore[union-attr]
        if not address or self.site.is_own(address):
            return []
        if answering and not occasion.may_answer:  # type: ignore[union-attr]
            return []
        known = bool(ticket.fields.get("verified_sender")) and not reply.to_writer
        hold = reply.hold or (self._cap(ledger.tx, address, now, known=known) if answering else "")
        party = self.site.party_of(address)
        name = party.name if party else address if reply.to_writer else ticket.requester.name
        key = "writer" if reply.to_writer else "requester"
        recipient = _Recipient(key, name, address, "owner" if party is None else "full")
        numbers = [self._entry(each, recipient.profile, now) for each in (*siblings, ticket)] if siblings else [ticket.number]
        data = {**reply.data, "numbers": numbers, "verified": known, "other": reply.to_writer}
        automatic = "auto-replied" if answering else "auto-generated"
        return self._post(
            ledger, ticket, recipient, reply.template, data, now, hold=hold, meets=reply.meets, automatic=automatic,
            signer="cs_manager" if reply.hold else "handler",
            answers=_theirs(occasion), audience="owner",
        )  # fmt: skip

    def _entry(self, ticket: Ticket, profile: Profile, now: datetime) -> dict[str, Any]:
        """One of several matters, as an acknowledgement for all of them names it."""
        view = ticket_view(ticket, self.site.timezone, profile=profile, names=self._names)
        said = {name: view[name] for name in ("number", "kind", "kind_zh", "category_zh", "handler_zh", "reply_by")}
        return said | {"late": "answer" in _past(ticket, now)}

    def _cap(self, tx: Connection, address: str, now: datetime, known: bool) -> str:
        """Why an automatic answer must wait: caps against loops and floods (S05).

        Each address has its own. All addresses that nobody vouches for share one more: it grows with the number of people
        who write, so that all are answered after an outage, but not beyond tenfold.
        """
        limits = self.site.limits
        answers = self._answers(tx, now)
        in_hour, in_day = answers.to(address)
        if in_hour >= limits.letters_per_recipient_hour:
            return f"同一收件人一小时内自动回复已达{limits.letters_per_recipient_hour}封"
        if in_day >= limits.letters_per_recipient_day:
            return f"同一收件人一天内自动回复已达{limits.letters_per_recipient_day}封"
        if known or self.site.party_of(address) or self.site.houses_by_contact(address):
            return ""
        count, addresses = answers.in_an_hour()
        most = max(limits.letters_per_hour, limits.letters_per_recipient_hour * addresses)
        if count >= min(most, 10 * limits.letters_per_hour):
            return f"一小时内自动回复已达{count}封"
        return ""

    def _answers(self, tx: Connection, now: datetime) -> letters.Answers:
        """The automatic answers so far, looked up once for a transaction and kept along with what it writes."""
        if self._answers_of is None or self._answers_of[0] is not tx:
            self._answers_of = tx, letters.Answers(tx, now)
        return self._answers_of[1]

    def _cap_of_ticket(self, tx: Connection, ticket: Ticket, address: str, now: datetime) -> str:
        """The same for those who are proven to be our departments and staff: they write about many tickets a day."""
        limits = self.site.limits
        if not address:
            return ""
        for span, most in ((1, limits.letters_per_recipient_hour), (24, limits.letters_per_recipient_day)):
            if letters.answers_about(tx, ticket.id, address, now - timedelta(hours=span)) >= most:
                return f"本工单{span}小时内给同一收件人的自动回复已达{most}封"
        return ""

    def _send_notice(self, ledger: Ledger, ticket: Ticket, notice: d.Notice, document: Document, now: datetime) -> list[str]:
        party = self._party(ticket, notice.to)
        address = (notice.address if notice.address != "fallback" else "") or (party.address if party else "")
        if notice.address == "fallback" and party:
            address = party.fallback or party.address
        recipient = _Recipient(notice.to, party.name if party else chinese(notice.to), address, "party")
        hold = f"待{chinese(notice.sign)}签发" if notice.sign else ""
        copies = [party for p in notice.copy_to if (party := self.site.party(p)) and party.address]
        seeing = [c for c in copies if notice.mask or contact_shown(ticket, c.kind, c.show_contact)]
        effects = self._post(
            ledger, ticket, recipient, notice.template, {"notice": self._plain_notice(document)}, now, hold=hold,
            meets=notice.clock, papers=(document,), audience="party", copies=[c.address for c in seeing], mask=notice.mask,
            signer=notice.sign or "cs_manager",
        )  # fmt: skip
        for copy in (c for c in copies if c not in seeing):
            effects += self._send_masked_copy(ledger, ticket, notice, document, copy, now, hold)
        return effects

    def _send_masked_copy(
        self, ledger: Ledger, ticket: Ticket, notice: d.Notice, document: Document, party: Party, now: datetime, hold: str
    ) -> list[str]:
        """A party that may not see who the customer is gets the words of the notice without them, and no paper (P6)."""
        recipient = _Recipient(party.id, party.name, party.address, "masked")
        masked = replace(document, data=_plain(self._notice(ticket, replace(notice, mask=True), document.number, now)))
        told = {"notice": self._plain_notice(masked)}
        return self._post(ledger, ticket, recipient, "notices/copy", told, now, hold=hold, audience="party", mask=True)

    def _plain_notice(self, document: Document) -> Plain:
        said = {key: value for key, value in document.data.items() if key != "site"}
        return Plain(plain("", {"notice": said, "site": self._plain_site})["notice"])

    def _write(self, ledger: Ledger, ticket: Ticket, write: d.Write, now: datetime) -> list[str]:
        recipient = self._recipient(ticket, write.to, now)
        wanted = set(write.documents)
        papers = tuple(x for x in ticket.documents if x.number and not x.void and wanted & {x.form, x.number})
        answers = write.template.startswith("commands/")
        return self._post(
            ledger, ticket, recipient, write.template, dict(write.data), now, key=write.key, papers=papers,
            hold=write.hold or (self._cap_of_ticket(ledger.tx, ticket, recipient.address, now) if answers else ""),
            instead=write.instead,
            automatic="auto-replied" if answers else "auto-generated", audience="staff", mask=recipient.profile == "masked",
        )  # fmt: skip

    def _recipient(self, ticket: Ticket, to: str, now: datetime) -> _Recipient:
        if "@" in to:
            party = self.site.party_of(to)
            return _Recipient(party.id if party else to, party.name if party else "", to, "masked" if party else "full")
        wanted = ticket.handler or "cs_manager" if to == "handler" else to
        wanted = ticket.department or "cs_center" if wanted == "department" else wanted
        role = self.site.role(wanted)
        if role is not None:
            name = role.person or role.name or chinese(wanted)
            address = role.address_on(now.astimezone(self.zone).date())
            discreet = ticket.masked or ticket.category == "attitude"
            outside = self.site.party_of(address) if discreet else None  # one of those who are complained of
            return _Recipient(wanted, name, address, "masked" if outside and outside.id != "cs_center" else "full")
        party = self._party(ticket, wanted)
        if party is None:
            return _Recipient(wanted, chinese(wanted), "")
        shown = contact_shown(ticket, party.kind, party.show_contact)
        return _Recipient(wanted, party.name, party.address, "party" if shown else "masked")

    def _party(self, ticket: Ticket, id: str) -> Party | None:
        chosen = ticket.fields.get("contractor") if id == "contractor" else None
        return self.site.party(str(chosen or id))

    def _post(
        self,
        ledger: Ledger,
        ticket: Ticket,
        recipient: _Recipient,
        template: str,
        data: dict[str, Any],
        now: datetime,
        *,
        hold: str = "",
        meets: str = "",
        key: str = "",
        automatic: str = "auto-generated",
        answers: Message | None = None,
        papers: Sequence[Document] = (),
        audience: str = "staff",
        copies: Sequence[str] = (),
        mask: bool = False,
        instead: str = "",
        signer: str = "cs_manager",
    ) -> list[str]:
        profile: Profile = "masked" if mask else recipient.profile
        context = {
            "ticket": self._plain_view(ticket, profile), "site": self._plain_site, "data": _plain(data),
            "now": now.astimezone(self.zone), "past": _past(ticket, now),
            "notice": data.get("notice", {}),
            "recipient": {"name": recipient.name, "key": recipient.key},
        }  # fmt: skip
        try:
            draft = self.composer.write(template, context)
        except KefudError as error:
            return _unwritten(ledger, ticket, recipient, template, error)
        hold = hold or self._nowhere(recipient, copies)
        blocked = self._blocked(draft.text, ticket, audience, template, mask, data)
        signer = "cs_manager" if blocked else signer
        hold = "; ".join(filter(None, (hold, blocked)))
        effects = ["outgoing_blocked"] if blocked else []
        key_bytes = self._keys()[0]
        row = {
            "ticket": ticket.id, "recipient": recipient.key, "template": template, "subject": draft.subject,
            "addresses": [recipient.address, *copies] if recipient.address else list(copies),
            "message_id": tokens.message_id(key_bytes, ticket.id, self._nonce(), self._domain),
            "text": draft.text, "html": draft.html,
            "automatic": automatic, "documents": [[x.form, x.number] for x in papers], "attachments": [],
            "transport": "mail" if recipient.address else "print", "status": "held" if hold else "pending",
            "hold": hold, "key": key, "meets": meets, "priority": URGENT.get(ticket.urgency, 5),
            "attempts": 0, "next_attempt": now, "owner": "", "epoch": 0, "last_answer": "", "created_at": now,
            "told": True,
        }  # fmt: skip
        gone = self._supersede(ledger, ticket, row, instead)
        in_reply_to, references = self._thread(ledger.tx, ticket, recipient.key, answers, {x["id"] for x in gone})
        promises = dict.fromkeys(filter(None, [meets, *(x["meets"] for x in gone)]))
        ledger.letter({**row, "meets": ",".join(promises), "in_reply_to": in_reply_to, "references": references})
        if automatic == "auto-replied" and recipient.address and not hold:
            self._answers(ledger.tx, now).note(recipient.address)
        if hold and not template.startswith(TO_STAFF):
            told = {"letter": chinese(template), "reason": hold, "text": draft.text, "to": recipient.name}
            self._ask_signer(ledger, ticket, signer, told, now, str(row["message_id"]))
        return effects

    def _ask_signer(
        self, ledger: Ledger, ticket: Ticket, signer: str, told: dict[str, Any], now: datetime, message_id: str
    ) -> None:
        """A letter is held: its signer hears of it and has a task, whatever becomes of the ticket (RULES §9, S05)."""
        waiting = any(task.kind == "release" and task.done_at is None for task in ticket.tasks)
        if waiting and signer == "handler":
            return  # what a cap holds is told once: a flood must not become one of ours
        asked = self._recipient(ticket, signer, now)
        self._post(ledger, ticket, asked, "reports/held", told, now, key=f"held:{message_id}")
        if not waiting:
            ledger.task(ticket.id, Task("release", asked.key, None, f"函件暂缓发出,请审核放行或改写:{told['reason']}"))

    def _signer_is_done(self, ledger: Ledger, ticket: Ticket, now: datetime) -> None:
        if not letters.holds(ledger.tx, ticket.id):
            ledger.tasks_done(ticket.id, "release", now)

    def _supersede(self, ledger: Ledger, ticket: Ticket, new: Mapping[str, Any], instead: str) -> list[dict[str, Any]]:
        """Take back what a new letter makes needless while it still waits; the new one keeps the promises of these."""
        to = new["recipient"]
        if new["status"] == "held" or not any(x.status == "pending" and x.recipient == to for x in ticket.letters):
            return []
        shared = any(effect.startswith("split:") for effect in ticket.effects)  # its acknowledgement is that of others, too
        waiting = letters.waiting(ledger.tx, ticket.id, to)
        gone = [x for x in waiting if needless(x, new, instead, shared=shared)]
        letters.supersede(ledger.tx, [x["id"] for x in gone])
        for x in gone:
            text = f"{x['template']} → {to} 尚未发出,由新的 {new['template']} 代替"
            ledger.history(ticket.id, "outbox", "superseded", text, {"letter": x["id"]})
        return gone

    def _nowhere(self, recipient: _Recipient, copies: Sequence[str]) -> str:
        """Why a letter cannot leave at all: nobody's address, and nothing to print it."""
        if recipient.address or copies or self._can_print:
            return ""
        return f"{recipient.name}没有登记邮箱,也没有启用打印;请在配置中补充地址,或启用 print_folder 后放行"

    def _blocked(
        self, text: str, ticket: Ticket, audience: str, template: str, mask: bool, data: Mapping[str, Any]
    ) -> str:
        """Why a letter must wait for a person: core rule 13 and its relatives. Our own fixed reports are not ours to lint."""
        if audience == "staff":
            return ""
        notice = data.get("notice") or {}
        quoted = [ticket.subject, ticket.summary, ticket.text, *map(str, data.get("quoted", ()))]
        quoted += [str(notice.get(k) or "") for k in ("content", "subject")]
        own = {self.site.hotline, self.site.outgoing.address, "" if mask else ticket.requester.phone} - {""}
        approved = [str(ticket.fields[k]) for k in ("approved_text", "signed_text", "plan") if ticket.fields.get(k)]
        approved += self._times(ticket)
        findings = lint(
            text, quoted=[q for q in quoted if q], audience="party" if audience == "party" else "owner",
            allowed_personal=own if audience == "owner" or mask else True,
            approved_promises=approved if template in FREE_TEXT else True, advice=False,
        )  # fmt: skip
        return "; ".join(f.message_zh for f in findings if f.severity == "block")

    def _times(self, ticket: Ticket) -> list[str]:
        """The times the ticket has promised, as letters write them."""
        dues = [d.due for d in ticket.deadlines if not d.dropped]
        said = [local(due, self.zone) for due in dues]
        return [*said, *(text.split(" ")[0] for text in said), *(text.partition("年")[2].split(" ")[0] for text in said)]

    def _thread(
        self, tx: Connection, ticket: Ticket, recipient: str, answers: Message | None, unsent: Collection[int] = ()
    ) -> tuple[str, list[str]]:
        """In-Reply-To and References: one conversation per ticket and recipient. ``unsent`` are letters taken back just now."""
        if answers is not None and answers.message_id:
            return answers.message_id, [*answers.references[-8:], answers.message_id]
        before = (x for x in ticket.letters if x.recipient == recipient and x.status != "superseded")
        earlier = [x.message_id for x in before if x.id not in unsent]
        if recipient == "requester" and ticket.medium == "mail":
            theirs, _ = tickets.last_message(tx, ticket.id)
            if theirs:
                return theirs, [*earlier[:1], theirs]
        return (earlier[-1], [earlier[0], *earlier[-1:]] if len(earlier) > 1 else earlier) if earlier else ("", [])

    # Shelf

    def _box(self, channel: str) -> str:
        found = next((c for c in self.site.channels if c.id == channel), None)
        return str(found.settings.get("box") or channel) if found else channel

    def ask_transcription(self, ledger: Ledger, unread: Unread, now: datetime) -> None:
        """Ask a person to read a scan; the answer to this mail is the transcription."""
        recipient = self._recipient(Ticket(handler="cs_clerk"), "cs_clerk", now)
        context = {
            "site": self._site, "now": now.astimezone(self.zone), "ticket": {}, "notice": {},
            "data": {
                "arrival": unread.id, "reason": unread.reason, "draft": unread.draft, "confidence": unread.confidence,
                "box": self._box(arrivals.channel_of(ledger.tx, unread.id)),
            },
            "recipient": {"name": recipient.name, "key": recipient.key},
        }  # fmt: skip
        draft = self.composer.write("reports/transcription", context)
        nonce = f"{SHELF_TAG}{unread.id:x}x{self._nonce()}"[:20]
        ledger.letter(
            {
                "ticket": None, "recipient": recipient.key, "template": "reports/transcription", "subject": draft.subject,
                "addresses": [recipient.address] if recipient.address else [],
                "message_id": tokens.message_id(self._keys()[0], 0, nonce, self._domain), "in_reply_to": "",
                "references": [], "text": draft.text, "html": draft.html, "automatic": "auto-generated", "documents": [],
                "attachments": [["scan", unread.id]], "transport": "mail" if recipient.address else "print",
                "status": "pending", "hold": "", "key": f"shelf.{unread.id}", "meets": "", "priority": 3, "attempts": 0,
                "next_attempt": now, "owner": "", "epoch": 0, "last_answer": "", "created_at": now, "told": True,
            }
        )  # fmt: skip


def _theirs(occasion: Occasion) -> Message | None:
    """The customer's mail that a reply answers. What our own people or a department wrote is not theirs to see."""
    if isinstance(occasion, Heard) and occasion.author.role in ("party", "staff", "agent"):
        return None
    return occasion.message if isinstance(occasion, (Opened, Heard)) else None


def needless(old: Mapping[str, Any], new: Mapping[str, Any], instead: str = "", *, shared: bool = False) -> bool:
    """Whether a letter that waits is made needless by a new one to the same receiver about the same ticket (R17).

    It is where the new one says that it is written instead, where it is the regular word again, and where it is the answer
    that the old one only announced, unless that speaks of other tickets, too (``shared``). Papers and words that a person
    chose stay.
    """
    if old["documents"] or old["addresses"] != new["addresses"]:
        return False
    if instead and old["key"].startswith(instead):
        return True
    if old["template"] == "replies/progress" and old["meets"]:
        return False
    if new["template"] == "replies/progress":
        return bool(old["template"] == "replies/progress")
    held_up = old["created_at"] <= new["created_at"] - HELD_UP
    return new["template"] in FREE_TEXT and old["template"] in INTERIM and held_up and not shared


def _past(ticket: Ticket, now: datetime) -> list[str]:
    """Names of open deadlines that have passed, and "answer" where that has by when the customer was to hear from us."""
    told = answer_deadline(ticket)
    late = [d.name for d in ticket.deadlines if d.open and d.due < now]
    return [*late, "answer"] if told and told < now else late


def _unwritten(ledger: Ledger, ticket: Ticket, recipient: _Recipient, template: str, error: KefudError) -> list[str]:
    """A letter whose template is missing or broken costs that letter only; a person is told to write it."""
    text = f"函件 {template} 写不出({str(error)[:300]}),请人工答复{recipient.name or recipient.key}"
    ledger.history(ticket.id, "program", "letter-failed", text)
    ledger.task(ticket.id, Task("write_letter", ticket.handler or "cs_clerk", None, text))
    return ["letter_failed"]


def site_view(site: Site) -> dict[str, Any]:
    """What letters and forms may know of the site."""
    return {
        "name": site.name, "estate": site.estate, "developer": site.developer, "property_company": site.property_company,
        "hotline": site.hotline, "hours_text": hours_text(site), "address": site.postal_address, "timezone": site.timezone,
        "profile": site.profile,
    }  # fmt: skip


def hours_text(site: Site) -> str:
    """The service hours as owners read them."""
    day = date(2025, 3, 3)
    texts = []
    for label, offset in (("周一至周五", 0), ("周六、周日", 5)):
        spans = site.calendar.windows(day + timedelta(days=offset))
        hours = "、".join(f"{a:%H:%M}–{b:%H:%M}" for a, b in spans)
        texts.append(f"{label} {hours or '休息'}")
    return "；".join(texts)


def decision_json(opinion: Opinion) -> dict[str, Any]:
    """What a rule answered, for the history and `kefud explain`: type, what it sets, rule number and reason."""
    said = [{"decision": type(x).__name__, **_set_fields(x)} for x in opinion.decisions]
    found: dict[str, Any] = {"rule": opinion.rule, "occasion": opinion.occasion, "said": said}
    if opinion.error:
        found["error"] = opinion.error
    if opinion.refused:
        found["refused"] = list(opinion.refused)
    return found


def _set_fields(decision: d.Decision) -> dict[str, Any]:
    values = {}
    for f in dataclasses.fields(decision):
        value = getattr(decision, f.name)
        default = f.default if f.default is not dataclasses.MISSING else None
        if value is not None and value != default and value not in ((), {}, ""):
            values[f.name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    """``value`` as JSON can hold it."""
    if value is None or isinstance(value, (str, int, float, bool, Plain)):
        return value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return str(value)
