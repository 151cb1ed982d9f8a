"""The channel: scans in a drop folder → one arrival for each letter → its text, as far as a machine is sure of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from kefud.api import (
    Arrival,
    DropFolder,
    Entry,
    Ledger,
    Message,
    Paper,
    Refused,
    Settling,
    Site,
    SourceFailed,
    Unreadable,
    Watch,
    shown,
)  # fmt: skip

from .formats import MOST_PAGES, bundle, complete, kind_of, unbundle
from .letters import Letter, batch_letters, folder_letter, single_letters
from .ocr import Reader
from .opening import Details, Opening
from .pages import BadPage, count_pages, preview
from .reading import read_letter
from .register import Count
from .separator import is_separator
from .settings import Settings

BATCH_BYTES = 8 << 20
BATCH = 50
NOTE_BYTES = 64 << 10


class _Waits(Exception):
    """The letter is not whole yet."""


class _Ignored(Exception):
    """Not a scan; the text says in Chinese why."""


class ComplaintBox:
    """Reads letters scanned into a folder. See the README for what makes a letter and when it is whole."""

    medium = "paper"

    def __init__(self, id: str, settings: Settings, site: Site) -> None:
        self.id = id
        self._settings = settings
        self._zone = ZoneInfo(site.timezone)
        self._folder = DropFolder(settings.folder)
        self._settling = Settling()
        self._watch = Watch(self._folder)
        self._told: set[str] = set()
        self._judged: dict[str, tuple[int, ...]] = {}
        self._roles: dict[tuple[str, tuple[int, ...]], str] = {}
        self._offered: dict[str, list[Letter]] = {}
        self._reader = Reader(settings.ocr_max_side, settings.ocr_threads)

    # ── Taking in ───────────────────────────────────────────────────────────────────────────────────────────────────

    def fetch(self, ledger: Ledger, now: Callable[[], datetime]) -> Iterator[Sequence[Arrival]]:
        """An arrival for each letter that is whole and not stored yet, oldest first."""
        self._watch.begin()
        self._offered.clear()
        entries = self._entries(ledger)
        register, hold = self._register(entries, ledger, now())
        if hold:
            return
        count = Count(ledger, register, now()) if register else None
        batch: list[Arrival] = []
        for letter in self._letters(entries, ledger, now()):
            arrival = self._arrival(letter, register, count, ledger, now())
            if arrival is None:
                continue
            if batch and (len(batch) == BATCH or sum(len(a.content) for a in batch) + len(arrival.content) > BATCH_BYTES):
                yield batch
                batch = []
            batch.append(arrival)
        if batch:
            yield batch
        self._close_register(entries, register, count, ledger, now())

    def acknowledge(self, refs: Sequence[str]) -> None:
        """These letters are stored: their files go to the done folder."""
        for ref in refs:
            for letter in self._offered.pop(ref, ()):
                self._put_away(letter)

    def wait(self, seconds: float) -> bool:
        return self._watch.wait(seconds)

    def again_in(self) -> float:
        """Seconds until something that is still being written may be looked at again, 0 where nothing is."""
        return self._watch.left()

    def close(self) -> None:
        self._watch.close()

    # ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def read(self, content: bytes, arrival: Arrival, site: Site) -> Message:
        """The text of a letter. Raises Unreadable, with what was read as a draft, where a person must type it."""
        found = read_letter(content, self._reader, self._settings.least_mean, self._settings.least_line)
        if found.doubt:
            raise Unreadable(f"{found.doubt}，请人工誊录", transcribe=True, draft=found.text, confidence=found.mean)
        return self._message(content, arrival, found.text, found.pages, found.mean)

    def transcribed(self, content: bytes, arrival: Arrival, site: Site, text: str) -> Message:
        """The message of a letter whose text a person has typed."""
        return self._message(content, arrival, text.strip(), count_pages(content), 1.0)

    def page_image(self, content: bytes, page: int = 0) -> bytes:
        """A PNG of one page (counted from 0), small enough for a mail. Raises Unreadable."""
        try:
            return preview(content, page)
        except BadPage as error:
            raise Unreadable(str(error)) from None

    def _message(self, content: bytes, arrival: Arrival, text: str, pages: int, confidence: float) -> Message:
        details = _details(content)
        opened = details.opened_at or self._settings.opened_at or arrival.received_at
        box = details.box or self._settings.box
        return Message(
            medium="paper",
            received_at=opened,
            subject=_subject(box, text),
            text=text,
            paper=Paper(
                box, opened, pages, confidence, details.opener, details.witness, details.lock,
                details.registered or self._settings.opened_at is not None,
            ),  # fmt: skip
            digest=arrival.ref,
            remarks=(f"见证人：{details.witness}",) if details.witness else (),
        )

    # ── What lies in the folder ─────────────────────────────────────────────────────────────────────────────────────

    def _entries(self, ledger: Ledger) -> list[Entry]:
        try:
            entries = self._folder.entries()
        except OSError as error:
            raise SourceFailed(f"意见箱文件夹 {self._settings.folder} 无法读取：{error.strerror}", page=True) from None
        for entry in entries:
            if entry.fault:
                self._tell(ledger, f"{shown(entry.name)} {entry.fault}，不读")
        done = self._settings.done_folder
        put_away = done.name if done.parent == self._settings.folder else ""
        return [entry for entry in entries if not entry.fault and not (entry.folder and entry.name == put_away)]

    def _letters(self, entries: Sequence[Entry], ledger: Ledger, now: datetime) -> list[Letter]:
        """Letters that have settled, oldest first; those that wait too long are reported."""
        sheets = single_letters([e for e in entries if e.name != self._settings.register_name])
        folders = [folder_letter(e, self._inside(e, ledger), entries) for e in entries if e.folder]
        names = {letter.name for letter in (*sheets, *folders)}
        self._settling.keep([*names, self._settings.register_name, ""])
        self._judged = {name: seen for name, seen in self._judged.items() if name in names}
        self._roles = {key: role for key, role in self._roles.items() if key[0] in names}
        settled = [letter for letter in sheets if self._settled(letter, ledger, now)]
        if self._settings.batch:
            settled = self._runs(sheets, settled, ledger, now)
        settled += [letter for letter in folders if self._settled(letter, ledger, now)]
        return sorted(settled, key=lambda letter: letter.mtime_ns)

    def _inside(self, folder: Entry, ledger: Ledger) -> list[Entry]:
        try:
            found = DropFolder(self._settings.folder, folder.name).entries()
        except OSError as error:
            self._tell(ledger, f"{shown(folder.name)} 无法读取：{error.strerror}")
            return []
        for entry in found:
            if entry.fault or entry.folder:
                self._tell(ledger, f"{shown(folder.name)}/{shown(entry.name)} {entry.fault or '是子文件夹'}，不读")
        return found

    def _settled(self, letter: Letter, ledger: Ledger, now: datetime) -> bool:
        if self._is_judged(letter):
            return False
        quiet = self._settling.quiet(letter.name, letter.fingerprint, now)
        if letter.pages and all(page.size for page in letter.pages):
            if letter.released or quiet >= self._settings.settle:
                return True
            self._watch.again_in(self._settings.settle - quiet)
        self._late(letter, ledger, now)
        return False

    def _runs(self, sheets: list[Letter], settled: list[Letter], ledger: Ledger, now: datetime) -> list[Letter]:
        """Letters of several sheets. Nothing is taken past a sheet that is not whole yet."""
        everything = tuple(number for sheet in sheets for number in sheet.fingerprint)
        quiet = self._settling.quiet("", everything, now)
        if sheets and quiet < self._settings.batch_pause:
            self._watch.again_in(self._settings.batch_pause - quiet)
        roles = {sheet.name: self._role(sheet, ledger, now) if sheet in settled else "waits" for sheet in sheets}
        scans = [sheet for sheet in sheets if roles[sheet.name] != "ignored" and not self._is_judged(sheet)]
        if any(roles[sheet.name] == "waits" for sheet in scans):
            return []
        letters, loose = batch_letters(scans, lambda s: roles[s.name] == "separator", quiet >= self._settings.batch_pause)
        for separator in loose:
            self._put_away(separator, ledger)
        return letters

    def _role(self, sheet: Letter, ledger: Ledger, now: datetime) -> str:
        """What a sheet of a batch is: "scan", "separator", "ignored", or "waits" where that cannot be told yet."""
        key = (sheet.name, sheet.fingerprint)
        if key in self._roles:
            return self._roles[key]
        pages = self._loaded(sheet, ledger, now)
        if pages is None:
            return "ignored" if self._is_judged(sheet) else "waits"
        self._roles[key] = "separator" if is_separator(pages[0][1], self._settings.separator) else "scan"
        return self._roles[key]

    def _is_judged(self, letter: Letter) -> bool:
        return self._judged.get(letter.name) == letter.fingerprint

    def _late(self, letter: Letter, ledger: Ledger, now: datetime) -> None:
        if self._settling.waits(letter.name, now) >= self._settings.late:
            self._tell(ledger, f"{shown(letter.name)} 一直没有写完，继续等待")

    # ── One letter ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _arrival(
        self, letter: Letter, register: Opening | None, count: Count | None, ledger: Ledger, now: datetime
    ) -> Arrival | None:
        """The letter as an arrival, None where it is not whole, no scan, or stored already."""
        pages = self._loaded(letter, ledger, now)
        if pages is None:
            return None
        note = self._note(letter, ledger)
        content = pages[0][1] if len(pages) == 1 else bundle(pages)
        ref = hashlib.sha256(content).hexdigest()
        opening = note.over(register or Opening()) if note else register or Opening()
        if count:
            count.add(ref, now)
        if ref in self._offered:
            self._offered[ref].append(letter)
            return None
        if ledger.known([ref]):
            self._put_away(letter, ledger)
            return None
        self._offered[ref] = [letter]
        opened = self._opened_at(letter, opening, now)
        registered = opening.opened_at is not None
        details = Details(opening.box, opened, opening.opener, opening.witness, opening.lock, registered)
        if opening != Opening(count=opening.count):
            content = bundle(pages, details.pack())
        label = f"{opening.box or self._settings.box} {shown(letter.name)}"
        return Arrival(ref, opened, content, self.medium, label)

    def _opened_at(self, letter: Letter, opening: Opening, now: datetime) -> datetime:
        scanned = datetime.fromtimestamp(letter.mtime_ns // 1_000_000_000, UTC)
        return (opening.opened_at or self._settings.opened_at or min(scanned, now)).astimezone(self._zone)

    def _loaded(self, letter: Letter, ledger: Ledger, now: datetime) -> list[tuple[str, bytes]] | None:
        """Names and bytes of the scans; None where the letter is not whole, no scan, or cannot be read."""
        try:
            pages = self._load(letter, ledger)
        except _Waits:
            self._late(letter, ledger, now)
        except _Ignored as error:
            self._judged[letter.name] = letter.fingerprint
            self._tell(ledger, f"{shown(letter.name)} {error}，不读")
        except (Refused, OSError) as error:
            self._tell(ledger, f"{shown(letter.name)} 无法读取：{getattr(error, 'strerror', None) or error}")
        else:
            self._settling.ready(letter.name)
            return pages
        return None

    def _load(self, letter: Letter, ledger: Ledger) -> list[tuple[str, bytes]]:
        """Names and bytes of the scans. Raises _Waits, _Ignored, Refused, OSError."""
        if len(letter.pages) > MOST_PAGES:
            raise _Ignored(f"超过 {MOST_PAGES} 页")
        if sum(entry.size for entry in letter.pages) > self._settings.max_bytes:
            raise _Ignored(f"超过 {self._settings.max_bytes >> 20} MiB")
        source = DropFolder(self._settings.folder, letter.folder.name) if letter.folder else self._folder
        found = []
        for entry in letter.pages:
            content = _whole_file(source, entry)
            kind = kind_of(content)
            if kind is None:
                if not letter.folder:
                    raise _Ignored("不是扫描件（只收 JPG、PNG、TIFF、PDF）")
                self._tell(ledger, f"{shown(letter.name)}/{shown(entry.name)} 不是扫描件，不读")
                continue
            if not complete(content, kind):
                raise _Waits
            found.append((shown(entry.name), content))
        if not found:
            raise _Ignored("里面没有扫描件")
        return found

    def _put_away(self, letter: Letter, ledger: Ledger | None = None) -> None:
        """Move a letter that is stored. What cannot be moved is not looked at again until it changes."""
        self._judged[letter.name] = letter.fingerprint
        try:
            moved = [letter.folder] if letter.folder else letter.pages
            for entry in (*moved, *letter.rest):
                self._folder.move(entry, self._settings.done_folder)
        except OSError as error:
            if ledger:
                self._tell(ledger, f"{shown(letter.name)} 已收，但不能移到 {self._settings.done_folder}：{error.strerror}")

    # ── The register of an opening ──────────────────────────────────────────────────────────────────────────────────

    def _note(self, letter: Letter, ledger: Ledger) -> Opening | None:
        entry = next((e for e in letter.rest if e.name.endswith(".toml")), None)
        if entry is None:
            return None
        try:
            return Opening.parse(_whole_file(self._folder, entry, NOTE_BYTES), self._zone)
        except (ValueError, Refused, OSError, _Waits) as error:
            self._tell(ledger, f"{shown(entry.name)} {error}；按没有登记处理")
            return None

    def _register(self, entries: Sequence[Entry], ledger: Ledger, now: datetime) -> tuple[Opening | None, bool]:
        """The register in force, and whether letters must wait for it to be written or mended."""
        entry = next((e for e in entries if e.name == self._settings.register_name and not e.folder), None)
        if entry is None:
            return None, False
        quiet = self._settling.quiet(entry.name, entry.fingerprint, now)
        if quiet < self._settings.settle:
            self._watch.again_in(self._settings.settle - quiet)
            return None, True
        try:
            return Opening.parse(_whole_file(self._folder, entry, NOTE_BYTES), self._zone), False
        except (ValueError, Refused, OSError, _Waits) as error:
            self._tell(ledger, f"开箱登记 {shown(entry.name)} {error}；请更正")
            return None, self._settling.waits(entry.name, now) < self._settings.late

    def _close_register(
        self, entries: Sequence[Entry], register: Opening | None, count: Count | None, ledger: Ledger, now: datetime
    ) -> None:
        """Report a wrong count once no more letters have come for a while; put the register away when it has served."""
        if register is None or count is None:
            return
        if mismatch := count.mismatch(now, self._settings.late):
            self._tell(ledger, mismatch)
        if count.over(now, self._settings.late):
            entry = next(e for e in entries if e.name == self._settings.register_name)
            opened = (register.opened_at or now).astimezone(self._zone)
            self._folder.move(entry, self._settings.done_folder, f"box-{opened:%Y%m%d-%H%M}.toml")

    def _tell(self, ledger: Ledger, problem: str) -> None:
        """Report something once, not at every look."""
        if problem not in self._told:
            self._told.add(problem)
            ledger.report(f"{self._settings.box}：{problem}")


def _whole_file(folder: DropFolder, entry: Entry, most: int = 0) -> bytes:
    """The bytes of the file ``entry`` was. Raises _Waits where it changed since, Refused, OSError, ValueError."""
    if most and entry.size > most:
        raise ValueError(f"超过 {most >> 10} KiB")
    with folder.opened(entry.name) as (descriptor, opened):
        parts = []
        left = entry.size
        while left and (part := os.read(descriptor, left)):
            parts.append(part)
            left -= len(part)
    content = b"".join(parts)
    if opened != entry or left or not content.strip(b"\0"):
        raise _Waits
    return content


def _details(content: bytes) -> Details:
    try:
        return Details.unpack(unbundle(content)[1])
    except ValueError:
        return Details()


def _subject(box: str, text: str) -> str:
    """The box and the first line that says something; a salutation does not."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if not line.endswith((":", "："))), lines[0] if lines else "")
    return f"{box}来信：{told[:30]}{'…' if len(told) > 30 else ''}" if told else f"{box}来信"
