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
_BARE = re.compile(rf"(?:(?:{_LEADS})[,、]?){{0,3}}(?:{'|'.join(WORDS['bare'])})")
_CLAUSE = re.compile(r"(?:[^,\uff0c;\uff1b\s]|\s(?![\u3400-\u9fff])|(?<![\u3400-\u9fff])\s)+")
"""Clauses, which a blank between characters divides too, as in notes without punctuation."""
_QUOTED = re.compile(r"[“\"「『][^“”\"「」『』]{6,}[”\"」』]")
_THANKS = re.compile(r"[啊哈哦吧呢]*(?:谢谢|多谢|谢了|感谢)[^\n]{0,4}$")
_MARKS = " \t\n,.;:!?\uff0c\u3002\uff1b\uff1a\uff01\uff1f\u3001"


def demand_of(text: str, rude: Collection[str] = ()) -> str:
    """The clauses of ``text`` that ask for something, "" where none does. ``rude`` words are left out with their clause.

    What asks only that something be done (请处理) stands where nothing else is asked.
    """
    said_by_sentence = ("，".join(_asking(sentence, rude)) for sentence in sentences(_own_words(text)))
    asked = dict.fromkeys(said for said in said_by_sentence if said and fold(said) not in WORDS["empty"])
    whole = [said for said in asked if not any(said != other and said in other for other in asked)]
    found: list[str] = []
    length = 0
    for said in [said for said in whole if not _BARE.fullmatch(fold(said))] or whole:
        if length + len(said) <= WORDS["longest"]:
            found.append(said)
            length += len(said)
    return "；".join(found)


def _own_words(text: str) -> str:
    """The text without notices that it quotes."""
    return _QUOTED.sub(lambda said: "，" if any(word in fold(said[0]) for word in WORDS["notices"]) else said[0], text)


def _asking(sentence: str, rude: Collection[str]) -> list[str]:
    kept: list[str] = []
    asked = False
    for clause in _CLAUSE.findall(sentence):
        words = fold(clause).strip(_MARKS)
        begins = bool(_ASKS.match(words))
        asked = begins or (asked and bool(_GOES_ON.match(words)))
        if asked and not any(word in clause for word in rude) and not find_phones(clause):
            kept.append(_THANKS.sub("", clause.strip(_MARKS)) or clause.strip(_MARKS))
    return kept
