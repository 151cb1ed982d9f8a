"""What matters like those we have seen were: where the word lists say little, similar examples decide (RULES §1).

Each single character, each pair of characters and each list of words met in a text speaks for the kinds and categories in
whose examples it is frequent (naive Bayes). The examples are data: `examples.toml`, and whatever an administrator adds in
[plugin.sorting.examples].
"""

from __future__ import annotations

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from kefud.api import fold

from .lexicon import Lexicon, Reading

READ = 300
"""How many characters of a text are compared; what a letter is about stands at its beginning."""

USUAL = 60
"""As many signs speak in an example; those of a longer text speak in the same measure together."""

_FIGURES = re.compile(r"[0-9a-z]+")
_SMOOTH = 4.0
_STRENGTH = 0.1
_RARE = 0.3
"""How much it counts that a label is rare among the examples."""

Weights = dict[str, float]


class Examples:
    """Learnt once from examples: how strongly each sign of a text speaks for each kind and each category."""

    def __init__(self, examples: Mapping[str, Sequence[str]], lexicon: Lexicon) -> None:
        self._examples = examples
        self._lexicon = lexicon

    def weigh(self, found: Iterable[str]) -> tuple[Weights, Weights]:
        """How much the signs speak for each kind and category, from below 0 to some units; {} where none is known."""
        learnt = self._learnt
        rows = [*filter(None, map(learnt.signs.get, found))]
        if not rows:
            return {}, {}
        measure = min(1.0, USUAL / len(rows))
        sums = [first + measure * said for first, said in zip(learnt.first, map(sum, zip(*rows, strict=True)), strict=True)]
        kinds = len(learnt.kinds)
        return dict(zip(learnt.kinds, sums, strict=False)), dict(zip(learnt.categories, sums[kinds:], strict=True))

    @cached_property
    def _learnt(self) -> _Learnt:
        """Learnt with the first text: it takes half a second, and not everybody who loads the plugin sorts."""
        kinds, categories = _Counts(), _Counts()
        for title, texts in self._examples.items():
            kind, _, category = title.partition(" ")
            for text in texts:
                found = signs(self._lexicon.read(fold(text)))
                kinds.add(kind.split("|"), found)
                categories.add(category.split("|"), found)
        of_categories = categories.odds()
        rows = {sign: row + of_categories[sign] for sign, row in kinds.odds().items()}
        return _Learnt(tuple(kinds.totals), tuple(categories.totals), kinds.first() + categories.first(), rows)


class _Learnt(NamedTuple):
    """The labels, what each starts with, and for each sign how strongly it speaks for each label."""

    kinds: tuple[str, ...]
    categories: tuple[str, ...]
    first: list[float]
    signs: dict[str, array[float]]


class _Counts:
    """How many examples there are of each label, and in how many of them each sign stands."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self._of: dict[str, Counter[str]] = defaultdict(Counter)
        self._common: Counter[str] = Counter()

    def add(self, labels: Sequence[str], found: frozenset[str]) -> None:
        self._common.update(found)
        for label in labels:
            self.totals[label] += 1
            self._of[label].update(found)

    def first(self) -> list[float]:
        """What each label starts with."""
        size = self.totals.total()
        return [math.log(total / size) * _RARE for total in self.totals.values()]

    def odds(self) -> dict[str, array[float]]:
        """For each sign that stands in two examples its log odds for each label."""
        size = self.totals.total()
        return {
            sign: array("d", [
                math.log((self._of[label][sign] + _SMOOTH * often / size) / (total + _SMOOTH) * size / often) * _STRENGTH
                for label, total in self.totals.items()
            ])
            for sign, often in self._common.items()
            if often >= 2
        }  # fmt: skip


def signs(reading: Reading) -> frozenset[str]:
    """The characters and pairs of characters of a text, figures and letters taken as one, and the lists it has words of."""
    text = _FIGURES.sub("0", reading.text[:READ])
    return frozenset((*text, *map(str.__add__, text, text[1:]), *("#" + group for group in reading.groups)))
