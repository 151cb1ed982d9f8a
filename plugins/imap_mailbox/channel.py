"""What is new in a mailbox, and telling the mailbox what is safe.

The ledger is the truth about what was taken in; \\Seen, dates and the server's counts are not asked. A look lists the
UIDs above the highest one below which everything is known; at the start, once a day and after a new UIDVALIDITY it
lists all.
Mails the ledger knows that still lie in the folder are acknowledged again, so a crash in between heals itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kefud.api import INCOMING, Arrival, KefudError, Large, Ledger, Message, Site, SourceFailed, header_only, read_mail

from .session import Box, Refused, Session, Waiting
from .settings import Settings
from .tokens import Tokens

CHUNK = 500
BREATH = 1.0
TRIES = 5
TRIED_FOR = timedelta(minutes=15)


@dataclass(slots=True)
class Trouble:
    """A mail that could not be fetched so far."""

    since: datetime
    tries: int = 0

    def hopeless(self, now: datetime) -> bool:
        return self.tries >= TRIES and now - self.since >= TRIED_FOR


class Mailbox:
    """A Channel. One thread uses it; constructing it does no I/O."""

    medium = "mail"
    fetches_ahead = True
    reads_large = True

    def __init__(self, id: str, settings: Settings, site: Site, tokens: Tokens | None = None) -> None:
        self.id = id
        self.settings = settings
        self._incoming = Path(site.spool) / INCOMING if site.spool else None
        self._tokens = tokens or (Tokens(settings) if settings.auth == "xoauth2" else None)
        self._session: Session | None = None
        self._connected_at = float("-inf")
        self._looked_at = float("-inf")
        self._stopped = threading.Event()
        self._may_idle = settings.idle
        self._listed: dict[str, tuple[int, datetime]] = {}
        self._done: dict[str, set[int]] = {}
        self._troubles: dict[str, Trouble] = {}
        self._complaints: list[str] = []
        self._reported: set[str] = set()

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """Every mail the ledger does not know, oldest first, in batches of at most 200 mails or 1.25 MiB."""
        self._stopped.clear()
        failures: list[SourceFailed] = []
        # The first folder comes last: it stays selected, and IDLE listens there.
        for folder in reversed(self.settings.folder):
            try:
                yield from self._new_in(folder, ledger, now)
            except Refused as refusal:
                raise SourceFailed(f"{self.settings.host} refuses: {refusal}") from None
            except SourceFailed as failure:
                if self._session is None or not self._session.alive:
                    raise
                failures.append(failure)
            finally:
                self._report(ledger)
        if failures:
            raise failures[0]
        self._looked_at = time.monotonic()

    def acknowledge(self, refs: Sequence[str]) -> None:
        """Flag or move these mails, as configured. References of an earlier UIDVALIDITY are passed over."""
        wanted: dict[tuple[str, str], list[int]] = {}
        for ref in refs:
            folder, validity, uid = ref.rsplit("/", 2)
            wanted.setdefault((folder, validity), []).append(int(uid))
        for (folder, validity), uids in wanted.items():
            if folder in self.settings.folder:
                box = self._ready().select(folder)
                if validity == str(box.validity):
                    self._file(box, uids)

    def read(self, content: bytes | Large, arrival: Arrival, site: Site) -> Message:
        return read_mail(content, received_at=arrival.received_at, own_hosts=site.own_hosts, own=site.own)

    def wait(self, seconds: float) -> bool:
        """In IDLE where the server offers it; else the time passes. False only if the server said that nothing came."""
        session, until = self._session, time.monotonic() + seconds
        try:
            if session is not None and self._listens(session):
                return self._not_at_once(session.idle(seconds, self._stopped.is_set) or self._overdue(), seconds)
        except Refused:
            self._may_idle = False
        except SourceFailed:
            self._let_go()
        self._stopped.wait(max(0.0, until - time.monotonic()))
        return True

    def probe(self) -> None:
        """Log in and open each folder, to see whether the settings are right. Raises SourceFailed."""
        try:
            for folder in self.settings.folder:
                self._ready().select(folder)
        except Refused as refusal:
            raise SourceFailed(f"{self.settings.host} refuses: {refusal}", page=True) from None
        finally:
            self.close()

    def close(self) -> None:
        self._stopped.set()
        self._let_go()
        self._connected_at = float("-inf")

    def _new_in(self, folder: str, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        box, began = self._ready().select(folder, anew=True), now()
        everything = self._everything_due(box, ledger, began)
        noted = self._noted(box, ledger)
        uids = self._at(box).uids(0 if everything else noted)
        known = self._known(box, uids, ledger)
        self._heal(box, sorted(known), noted)
        reached = _reached(uids, known, 0 if everything else noted)
        if reached != noted:
            ledger.remember(f"high:{box.name}", f"{box.validity}/{reached}")
            self._done[box.name] = {uid for uid in self._done.get(box.name, ()) if uid > reached}
        yield from self._unknown(box, [uid for uid in uids if uid not in known], now)
        if everything:
            self._listed[folder] = (box.validity, began)

    def _everything_due(self, box: Box, ledger: Ledger, now: datetime) -> bool:
        before = ledger.recall(f"validity:{box.name}")
        if before != str(box.validity):
            if before:
                ledger.report(f"folder {box.name} was made anew by the server (UIDVALIDITY); every mail is compared again")
            ledger.remember(f"validity:{box.name}", str(box.validity))
            self._done.pop(box.name, None)
        validity, at = self._listed.get(box.name, (0, now))
        return validity != box.validity or now - at >= timedelta(seconds=self.settings.reconcile) or now < at

    def _noted(self, box: Box, ledger: Ledger) -> int:
        """The UID up to which everything was known at an earlier look."""
        validity, _, high = ledger.recall(f"high:{box.name}").partition("/")
        return int(high) if validity == str(box.validity) and high.isdigit() else 0

    def _known(self, box: Box, uids: list[int], ledger: Ledger) -> set[int]:
        known: set[int] = set()
        for start in range(0, len(uids), CHUNK):
            by_ref = {box.ref(uid): uid for uid in uids[start : start + CHUNK]}
            known.update(by_ref[ref] for ref in ledger.known(list(by_ref)))
        return known

    def _heal(self, box: Box, known: list[int], noted: int) -> None:
        """Acknowledge what was stored but not acknowledged: all that lies here when mails are moved, else what is recent."""
        floor = 0 if self.settings.marks == "move" else noted
        done = self._done.get(box.name, set())
        late = [uid for uid in known if uid > floor and uid not in done]
        for start in range(0, len(late), CHUNK):
            self._file(box, late[start : start + CHUNK])

    def _unknown(self, box: Box, uids: list[int], now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """The easy ones oldest first, then those that made trouble before, one by one."""
        here = {box.ref(uid): self._troubles[box.ref(uid)] for uid in uids if box.ref(uid) in self._troubles}
        elsewhere = {ref: trouble for ref, trouble in self._troubles.items() if not ref.startswith(f"{box.name}/")}
        self._troubles = elsewhere | here
        easy = [uid for uid in uids if box.ref(uid) not in here]
        for start in range(0, len(easy), CHUNK):
            for batch in self._batches(self._at(box).sizes(easy[start : start + CHUNK])):
                yield from self._taken(box, batch, now())
        hard = [uid for uid in uids if box.ref(uid) in here]
        for uid in sorted(hard, key=lambda uid: here[box.ref(uid)].tries):
            yield from self._taken(box, self._at(box).sizes([uid]) or [Waiting(uid, 0, None)], now())

    def _batches(self, waiting: list[Waiting]) -> Iterator[list[Waiting]]:
        batch: list[Waiting] = []
        size = 0
        for mail in waiting:
            alone = not mail.size or mail.size > self.settings.message_bytes
            full = len(batch) >= self.settings.batch_mails or size + mail.size > self.settings.batch_bytes
            if batch and (alone or full):
                yield batch
                batch, size = [], 0
            batch.append(mail)
            size += mail.size
            if alone:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _taken(self, box: Box, batch: list[Waiting], now: datetime) -> Iterator[Sequence[Arrival]]:
        try:
            bodies = self._bodies(box, batch, now)
        except (Refused, SourceFailed) as failure:
            self._blame(box, batch, now)
            if isinstance(failure, SourceFailed):
                raise
            return
        arrivals = [self._arrival(box, mail, bodies[mail.uid], now) for mail in batch if mail.uid in bodies]
        for mail in batch:
            self._troubles.pop(box.ref(mail.uid), None)
        self._blame(box, [mail for mail in batch if mail.uid not in bodies], now)
        bodies.clear()
        if arrivals:
            yield arrivals

    def _bodies(self, box: Box, batch: list[Waiting], now: datetime) -> dict[int, bytes | Large]:
        session, first = self._at(box), batch[0]
        if len(batch) > 1:
            return session.bodies([mail.uid for mail in batch], sum(mail.size for mail in batch))
        trouble = self._troubles.get(box.ref(first.uid))
        if trouble and trouble.hopeless(now):
            return {first.uid: self._without_text(session, first, box)}
        if first.size > self.settings.message_bytes:
            return {first.uid: header_only(session.header(first.uid), self._too_large(first, box), size=first.size)}
        return session.bodies([first.uid], first.size or self.settings.batch_bytes, self.settings.message_bytes)

    def _too_large(self, mail: Waiting, box: Box) -> str:
        size, most = mail.size / 1_048_576, self.settings.message_bytes / 1_048_576
        where = f"原件仍在邮箱中，编号 {box.ref(mail.uid)}"
        return f"（本邮件大小为 {size:.1f} MB，超过上限 {most:.0f} MB，正文和附件未取回。{where}。）"

    def _without_text(self, session: Session, mail: Waiting, box: Box) -> bytes:
        try:
            header = session.header(mail.uid)
        except Refused:
            header = b""
        why = f"（邮件服务器多次未能交出本邮件的正文，请到邮箱中查看原件，编号 {box.ref(mail.uid)}。）"
        return header_only(header or "Subject: （无法取回的邮件）".encode(), why, size=mail.size)

    def _arrival(self, box: Box, mail: Waiting, content: bytes | Large, now: datetime) -> Arrival:
        stored = mail.stored_at
        return Arrival(box.ref(mail.uid), stored if stored and stored <= now else now, content, self.medium)

    def _blame(self, box: Box, batch: list[Waiting], now: datetime) -> None:
        for mail in batch:
            trouble = self._troubles.setdefault(box.ref(mail.uid), Trouble(now))
            trouble.tries += len(batch) == 1
            if trouble.tries == TRIES:
                self._complain(f"mail {box.ref(mail.uid)} cannot be fetched; soon it is filed without its text")

    def _file(self, box: Box, uids: list[int]) -> None:
        """Tell the mailbox. It is a courtesy: what the server refuses is reported once and changes nothing."""
        settings, session = self.settings, self._ready()
        if settings.marks == "none" or not box.writable:
            return
        told = f"mails in {box.name} cannot be {'moved' if settings.marks == 'move' else 'flagged'}"
        try:
            if settings.marks == "move":
                session.move(uids, settings.processed_folder)
            else:
                session.flag(uids, settings.flag)
                self._done.setdefault(box.name, set()).update(uids)
            self._reported.discard(told)
        except Refused as refusal:
            self._complain(told, f": {refusal}")

    def _complain(self, what: str, why: str = "") -> None:
        """Once; the server's words may differ each time, for some put the time into them."""
        if what not in self._reported and len(self._reported) < 1000:
            self._reported.add(what)
            self._complaints.append(what + why)

    def _report(self, ledger: Ledger) -> None:
        while self._complaints:
            ledger.report(self._complaints.pop(0))

    def _at(self, box: Box) -> Session:
        """The session with ``box`` selected, as it was when its UIDs were listed."""
        session = self._ready(renew=False)
        if session.select(box.name).validity != box.validity:
            raise SourceFailed(f"folder {box.name} was made anew while it was read")
        return session

    def _ready(self, *, renew: bool = True) -> Session:
        """The open session, or a new one. Servers throttle clients that reconnect quickly."""
        if self._session is not None and self._session.alive:
            return self._session
        self._session = None
        if not renew:
            raise SourceFailed(f"the connection to {self.settings.host} was lost")
        self._stopped.wait(max(0.0, self._connected_at + self.settings.reconnect - time.monotonic()))
        self._connected_at = time.monotonic()
        self._session = self._logged_in()
        return self._session

    def _logged_in(self) -> Session:
        try:
            if self._tokens is None:
                return Session(self.settings, self.settings.password.reveal(), incoming=self._incoming)
            return Session(self.settings, "", self._tokens, self._incoming)
        except SourceFailed as failure:
            if failure.page and self._tokens is not None:
                self._tokens.forget()
            raise
        except KefudError as error:
            raise SourceFailed(str(error), page=True) from None

    def _not_at_once(self, news: bool, seconds: float) -> bool:
        """A server that announces mail without end must not keep us running in a circle."""
        if news:
            self._stopped.wait(max(0.0, min(seconds, self._looked_at + BREATH - time.monotonic())))
        return news

    def _overdue(self) -> bool:
        """Some servers go deaf in IDLE: look from time to time whatever they say."""
        return time.monotonic() - self._looked_at >= self.settings.full_look

    def _listens(self, session: Session) -> bool:
        first = self.settings.folder[0]
        here = session.box is not None and session.box.name == first
        return self._may_idle and len(self.settings.folder) == 1 and session.alive and here and "IDLE" in session.can

    def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _reached(uids: list[int], known: set[int], start: int) -> int:
    """The UID up to which the ledger confirms everything."""
    for uid in uids:
        if uid not in known:
            break
        start = uid
    return start
