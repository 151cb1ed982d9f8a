"""The course of the demonstration: start the daemon, let things come in, answer its letters, see when all is worked off."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from kefud.demo.mailbox import Mailbox
from kefud.demo.samples import Answer, Sample, answer_bytes, call_log, mail_bytes
from kefud.demo.smtp import SmtpServer, Taken
from kefud.desk.ticket import Ticket
from kefud.errors import KefudError
from kefud.workers import die_with_parent

STARTING = 60.0
STOPPING = 20.0
STEP = 0.4


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store holds at one moment.

    ``settled`` counts arrivals that are worked off, ``unsent`` letters under way; ``messages`` are filled in at the end.
    """

    tickets: tuple[Ticket, ...]
    letters: tuple[dict[str, Any], ...]
    shelf: tuple[dict[str, Any], ...]
    settled: int
    unsent: int
    messages: tuple[dict[str, Any], ...] = ()

    def ticket_of(self, address: str) -> Ticket | None:
        """The first ticket that somebody with this address opened."""
        return next((t for t in self.tickets if t.reply_address == address), None)


class Play:
    """Feeds the sample to a running daemon and watches what becomes of it."""

    def __init__(
        self, sample: Sample, mailbox: Mailbox, smtp: SmtpServer, directory: Path, zone: ZoneInfo, look: Callable[[], Seen]
    ) -> None:
        self.sample = sample
        self.left = list(sample.answers)
        self._mailbox = mailbox
        self._smtp = smtp
        self._directory = directory
        self._zone = zone
        self._look = look
        self._delivered = 0

    def begin(self) -> None:
        """Everything comes in that needs no letter of ours before it."""
        for mail in self.sample.mails:
            self._deliver(mail_bytes(mail, self._now()), mail.subject)
        log = call_log(self.sample.calls, self._now())
        _drop(log, self._directory / "in" / "calls" / "callcenter.csv")
        for scan in self.sample.scans:
            _drop(scan.read_bytes(), self._directory / "in" / "scans" / scan.name)

    def until_done(self, patience: float, tell: Callable[[Seen, float], None], alive: Callable[[], None]) -> bool:
        """Answer letters until nothing is left to do. False where that took longer than ``patience`` seconds."""
        start = time.monotonic()
        quiet = 0
        while quiet < 3:
            alive()
            seen = self._look()
            tell(seen, time.monotonic() - start)
            quiet = quiet + 1 if self._idle(seen) else 0
            self._answer(seen)
            if time.monotonic() - start > patience:
                return False
            time.sleep(STEP)
        return True

    def _idle(self, seen: Seen) -> bool:
        return not self.left and seen.settled >= self.sample.arrivals and not seen.unsent

    def _answer(self, seen: Seen) -> None:
        for answer in list(self.left):
            letter = self._letter_for(answer, seen)
            if letter is not None:
                self.left.remove(answer)
                content = answer_bytes(answer, letter.recipient, letter.content, self._now())
                self._deliver(content, answer.subject or f"回复 {letter.path.stem[4:]}")

    def _letter_for(self, answer: Answer, seen: Seen) -> Taken | None:
        """The letter that is answered, as it came out of the mail server; None while it has not come, or it is too early."""
        ticket = seen.ticket_of(answer.about)
        if ticket is None or answer.state not in ("", ticket.status):
            return None
        ids = {letter.message_id for letter in ticket.letters if letter.template.startswith(answer.letter)}
        return next((taken for taken in self._smtp.taken if taken.message_id in ids), None)

    def _deliver(self, content: bytes, title: str) -> None:
        self._delivered += 1
        self._mailbox.deliver(content, self._delivered)
        name = "".join(c if c.isalnum() or c in "-〔〕" else "_" for c in title)[:40]
        (self._directory / "in" / "mail" / f"{self._delivered:02}-{name}.eml").write_bytes(content)

    def _now(self) -> datetime:
        return datetime.now(self._zone)


@contextmanager
def daemon(config: Path, log: Path) -> Iterator[Callable[[], None]]:
    """`kefud run` as a child, ready when the context begins, ended with it; gives a function that raises if it has died."""
    address = f"kefud-demo-{os.getpid()}-{secrets.token_hex(4)}"
    command = [sys.executable, "-m", "kefud", "-c", str(config), "run"]
    environment = {**os.environ, "NOTIFY_SOCKET": f"@{address}"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, log.open("wb") as said:
        ready.bind(f"\0{address}")
        ready.settimeout(0.2)
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True,
            preexec_fn=die_with_parent,
        )  # fmt: skip

        def alive() -> None:
            if child.poll() is not None:
                last = log.read_text("utf-8", "replace").strip().rpartition("\n")[2]
                raise KefudError(f"the daemon ended with status {child.returncode}: {last or 'it said nothing'} (see {log})")

        try:
            _wait_until_ready(ready, alive)
            ready.close()
            yield alive
        finally:
            _end(child)


def _wait_until_ready(ready: socket.socket, alive: Callable[[], None]) -> None:
    end = time.monotonic() + STARTING
    while time.monotonic() < end:
        alive()
        try:
            if b"READY=1" in ready.recv(4096):
                return
        except TimeoutError:
            continue
    raise KefudError(f"the daemon was not ready within {STARTING:.0f} seconds")


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOPPING)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _drop(content: bytes, target: Path) -> None:
    """As a careful machine puts a file into a folder: whole, under its name, at once."""
    aside = target.parent.parent / f".{target.name}"
    aside.write_bytes(content)
    aside.replace(target)
