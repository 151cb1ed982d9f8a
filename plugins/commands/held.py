"""A signer's word on a letter that is held: it goes, goes in the signer's words, or stays (rule 13, S0-4.3.2, S0-6.0)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from kefud.api import (
    AddTask,
    Decision,
    Discard,
    DoneTask,
    Heard,
    LetterRef,
    Release,
    Remark,
    Reply,
    SetFields,
    Signed,
    Site,
    Ticket,
    Write,
    answered_letter,
    chinese,
    signed,
)

from .departments import Answer
from .orders import SIGNING
from .outcome import FORBIDDEN, not_held

ASKING = "reports/held"
_KEY = "held:"
_REWRITTEN = {
    "replies/progress": ("progress", "progress_note"),
    "replies/answer": ("answer", "answer"),
    "replies/result": ("answer", "answer"),
    "replies/written-reply": ("answer", "answer"),
    "replies/declined": ("reason", "decline_reason"),
    "replies/not-adopted": ("reason", "adoption_reason"),
}
"""Letters that carry one text a person wrote: under which name, and the field that remembers it."""


def asks_for_word(ticket: Ticket, occasion: Heard) -> bool:
    """Whether a mail answers the question what shall become of a held letter."""
    letter = answered_letter(ticket, occasion.message)
    return letter.template == ASKING if letter else "待放行" in occasion.message.subject


class Held:
    """Carries out what a signer says of one held letter; the others stay held."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def signed(self, ticket: Ticket, occasion: Heard, text: str, answer: Answer) -> Iterator[Decision]:
        said, letter = signed(text), _meant(ticket, occasion)
        roles = [occasion.author.id, *(role.id for role in self.site.role_of(occasion.message.sender.email))]
        by = next((role for role in roles if role in _entitled(ticket, occasion)), "")
        if said is None:
            answer.refuse("release", "未见“同意”或“不同意”,函件继续暂缓;请在首行写明")
        elif not by:
            answer.refuse("release", f"暂缓的函件由{'、'.join(chinese(role) for role in SIGNING)}放行")
        elif letter is None:
            answer.refuse("release", _gone(ticket, occasion))
        else:
            yield from self._carry_out(ticket, occasion, letter, said, by, answer)

    def _carry_out(
        self, ticket: Ticket, occasion: Heard, letter: LetterRef, said: Signed, by: str, answer: Answer
    ) -> Iterator[Decision]:
        why, name = f"{chinese(by)}批示", chinese(letter.template)
        if said.remark:
            yield Remark(f"{why}({name}):{said.remark}", rule="S0-6.0")
        if not said.approved:
            yield from self._refused(ticket, occasion, letter, said.text, by, answer)
        elif not said.text and FORBIDDEN in letter.hold:
            answer.refuse("release", f"{letter.hold};不能照原文放行,请回复“同意 改为:…”或“不同意 因 …”(S0-4.3.2)")
        elif said.waits or (said.text and not _can_be_rewritten(letter)):
            told = f"{why},《{name}》暂不放行,请照办后改写发出:{said.remark} {said.text}".strip()
            yield from _to_handler(ticket, occasion, told)
            answer.refuse("release", "另有交代或不能直接替换文字,已转经办人照办;函件继续暂缓")
        else:
            yield from self._leaves(ticket, occasion, letter, said, by, answer)
            yield from _nothing_waits(ticket, occasion, letter)

    def _leaves(
        self, ticket: Ticket, occasion: Heard, letter: LetterRef, said: Signed, by: str, answer: Answer
    ) -> Iterator[Decision]:
        why, name = f"{chinese(by)}批示", chinese(letter.template)
        if not said.text:
            yield Release(letter.message_id, rule="S0-6.0", why=f"{why}放行")
            answer.done("release", f"《{name}》已放行")
            return
        word, field = _REWRITTEN[letter.template]
        yield Discard(letter.message_id, rule="S0-4.3.2", why=f"{why}改写,原文不再发出")
        field = "held_answer" if field == "answer" and ticket.fields.get("held_answer") else field
        dated = {"progress_at": occasion.at.isoformat(), "progress_by": by} if field == "progress_note" else {}
        yield SetFields({field: said.text, "signed_text": said.text, **dated}, rule="S0-4.3.2", why=f"{why}改写")
        yield Reply(letter.template, {**_beside(ticket, letter), word: said.text}, meets=letter.meets, rule="S0-4.3.2", why=f"{why}改写")
        yield Remark(f"{why}:《{name}》改为:{said.text}", rule="S0-4.3.2")
        answer.done("rewrite", f"《{name}》按您的文字发出,原文不再发出;改写的文字同样经用语检查")

    def _refused(
        self, ticket: Ticket, occasion: Heard, letter: LetterRef, reason: str, by: str, answer: Answer
    ) -> Iterator[Decision]:
        why, name = f"{chinese(by)}不同意发出", chinese(letter.template)
        yield Discard(letter.message_id, rule="S0-4.3.2", why=f"{why}:{reason}" if reason else why)
        yield from _to_handler(ticket, occasion, f"{why}《{name}》:{reason or '未写理由'}。请改写后重新答复。")
        yield from _nothing_waits(ticket, occasion, letter)
        answer.done("discard", f"《{name}》不再发出,已转经办人改写")


def _meant(ticket: Ticket, occasion: Heard) -> LetterRef | None:
    """The held letter a mail is about: the one asked about, else the only one there is."""
    held = [letter for letter in ticket.letters if letter.status == "held" and letter.template != ASKING]
    asking = answered_letter(ticket, occasion.message)
    if asking and asking.key.startswith(_KEY):
        return next((x for x in held if x.message_id == asking.key.removeprefix(_KEY)), None)
    return held[0] if len(held) == 1 else None


def _entitled(ticket: Ticket, occasion: Heard) -> Collection[str]:
    """Who may let a letter go: those who sign, and who was asked about this one."""
    asking = answered_letter(ticket, occasion.message)
    return {*SIGNING, asking.recipient} if asking else SIGNING


def _gone(ticket: Ticket, occasion: Heard) -> str:
    """Why the letter that a mail is about cannot be decided on any more."""
    asking = answered_letter(ticket, occasion.message)
    meant = asking.key.removeprefix(_KEY) if asking and asking.key.startswith(_KEY) else ""
    letter = next((x for x in ticket.letters if meant and x.message_id == meant), None)
    return not_held(letter) if letter else "未找到所指的暂缓函件,可能已经放行或已不再发出"


def _beside(ticket: Ticket, letter: LetterRef) -> dict[str, Any]:
    """What the letter says beside the words that are written anew."""
    declines = letter.template in ("replies/declined", "replies/not-adopted")
    return {"alternative": ticket.fields.get("decline_alternative")} if declines else {}


def _can_be_rewritten(letter: LetterRef) -> bool:
    return letter.recipient == "requester" and letter.template in _REWRITTEN


def _to_handler(ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
    key = f"held:{occasion.message.mark}"
    yield AddTask("rewrite", ticket.handler or "cs_clerk", text, key=key, rule="S0-4.3.2")
    yield Write("handler", "reports/task", {"text": text}, key=key, rule="S0-4.3.2")


def _nothing_waits(ticket: Ticket, occasion: Heard, letter: LetterRef) -> Iterator[Decision]:
    """With the last held letter the task to look at them is done."""
    others = [x for x in ticket.letters if x.status == "held" and x.message_id != letter.message_id]
    if not others and any(task.kind == "release" and task.done_at is None for task in ticket.tasks):
        yield DoneTask("release", occasion.at, rule="S0-6.0")
