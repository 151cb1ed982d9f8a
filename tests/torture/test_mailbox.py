"""R12, R13: a mailbox that others work in at the same time, and its server that goes away. KEFUD_TORTURE=N operations."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from hostile.colleague import MOVED, Colleague, Owners, each_once, imap_channel, taken
from hostile.station import Station, environment, kefud
from hostile.test_children import end, eventually
from servers.dovecot import Dovecot, dovecot
from servers.scripted_smtp import ScriptedSmtp
from torture.crash import count

UNCAPPED = "[limits]\nletters_per_hour = 1000000\n"
"""Else the guard against floods holds acknowledgements back where thousands of owners write within minutes."""
SOON = 30.0
"""Seconds within which a mail that stays in the mailbox is taken in, whatever happened there before."""


@contextmanager
def running(office: Station) -> Iterator[psutil.Popen]:
    """A daemon that is ready, and is ended in order."""
    with (office.home / "log").open("ab") as log:
        daemon = psutil.Popen(kefud(office.path, "run"), env=environment(), stderr=log)
    try:
        eventually(lambda: " ready " in (office.home / "log").read_text("utf-8"), 60)
        yield daemon
        assert daemon.poll() is None, "it ran all the time"
        daemon.terminate()
        assert daemon.wait(40) == 0
    finally:
        end(daemon)
        office.office.db.close()


def held(daemon: psutil.Popen) -> tuple[int, int]:
    """How many processes the daemon has, and how many descriptors they have open."""
    family = [daemon, *daemon.children(recursive=True)]
    return len(family), sum(process.num_fds() for process in family)


@pytest.mark.parametrize(
    ("seed", "folder", "more"), [(12, "INBOX", MOVED), (13, "客服", MOVED), (14, "客服", ""), (15, "INBOX", "idle = false")]
)
def test_others_work_in_the_mailbox(
    tmp_path: Path, imap_server: Dovecot, capsys: pytest.CaptureFixture[str], seed: int, folder: str, more: str
) -> None:
    """What stays is taken in soon, what was ever seen is kept, each mail is one ticket; and no process or descriptor is left over."""
    chance = random.Random(seed)
    mailbox = imap_server.mailbox()
    colleague = Colleague(mailbox, folder, chance, time.sleep)
    owners = Owners(mailbox, folder, lambda: datetime.now(UTC))
    seen: set[str] = set()
    families: list[tuple[int, int]] = []
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp, more=UNCAPPED, channel=imap_channel(tmp_path, mailbox, folder, more))
        with running(office) as daemon:
            while (n := colleague.done.total()) < count(200):
                owners.write(chance.choice((0, 0, 0, 0, 1, 1, 12)))
                colleague.act()
                time.sleep(chance.choice((0, 0, 0, 0.1, 0.4)))
                seen |= taken(office)
                if n // 50 > len(families):
                    eventually(lambda: colleague.here() <= taken(office), SOON)
                    families.append(held(daemon))
            colleague.brings_all_back()
            eventually(lambda: colleague.anywhere() <= taken(office), SOON)
            eventually(lambda: {owners.senders[name] for name in taken(office)} <= reached(smtp), 600)
            eventually(lambda: not office.arrivals["received"], 60)
            families.append(held(daemon))
        each_once(office, owners, colleague)
        assert seen <= taken(office)
        assert all(colleague.done[act.__name__] for act in colleague.acts), colleague.done
        with capsys.disabled():
            print(f" {dict(colleague.done)}, beaten {colleague.beaten.total()} times, {dict(office.arrivals)},", end=" ")
        assert families[-1][0] <= families[0][0] and families[-1][1] <= families[0][1] + 10, families


def test_a_server_that_is_stopped_with_much_waiting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopped in the midst of reading; it is asked more and more rarely, and all that came meanwhile is taken in once."""
    mails = max(500, count(500))
    with dovecot() as server, ScriptedSmtp() as smtp:
        mailbox = server.mailbox()
        eyes = Colleague(mailbox, "INBOX", random.Random(13), time.sleep)
        owners = Owners(mailbox, "INBOX", lambda: datetime.now(UTC))
        office = Station(tmp_path, smtp=smtp, more=UNCAPPED, channel=imap_channel(tmp_path, mailbox, "INBOX", MOVED))
        with running(office) as daemon:
            owners.write(3)
            eventually(lambda: set(owners.senders.values()) <= reached(smtp), 60)
            before = held(daemon)
            owners.write(60)
            eventually(lambda: len(taken(office)) > 3, SOON)
            server.stop()
            first = len(taken(office))
            owners.write(mails)
            time.sleep(12)
            tries = [int(n) for n in re.findall(r"channel-failed .*failures=(\d+)", (tmp_path / "log").read_text("utf-8"))]
            assert tries == list(range(1, len(tries) + 1)) and 4 <= len(tries) <= 10, "each pause is twice as long"
            server.start()
            eventually(lambda: len(taken(office)) > first, SOON)
            since = time.monotonic()
            eventually(lambda: len(taken(office)) == len(owners.senders), 60)
            took = time.monotonic() - since
            eventually(lambda: set(owners.senders.values()) <= reached(smtp), 600)
            with capsys.disabled():
                print(f" {mails} mails taken in within {took:.1f} s, answered within {time.monotonic() - since:.1f} s,", end=" ")
            assert held(daemon)[0] <= before[0]
        each_once(office, owners, eyes)


def reached(smtp: ScriptedSmtp) -> set[str]:
    return {recipient for letter in list(smtp.letters) for recipient in letter.recipients}
