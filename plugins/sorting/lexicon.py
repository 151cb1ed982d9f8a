"""Word lists as data, found in one pass over a text: literal words, alternatives and gaps, no backtracking.

A word may hold ``(a|b|)`` for alternatives and ``…`` for a gap of a few characters within a sentence: ``电梯…(困|关在)``.
A word inside a longer word of the same family is not counted: 投诉 in 投诉电话, 客服 in 物业客服.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from operator import attrgetter
from typing import Any, NamedTuple

from kefud.api import fold

GAP = 14
"""How many characters "…" may stand for."""

LONGEST_TAIL = 8
"""How long what follows a gap may be, at most."""

RARELY = 20
"""How often something is looked for before a pattern for it is worth its making."""

_SENTENCE_END = re.compile(r"[。!?;\n]")
_CLAUSE_END = re.compile(r"[。!?;,:、\n(]")


@dataclass(frozen=True, slots=True)
class Word:
    """An entry of the lists: its table "family.name", its weight, and what must follow its beginning."""

    group: str
    family: str
    weight: float
    tail: tuple[tuple[str, ...], ...]
    """What must follow after each gap: one of these, the longest first."""


class Hit(NamedTuple):
    """A word found: where it begins and ends, where each of its parts lies, and how many characters they have."""

    word: Word
    start: int
    end: int
    spans: tuple[tuple[int, int], ...]
    length: int


class Reading:
    """The words found in one text, by table."""

    def __init__(self, text: str, hits: Iterable[Hit], sentence_ends: list[int]) -> None:
        self.text = text
        self._hits: dict[str, list[Hit]] = defaultdict(list)
        self._families: dict[str, list[Hit]] = defaultdict(list)
        for hit in hits:
            self._hits[hit.word.group].append(hit)
            self._families[hit.word.family].append(hit)
        self._sentence_ends = sentence_ends
        self._clause_ends = [m.start() for m in _CLAUSE_END.finditer(text)]

    def of(self, group: str) -> list[Hit]:
        """The hits of a table in the order of the text."""
        return self._hits.get(group, [])

    def family(self, name: str) -> list[Hit]:
        return self._families.get(name, [])

    @property
    def groups(self) -> tuple[str, ...]:
        """The tables with a hit, without those that only take meaning away."""
        return tuple(group for group in self._hits if not group.endswith(".none"))

    def weight(self, group: str) -> float:
        """The sum of the weights of a table, each word counted once."""
        best: dict[str, float] = {}
        for hit in self.of(group):
            best[self.text[hit.start : hit.end]] = hit.word.weight
        return sum(best.values())

    def sentence(self, place: int) -> int:
        """The number of the sentence at ``place``."""
        return bisect_left(self._sentence_ends, place)

    def clause(self, place: int) -> int:
        """The number of the clause at ``place``."""
        return bisect_left(self._clause_ends, place)


class Lexicon:
    """All words of some tables, indexed by the hash of what each begins with: the beginnings themselves would be twelve megabytes.

    With 64 bits for some ten thousand of them, a text that only looks like one turns up once in 10¹⁴ looks.
    """

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._words: list[Word] = []
        self._lengths: dict[str, bytes] = {}
        self._made: dict[str, _Entry] = {}
        hashes, singles = array("q"), set()
        owners = array("H")
        for group, weight, text in _entries(tables, ""):
            first, *rest = text.split("…")
            tail = tuple(tuple(_longest_first(part)) for part in rest)
            for head in _longest_first(first):
                hashes.append(hash(head))
                owners.append(len(self._words))
                self._note_length(head)
                if len(head) == 1:
                    singles.add(head)
            self._words.append(Word(group, group.partition(".")[0], weight, tail))
        order = sorted(range(len(hashes)), key=hashes.__getitem__)
        self._hashes = array("q", map(hashes.__getitem__, order))
        self._owners = array("H", map(owners.__getitem__, order))
        self._singles = frozenset(singles)

    def _note_length(self, head: str) -> None:
        lengths = self._lengths.get(head[:2], b"")
        if len(head) not in lengths:
            self._lengths[head[:2]] = lengths + bytes((len(head),))

    def read(self, text: str) -> Reading:
        """Every word of the lists in ``text`` (folded already), the longest where several cover a place."""
        sentence_ends = [m.start() for m in _SENTENCE_END.finditer(text)]
        return Reading(text, _longest(self._find(text, sentence_ends), len(text)), sentence_ends)

    def _find(self, text: str, sentence_ends: list[int]) -> list[Hit]:
        found: list[Hit] = []
        look, entry_of = self._lengths.get, self._entry
        for at, pair in enumerate([text[at : at + 2] for at in range(len(text))]):
            lengths = look(pair)
            if lengths is not None and not (pair[0].isdigit() and at and text[at - 1].isdigit()):
                for length in lengths:
                    entry = entry_of(text[at : at + length]) if at + length <= len(text) else None
                    if entry is not None:
                        entry.find(found, text, at, at + length, sentence_ends)
        for character in self._singles.intersection(text):
            entry = entry_of(character)
            for match in re.finditer(re.escape(character), text) if entry else ():
                entry.find(found, text, match.start(), match.end(), sentence_ends)
        return found

    def _entry(self, head: str) -> _Entry | None:
        """The words that begin with ``head``. Most stand in no text for years: an entry is made when one does."""
        entry = self._made.get(head)
        if entry is None:
            wanted = hash(head)
            first = bisect_left(self._hashes, wanted)
            if first == len(self._hashes) or self._hashes[first] != wanted:
                return None
            owners = self._owners[first : bisect_right(self._hashes, wanted, first)]
            entry = self._made[head] = _Entry([self._words[n] for n in owners])
        return entry


class _Entry:
    """The words that begin with one head, and what any of those with a gap must find after it."""

    def __init__(self, words: list[Word]) -> None:
        self.plain = tuple(word for word in words if not word.tail)
        self.gapped = tuple(word for word in words if word.tail)
        self.nexts = tuple({text for word in self.gapped for text in word.tail[0]})
        self._asked = 0
        self._gate: re.Pattern[str] | None = None

    def find(self, found: list[Hit], text: str, at: int, end: int, sentence_ends: list[int]) -> None:
        for word in self.plain:
            found.append(Hit(word, at, end, ((at, end),), end - at))
        if not self.nexts:
            return
        sentence = bisect_left(sentence_ends, end)
        limit = sentence_ends[sentence] if sentence < len(sentence_ends) else len(text)
        stop = min(end + GAP + LONGEST_TAIL, limit)
        if not self._goes_on(text, end, stop):
            return
        for word in self.gapped:
            spans = _follow(text, end, word.tail, limit)
            if spans:
                length = end - at + sum(b - a for a, b in spans)
                found.append(Hit(word, at, spans[-1][1], ((at, end), *spans), length))


    def _goes_on(self, text: str, end: int, stop: int) -> bool:
        """Whether anything follows that one of the words asks for. A pattern is quicker, but takes long to make."""
        if self._gate is not None:
            return self._gate.search(text, end, stop) is not None
        self._asked += 1
        if self._asked > RARELY:
            self._gate = re.compile("|".join(map(re.escape, self.nexts)))
        return any(text.find(following, end, stop) >= 0 for following in self.nexts)


def _follow(text: str, end: int, tail: tuple[tuple[str, ...], ...], limit: int) -> tuple[tuple[int, int], ...]:
    spans = []
    for part in tail:
        first, last = -1, -1
        for following in part:
            at = text.find(following, end, min(end + GAP + LONGEST_TAIL, limit))
            if at >= 0 and (first < 0 or at < first):
                first, last = at, at + len(following)
        if first < 0 or first > end + GAP:
            return ()
        spans.append((first, last))
        end = last
    return tuple(spans)


def _longest(found: list[Hit], size: int) -> Iterator[Hit]:
    """The hits that are not wholly inside longer ones of their family, each once."""
    families: dict[str, list[Hit]] = defaultdict(list)
    for hit in found:
        families[hit.word.family].append(hit)
    for hits in families.values():
        yield from _longest_of(hits, size) if len(hits) > 1 else hits


_length_of = attrgetter("length")
_FILLED = tuple(bytes((length,)) * 256 for length in range(256))


def _longest_of(hits: list[Hit], size: int) -> Iterator[Hit]:
    places = bytearray(size)
    for _, _, _, spans, length in sorted(hits, key=_length_of):
        for start, end in spans:
            places[start:end] = _FILLED[min(length, 255)][: end - start]
    seen = set()
    for hit in hits:
        word, at, to, spans, length = hit
        key = (word.group, at, to)
        if key in seen:
            continue
        for start, end in spans:
            if places[start] <= length or min(places[start:end]) <= length:
                seen.add(key)
                yield hit
                break


def _entries(tables: Mapping[str, Any], path: str) -> Iterator[tuple[str, float, str]]:
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _entries(value, f"{path}.{key}" if path else key)
        else:
            for text in value:
                yield path, float(key), text


def _longest_first(part: str) -> list[str]:
    if part.isalnum():
        return [fold(part)]
    return sorted({fold(text) for text in spellings(part)}, key=len, reverse=True)


def spellings(text: str) -> list[str]:
    """All spellings of a word with alternatives: ``(修|换)好`` → 修好, 换好; ``[0-9]`` is any figure.

    Alternatives within others raise ValueError.
    """
    if re.search(r"\([^)]*\(|\([^)]*$|^[^(]*\)", text):
        raise ValueError(f'"{text}": alternatives may hold neither "…" nor alternatives; write two words')
    pieces = re.split(r"\(([^)]*)\)", text)
    choices = ([s for p in (part.split("|") if n % 2 else [part]) for s in _figured(p)] for n, part in enumerate(pieces))
    return ["".join(choice) for choice in product(*choices)]


def _figured(text: str) -> list[str]:
    """A text with every figure in the place of [0-9]."""
    parts = text.split("[0-9]")
    return [figure.join(parts) for figure in "0123456789"] if len(parts) > 1 else [text]
