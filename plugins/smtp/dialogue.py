"""One SMTP connection: greeting, TLS, login, and one letter after the other."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from kefud.api import Wire, tls_context

from .settings import Settings

LONGEST_LINE = 4096
MOST_LINES = 128
SLOWEST = 16 * 1024
_REPLY = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\r?\n", re.S)


class Lost(Exception):
    """The connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of the server: code and text, in one printable line."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        return 200 <= self.code < 300

    def __str__(self) -> str:
        return f"{self.code} {self.text}".strip()


class Denied(Exception):
    """The server will not talk to us: greeting, EHLO, TLS or login failed. Not the fault of a letter."""

    def __init__(self, doing: str, answer: Answer | str) -> None:
        super().__init__(f"{doing}: {answer}")
        self.code = answer.code if isinstance(answer, Answer) else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a letter fared: the answer for each refused recipient, and the answer to the message, None if it was not sent."""

    refused: dict[str, Answer]
    final: Answer | None


class Dialogue:
    """Constructing one does no I/O; `open` connects and logs in. Raises Denied or Lost."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.letters = 0
        self.can: dict[str, str] = {}
        self.body_sent = False
        self._announced: Callable[[], object] | None = None
        self._meanwhile: Callable[[], object] | None = None
        self._wire = Wire(settings.host, settings.port_used, settings.timeout)
        self._secrets: tuple[str, ...] = ()

    def open(self, password: str) -> None:
        if password:  # a server may send them back to us, and its answers go into the log
            self._secrets = (_b64(self._plain(password)), _b64(password), password)
        try:
            self._open()
            if self.settings.username:
                self._log_in(password)
        except OSError as error:
            self.drop()
            raise Denied("connecting", self._printable(str(error) or type(error).__name__)) from None
        except (Denied, Lost):
            self.drop()
            raise

    def deliver(
        self,
        sender: str,
        recipients: Sequence[str],
        data: bytes,
        extras: str,
        *,
        announced: Callable[[], object] | None = None,
        meanwhile: Callable[[], object] | None = None,
    ) -> Outcome:
        """One letter. ``data`` ends with the final dot; ``extras`` are parameters of MAIL.

        ``announced`` is called when the server has the first commands, ``meanwhile`` when it has the letter: both before
        its answer is waited for.
        """
        self.body_sent = False
        self._announced = announced
        self._meanwhile = meanwhile
        self.letters += 1
        try:
            return self._deliver(f"MAIL FROM:<{sender}>{extras}", recipients, data)
        except OSError as error:
            self.drop()
            raise Lost(self._printable(str(error) or type(error).__name__)) from None
        except BaseException:
            self.drop()  # half a letter stands on the line: the next one would be taken for its rest
            raise

    def quit(self) -> None:
        with suppress(Exception):
            self._wire.allow(5.0)
            self._wire.send(b"QUIT\r\n")
            self._reply()
        self.drop()

    def drop(self) -> None:
        self._wire.close()

    def _open(self) -> None:
        settings, wire = self.settings, self._wire
        wire.allow(settings.connect_timeout)
        wire.connect()
        if settings.tls == "implicit":
            wire.secure(tls_context(settings.ca_file))
        elif settings.tls == "none":
            wire.must_be_local()
        wire.allow(settings.timeout)
        self._must(self._reply(), "greeting")
        self._hello()
        if settings.tls == "starttls":
            if "STARTTLS" not in self.can:
                raise Denied("encrypting", "the server does not offer STARTTLS")
            self._must(self._ask("STARTTLS"), "encrypting")
            wire.allow(settings.connect_timeout)
            wire.secure(tls_context(settings.ca_file))
            wire.allow(settings.timeout)
            self._hello()

    def _hello(self) -> None:
        name = self.settings.local_name or _literal(self._wire.local_address)
        self._wire.send(f"EHLO {name}\r\n".encode("ascii"))
        code, lines = self._lines()
        self._must(Answer(code, self._printable(" ".join(lines))), "EHLO")
        words = [line.strip().partition(" ") for line in lines[1:]]
        self.can = {word.upper(): rest.strip().upper() for word, _, rest in words}

    def _log_in(self, password: str) -> None:
        mechanisms = self.can.get("AUTH", "").split()
        user = self.settings.username
        if "PLAIN" in mechanisms or not mechanisms:
            answer = self._ask(f"AUTH PLAIN {_b64(self._plain(password))}")
        elif "LOGIN" in mechanisms:
            answer = self._ask(f"AUTH LOGIN {_b64(user)}")
            if answer.code == 334:
                answer = self._ask(_b64(password))
        else:
            raise Denied("login", f"the server offers only {' '.join(mechanisms)}, we know PLAIN and LOGIN")
        self._must(answer, "login", 235)

    def _plain(self, password: str) -> str:
        return f"\0{self.settings.username}\0{password}"

    def _deliver(self, mail: str, recipients: Sequence[str], data: bytes) -> Outcome:
        commands = [mail, *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        utf8 = "SMTPUTF8" in self.can
        lines = [f"{command}\r\n".encode("utf-8" if utf8 else "ascii") for command in commands]
        self._wire.allow(self.settings.timeout)
        if self.settings.pipelining and "PIPELINING" in self.can:
            self._wire.send(b"".join(lines) + b"DATA\r\n")
            self._call_announced()
            first, *answers = [self._reply() for _ in lines]
            go: Answer | None = self._reply()
        else:
            first, *answers = self._one_by_one(lines)
            go = self._ask("DATA") if any(answer.good for answer in answers) and answers[-1].code != 421 else None
        return self._body(first, dict(zip(recipients, answers, strict=False)), go, data)

    def _one_by_one(self, lines: list[bytes]) -> list[Answer]:
        answers = []
        for line in lines:
            self._wire.send(line)
            self._call_announced()
            answers.append(self._reply())
            if not answers[0].good or answers[-1].code == 421:
                break
        return answers

    def _call_announced(self) -> None:
        announced, self._announced = self._announced, None
        if announced is not None:
            announced()

    def _body(self, first: Answer, answers: dict[str, Answer], go: Answer | None, data: bytes) -> Outcome:
        refused = {recipient: answer for recipient, answer in answers.items() if not answer.good}
        taken = first.good and len(refused) < len(answers)
        if go is None or go.code != 354:
            self._reset()
            return Outcome(refused, first if not first.good else go if taken else None)
        self._wire.allow(self.settings.timeout + len(data) / SLOWEST)
        if not taken:  # DATA was accepted for nobody: an empty message, which the server refuses (RFC 2920)
            self._wire.send(b".\r\n")
            self._reply()
            return Outcome(refused, first if not first.good else None)
        self.body_sent = True
        self._wire.send(data)
        if self._meanwhile is not None:
            self._meanwhile()
        self._wire.allow(self.settings.final_timeout)
        self._wire.timeout = self.settings.final_timeout
        try:
            return Outcome(refused, self._reply())
        finally:
            self._wire.timeout = self.settings.timeout

    def _reset(self) -> None:
        """Make the connection ready for the next letter. If that fails, the answer we have still counts."""
        try:
            good = self._ask("RSET").good
        except OSError:
            good = False
        if not good:
            self.letters = self.settings.letters_per_connection

    def _must(self, answer: Answer, doing: str, code: int = 0) -> None:
        if not answer.good or (code and answer.code != code):
            raise Denied(doing, answer)

    def _ask(self, command: str) -> Answer:
        self._wire.send(command.encode("ascii") + b"\r\n")
        return self._reply()

    def _reply(self) -> Answer:
        code, lines = self._lines()
        return Answer(code, self._printable(" ".join(lines)))

    def _lines(self) -> tuple[int, list[str]]:
        lines: list[str] = []
        for _ in range(MOST_LINES):
            match = _REPLY.fullmatch(self._wire.read_line(LONGEST_LINE))
            if not match:
                raise ConnectionError("the server does not speak SMTP")
            lines.append((match[3] or b"").decode("utf-8", "replace").rstrip("\r"))
            if match[2] != b"-":
                return int(match[1]), lines
        raise ConnectionError("the server sends a reply without end")

    def _printable(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()[:500]


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _literal(address: str) -> str:
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
