"""What a customer thinks of the result, in the words of a mail or of our own note of a call."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from kefud.api import fold

Verdict = Literal["satisfied", "mostly", "unsatisfied"]

PHRASES: dict[str, Any] = tomllib.loads((Path(__file__).parent / "phrases.toml").read_text("utf-8"))
LONGEST = 5_000
_LOOKED_AT = 20
_MERE = 3
"""Characters of a clause that are no more than a greeting."""
_PRAISE: tuple[Verdict, ...] = ("mostly", "satisfied")
_CLAUSE = re.compile(r"[^,。;!?\n]+")
_MARKS = " ,，。;；:：!！\n"
_SAYS = {name: re.compile(words if isinstance(words, str) else "|".join(words)) for name, words in PHRASES.items()}
_REASON = re.compile(r"(?:不(?:太|很|是很|够|怎么|大)?满意)[,，。;；:：!！\s]{0,4}(?:因为|由于|原因是?|理由是?)?[:\s]{0,3}")


def verdict(text: str) -> Verdict | None:
    """Whether the words say satisfied, mostly or not; None where they say nothing of it.

    Any dissatisfaction counts: 基本满意,但又漏了 means the work is not done (S3-2.5.4). Praise that is denied, asked, wished
    or taken back in the same breath says nothing: a person decides.
    """
    words = fold(text[:LONGEST])
    if _SAYS["unsatisfied"].search(_SAYS["not_yet"].sub("", words)) and "没有不满意" not in words:
        return "unsatisfied"
    said: Verdict | None = next((name for name in _PRAISE if _SAYS[name].search(words)), None)
    if said is None or _in_doubt(words):
        return None
    return "mostly" if _SAYS["remark"].search(words) else said


def remark(text: str) -> str:
    """What a customer who is satisfied on the whole has to say against it, "" where nothing."""
    found = _SAYS["remark"].search(fold(text[:LONGEST]))
    return text[found.start() : found.end()].strip(_MARKS) if found else ""


def besides(text: str) -> tuple[str, str]:
    """The words on the result, and those on another matter that stand beside them, "" where none do."""
    words = fold(text[:LONGEST])
    found = _SAYS["besides"].search(words)
    rest = words[found.end() :] if found else ""
    if len(rest.strip(_MARKS)) <= _MERE or any(_SAYS[name].search(rest) for name in ("unfinished", "ours")):
        return text, ""
    if not found or not _SAYS["matter"].search(rest):
        return text, ""
    return text[: found.start()].strip(), text[found.end() :].strip(_MARKS)


def _in_doubt(words: str) -> bool:
    """Whether something in the text speaks against its words of praise."""
    if _SAYS["contrary"].search(_SAYS["harmless"].sub("", words)):
        return True
    return any(_doubtful(clause) for clause in _CLAUSE.findall(words))


def _doubtful(clause: str) -> bool:
    """Whether praise in a clause is denied, asked or put off by what stands before it or after it."""
    return any(
        _SAYS["before"].search(_SAYS["harmless"].sub("", clause[: found.start()])) or _SAYS["after"].search(clause[found.end() :])
        for name in _PRAISE
        for found in list(_SAYS[name].finditer(clause))[:_LOOKED_AT]
    )


def reason(text: str) -> str:
    """Why the customer is not satisfied: what follows the word, else all of it. What was told before the word belongs to it."""
    folded = fold(text[:LONGEST])
    found = _REASON.search(folded)
    told_before = found and any(len(clause.strip(_MARKS)) > _MERE for clause in _CLAUSE.findall(folded[: found.start()])[:-1])
    rest = text[found.end() :].strip(_MARKS) if found and not told_before else ""
    return rest or text.strip()


def is_visit(text: str) -> bool:
    """Whether a note of a call tells of a return visit."""
    return bool(_SAYS["visit"].search(fold(text[:LONGEST])))


def asks_further(text: str) -> bool:
    """Whether words on an answer ask again or contradict it."""
    return bool(_SAYS["further"].search(fold(text[:LONGEST])))


def only_thanks(text: str) -> bool:
    """Thanks or a nod, and not a word on what is still amiss."""
    words = fold(text[:LONGEST])
    amiss = _SAYS["contrary"].search(_SAYS["harmless"].sub("", words)) or "满意" in words
    return bool(_SAYS["thanks"].search(words)) and len(words) <= 20 and not amiss
