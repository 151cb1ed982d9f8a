"""A small SMTP server whose every answer a test may replace.

Without a script it takes every letter. A script maps a moment ("GREETING", "EHLO", "MAIL", "RCPT", "DATA", "DOT" after the
final dot, "RSET", "QUIT", "AUTH", "STARTTLS") to an answer, or to a function of the talk and the line that returns one;
None means it has dealt with the matter itself. ``refuse`` maps a recipient to the answer it gets.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Letter:
    """A letter as it was taken; dots are undone, line ends are as they came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    mail_line: str


class Hangup(Exception):
    """Raised by a script to end the connection."""


class Talk:
    """One connection, from the server's side."""

    def __init__(self, server: ScriptedSmtp, connection: socket.socket) -> None:
        self.server = server
        self.connection = connection
        self._file = connection.makefile("rb")
        self.encrypted = isinstance(connection, ssl.SSLSocket)
        self.mail_line = ""
        self.recipients: list[str] = []

    def send(self, text: str) -> None:
        self.connection.sendall(text.encode() + b"\r\n")

    def line(self) -> bytes:
        line = self._file.readline()
        self.server.received.append(line)
        if not self.encrypted:
            self.server.in_clear.append(line)
        return line

    def hang_up(self) -> None:
        raise Hangup

    def reset(self) -> None:
        """Break the connection off with RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        raise Hangup

    def secure(self, context: ssl.SSLContext) -> None:
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self._file = self.connection.makefile("rb")
        self.encrypted = True

    def forget(self) -> None:
        self.mail_line = ""
        self.recipients = []


Script = str | Callable[[Talk, str], str | None]


class ScriptedSmtp:
    """Use as a context manager; ``letters`` are those that were taken, in order."""

    def __init__(
        self,
        *,
        can: tuple[str, ...] = ("PIPELINING", "8BITMIME", "SIZE 10485760"),
        context: ssl.SSLContext | None = None,
        starttls: bool = False,
        refuse: dict[str, str] | None = None,
        password: str = "",
        port: int = 0,
        **script: Script,
    ) -> None:
        self.can = can
        self.context = context
        self.starttls = starttls
        self.refuse = dict(refuse or {})
        self.password = password
        self.script = script
        self.letters: list[Letter] = []
        self.received: list[bytes] = []
        self.in_clear: list[bytes] = []
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> ScriptedSmtp:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.close()

    @property
    def commands(self) -> list[str]:
        """The verbs clients sent outside of messages, in order."""
        verbs, inside = [], False
        for line in self.received:
            if inside:
                inside = line != b".\r\n"
            elif line.strip():
                verbs.append(line.split()[0].decode("ascii", "replace").upper())
                inside = verbs[-1] == "DATA" and "DATA" not in self.script
        return verbs

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, Hangup):
            try:
                if self.context and not self.starttls:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self._converse(Talk(self, connection))
            finally:
                connection.close()

    def _converse(self, talk: Talk) -> None:
        self._answer(talk, "GREETING", "", lambda *_: "220 test server")
        while line := talk.line().decode("utf-8", "replace").strip():
            verb = line.split()[0].upper()
            self._answer(talk, verb, line, getattr(self, f"_{verb.lower()}", lambda *_: "500 what?"))
            if verb == "QUIT":
                return

    def _answer(self, talk: Talk, moment: str, line: str, usual: Callable[[Talk, str], str | None]) -> None:
        script = self.script.get(moment, usual)
        answer = script if isinstance(script, str) else script(talk, line)
        if answer is not None:
            talk.send(answer)

    def _ehlo(self, talk: Talk, line: str) -> str:
        words = [*self.can, *(["STARTTLS"] if self.starttls and not talk.encrypted else [])]
        words += ["AUTH PLAIN LOGIN"] if self.password else []
        return "\r\n".join(f"250{'-' if n < len(words) else ' '}{word}" for n, word in enumerate(["test", *words]))

    def _starttls(self, talk: Talk, line: str) -> None:
        assert self.context
        talk.send("220 go")
        talk.secure(self.context)

    def _auth(self, talk: Talk, line: str) -> str:
        _, mechanism, first = line.split(maxsplit=2)
        if mechanism.upper() == "LOGIN":
            talk.send("334 UGFzc3dvcmQ6")
            given = base64.b64decode(talk.line())
        else:
            given = base64.b64decode(first).split(b"\0")[-1]
        return "235 welcome" if given.decode() == self.password else f"535 no, {given.decode()} is wrong"

    def _mail(self, talk: Talk, line: str) -> str:
        talk.forget()
        talk.mail_line = line
        return "250 sender ok"

    def _rcpt(self, talk: Talk, line: str) -> str:
        recipient = line.partition("<")[2].partition(">")[0]
        answer = self.refuse.get(recipient, "250 recipient ok" if talk.mail_line else "503 MAIL first")
        if answer.startswith("2"):
            talk.recipients.append(recipient)
        return answer

    def _data(self, talk: Talk, line: str) -> None:
        if not talk.recipients:
            talk.send("554 no valid recipients")
            return
        talk.send("354 go on")
        lines: list[bytes] = []
        while (text := talk.line()) != b".\r\n":
            if not text:
                raise Hangup
            lines.append(text[1:] if text.startswith(b".") else text)
        sender = talk.mail_line.partition("<")[2].partition(">")[0]
        letter = Letter(sender, tuple(talk.recipients), b"".join(lines), talk.mail_line)
        talk.forget()
        self._answer(talk, "DOT", "", lambda *_: self._take(letter))

    def _take(self, letter: Letter) -> str:
        self.letters.append(letter)
        return f"250 2.0.0 taken as {len(self.letters)}"

    def _rset(self, talk: Talk, line: str) -> str:
        talk.forget()
        return "250 ok"

    def _noop(self, talk: Talk, line: str) -> str:
        return "250 ok"

    def _quit(self, talk: Talk, line: str) -> str:
        return "221 bye"


def greylisting(now: Callable[[], datetime], wait: timedelta = timedelta(minutes=5)) -> Script:
    """A script for RCPT: who writes to somebody for the first time is asked to come again after ``wait``."""
    first: dict[tuple[str, str], datetime] = {}

    def rcpt(talk: Talk, line: str) -> str:
        recipient = line.partition("<")[2].partition(">")[0]
        if now() - first.setdefault((talk.mail_line, recipient), now()) < wait:
            return "451 4.7.1 greylisted, come again later"
        talk.recipients.append(recipient)
        return "250 recipient ok"

    return rcpt
