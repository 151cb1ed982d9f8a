"""Whose word counts: the one decision of what a message may do to a ticket (S01–S04). Every path asks here.

A number or a From line attaches nothing and changes no state by itself. A message joins a ticket by a keyed token, by
answering a mail that the ticket knows, or by a number from a party to the ticket; it acts only when token, roster and
authenticated mail come together, whoever speaks: a department, a manager, or the owner. Where no address of the owner is
known, a mail with the name or telephone of the house is kept as a note, and a person calls back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kefud.desk.occasions import Author

TICKET_NUMBER = re.compile(r"(?<![0-9A-Za-z])KF(\d{8})[-－—]?(\d{4,6})(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Claim:
    """What is known of a message and one ticket.

    ``token``: a keyed token of this ticket verified, or the message answers a letter this ticket sent. ``thread``: it
    answers a mail this ticket received. ``number``: it names the ticket's number. ``roster``: "requester", "party:ID" or
    "role:ID" when the strict From address is a party to the ticket, "requester:other" when another ticket of his was merged
    into it, "household" when no address of the requester is known and the mail bears the registered name or telephone of
    its house, "" for a stranger. ``authenticated``: our own server vouches for the sender, or the mailbox is internal only.
    ``internal``: it is declared internal only.
    """

    token: bool
    thread: bool
    number: bool
    roster: str
    authenticated: bool
    identity: bool = True
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """``attach``: the message belongs to the ticket. ``author`` says who speaks, and whether they may act."""

    attach: bool
    author: Author
    why: str


def weigh(claim: Claim) -> Verdict:
    """Decide what ``claim`` is worth. Exactly one combination lets anybody act: all three proofs."""
    role, _, id = claim.roster.partition(":")
    on_roster = bool(role) and claim.identity
    why, attach = _why(claim), claim.token or claim.thread or claim.number
    if on_roster and role == "household":
        who = "requester" if claim.internal else "stranger"
        return Verdict(attach, Author(who, "household", claim.internal and claim.token, why, claim.internal, claim.token), why)
    acts = claim.token and on_roster and claim.authenticated and id != "other"  # what is another's is not his to decide
    speaks = {"requester": "requester", "party": "party", "role": "staff"}
    who = speaks.get(role if on_roster else "", "stranger")
    if who == "stranger":
        return Verdict(claim.token, Author("stranger", why=why, keyed=claim.token), why)
    return Verdict(attach, Author(who, id, acts, why, claim.authenticated, claim.token), why)


def numbers_in(text: str) -> tuple[str, ...]:
    """Ticket numbers a text names, each once, in order."""
    return tuple(dict.fromkeys(f"KF{m[1]}-{m[2]}" for m in TICKET_NUMBER.finditer(text)))


def _why(claim: Claim) -> str:
    facts = (
        (claim.token, "keyed token"), (claim.thread, "answers a mail of the ticket"), (claim.number, "names the number"),
        (bool(claim.roster), f"on the roster as {claim.roster}"), (claim.authenticated, "sender authenticated"),
    )  # fmt: skip
    have = [text for fact, text in facts if fact]
    lack = [text for fact, text in (facts[0], (bool(claim.roster), "not on the roster"), facts[4]) if not fact]
    return "; ".join(have) + (f" (missing: {', '.join(lack)})" if lack else "")
