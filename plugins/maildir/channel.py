"""What is new in a maildir. The name of a file up to the colon is its reference; the ledger knows which are stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from kefud.api import Arrival, Large, Ledger, Message, Site, SourceFailed, header_only, read_mail

from .folder import Entry, Folder, NotPlain
from .settings import Settings

CHUNK = 500
HEADER = 128 * 1024
SETTLED_AFTER = 2 * 10**9
"""Nanoseconds after which a directory's time stamp is believed: a mail may come within the same tick of the clock."""


class Maildir:
    """A Channel. Constructing one does no I/O."""

    medium = "mail"
    reads_large = True

    def __init__(self, id: str, settings: Settings) -> None:
        self.id = id
        self.settings = settings
        self._folder = Folder(settings.path)
        self._processed = Folder(settings.processed_folder) if settings.processed_folder else None
        self._entries: dict[str, Entry] = {}
        self._settled: set[str] = set()
        self._quiet: tuple[int, int] | None = None
        self._odd: dict[str, int] = {}
        self._stopped = threading.Event()

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """Every mail the ledger does not know, oldest first. What it knows but still lies in new/ is settled again."""
        self._stopped.clear()
        try:
            stamp = self._folder.stamp()
            if stamp == self._quiet:
                return
            entries = {entry.ref: entry for entry in self._folder.entries()}
        except OSError as error:
            raise SourceFailed(f"{self.settings.path}: {error.strerror or error}", page=True) from None
        self._settled &= entries.keys()
        fresh = [ref for ref in entries if ref not in self._settled]
        known = self._known(fresh, ledger)
        self._entries = entries
        self.acknowledge([ref for ref in fresh if ref in known])
        unknown = [entries[ref] for ref in fresh if ref not in known]
        yield from self._batches(unknown, ledger, now)
        self._entries = {}
        self._odd = {ref: looks for ref, looks in self._odd.items() if ref in entries}
        self._quiet = stamp if not unknown and now().timestamp() * 1e9 - max(stamp) > SETTLED_AFTER else None

    def acknowledge(self, refs: Sequence[str]) -> None:
        """Move to cur/ with the flag S, or to the processed maildir. Mails that are gone are passed over."""
        entries = self._entries
        if any(ref not in entries for ref in refs):
            entries = {entry.ref: entry for entry in self._folder.entries()}
        try:
            if self._processed is not None and refs:
                self._processed.create()
            for ref in refs:
                if ref in entries:
                    self._folder.settle(entries[ref], self._processed)
                    if self._processed is None:
                        self._settled.add(ref)
        except OSError as error:
            raise SourceFailed(f"{self.settings.path}: {error.strerror or error}", page=True) from None

    def read(self, content: bytes | Large, arrival: Arrival, site: Site) -> Message:
        return read_mail(content, received_at=arrival.received_at, own_hosts=site.own_hosts, own=site.own)

    def wait(self, seconds: float) -> bool:
        self._stopped.wait(seconds)
        return True

    def probe(self) -> None:
        """See whether the maildir is there and may be read. Raises SourceFailed."""
        try:
            self._folder.stamp()
        except OSError as error:
            raise SourceFailed(f"{self.settings.path}: {error.strerror or error}", page=True) from None

    def close(self) -> None:
        self._stopped.set()
        self._quiet = None
        self._settled.clear()

    def _known(self, refs: list[str], ledger: Ledger) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(refs), CHUNK):
            known |= ledger.known(refs[start : start + CHUNK])
        return known

    def _batches(self, entries: list[Entry], ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        batch: list[Arrival] = []
        size, at = 0, now()
        for entry in entries:
            arrival = self._arrival(entry, ledger, at)
            if arrival is None:
                continue
            full = len(batch) >= self.settings.batch_mails or size + len(arrival.content) > self.settings.batch_bytes
            if batch and full:
                yield batch
                batch, size = [], 0
            batch.append(arrival)
            size += len(arrival.content)
        if batch:
            yield batch

    def _arrival(self, entry: Entry, ledger: Ledger, now: datetime) -> Arrival | None:
        most = self.settings.message_bytes
        try:
            found = self._folder.read(entry, most, HEADER)
        except NotPlain as reason:
            self._set_aside(entry, str(reason), ledger)
            return None
        except OSError as error:
            raise SourceFailed(f"{self.settings.path}: {error.strerror or error}") from None
        if found is None:
            return None
        content = found.content
        if found.size > most:
            content = header_only(content, self._too_large(entry, found.size), size=found.size)
        return Arrival(entry.ref, min(found.delivered_at, now), content, self.medium)

    def _too_large(self, entry: Entry, size: int) -> str:
        shown, most = size / 1_048_576, self.settings.message_bytes / 1_048_576
        where = (self._processed or self._folder).path
        return (
            f"（本邮件大小为 {shown:.1f} MB，超过上限 {most:.0f} MB，未读取正文和附件。原件在 {where} 中，文件 {entry.ref}。）"
        )

    def _set_aside(self, entry: Entry, reason: str, ledger: Ledger) -> None:
        """Reported at the third look: a file that is just being delivered has two names for a moment."""
        self._odd[entry.ref] = self._odd.get(entry.ref, 0) + 1
        if self._odd[entry.ref] == 3:
            ledger.report(f"{self.settings.path}: {entry.part}/{entry.ref} is {reason}; it is left where it is")
