"""One logged-in connection to a mailbox: select, list, fetch, file, wait. It knows nothing of the ledger."""

from __future__ import annotations

import base64
import imaplib
import re
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from kefud.api import Large, SourceFailed, Wire, tls_context

from .link import Client, Unsafe
from .settings import Settings

RENEW_IDLE = 24 * 60.0
LOOK_UP = 2.0
_UID = re.compile(rb"\bUID (\d{1,10})\b")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d{1,12})\b")
_DATE = re.compile(
    rb'INTERNALDATE "(?P<day>[ \d]\d)-(?P<month>\w{3})-(?P<year>\d{4}) (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)'
    rb' (?P<sign>[-+])(?P<zone_hours>\d\d)(?P<zone_minutes>\d\d)"'
)
_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
TEMPORARY = ("[UNAVAILABLE]", "[INUSE]", "[SERVERBUG]", "[LIMIT]")


class Refused(Exception):
    """The server answered NO: this command failed, the connection is well."""


@dataclass(frozen=True, slots=True)
class Box:
    """A selected folder."""

    name: str
    validity: int
    exists: int
    writable: bool

    def ref(self, uid: int) -> str:
        return f"{self.name}/{self.validity}/{uid}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail in the folder that was not fetched yet; ``size`` 0 where the server does not tell."""

    uid: int
    size: int
    stored_at: datetime | None


