"""Where it happens, as the words name it: who tells of a fight in the garage does not live there (S2-6.B2, S1-5.4.2)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from kefud.desk.chinese import fold
from kefud.desk.houses import HouseMention, find_houses

_WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "scene.toml").read_text("utf-8"))
_ESTATE, _BUILDING, _NEIGHBOUR = ("|".join(_WORDS[name]) for name in ("estate", "building", "neighbour"))
_PLACE = re.compile(f"(?P<estate>{_ESTATE})|(?P<building>{_BUILDING})|(?P<neighbour>{_NEIGHBOUR})")
_NOT_AFTER, _NOT_BEFORE, _AT_HOME = (re.compile(_WORDS[name]) for name in ("not_after", "not_before", "at_home"))
_BEFORE = 6
_LOOKED_AT = 1_000
_MOST = 3
_MARKS = " ,，的"


@lru_cache(maxsize=64)
def scene(text: str, house: str | None = None) -> str:
    """The place outside the writer's flat that ``text`` names, "" where it names none: 21号楼地下车库.

    ``house`` is the writer's; a lift or a stair is taken for that of the writer's building where no other is named.
    """
    text = text[:_LOOKED_AT]
    found = list(dict.fromkeys(_named(text)))[:_MOST]
    named = find_houses(text)
    others = [m for m in named if not _is_home(m, house) and (found or not _holds(m, house)) and not _completed(m, named)][:_MOST]
    addresses, words = "、".join(m.text.strip(_MARKS) for m in others), "、".join(word for word, _ in found)
    if others or not found:
        return " ".join(filter(None, (addresses, words)))
    inside = all(kind != "estate" for _, kind in found)
    return f"{_building(house)} {words}".strip() if inside else words


def concerns_home(text: str) -> bool:
    """Whether the words speak of the writer's own flat, too."""
    return bool(_AT_HOME.search(fold(text[:_LOOKED_AT])))


def _named(text: str) -> Iterator[tuple[str, str]]:
    folded = fold(text)
    for match in _PLACE.finditer(folded):
        before, after = folded[max(match.start() - _BEFORE, 0) : match.start()], folded[match.end() : match.end() + _BEFORE]
        if not _NOT_AFTER.search(before) and not _NOT_BEFORE.match(after):
            yield text[match.start() : match.end()], match.lastgroup or ""


def _is_home(mention: HouseMention, house: str | None) -> bool:
    """Whether it is the flat itself; a building or a unit alone is a place."""
    return mention.id == house and mention.id.count("-") == 2


def _completed(mention: HouseMention, others: Iterable[HouseMention]) -> bool:
    return any(other.id.startswith(f"{mention.id}-") for other in others)


def _holds(mention: HouseMention, house: str | None) -> bool:
    """Whether it is the writer's own building or unit, which without a place in it may be no more than a part of the address."""
    return (house or "").startswith(f"{mention.id}-")


def _building(house: str | None) -> str:
    parts = (house or "").split("-")
    if not parts[0]:
        return ""
    return f"{parts[0]}号楼{parts[1]}单元" if len(parts) == 3 else f"{parts[0]}号楼"
