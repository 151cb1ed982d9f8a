"""What matters like those we have seen were: where the word lists say little, similar examples decide (RULES §1).

Each single character and pair of characters of a text speaks for the kinds and categories in whose examples it is frequent
(naive Bayes). The examples are data: `examples.toml`, and whatever an administrator adds in [plugin.sorting.examples].
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from kefud.api import fold

READ = 300
"""How many characters of a text are compared; what a letter is about stands at its beginning."""

USUAL = 60
"""As many signs speak in an example; those of a longer text speak in the same measure together."""

_FIGURES = re.compile(r"[0-9a-z]+")
_SMOOTH = 2.0
_STRENGTH = 0.1


class Examples:
    """Learnt once from examples: how strongly each sign of a text speaks for each kind and category."""

    def __init__(self, examples: Mapping[str, Sequence[str]]) -> None:
        known = [(title.partition(" "), signs(fold(text))) for title, texts in examples.items() for text in texts]
        self.kinds = _Weights((title[0], found) for title, found in known)
        self.categories = _Weights((title[2], found) for title, found in known)


class _Weights:
    """Log odds of each label for each sign."""

    def __init__(self, examples: Iterable[tuple[str, frozenset[str]]]) -> None:
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        totals: Counter[str] = Counter()
        common: Counter[str] = Counter()
        for labels, found in examples:
            each = labels.split("|")
            common.update(found)
            for label in each:
                totals[label] += 1
                counts[label].update(found)
        size = sum(totals.values())
        self.labels = tuple(totals)
        self.first = [math.log(totals[label] / size) * 2 * _STRENGTH for label in self.labels]
        self.signs = {
            sign: [
                math.log((counts[label][sign] + _SMOOTH * often / size) / (totals[label] + _SMOOTH) * size / often) * _STRENGTH
                for label in self.labels
            ]
            for sign, often in common.items()
            if often >= 2
        }

    def weigh(self, found: Iterable[str]) -> dict[str, float]:
        """How much the signs speak for each label, from below 0 to some units; {} without examples or known signs."""
        look = self.signs.get
        rows = [row for sign in found if (row := look(sign)) is not None]
        if not rows:
            return {}
        measure = min(1.0, USUAL / len(rows))
        sums = map(sum, zip(*rows, strict=True))
        return {label: first + measure * said for label, first, said in zip(self.labels, self.first, sums, strict=True)}


def signs(folded: str) -> frozenset[str]:
    """The characters and pairs of characters of a text, figures and letters taken as one."""
    text = _FIGURES.sub("0", folded[:READ])
    return frozenset((*text, *(text[i : i + 2] for i in range(len(text) - 1))))
