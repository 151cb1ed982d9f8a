"""Somebody else who works in the mailbox that kefud polls: reads, flags, files, copies and deletes mails, makes folders anew."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from hostile.station import Station, house
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError
from line.office import mail
from servers.dovecot import Mailbox
from sqlalchemy import select

from kefud.store import settings
from kefud.store.tables import ArrivalRow

LEAK = "厨房水龙头坏了,一直滴水,请派人来修。"
DONE = "已处理"
MOVED = f'processed_folder = "{DONE}"'
DRAWERS = ("投诉", "待办", DONE)
Result = TypeVar("Result")
PATIENCE = 15.0
"""Seconds for an answer of the server; Dovecot itself waits ten minutes for a lock that a living session left behind."""


def imap_channel(home: Path, mailbox: Mailbox, folder: str, more: str = "") -> str:
    """The keys of a channel that polls ``folder``; small batches, so that others come in between."""
    (home / "pw").write_text("pw")
    (home / "pw").chmod(0o600)
    return (
        f'plugin = "imap_mailbox"\nhost = "127.0.0.1"\nport = {mailbox.port}\ntls = "none"\nusername = "{mailbox.user}"\n'
        f'password = {{ file = "pw" }}\nfolder = "{folder}"\nevery = "2s"\nretry = "100ms"\nreconnect = "100ms"\n'
        f"batch_mails = 3\n{more}"
    )


def name_of(content: bytes) -> str:
    """What the store knows an original by."""
    return hashlib.sha256(content).hexdigest()


class Owners:
    """Write to the folder; ``senders`` is who wrote a mail, by the mail's name."""

    def __init__(self, mailbox: Mailbox, folder: str, clock: Callable[[], datetime]) -> None:
        self.mailbox = mailbox
        self.folder = folder
        self.senders: dict[str, str] = {}
        self._clock = clock

    def write(self, mails: int) -> None:
        for _ in range(mails):
            n = len(self.senders)
            sender = f"o{n}@mail.example.com"
            raw = mail(f"{house(n)},{LEAK}第{n}件", sender=sender, name=f"业主{n}", received=self._clock())
            self.mailbox.put(raw, self.folder)
            self.senders[name_of(raw)] = sender


def taken(office: Station) -> set[str]:
    """Names of all mails that were taken in."""
    with office.office.db.read() as tx:
        return set(tx.scalars(select(ArrivalRow.blob).distinct()))


def each_once(office: Station, owners: Owners, colleague: Colleague) -> None:
    """Every mail that exists was taken in, none of them twice; nothing vanished but what the colleague deleted."""
    have, exist = taken(office), colleague.anywhere()
    assert exist <= have <= set(owners.senders) <= exist | colleague.deleted
    assert office.arrivals["filed"] == len(have) and set(office.arrivals) <= {"filed", "ignored"}
    assert sorted(t.requester.email for t in office.tickets) == sorted(owners.senders[name] for name in have)
    told = Counter(r for letter in office.smtp.letters for r in letter.recipients)
    assert all(told[owners.senders[name]] == 1 for name in have)
    with office.office.db.read() as tx:
        assert settings.note(tx, "kefu", "failure") == "", "the channel works again"
    assert office.broken() == []


