"""How much two short texts are alike: shared character pairs of the folded words, and things whatever they are called."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from sys import intern

from kefud.api import find_houses, fold

KEPT = 512
"""The same open tickets, at most sixty of a category, are compared with one message after another: what was worked out is kept."""

_NOISE = re.compile(
    r"您好|你好|客服中心?|物业公司?|小区|业主|请问|请|谢谢|感谢|尽快|麻烦|反映|投诉|报修|希望|建议|我们?|你们|昨天|今天|前天|上次|再次|已经|一直|"
    r"KF[0-9]{8}-[0-9]{4}|[^\u4e00-\u9fffa-z]+",
    re.I,
)

_THINGS: dict[str, dict[str, list[str]]] = tomllib.loads((Path(__file__).parent / "things.toml").read_text("utf-8"))
_WHOLE = frozenset(_THINGS["whole"])


def _names(*groups: str) -> tuple[dict[str, str], re.Pattern[str]]:
    names = {fold(word): name for group in groups for name, words in _THINGS[group].items() for word in words}
    return names, re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))


_NAMES, _THING = _names("whole", "place")
_ROOMS, _ROOM = _names("room")


@lru_cache(maxsize=KEPT)
def pairs(text: str) -> frozenset[str]:
    """The character pairs of what a text is about."""
    words = _NOISE.sub(" ", fold(text)).split()
    return frozenset(intern(word[i : i + 2]) for word in words for i in range(max(len(word) - 1, 1)))


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """0 for nothing in common, 1 for the same words; a short text inside a long one counts by the shorter (overlap)."""
    if not one or not other:
        return 0.0
    shared = len(one & other)
    dice = 2 * shared / (len(one) + len(other))
    overlap = shared / min(len(one), len(other))
    return (dice + overlap) / 2 if min(len(one), len(other)) >= 3 else dice


@lru_cache(maxsize=KEPT)
def things(text: str) -> frozenset[str]:
    """The things a text tells of, by name: what differently worded texts about one trouble have in common."""
    return frozenset(_NAMES[found] for found in _THING.findall(fold(text)))


def elsewhere(one: str, other: str) -> bool:
    """Whether two texts name rooms, and none in common."""
    rooms = [{_ROOMS[found] for found in _ROOM.findall(fold(text))} for text in (one, other)]
    return all(rooms) and not rooms[0] & rooms[1]


def of_the_estate(names: Iterable[str]) -> bool:
    """Whether one of the things is the whole estate's, so that it is the same trouble in every building."""
    return any(name in _WHOLE for name in names)


@lru_cache(maxsize=KEPT)
def places(text: str) -> frozenset[str]:
    """Buildings, units and houses named in a text."""
    return frozenset(mention.id for mention in find_houses(text))


def near(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether a place of the one lies in a place of the other: 8-2 in 8."""
    return any(a == b or a.startswith(b + "-") or b.startswith(a + "-") for a in one for b in other)
