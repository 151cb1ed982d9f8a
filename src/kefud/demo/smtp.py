"""A mail server on this machine that keeps what it receives: one .eml file for each letter and recipient."""

from __future__ import annotations

import email
import email.policy
import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

LONGEST_LINE = 65_536
PATIENCE = 300


@dataclass(frozen=True, slots=True)
class Taken:
    """A letter as it was taken for one recipient."""

    recipient: str
    message_id: str
    content: bytes
    path: Path


class SmtpServer:
    """Listens on a free loopback port; use as a context manager. Takes every letter and passes none on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._taken: list[Taken] = []
        self._lock = threading.Lock()
        self._server = _Server(self._keep)
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> SmtpServer:
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def taken(self) -> list[Taken]:
        """Every letter so far, in order."""
        with self._lock:
            return list(self._taken)

    def _keep(self, recipients: list[str], content: bytes) -> None:
        head = email.message_from_bytes(content, policy=email.policy.default)
        title = re.sub(r"[^\w〔〕-]+", "_", str(head["Subject"] or ""))[:40].strip("_")
        with self._lock:
            for recipient in recipients:
                folder = self.folder / re.sub(r"[^\w@.+-]|^\.+", "_", recipient)[:100]
                folder.mkdir(parents=True, exist_ok=True)
                path = folder / f"{len(self._taken) + 1:03}-{title}.eml"
                path.write_bytes(content)
                self._taken.append(Taken(recipient, str(head["Message-ID"] or "").strip(), content, path))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, keep: Callable[[list[str], bytes], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.keep = keep


class _Talk(socketserver.StreamRequestHandler):
    """One connection (RFC 5321, with PIPELINING and 8BITMIME)."""

    server: _Server
    timeout = PATIENCE

    def handle(self) -> None:
        self._recipients: list[str] = []
        try:
            self._say("220 demo.estate.example.com")
            while line := self.rfile.readline(LONGEST_LINE):
                if not self._answer(line.decode("utf-8", "replace").strip()):
                    return
        except OSError:
            return

    def _answer(self, line: str) -> bool:
        """Answer one command. False ends the connection."""
        verb = line[:4].upper()
        if verb == "EHLO":
            self._say("250-demo.estate.example.com", "250-PIPELINING", "250-SIZE 36700160", "250 8BITMIME")
        elif verb in ("HELO", "NOOP"):
            self._say("250 ok")
        elif verb in ("MAIL", "RSET"):
            self._recipients = []
            self._say("250 2.1.0 ok")
        elif verb == "RCPT":
            self._recipients.append(line.partition("<")[2].partition(">")[0])
            self._say("250 2.1.5 ok")
        elif verb == "DATA" and self._recipients:
            self._say("354 go on")
            self.server.keep(self._recipients, self._data())
            self._say("250 2.0.0 kept")
        elif verb == "QUIT":
            self._say("221 2.0.0 bye")
            return False
        else:
            self._say("503 5.5.1 not now")
        return True

    def _data(self) -> bytes:
        lines = []
        while (line := self.rfile.readline(LONGEST_LINE)) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
