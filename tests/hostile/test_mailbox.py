"""R12, R13 in small: others work in the mailbox at the same time, and its server goes away. The unread flag is no queue. More: tests/torture."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hostile.colleague import MOVED, Colleague, Owners, each_once, imap_channel, taken
from hostile.station import station
from servers.dovecot import Dovecot, dovecot


@pytest.mark.parametrize(("folder", "more"), [("INBOX", MOVED), ("客服", "")], ids=["moved", "marked"])
def test_whatever_others_do_in_the_mailbox_each_mail_comes_once(
    tmp_path: Path, imap_server: Dovecot, folder: str, more: str
) -> None:
    chance = random.Random(12)
    mailbox = imap_server.mailbox()
    colleague = Colleague(mailbox, folder, chance, time.sleep)
    with station(tmp_path, channel=imap_channel(tmp_path, mailbox, folder, more)) as office, ThreadPoolExecutor(1) as pool:
        owners = Owners(mailbox, folder, office.clock)

        def busy_day() -> None:
            for _ in range(30):
                owners.write(chance.choice((0, 0, 1, 2)))
                colleague.act()
                time.sleep(0.05)

        day = pool.submit(busy_day)
        while not day.done():
            office.work()
        day.result()
        seen = taken(office)
        for _ in range(3):
            office.work()
        assert colleague.here() <= taken(office)
        colleague.brings_all_back()
        for _ in range(3):
            office.work()
        each_once(office, owners, colleague)
        assert seen <= taken(office)


def test_a_server_that_was_away_costs_time_only(tmp_path: Path) -> None:
    with dovecot() as server:
        mailbox = server.mailbox()
        eyes = Colleague(mailbox, "INBOX", random.Random(13), time.sleep)
        with station(tmp_path, channel=imap_channel(tmp_path, mailbox, "INBOX", MOVED)) as office:
            owners = Owners(mailbox, "INBOX", office.clock)
            owners.write(3)
            office.work()
            server.stop()
            owners.write(20)
            assert [office.work()["channels"] for _ in range(2)] == [1, 1] and len(taken(office)) == 3
            server.start()
            assert office.work()["channels"] == 0
            each_once(office, owners, eyes)
