"""A small IMAP server whose every answer a test may replace, to be as hostile as the test likes.

Without a script it serves one mailbox: LOGIN, ID, SELECT, SEARCH, FETCH, STORE, MOVE, IDLE. A script maps a command
("FETCH" stands for UID FETCH too, "GREETING" and "CONNECT" are moments) to a function of the talk and the command; it
answers itself and returns None, or returns DEFAULT for the usual answer. All that clients sent is kept in ``received``.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

DEFAULT = object()


@dataclass(frozen=True)
class Command:
    tag: bytes
    verb: str
    words: list[bytes]

    @property
    def uids(self) -> list[int]:
        return [int(word) for word in self.words[0].split(b",")] if self.words else []


class Hangup(Exception):
    """Raised by a script to end the connection."""


class Talk:
    """One connection, from the server's side."""

    def __init__(self, server: ScriptedImap, connection: socket.socket) -> None:
        self.server = server
        self.connection = connection
        self._file = connection.makefile("rb")
        self.encrypted = isinstance(connection, ssl.SSLSocket)

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def ok(self, command: Command, text: bytes = b"done") -> None:
        self.send(command.tag + b" OK " + text + b"\r\n")

    def no(self, command: Command, text: bytes = b"no") -> None:
        self.send(command.tag + b" NO " + text + b"\r\n")

    def line(self) -> bytes:
        line = self._file.readline()
        self.server.received.append(line)
        if not self.encrypted:
            self.server.in_clear.append(line)
        return line

    def drip(self, data: bytes, every: float) -> None:
        """One byte at a time until the client gives up."""
        for byte in data:
            self.send(bytes([byte]))
            time.sleep(every)

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


Script = Callable[[Talk, Command], object]


class ScriptedImap:
    """Use as a context manager. ``mails`` maps UID to content and may be changed while it runs."""

    def __init__(
        self,
        mails: dict[int, bytes] | None = None,
        *,
        context: ssl.SSLContext | None = None,
        starttls: bool = False,
        can: str = "IMAP4rev1 UIDPLUS MOVE ID IDLE",
        **script: Script,
    ) -> None:
        self.mails = dict(mails or {})
        self.flags: dict[int, set[bytes]] = {}
        self.moved: dict[str, list[int]] = {}
        self.validity = 7
        self.context = context
        self.starttls = starttls
        self.can = can + (" STARTTLS" if starttls else "")
        self.script = script
        self.received: list[bytes] = []
        self.in_clear: list[bytes] = []
        self.logins = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []

    def __enter__(self) -> ScriptedImap:
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
        """The verbs clients sent, in order."""
        return [words[1].decode("ascii", "replace") for line in self.received if len(words := line.split()) > 1]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(OSError, Hangup, ValueError):
            try:
                if self.context and not self.starttls:
                    connection = self.context.wrap_socket(connection, server_side=True)
                self._converse(Talk(self, connection))
            finally:
                connection.close()

    def _converse(self, talk: Talk) -> None:
        if self._say(talk, Command(b"*", "GREETING", [])) is DEFAULT:
            talk.send(b"* OK ready\r\n")
        while line := talk.line():
            tag, verb, *words = line.split()
            name = verb.decode().upper()
            if name == "UID":
                name, words = words[0].decode().upper(), words[1:]
            command = Command(tag, name, words)
            if self._say(talk, command) is DEFAULT:
                getattr(self, f"_{name.lower()}", self._unknown)(talk, command)
            if name == "LOGOUT":
                return

    def _say(self, talk: Talk, command: Command) -> object:
        script = self.script.get(command.verb)
        return script(talk, command) if script else DEFAULT

    def _unknown(self, talk: Talk, command: Command) -> None:
        talk.send(command.tag + b" BAD what?\r\n")

    def _noop(self, talk: Talk, command: Command) -> None:
        talk.ok(command)

    _create = _subscribe = _expunge = _noop

    def _capability(self, talk: Talk, command: Command) -> None:
        talk.send(f"* CAPABILITY {self.can}\r\n".encode())
        talk.ok(command)

    def _starttls(self, talk: Talk, command: Command) -> None:
        assert self.context
        talk.ok(command)
        talk.secure(self.context)

    def _login(self, talk: Talk, command: Command) -> None:
        self.logins += 1
        talk.ok(command)

    def _authenticate(self, talk: Talk, command: Command) -> None:
        talk.send(b"+ \r\n")
        talk.line()
        self._login(talk, command)

    def _id(self, talk: Talk, command: Command) -> None:
        talk.send(b"* ID NIL\r\n")
        talk.ok(command)

    def _logout(self, talk: Talk, command: Command) -> None:
        talk.send(b"* BYE\r\n")
        talk.ok(command)

    def _select(self, talk: Talk, command: Command) -> None:
        talk.send(f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY {self.validity}] .\r\n".encode())
        talk.ok(command, b"[READ-WRITE] done")

    def _search(self, talk: Talk, command: Command) -> None:
        low = int(re.match(rb"\d+", command.words[1])[0]) if len(command.words) > 1 else 0  # type: ignore[index]
        found = [uid for uid in self.mails if uid >= low] or list(self.mails)[-1:]
        talk.send(b"* SEARCH " + b" ".join(b"%d" % uid for uid in found) + b"\r\n")
        talk.ok(command)

    def _fetch(self, talk: Talk, command: Command) -> None:
        for uid in command.uids:
            if uid in self.mails:
                talk.send(self.fetched(uid, command))
        talk.ok(command)

    def fetched(self, uid: int, command: Command) -> bytes:
        """The usual FETCH answer for one mail."""
        content, wanted = self.mails[uid], b" ".join(command.words[1:])
        number = b"%d" % (list(self.mails).index(uid) + 1)
        if b"RFC822.SIZE" in wanted:
            data = b'RFC822.SIZE %d INTERNALDATE "04-Mar-2026 12:00:00 +0800"' % len(content)
        elif b"HEADER" in wanted:
            header = content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            data = b"BODY[HEADER]<0> {%d}\r\n%b" % (len(header), header)
        elif b"FLAGS" in wanted:
            data = b"FLAGS (%b)" % b" ".join(sorted(self.flags.get(uid, ())))
        else:
            data = b"BODY[] {%d}\r\n%b" % (len(content), content)
        return b"* %b FETCH (UID %d %b)\r\n" % (number, uid, data)

    def _store(self, talk: Talk, command: Command) -> None:
        for uid in command.uids:
            self.flags.setdefault(uid, set()).update(b" ".join(command.words[2:]).strip(b"()").split())
        talk.ok(command)

    def _move(self, talk: Talk, command: Command) -> None:
        self._copy(talk, command)
        for uid in command.uids:
            self.mails.pop(uid, None)

    def _copy(self, talk: Talk, command: Command) -> None:
        folder = command.words[1].decode().strip('"')
        self.moved.setdefault(folder, []).extend(uid for uid in command.uids if uid in self.mails)
        talk.ok(command)

    def _idle(self, talk: Talk, command: Command) -> None:
        talk.send(b"+ idling\r\n")
        talk.line()
        talk.ok(command)
