"""What a message asks for (诉求, S3-2.2.1): the clauses that ask. Pure; words lie in demands.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from kefud.api import find_phones, fold, sentences

WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "demands.toml").read_text("utf-8"))
_LEADS = "|".join(WORDS["leads"])
_ASKS = re.compile(rf"(?:(?:{_LEADS})[,、]?){{0,3}}(?:{'|'.join(WORDS['begins'])})")
_GOES_ON = re.compile("|".join(WORDS["goes_on"]))
_CLAUSE = re.compile(r"[^,\uff0c;\uff1b]+")
_MARKS = " \t\n,.;:!?\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001"


def demand_of(text: str, rude: Collection[str] = ()) -> str:
    """The clauses of ``text`` that ask for something, "" where none does. ``rude`` words are left out with their clause."""
    found: list[str] = []
    length = 0
    for sentence in sentences(text):
        said = "，".join(_asking(sentence, rude))
        if said and said not in found and length + len(said) <= WORDS["longest"]:
            found.append(said)
            length += len(said)
    return "；".join(found)


def _asking(sentence: str, rude: Collection[str]) -> list[str]:
    kept: list[str] = []
    asked = False
    for clause in _CLAUSE.findall(sentence):
        words = fold(clause).strip(_MARKS)
        begins = bool(_ASKS.match(words))
        asked = begins or (asked and bool(_GOES_ON.match(words)))
        if asked and not any(word in clause for word in rude) and not find_phones(clause):
            kept.append(clause.strip(_MARKS))
    return kept