class Colleague:
    """Does one thing at a time, each over a connection of its own, as mail programs on several desks do.

    ``done`` counts what succeeded, ``beaten`` what did not; ``deleted`` names mails that exist nowhere any more.
    """

    def __init__(self, mailbox: Mailbox, folder: str, chance: random.Random, pause: Callable[[float], object]) -> None:
        self.mailbox = mailbox
        self.folder = folder
        self.chance = chance
        self.done: Counter[str] = Counter()
        self.beaten: Counter[str] = Counter()
        self.deleted: set[str] = set()
        self._pause = pause
        self._serials = itertools.count(1)
        acts = {self.marks: 6, self.files: 4, self.fetches_back: 4, self.copies: 3, self.deletes: 3}
        if folder != "INBOX":  # which no client can rename or delete
            acts |= {self.renames_for_a_moment: 1, self.starts_a_new_folder: 1, self.deletes_the_folder: 1}
        self.acts = [act for act, weight in acts.items() for _ in range(weight)]
        with mailbox.client() as client:
            for drawer in (*DRAWERS, *([] if folder == "INBOX" else [folder])):
                client.create_folder(drawer)

    def act(self) -> None:
        """Any of it, at random."""
        act = self.chance.choice(self.acts)
        try:
            with self.mailbox.client() as client:
                self.done[act.__name__] += act(client)
        except IMAPClientError as error:
            # Where kefud was quicker, or Dovecot asks a client to log in again after a folder was made anew.
            if "no longer exist" not in str(error) and "relogin" not in str(error):
                raise
            self.beaten[act.__name__] += 1

    def marks(self, client: IMAPClient) -> bool:
        some = self._some(client, self.folder)
        change = self.chance.choice((client.add_flags, client.remove_flags))
        if some:
            change(some, [self.chance.choice(("\\Seen", "\\Flagged", "\\Answered", "\\Deleted", "$Urgent"))])
        return bool(some)

    def files(self, client: IMAPClient) -> bool:
        some = self._some(client, self.folder)
        if some:
            client.move(some, self.chance.choice(DRAWERS))
        return bool(some)

    def fetches_back(self, client: IMAPClient) -> bool:
        some = self._some(client, self.chance.choice(self._drawers(client)))
        if some:
            client.move(some, self.folder)
        return bool(some)

    def copies(self, client: IMAPClient) -> bool:
        some = self._some(client, self.chance.choice((self.folder, *self._drawers(client))), most=2)
        if some:
            client.copy(some, self.chance.choice((self.folder, *DRAWERS)))
        return bool(some)

    def deletes(self, client: IMAPClient) -> bool:
        """Marked and expunged; one that kefud moves meanwhile goes on existing elsewhere."""
        some = self._some(client, self.chance.choice((self.folder, self.folder, *DRAWERS)), most=2)
        self.deleted |= self._names(client, some)
        if some:
            client.delete_messages(some)
            client.uid_expunge(some)
        return bool(some)

    def renames_for_a_moment(self, client: IMAPClient) -> bool:
        aside = f"旧{next(self._serials)}"
        client.rename_folder(self.folder, aside)
        self._pause(self.chance.uniform(0, 0.5))
        client.rename_folder(aside, self.folder)
        return True

    def starts_a_new_folder(self, client: IMAPClient) -> bool:
        client.rename_folder(self.folder, f"旧{next(self._serials)}")
        self._pause(self.chance.choice((0, 0, 0.5)))
        client.create_folder(self.folder)
        return True

    def deletes_the_folder(self, client: IMAPClient) -> bool:
        """With all that is in it, and makes another of the same name."""
        client.select_folder(self.folder)
        self.deleted |= self._names(client, client.search())
        client.unselect_folder()
        client.delete_folder(self.folder)
        self._pause(self.chance.choice((0, 0, 0.5)))
        client.create_folder(self.folder)
        return True

    def brings_all_back(self) -> None:
        """Every mail that lies elsewhere."""

        def bring(client: IMAPClient) -> None:
            for drawer in self._drawers(client):
                client.select_folder(drawer)
                if uids := client.search():
                    client.move(uids, self.folder)

        self._surely(bring)

    def here(self) -> set[str]:
        """Names of the mails in the folder."""
        return self._surely(lambda client: self._listed(client, [self.folder]))

    def anywhere(self) -> set[str]:
        """Names of all mails that exist."""
        return self._surely(lambda client: self._listed(client, [*self._drawers(client), self.folder]))

    def _surely(self, what: Callable[[IMAPClient], Result]) -> Result:
        for _ in range(5):
            try:
                with suppress(IMAPClientError), self.mailbox.client(PATIENCE) as client:
                    return what(client)
            except TimeoutError:
                self.mailbox.server.end_sessions()
        raise AssertionError("the server does not let anybody work")

    def _listed(self, client: IMAPClient, folders: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for folder in folders:
            client.select_folder(folder, readonly=True)
            found |= self._names(client, client.search())
        return found

    def _drawers(self, client: IMAPClient) -> list[str]:
        return [name for _, _, name in client.list_folders() if name not in (self.folder, "INBOX")]

    def _some(self, client: IMAPClient, folder: str, most: int = 8) -> list[int]:
        client.select_folder(folder)
        uids = client.search()
        return sorted(self.chance.sample(uids, min(len(uids), self.chance.randint(1, most))))

    def _names(self, client: IMAPClient, uids: list[int]) -> set[str]:
        """Of those of these that still exist."""
        answers = client.fetch(uids, ["BODY.PEEK[]"]).values() if uids else ()
        return {name_of(x[b"BODY[]"]) for x in answers if isinstance(x.get(b"BODY[]"), bytes)}
