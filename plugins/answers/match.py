"""Does an entry of the archive cover the one question that is asked? Word overlap, nothing clever, no doubt allowed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from kefud.api import Knowledge, fold

WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
LONGEST = 2_000
"""Characters looked at; a longer letter holds more than one question."""

_SAME = {fold(word): fold(main) for main, words in WORDS["same"].items() for word in (*words, main)}
_SAYINGS = re.compile("|".join(re.escape(w) for w in sorted(_SAME, key=len, reverse=True)))
_POLITE = re.compile("|".join(re.escape(fold(w)) for w in sorted(WORDS["polite"], key=len, reverse=True)))
_ASKING = re.compile("|".join(re.escape(fold(w)) for w in WORDS["asking"]))
_MORE = re.compile("|".join(re.escape(fold(w)) for w in WORDS["more"]))
_SENTENCE = re.compile(r"[^。!?;\n]+[。!?;]*")
_ELSEWHERE = re.compile("|".join(map(re.escape, WORDS["elsewhere"])))
_OURS = re.compile(rf"[你您]们(?!{_ELSEWHERE.pattern})(?=[^,。;!?]{{0,8}}(?:几点|上班|开门|下班|营业|工作|办公|午休))")
_NOT_WORD = re.compile(r"[\W_\d]+")
_TOLD = re.compile(r"已(?:经|当场|现场|即时|电话)?(?:答复|解答|回答|告知|告诉|说明|解释)")
_LATER = re.compile(r"回电|回复|回访|约|再|稍后|需|待|核实|转|联系|问|登记")


class Archive:
    """The entries, ready for searching. ``threshold`` is the share of the topic that the question must name; ``rest`` the
    characters that may be left over once topic and politeness are taken away."""

    def __init__(self, entries: Sequence[Knowledge], threshold: float, rest: int) -> None:
        self.entries = entries
        self.threshold = threshold
        self.rest = rest

    def find(self, subject: str, text: str, day: date) -> Knowledge | None:
        """The entry that answers, None where none does, several do, or more than one thing is asked."""
        questions = the_questions(subject, text)
        if not questions:
            return None
        fitting = [e for e in self.entries if e.valid_on(day) and self._covers(e, questions)]
        return fitting[0] if len(fitting) == 1 else None

    def _covers(self, entry: Knowledge, questions: Sequence[str]) -> bool:
        topic, asked = alike(entry.topic), alike("".join(questions))
        if any(not overlap(topic, alike(question)) for question in questions[1:]):
            return False
        keywords = [alike(k) for k in entry.keywords if alike(k) in asked]
        named = overlap(topic, asked)
        if named < self.threshold and not (len(keywords) >= 2 or (keywords and named >= self.threshold / 2)):
            return False
        rest = _left_over(asked, [topic, *keywords])
        return len(rest) <= self.rest and not _ELSEWHERE.search(rest)


def the_questions(subject: str, text: str) -> list[str]:
    """The subject with the question of the text, and a second one asked in the same breath; none where it goes on at length."""
    folded, title = fold(text), fold(subject)
    if len(folded) > LONGEST or _MORE.search(folded):
        return []
    said = _SENTENCE.findall(folded)
    asked = [s for s in said if "?" in s or _ASKING.search(s)] or (said if len(said) == 1 else [])
    if len(asked) > 2 or sum(s.count("?") for s in asked) > 2:
        return []
    first = asked[0] if asked else ""
    return list(filter(None, [first if len(first) > len(title) else f"{title} {first}".strip(), *asked[1:]]))


def alike(text: str) -> str:
    """The text with different words for one thing made the same, and only letters and characters left."""
    return _NOT_WORD.sub("", _SAYINGS.sub(lambda m: _SAME[m[0]], _OURS.sub("贵中心", fold(text))))


def overlap(topic: str, question: str) -> float:
    """The share of the topic's pairs of neighbouring characters that stand in the question."""
    pairs = _pairs(topic)
    return len(pairs & _pairs(question)) / len(pairs) if pairs else 0.0


def told_on_the_phone(result: str) -> bool:
    """True where the agent's note says that the caller has the answer, and nothing is left to be done."""
    folded = fold(result)
    return bool(_TOLD.search(folded)) and not _LATER.search(_TOLD.sub("", folded))


def _pairs(text: str) -> set[str]:
    return {text[i : i + 2] for i in range(len(text) - 1)} or ({text} if text else set())


def _left_over(question: str, named: Sequence[str]) -> str:
    rest = question
    for words in named:
        for size in range(len(words), 1, -1):
            for start in range(len(words) - size + 1):
                rest = rest.replace(words[start : start + size], "")
    return _POLITE.sub("", rest)
