"""An office whose processes are ended as a crash would end them, and what must be true of it afterwards."""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from hostile.poison import HEADS, ROW
from hostile.station import Station, environment, house, kefud
from line.office import mail
from sqlalchemy import text

from kefud.store import letters

REPAIR = "厨房水龙头坏了,一直滴水,请派人来修。"
RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


def count(default: int) -> int:
    """How often: KEFUD_TORTURE in the long part, ``default`` otherwise."""
    return int(os.environ.get("KEFUD_TORTURE", default))


class Crashes:
    """Puts mails in, runs the office as a process that dies, runs it again, and counts."""

    def __init__(self, office: Station) -> None:
        self.office = office
        self.senders: list[str] = []
        self.calls = 0
        self.kills = 0

    def write(self, matter: str = REPAIR, large: bool = False) -> str:
        n = len(self.senders)
        sender = f"owner{n}@mail.example.com"
        raw = mail(f"{house(n)},{matter}第{n}件", sender=sender, name=f"业主{n}")
        if large:
            raw = with_attachment(raw, n)
        self.office.put(raw)
        self.senders.append(sender)
        return sender

    def call(self) -> None:
        self.calls += 1
        row = ROW.format(f"C{self.calls}", self.calls % 1000, f"{self.calls}号楼路灯坏了第{self.calls}次")
        target = self.office.home / "calls" / f"log{self.calls}.csv"
        target.write_text(HEADS + row, "utf-8")

    def run(self, failpoint: str = "", *wrapper: str, timeout: float = 120, **more: str) -> int:
        """`kefud run --once` as a process; its status, negative where a signal ended it."""
        command = [*wrapper, *kefud(self.office.path, "run", "--once")]
        wanted = {"KEFUD_FAILPOINT": failpoint} if failpoint else {}
        done = subprocess.run(command, env=environment(**wanted, **more), capture_output=True, text=True, timeout=timeout)
        self.said = done.stderr
        return done.returncode

    def die_at(self, step: str, n: int = 1) -> bool:
        """Run into a failpoint; whether it was met."""
        flag = self.office.home / f"died{self.kills}"
        self.run(f"{step}:{n}:{flag}")
        self.kills += flag.exists()
        return flag.exists()

    def settle(self) -> None:
        """Run until nothing is left to do."""
        for _ in range(6):
            if self.run() == 0 or late_only(self.said):
                return
            with self.office.office.db.write() as tx:  # what the dead had in hand waits a minute; an operator need not
                for letter in letters.listed(tx, status="pending"):
                    letters.change(tx, letter["id"], "retry", datetime.now(UTC))
                tx.execute(text("update arrival set next_attempt = taken_at where status = 'received'"))
        raise AssertionError(self.said[-3000:])

    def check(self, repeats: int) -> None:
        """Nothing lost, nothing doubled, at most ``repeats`` letters twice and then with the same Message-ID."""
        office = self.office
        assert office.arrivals == Counter(filed=len(self.senders) + self.calls)
        assert sum(len(t.arrivals) for t in office.tickets) == len(self.senders) + self.calls
        by_mail = [t.requester.email for t in office.tickets if t.medium == "mail"]
        assert sorted(by_mail) == sorted(self.senders)
        went = Counter(m for letter in office.smtp.letters for m in [message_id(letter.content)])
        assert all(office.delivered(sender) for sender in self.senders)
        assert sum(went.values()) - len(went) <= repeats, went.most_common(3)
        known = Counter(
            (x["ticket"], x["recipient"], x["template"]) for x in office.letters if x["template"].startswith("replies/")
        )
        assert max(known.values()) == 1, "no second acknowledgement with another Message-ID"
        assert set(went) == {x["message_id"] for x in office.letters if x["status"] == "sent"}
        assert office.broken() == []


def late_only(said: str) -> bool:
    """Whether nothing is left but deadlines: those of mails that are a year old are followed fifty a minute."""
    return bool(re.fullmatch(r"left undone: \d+ deadlines", said.strip().rpartition("\n")[2]))


def message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    return next(line.partition(":")[2].strip() for line in head.splitlines() if line.lower().startswith("message-id:"))


def with_attachment(raw: bytes, seed: int) -> bytes:
    import email

    message: EmailMessage = email.message_from_bytes(raw, policy=SMTP)  # type: ignore[assignment]
    size = 1_500_000 if seed % 3 == 0 else 90_000  # by way of the room for what comes in, and in memory
    message.add_attachment(random.Random(seed).randbytes(size), maintype="image", subtype="jpeg", filename=f"{seed}.jpg")
    return message.as_bytes()


def fresh(home: Path) -> None:
    """Folders that a station does not make."""
    (home / "calls").mkdir(exist_ok=True)
