"""A withdrawal that its writer takes back: the matter is taken up where it was, with clocks of its own (RULES §4.1, §4.4)."""

from __future__ import annotations

from collections.abc import Iterator

from kefud.api import Decision, Heard, Move, NewRound, Reply, SetFields, Ticket, without_personal

from .speech import customer_says

RULE = "S0-3.2"


def takes_it_up_again(ticket: Ticket, occasion: Heard, text: str) -> bool:
    """Whether who withdrew the matter says that it is to be handled after all."""
    return ticket.status == "withdrawn" and occasion.author.verified and customer_says(text, "after_all")


def resumed(ticket: Ticket, occasion: Heard, text: str) -> Iterator[Decision]:
    """Clocks and orders follow from the change of state; nobody was dissatisfied, so that no superior is told."""
    why, at, message = "顾客改变主意,要求继续办理", occasion.message.received_at, occasion.message
    told = {
        "resumed_round": ticket.round + 1, "visit_reason": without_personal(text[:1000], ticket), "round_started_at": at.isoformat(),
        "round_medium": "mail" if message.medium == "mail" else "call", "promised_at": None, "agreed_reply_at": None,
        "withdrawal": "",
    }  # fmt: skip
    yield SetFields(told, rule=RULE, why=why)
    yield NewRound(rule=RULE, why=why)
    yield Move("reopened", "customer", rule=RULE, why=why)
    if message.medium == "mail" and occasion.may_answer:
        yield Reply("replies/resumed", meets="first_response", rule="S3-2.1.3", why="告知恢复办理")
