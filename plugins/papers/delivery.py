"""The result is handed over in the way the customer chose, complete and with proof (S3-2.4.1, S3-3.2.4)."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from kefud.api import (
    AddTask,
    Decision,
    DoneTask,
    Draw,
    Heard,
    Moved,
    Occasion,
    Opened,
    Ordered,
    Refuse,
    SetFields,
    Ticket,
    chinese,
    fold,
)

LONGEST = 20_000
SETTLED = ("answered", "visiting", "closed", "archived")
_WORDS: dict[str, Any] = tomllib.loads((Path(__file__).parent / "delivery.toml").read_text("utf-8"))
WAYS: dict[str, dict[str, Any]] = _WORDS["ways"]
_NOT = tuple(map(fold, _WORDS["not"]))
_CHOICES = {way: re.compile("|".join(known["words"])) for way, known in WAYS.items()}
_BETWEEN = re.compile(r"[、,，;；\n]")
_CLAUSE = re.compile(r"[,。;!?\n]")


class Delivery:
    """Notes the way that a customer chooses, asks for the delivery once the result is told, and takes its proof."""

    name = "delivery"

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        match occasion:
            case Opened() if ticket.origin != "anonymous":
                return _choice(ticket, chosen(ticket.text or occasion.message.text), "顾客")
            case Heard() if occasion.author.role == "requester" and occasion.author.verified and ticket.is_open:
                return _choice(ticket, chosen(occasion.message.text), "顾客")
            case Moved(to="answered") if ticket.fields.get("delivery") in WAYS:
                return _ask(ticket, ticket.fields["delivery"])
            case Moved(to="answered") if ticket.fields.get("enclosures") and ticket.origin != "anonymous":
                return _ask_how(ticket)
            case Ordered(command="deliver"):
                return _deliver(ticket, occasion)
        return ()


def chosen(text: str) -> str:
    """The way a text chooses, "" where it chooses none; the last word counts."""
    way = ""
    for clause in _CLAUSE.split(fold(text[:LONGEST])):
        if not any(word in clause for word in _NOT):
            way = next((name for name, words in _CHOICES.items() if words.search(clause)), way)
    return way


def _choice(ticket: Ticket, way: str, by: str) -> Iterator[Decision]:
    if not way or way == ticket.fields.get("delivery"):
        return
    yield SetFields({"delivery": way}, rule="S3-2.4.1", why=f"{by}选择{WAYS[way]['name']}送达")
    if ticket.status in SETTLED:
        yield from _ask(ticket, way, again=ticket.document("doc_out_register") is not None)


def _ask(ticket: Ticket, way: str, again: bool = False) -> Iterator[Decision]:
    """A line in the register of what goes out, and somebody who brings it on its way."""
    name, proof = WAYS[way]["name"], WAYS[way]["proof"]
    paper = ticket.document("doc_out_register")
    if not again and (paper is None or paper.number):  # one without a number was drawn just now, with the letter
        yield Draw("doc_out_register", {"to": ticket.origin, "way": name}, rule="S3-2.4.1", why="书面结果送达登记")
    items = "、".join(checklist(ticket))
    text = f"顾客选择{name}送达,请逐项核对({items}:齐全、真实、有效)后送达,并用 deliver 登记{proof}和所附材料。"
    key = f"deliver:{ticket.round}:{way}"
    yield AddTask("deliver", ticket.handler or "cs_clerk", text, key=key, rule="S3-2.4.1")


def _ask_how(ticket: Ticket) -> Iterator[Decision]:
    """Something goes along with the result, and nobody has said how (S3-2.4.2)."""
    text = f"结果附有资料({'、'.join(checklist(ticket))}),顾客尚未选择送达方式,请联系确认,并用 deliver --way 登记。"
    yield AddTask("deliver", ticket.handler or "cs_clerk", text, key=f"deliver:{ticket.round}", rule="S3-2.4.2")


def _deliver(ticket: Ticket, order: Ordered) -> Iterator[Decision]:
    """An order without proof tells what the customer chose; one with proof, that it was delivered."""
    named = str(order.args.get("way") or ticket.fields.get("delivery") or "")
    way = next((id for id, known in WAYS.items() if named in (id, known["name"])), "")
    proof = str(order.args.get("proof") or "").strip()
    if not way:
        yield Refuse(f"请写明送达方式:{'、'.join(known['name'] for known in WAYS.values())}(S3-2.4.1)", rule="S3-2.4.1")
    elif not proof and way != ticket.fields.get("delivery"):
        yield from _choice(ticket, way, f"{chinese(order.by)}登记:顾客")
    elif not proof:
        yield Refuse(f"{WAYS[way]['name']}送达请登记{WAYS[way]['proof']}(S3-2.4.1)", rule="S3-2.4.1")
    elif ticket.status not in SETTLED:
        yield Refuse(f"工单当前为“{chinese(ticket.status)}”,结果尚未答复,不能登记送达(S3-2.4.1)", rule="S3-2.4.1")
    elif unchecked := [item for item in checklist(ticket) if item not in _items(order.args.get("enclosed"))]:
        yield Refuse(f"送达清单尚未核对:{'、'.join(unchecked)}(S3-3.2.4)", rule="S3-3.2.4")
    else:
        yield from _delivered(ticket, order, way, proof)


def checklist(ticket: Ticket) -> list[str]:
    """What has to lie in the envelope: the answer itself, what the result encloses, and what its business always does."""
    business = _WORDS["business"].get(str(ticket.fields.get("papers") or ""), ())
    return list(dict.fromkeys([_WORDS["always"], *_items(ticket.fields.get("enclosures")), *business]))


def _items(given: Any) -> list[str]:
    """Names given one by one or in one text: 书面答复、验收单."""
    texts = [given] if isinstance(given, str) else given or ()
    return [item.strip() for text in texts for item in _BETWEEN.split(str(text)) if item.strip()]


def _delivered(ticket: Ticket, order: Ordered, way: str, proof: str) -> Iterator[Decision]:
    paper = ticket.document("doc_out_register")
    record = {"way": way, "name": WAYS[way]["name"], "proof": proof, "at": order.at.isoformat(), "by": order.by,
              "enclosed": checklist(ticket), "paper": paper.number if paper else ""}  # fmt: skip
    told = [*(ticket.fields.get("deliveries") or ()), record]
    yield SetFields({"delivery": way, "deliveries": told}, rule="S3-2.4.1", why=f"已{record['name']}送达:{proof}")
    if any(task.kind == "deliver" and task.done_at is None for task in ticket.tasks):
        yield DoneTask("deliver", order.at, rule="S3-2.4.1")
