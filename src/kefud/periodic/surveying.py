"""Satisfaction surveys (S2-4.4): a letter to a list of houses, the answers that come back, and the count.

A survey is a row of the table ``report`` (kind "survey"), each answer another ("survey-answer"); a house's last word counts.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from kefud.api import Site, fold
from kefud.desk import tokens
from kefud.desk.reading import Reading
from kefud.errors import NotAllowed, Usage
from kefud.periodic.post import Post
from kefud.periodic.reporting import Reporter
from kefud.store import letters, registers
from kefud.store.database import Database

_SAID = (
    ("unsatisfied", re.compile(r"不(?:太|很|是很|够|怎么)?满意|很差|失望")),
    ("mostly", re.compile(r"(?:基本|比较|较为|还算)满意|一般|还(?:行|可以)")),
    ("satisfied", re.compile(r"满意|很好|不错")),
)
_VERDICT = re.compile("|".join(f"(?:{pattern.pattern})" for _, pattern in _SAID) + "|[很挺较还]|谢谢|感谢|你们|您好|你好")
LONGEST = 2_000


def _asks_for_something(reading: Reading) -> bool:
    """Whether an answer reports a matter, too: then it becomes a ticket like any other word of an owner (rule 1)."""
    rest = re.sub(r"[^\u4e00-\u9fff]", "", _VERDICT.sub("", fold(reading.message.text)))
    if not rest:
        return False
    bare = ("praise", ""), ("consultation", "general")
    kinds = {(m.ticket.kind, "" if m.ticket.kind == "praise" else m.ticket.category) for m in reading.matters}
    return not kinds <= set(bare)


class Surveying:
    """Sends surveys, takes their answers, counts them."""

    def __init__(
        self, db: Database, site: Site, reporter: Reporter, post: Post, token_keys: Callable[[], tuple[bytes, ...]], *,
        clock: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self.db = db
        self.site = site
        self.reporter = reporter
        self.post = post
        self.token_keys = token_keys
        self.clock = clock

    def start(self, name: str, houses: Sequence[str] = (), question: str = "") -> dict[str, Any]:
        """Ask the houses of the list, all inhabited ones where it is empty. Raises NotAllowed for a survey that ran already.

        Who opted out of contact is not asked (S4-2.1.1); who has no address is counted and named.
        """
        unknown = [h for h in houses if h not in self.site.houses]
        if unknown:
            raise Usage(f"there is no house {', '.join(unknown[:5])}")
        wanted = [h for id, h in self.site.houses.items() if (not houses or id in houses) and self._may_be_asked(h)]
        sent = {h.id: h.email for h in wanted if h.email}
        data = {
            "name": name, "question": question, "sent": sent, "without_address": [h.id for h in wanted if not h.email],
        }  # fmt: skip
        self.post.ready()
        with self.db.write() as tx:
            now = self.clock()
            if registers.made(tx, "survey", name):
                raise NotAllowed(f"调查“{name}”已经发出")
            registers.keep(tx, "survey", name, now, data)
            for house, address in sent.items():
                told = {"title": name, "question": question, "verified": False}
                self.post.owner(tx, address, "replies/survey", told, now, key=f"survey.{name}.{house}")
        return self.result(name)

    def _may_be_asked(self, house: Any) -> bool:
        return house.status not in ("vacant", "unsold", "opted_out") and house.id not in self.reporter.settings.opt_out

    def answered(self, reading: Reading) -> str:
        """Take a mail that answers a survey; why it needs no ticket, "" where it is none, or tells of something to be done."""
        letter = self._letter(reading)
        message = reading.message
        if letter is None or message.automatic or message.sender.email not in letter["addresses"]:
            return ""
        name, _, house = letter["key"].removeprefix("survey.").rpartition(".")
        text = message.text.strip()[:LONGEST]
        said = next((word for word, pattern in _SAID if pattern.search(fold(text))), "")
        if not said:
            return ""
        with self.db.write() as tx:
            told = {"survey": name, "said": said, "text": text}
            registers.keep(tx, "survey-answer", f"{name} {house}"[:120], self.clock(), told)
        if said == "unsatisfied" or _asks_for_something(reading):
            return ""
        return f"answer of house {house} to the survey {name}"

    def _letter(self, reading: Reading) -> dict[str, Any] | None:
        message = reading.message
        ids = [*message.in_reply_to, *reversed(message.references)]
        ours = [t.message_id for t in tokens.verified(self.token_keys(), ids) if t.ticket == 0]
        with self.db.read() as tx:
            found = [x for id in ours if (x := letters.by_message_id(tx, id)) and str(x["key"]).startswith("survey.")]
        return found[0] if found else None

    def result(self, name: str) -> dict[str, Any]:
        """How many were asked and answered, and what they said; satisfaction counts 基本满意 as satisfied (RULES §9)."""
        with self.db.read() as tx:
            have = registers.made(tx, "survey", name)
            if have is None:
                raise Usage(f"there is no survey {name}")
            answers = [m.data for m in registers.listed(tx, ("survey-answer",)) if m.data.get("survey") == name]
        said = Counter(a["said"] for a in answers)
        sent, count = len(have.data["sent"]), len(answers)
        return {
            "name": name, "sent": sent, "without_address": have.data["without_address"], "answered": count,
            "response": round(100 * count / sent, 1) if sent else None,
            "satisfied": said["satisfied"], "mostly": said["mostly"], "unsatisfied": said["unsatisfied"],
            "satisfaction": round(100 * (said["satisfied"] + said["mostly"]) / count, 1) if count else None,
            "opinions": [a["text"] for a in answers if a["said"] == "unsatisfied"],
        }  # fmt: skip