class Session:
    """Constructing one connects and logs in; raises SourceFailed."""

    def __init__(
        self, settings: Settings, password: str, token: Callable[[], str] | None = None, incoming: Path | None = None
    ) -> None:
        self.settings = settings
        self._incoming = incoming
        self._secrets = _spellings(password, f"\0{settings.username}\0{password}")
        self.box: Box | None = None
        self.alive = True
        self._wire = wire = Wire(settings.host, settings.port_used, settings.timeout)
        self._client: Client | None = None
        try:
            with self._speaking("connecting"):
                self._client = self._connected(wire)
            self._log_in(password, token)
            with self._speaking("logging in"):
                self.can = self.client.refresh_capabilities()
                self._introduce()
        except Refused as refusal:
            wire.close()
            raise SourceFailed(f"{settings.host} turns us away: {refusal}") from None
        except BaseException:
            wire.close()
            raise

    @property
    def client(self) -> Client:
        assert self._client is not None
        return self._client

    def select(self, folder: str, *, anew: bool = False) -> Box:
        """Make ``folder`` the selected one; nothing is sent if it is already, unless ``anew`` asks for what it is now.

        Only SELECT tells for certain: where a folder was renamed and another has its name now, a server may go on with the old one.
        """
        if anew or self.box is None or self.box.name != folder:
            self.box = None
            try:
                self.box = self._selected(folder)
            except Refused as refusal:
                raise SourceFailed(f"folder {folder} cannot be opened: {refusal}", page=_lasting(refusal)) from None
        return self.box

    def uids(self, above: int = 0) -> list[int]:
        """UIDs greater than ``above`` in the selected folder, ascending."""
        with self._speaking("searching"):
            # UID n:* always names the last mail too, even when its UID is below n.
            lines = self.client._raw_command_untagged(b"SEARCH", [b"UID", b"%d:*" % (above + 1)])
        found = {int(word) for line in lines or () if line for word in line.partition(b"(")[0].split() if word.isdigit()}
        return sorted(uid for uid in found if uid > above)

    def sizes(self, uids: Sequence[int]) -> list[Waiting]:
        """Those of ``uids`` that still exist, with size and the time the server stored them."""
        wanted = b",".join(b"%d" % uid for uid in uids)
        with self._speaking("asking for sizes", lines=len(uids)):
            lines = self.client._raw_command_untagged(b"FETCH", [wanted, b"(RFC822.SIZE INTERNALDATE)"])
        found = {int(m[1]): line for line in lines or () if isinstance(line, bytes) and (m := _UID.search(line))}
        return [Waiting(uid, _size(found[uid]), _instant(found[uid])) for uid in uids if uid in found]

    def bodies(self, uids: Sequence[int], size: int, most: int = 0) -> dict[int, bytes | Large]:
        """The mails themselves, untouched and unmarked; a mail that vanished is not in the answer."""
        with self._speaking("fetching", size=size, lines=2 * len(uids), most=most):
            answers = self.client.fetch(list(uids), ["BODY.PEEK[]"])
        found = {uid: answer.get(b"BODY[]") for uid, answer in answers.items()}
        return {uid: content for uid, content in found.items() if isinstance(content, bytes | Large)}

    def header(self, uid: int) -> bytes:
        """The first 128 KiB of a mail's header, b"" if there is none to be had."""
        with self._speaking("fetching a header", size=131_072):
            answer = self.client.fetch([uid], ["BODY.PEEK[HEADER]<0.131072>"]).get(uid, {})
        contents = (value for key, value in answer.items() if isinstance(key, bytes) and key.startswith(b"BODY[HEADER]"))
        found = next(contents, b"")
        return found if isinstance(found, bytes) else b""

    def flag(self, uids: Sequence[int], flag: str) -> None:
        with self._speaking("flagging", lines=len(uids)):
            self.client.add_flags(list(uids), [flag], silent=True)

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Into ``folder``, which is created if it is missing. Dovecot also refuses once where others took one of the mails away."""
        try:
            self._move(uids, folder)
        except Refused:
            self._create(folder)
            self._move(uids, folder)

    def idle(self, seconds: float, stopped: Callable[[], bool]) -> bool:
        """Wait in IDLE until the server announces mail; true if it did."""
        until = time.monotonic() + seconds
        while not self.client.link.news and not stopped() and (left := until - time.monotonic()) > 0:
            with self._speaking("idling"):
                self._idle_once(min(left, RENEW_IDLE), stopped)
        return self.client.link.news

    def close(self) -> None:
        self.alive = False
        self.client.hang_up()

    def _connected(self, wire: Wire) -> Client:
        settings = self.settings
        wire.connect()
        if settings.tls == "implicit":
            wire.secure(tls_context(settings.ca_file))
        elif settings.tls == "none":
            wire.must_be_local()
        client = Client(wire, self._incoming)
        if settings.tls == "starttls":
            client.link.begin(settings.deadline)
            client.encrypt(tls_context(settings.ca_file))
        return client

    def _log_in(self, password: str, token: Callable[[], str] | None) -> None:
        if self.client.link.state == "AUTH":
            return
        try:
            if token is None:
                with self._speaking("logging in"):
                    self._by_password(password)
            else:
                access = token()
                sasl = f"user={self.settings.username}\1auth=Bearer {access}\1\1"
                self._secrets = _spellings(access, sasl)
                with self._speaking("logging in"):
                    self._by_token(sasl)
        except Refused as refusal:
            raise SourceFailed(f"the server refuses the login: {refusal}", page=_lasting(refusal)) from None

    def _by_password(self, password: str) -> None:
        link: Any = self.client.link
        if "LOGINDISABLED" in link.capabilities:
            raise Refused("it disables LOGIN on this connection")
        if password.isascii() and self.settings.username.isascii():
            user, quoted = link._quote(self.settings.username), link._quote(password)
            kind, data = link._simple_command("LOGIN", user, quoted)
            if kind != "OK":
                raise Refused(self._cleaned(data))
            link.state = "AUTH"
        else:
            self.client.plain_login(self.settings.username, password)

    def _by_token(self, sasl: str) -> None:
        answers = iter([sasl.encode()])
        self.client.sasl_login("XOAUTH2", lambda _: next(answers, b""))

    def _introduce(self) -> None:
        """163 and 126 refuse to open a folder for a program that did not say who it is."""
        if "ID" in self.can:
            self._begin()
            try:
                self.client.id_({"name": "kefud", "version": "1.0", "vendor": "kefud"})
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error:
                pass

    def _selected(self, folder: str) -> Box:
        writable = True
        with self._speaking("opening a folder"):
            try:
                answer = self.client.select_folder(folder)
            except imaplib.IMAP4.readonly:
                writable = False
                answer = self.client.select_folder(folder, readonly=True)
            self.client.link.news = False
        validity = answer.get(b"UIDVALIDITY", 0)
        if not isinstance(validity, int) or validity <= 0:
            raise SourceFailed(f"the server gives folder {folder} no UIDVALIDITY; its mails cannot be told apart", page=True)
        return Box(folder, validity, int(answer.get(b"EXISTS", 0)), writable)

    def _move(self, uids: Sequence[int], folder: str) -> None:
        if "MOVE" in self.can:
            with self._speaking("moving", lines=2 * len(uids)):
                self.client.move(list(uids), folder)
        else:
            self._copy_and_delete(uids, folder)

    def _copy_and_delete(self, uids: Sequence[int], folder: str) -> None:
        """Without MOVE. What is marked deleted was copied before, so nothing is copied twice."""
        with self._speaking("moving", lines=2 * len(uids)):
            flags = self.client.get_flags(list(uids))
        fresh = [uid for uid in uids if uid in flags and b"\\Deleted" not in flags[uid]]
        if fresh:
            with self._speaking("moving", lines=2 * len(uids)):
                self.client.copy(fresh, folder)
                copied = self._copied(fresh)
            with self._speaking("moving", lines=2 * len(uids)):
                self.client.add_flags(copied, [b"\\Deleted"], silent=True)
        with self._speaking("moving", lines=2 * len(uids)):
            if "UIDPLUS" in self.can:
                self.client.uid_expunge(list(uids))
            elif self._only_ours_deleted(uids):
                self.client.expunge()

    def _copied(self, uids: list[int]) -> list[int]:
        """Those the server says it copied (COPYUID), all of them where it does not say."""
        told = self.client.link.untagged_responses.get("COPYUID")
        words = told[-1].split() if told and isinstance(told[-1], bytes) else []
        if len(words) != 3:
            return uids
        ranges = [tuple(map(int, part.split(b":"))) for part in words[1].split(b",")]
        return [uid for uid in uids if any(min(r) <= uid <= max(r) for r in ranges)]

    def _only_ours_deleted(self, uids: Sequence[int]) -> bool:
        lines = self.client._raw_command_untagged(b"SEARCH", [b"DELETED"])
        return {int(word) for line in lines or () if line for word in line.split()} <= set(uids)

    def _create(self, folder: str) -> None:
        try:
            with self._speaking("creating a folder"):
                self.client.create_folder(folder)
        except Refused:
            return  # it exists already, or the move that follows will tell
        try:
            with self._speaking("subscribing a folder"):
                self.client.subscribe_folder(folder)
        except Refused:
            pass

    def _idle_once(self, seconds: float, stopped: Callable[[], bool]) -> None:
        link: Any = self.client.link
        tag = link._command("IDLE")
        while link._get_response() is not None:
            if link.tagged_commands.get(tag):
                raise Refused("IDLE")
        until = time.monotonic() + seconds
        while not link.news and not stopped() and (left := until - time.monotonic()) > 0:
            if link.wire.ready(min(left, LOOK_UP)):
                self._begin()
                link._get_response()
                link._check_bye()
        self._begin()
        link.send(b"DONE\r\n")
        link._command_complete("IDLE", tag)

    def _begin(self, size: int = 0, lines: int = 0, most: int = 0) -> None:
        if self._client is None:
            self._wire.allow(self.settings.deadline)
        else:
            self._client.link.begin(self.settings.deadline, size, lines, most)

    @contextmanager
    def _speaking(self, doing: str, size: int = 0, lines: int = 0, most: int = 0) -> Iterator[None]:
        """One exchange under its deadline. NO becomes Refused; anything else that goes wrong ends the session."""
        self._begin(size, lines, most)
        try:
            yield
        except (Refused, SourceFailed):
            raise
        except Exception as error:
            if isinstance(error, imaplib.IMAP4.error) and not isinstance(error, imaplib.IMAP4.abort):
                raise Refused(self._cleaned(error)) from None
            self.alive = False
            self._wire.close()
            page = isinstance(error, Unsafe | ssl.SSLCertVerificationError)
            raise SourceFailed(f"{self.settings.host}, {doing}: {self._cleaned(error)}", page=page) from None

    def _cleaned(self, error: object) -> str:
        """What went wrong in one printable line, without any secret the server may have echoed."""
        if isinstance(error, list | tuple):
            error = b" ".join(part for part in error if isinstance(part, bytes)).decode("utf-8", "replace")
        text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", str(error) or type(error).__name__)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text[:300]


def _spellings(secret: str, sasl: str) -> tuple[str, ...]:
    """All forms in which a server might send a secret back to us."""
    return (*(base64.b64encode(form.encode()).decode() for form in (sasl, secret)), secret) if secret else ()


def _lasting(refusal: Refused) -> bool:
    """True unless the server says itself that it is a passing trouble (RFC 5530)."""
    return not any(word in str(refusal) for word in TEMPORARY)


def _size(line: bytes) -> int:
    match = _SIZE.search(line)
    return int(match[1]) if match else 0


def _instant(line: bytes) -> datetime | None:
    match = _DATE.search(line)
    if not match or match["month"] not in _MONTHS:
        return None
    month = _MONTHS.index(match["month"]) + 1
    day, year, hour, minute, second = (int(match[name]) for name in ("day", "year", "hour", "minute", "second"))
    offset = timedelta(hours=int(match["zone_hours"]), minutes=int(match["zone_minutes"]))
    try:
        local = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        return local - offset if match["sign"] == b"+" else local + offset
    except (ValueError, OverflowError):
        return None
