"""The part of a category a matter belongs to, such as environment/greening, which may have standards of its own (S2-3.2). Pure."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

from kefud.api import fold

Parts = Mapping[str, Mapping[str, Sequence[str]]]


class Standards:
    """standards.toml with an administrator's additions."""

    def __init__(self, more: Parts) -> None:
        shipped: Parts = tomllib.loads((Path(__file__).parent / "standards.toml").read_text("utf-8"))
        self.parts: dict[str, dict[str, tuple[str, ...]]] = {}
        for table in (shipped, more):
            for category, parts in table.items():
                have = self.parts.setdefault(category, {})
                for part, words in parts.items():
                    have[part] = (*have.get(part, ()), *map(fold, words))

    def part_of(self, category: str, text: str) -> str:
        """``category/part`` for what the text speaks of most, "" where no part of the category is named."""
        folded = fold(text)
        found = {part: sum(word in folded for word in words) for part, words in self.parts.get(category, {}).items()}
        best = max(found, key=lambda part: found[part], default="")
        return f"{category}/{best}" if best and found[best] else ""
