"""imapclient on our own wire: total deadlines, bounded answers, and encryption before anything is said.

imaplib allocates whatever a literal announces, waits for ever on a server that drips, keeps every unsolicited answer and
remembers the last commands, the password among them. Here each exchange has an allowance of bytes and lines, checked
before anything is stored.
"""

from __future__ import annotations

import imaplib
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from kefud.api import LARGE, Large, Spilled, Wire

SLOWEST = 16 * 1024
"""Bytes a second below which a server counts as hanging (R10)."""
LONGEST_LINE = 4 * 1024 * 1024
MOST_LINES = 20_000
SLACK = 1024 * 1024


class Overrun(ConnectionError):
    """The server sends more than was asked for."""


class Unsafe(ConnectionError):
    """The connection cannot be encrypted as configured. Nothing secret was sent."""


class Link(imaplib.IMAP4):
    """imaplib over a Wire that is already connected."""

    def __init__(self, wire: Wire, incoming: Path | None = None) -> None:
        self.wire = wire
        self.incoming = incoming
        self.news = False
        self._bytes = SLACK
        self._lines = MOST_LINES
        super().__init__(wire.host, wire.port)

    def begin(self, seconds: float, size: int = 0, lines: int = 0, most: int = 0) -> None:
        """A new exchange: it may take this long, and bring about so many bytes (``most`` where ``size`` may be wrong)."""
        self.wire.allow(seconds + size / SLOWEST)
        self._bytes = max(most, size + size // 4) + LONGEST_LINE
        self._lines = lines + MOST_LINES
        self.untagged_responses.clear()

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        self.host, self.port = host, port

    def read(self, size: int) -> bytes | Large:
        """A literal. imapclient looks at its length and hands it on; a large one may as well be a file."""
        self._spend(size)
        if self.incoming is None or size < LARGE:
            return self.wire.read(size)
        with Spilled(self.incoming) as file:
            self.wire.pour(size, file.write)
        return file

    def readline(self) -> bytes:
        self._lines -= 1
        line = self.wire.read_line(min(self._bytes, LONGEST_LINE))
        self._spend(len(line))
        if self._lines < 0:
            raise Overrun("the server sends answers without end")
        return line

    def send(self, data: Any) -> None:
        self.wire.send(bytes(data))

    def shutdown(self) -> None:
        self.wire.close()

    def _spend(self, size: int) -> None:
        if size > self._bytes:
            raise Overrun(f"the server announces {size} bytes, more than was asked for")
        self._bytes -= size

    def _append_untagged(self, typ: str, dat: Any) -> None:
        if typ == "EXISTS":
            self.news = True
        super()._append_untagged(typ, dat)  # type: ignore[misc]

    def _log(self, line: object) -> None:
        """Keep no record of commands: the password would be in it."""


class Client(IMAPClient):  # type: ignore[misc]
    """IMAPClient on a Link. The greeting has been read when this returns; nothing secret has been sent."""

    def __init__(self, wire: Wire, incoming: Path | None = None) -> None:
        self._wire = wire
        self._incoming = incoming
        super().__init__(wire.host, wire.port, ssl=False)
        self.link.debug = 0

    @property
    def link(self) -> Link:
        link: Link = self._imap
        return link

    def _create_IMAP4(self) -> Link:
        return Link(self._wire, self._incoming)

    def _set_read_timeout(self) -> None:
        """The wire has its own."""

    def encrypt(self, context: ssl.SSLContext) -> None:
        """STARTTLS or nothing (S20)."""
        link: Any = self.link
        if link.state != "NONAUTH":
            raise Unsafe("the server counts us as logged in before the connection is encrypted (PREAUTH)")
        if "STARTTLS" not in link.capabilities:
            raise Unsafe("the server does not offer STARTTLS")
        if self._wire.pending:
            raise Unsafe("the server speaks before it is asked")
        kind, _ = link._simple_command("STARTTLS")
        if kind != "OK":
            raise Unsafe("the server refuses STARTTLS")
        self._wire.secure(context)
        link._tls_established = True
        self._starttls_done = True
        self._cached_capabilities = None
        link.untagged_responses.clear()
        link._get_capabilities()

    def refresh_capabilities(self) -> frozenset[str]:
        """What the server can do, asked again now."""
        self._cached_capabilities = None
        return frozenset(word.decode("ascii", "replace") for word in self.capabilities())

    def hang_up(self) -> None:
        with suppress(Exception):
            self.link.begin(3.0)
            self.logout()
        self._wire.close()
