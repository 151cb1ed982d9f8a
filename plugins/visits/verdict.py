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
_MARKS = " ,,。;;::!!\n"
_SAYS = {name: re.compile("|".join(words)) for name, words in PHRASES.items()}
_REASON = re.compile(r"(?:不(?:太|很|是很|够|怎么|大)?满意)[,,。;;:!\s]{0,4}(?:因为|由于|原因是?|理由是?)?[:\s]{0,3}")


def verdict(text: str) -> Verdict | None:
    """Whether the words say satisfied, mostly or not; None where they say nothing of it.

    Any dissatisfaction counts: 基本满意,但又漏了 means the work is not done (S3-2.5.4).
    """
    words = fold(text[:LONGEST])
    if _SAYS["unsatisfied"].search(words) and "没有不满意" not in words:
        return "unsatisfied"
    if _SAYS["mostly"].search(words):
        return "mostly"
    return "satisfied" if _SAYS["satisfied"].search(words) else None


def reason(text: str) -> str:
    """Why the customer is not satisfied: what follows the word, else all of it."""
    found = _REASON.search(fold(text[:LONGEST]))
    rest = text[found.end() :].strip(_MARKS) if found else ""
    return rest or text.strip()


def is_visit(text: str) -> bool:
    """Whether a note of a call tells of a return visit."""
    return bool(_SAYS["visit"].search(fold(text[:LONGEST])))


def only_thanks(text: str) -> bool:
    words = fold(text[:LONGEST])
    return bool(_SAYS["thanks"].search(words)) and len(words) <= 20 and "?" not in words
