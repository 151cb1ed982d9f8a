"""Is what a rule answered a decision at all? Plugins are not believed: types are checked, and sizes, before anything is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import cache
from types import NoneType
from typing import Any

from kefud.desk.decisions import Decision, SetFields

LARGEST = 8_000_000
"""Characters in one decision; a mail has at most a million, and a rule may say it over in other words."""
DEEPEST = 12

_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "bool": (bool,), "datetime": (datetime,), "tuple[str, ...]": (tuple, list),
}  # fmt: skip
_SIMPLE = (int, float, NoneType)
_TIMES = (datetime, date, timedelta)


def unfit(decision: object) -> str:
    """Why ``decision`` is none, "" where it is one: its type, the types of its fields, plain values, and not too many."""
    if not isinstance(decision, Decision):
        return f"{type(decision).__name__} is no decision"
    kind: Any = type(decision)
    for name, types in _fields(kind):
        if not isinstance(getattr(decision, name), types):
            return f"{kind.__name__}.{name} is a {type(getattr(decision, name)).__name__}"
    times = not isinstance(decision, SetFields)
    room = LARGEST
    for field in dataclasses.fields(decision):
        room = _room(getattr(decision, field.name), room, times, DEEPEST)
        if room < 0:
            return f"{kind.__name__}.{field.name} is too large, or holds something that is no plain value"
    return ""


@cache
def _fields(kind: Any) -> tuple[tuple[str, tuple[type, ...]], ...]:
    """The fields whose type can be checked at a glance."""
    found = []
    for field in dataclasses.fields(kind):
        bare, _, other = str(field.type).partition(" | ")
        if bare in _TYPES and other in ("", "None"):
            found.append((field.name, (*_TYPES[bare], *((NoneType,) if other else ()))))
    return tuple(found)


def _room(value: Any, room: int, times: bool, depth: int) -> int:
    """What is left of ``room`` after ``value``; negative where it does not fit or is not plain."""
    if isinstance(value, str):
        return room - len(value)
    if isinstance(value, _SIMPLE) or (times and isinstance(value, _TIMES)):
        return room - 1
    if depth < 0 or room < 0:
        return -1
    parts: Any
    if isinstance(value, Mapping):
        parts = [x for pair in value.items() for x in pair]
    elif isinstance(value, (list, tuple, set, frozenset)):
        parts = value
    elif dataclasses.is_dataclass(value) and type(value).__module__.startswith("kefud.desk."):
        parts = [getattr(value, f.name) for f in dataclasses.fields(value)]
    else:
        return -1
    for part in parts:
        room = _room(part, room - 1, times, depth - 1)
        if room < 0:
            return -1
    return room
