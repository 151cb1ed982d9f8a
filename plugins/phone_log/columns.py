"""Which column of an export means what: the names that telephone systems give them (RULE_CATALOGUE C)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kefud.api import fold

WORDS = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
NAMES: Mapping[str, Sequence[str]] = WORDS["columns"]
"""Canonical name ← names seen, the surest first; ``total`` rings and talks together."""

ALIASES: Mapping[str, str] = {
    "callid": "call_id", "id": "call_id", "start": "started_at", "startedat": "started_at", "time": "started_at",
    "rings": "ring", "ringseconds": "ring", "ringtime": "ring", "talks": "talk", "talkseconds": "talk", "talktime": "talk",
    "duration": "total", "number": "caller", "extension": "agent", "remark": "note", "name": "customer",
}  # fmt: skip
"""Other ways to write a canonical name in the ``columns`` setting."""

HEADERLESS = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer", "end",
    "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield",
)  # fmt: skip
"""Asterisk's Master.csv has no header line; its columns have stood in this order for twenty years."""

_UNITS = {"毫秒": 0.001, "ms": 0.001, "分": 60.0, "分钟": 60.0, "min": 60.0, "minutes": 60.0}
_IN_BRACKETS = re.compile(r"[(\[（【]([^)\]）】]*)[)\]）】]")


@dataclass(frozen=True, slots=True)
class Columns:
    """Where each canonical column stands, and by what a duration in it is multiplied to make seconds."""

    places: Mapping[str, int] = field(default_factory=dict)
    units: Mapping[str, float] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """True where a line is a header: it names a time and enough of the rest."""
        timed = "started_at" in self.places or "date" in self.places
        about = {"caller", "callee", "call_id", "status", "direction", "talk"} & self.places.keys()
        return timed and len(about) >= (1 if len(self.places) > 2 else 2)


def key(name: str) -> str:
    """A column name as it is compared: folded, without units in brackets, blanks and punctuation."""
    return re.sub(r"[\W_]+", "", _IN_BRACKETS.sub("", fold(name)))


def mapping(header: Sequence[str], own: Mapping[str, Sequence[str]]) -> Columns:
    """The columns of ``header``. Names of the setting come before the built-in ones."""
    keys = [key(name) for name in header]
    places: dict[str, int] = {}
    for names in (own, NAMES):
        for canonical, known in names.items():
            if canonical in places:
                continue
            place = next((keys.index(k) for k in map(key, known) if k in keys and keys.index(k) not in places.values()), None)
            if place is not None:
                places[canonical] = place
    units = {c: _unit(header[p]) for c, p in places.items() if c in ("ring", "talk", "total")}
    return Columns(places, units)


def own_columns(setting: Mapping[str, object]) -> dict[str, list[str]]:
    """The ``columns`` setting, canonical = "name" or ["name", …], checked. Raises ValueError with all that is wrong."""
    found: dict[str, list[str]] = {}
    wrong = []
    for name, given in setting.items():
        canonical = ALIASES.get(key(name), name)
        names = [given] if isinstance(given, str) else given
        if canonical not in NAMES:
            wrong.append(f"columns.{name}: unknown; known are {', '.join(NAMES)}")
        elif not isinstance(names, list) or not names or not all(isinstance(n, str) and key(n) for n in names):
            wrong.append(f"columns.{name}: give a column name or a list of them")
        else:
            found[canonical] = names
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


def _unit(name: str) -> float:
    inside = _IN_BRACKETS.search(fold(name))
    return _UNITS.get(inside.group(1).strip(), 1.0) if inside else _UNITS["ms"] if key(name).endswith("ms") else 1.0
