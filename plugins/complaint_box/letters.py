"""Which files make up one letter: a file, a sub-folder of pages, or a run of sheets between separators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kefud.api import Entry, natural

NOT_YET = (".part", ".tmp")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter: ``name`` for people, the entries whose content it is, and what is put away together with it.

    ``folder`` is the entry of its sub-folder. ``released``: somebody said with an ``.ok`` file that it is whole.
    """

    name: str
    pages: tuple[Entry, ...]
    rest: tuple[Entry, ...] = ()
    folder: Entry | None = None
    released: bool = False

    @property
    def fingerprint(self) -> tuple[int, ...]:
        return tuple(number for entry in (*self.pages, *self.rest) for number in entry.fingerprint)

    @property
    def mtime_ns(self) -> int:
        return min((entry.mtime_ns for entry in self.pages), default=0)


def single_letters(entries: Sequence[Entry]) -> list[Letter]:
    """Each plain file a letter, with its sidecars."""
    files = [e for e in entries if not e.folder and not e.fault]
    by_name = {e.name: e for e in files}
    letters = []
    for entry in files:
        if is_sidecar(entry.name) or entry.name.endswith(NOT_YET):
            continue
        rest = [by_name[n] for n in sidecars(entry.name) if n in by_name]
        letters.append(Letter(entry.name, (entry,), tuple(rest), None, any(e.name.endswith(".ok") for e in rest)))
    return letters


def folder_letter(folder: Entry, inside: Sequence[Entry], beside: Sequence[Entry]) -> Letter:
    """A sub-folder and its pages in natural order; ``beside`` are the entries next to it, for its sidecars."""
    files = sorted((e for e in inside if not e.folder and not e.fault), key=lambda e: natural(e.name))
    pages = [e for e in files if not e.name.endswith((".ok", ".toml", *NOT_YET))]
    unfinished = any(e.name.endswith(NOT_YET) for e in files)
    rest = [e for e in beside if e.name in sidecars(folder.name) and not e.fault]
    released = any(e.name.endswith(".ok") for e in (*files, *rest)) and not unfinished
    return Letter(folder.name, () if unfinished else tuple(pages), tuple(rest), folder, released)


def batch_letters(
    sheets: Sequence[Letter], separates: Callable[[Letter], bool], all_in: bool
) -> tuple[list[Letter], list[Letter]]:
    """Runs of sheets, in natural order of their names: the letters, and separators that belong to none.

    The last run is a letter when a separator closes it, or when nothing more is expected (``all_in``).
    """
    letters: list[Letter] = []
    loose: list[Letter] = []
    run: list[Letter] = []
    for sheet in sorted(sheets, key=lambda sheet: natural(sheet.name)):
        if not separates(sheet):
            run.append(sheet)
        elif run:
            letters.append(_joined(run, sheet))
            run = []
        else:
            loose.append(sheet)
    if run and all_in:
        letters.append(_joined(run, None))
    return letters, loose


def sidecars(name: str) -> tuple[str, ...]:
    """The names of notes about the file ``name``."""
    stem = name.rpartition(".")[0] or name
    return (f"{name}.ok", f"{stem}.ok", f"{name}.toml", f"{stem}.toml")


def is_sidecar(name: str) -> bool:
    """True for a note, whether or not its scan is there yet."""
    return name.endswith((".ok", ".toml"))


def _joined(run: Sequence[Letter], separator: Letter | None) -> Letter:
    rest = [entry for sheet in run for entry in sheet.rest]
    if separator is not None:
        rest += [*separator.pages, *separator.rest]
    pages = tuple(entry for sheet in run for entry in sheet.pages)
    return Letter(run[0].name, pages, tuple(rest))
