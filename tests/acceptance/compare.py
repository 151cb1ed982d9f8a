"""What a sample produced against what expected.json wants, as its `reading` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

EXACT = ("kind", "class", "category", "urgency", "important", "origin", "house", "department", "handler", "status")
SUBSET = ("joint", "notify", "documents", "effects")


@dataclass
class Produced:
    """What came of one sample."""

    disposition: str
    reason: str = ""
    tickets: list[dict[str, Any]] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    shelf: list[dict[str, Any]] = field(default_factory=list)
    letters: list[dict[str, Any]] = field(default_factory=list)

    @property
    def acknowledged(self) -> bool:
        return any(x["recipient"] == "requester" and x["status"] != "held" for x in self.letters)


def differences(sample: dict[str, Any], produced: Produced, done: dict[str, Produced]) -> list[str]:
    """Every difference, [] where the sample passes."""
    expect = sample["expect"]
    found = []
    if produced.disposition != expect["disposition"]:
        found.append(f"disposition: {produced.disposition} ({produced.reason}), expected {expect['disposition']}")
    if expect.get("ack") is not None and produced.acknowledged != expect["ack"]:
        found.append(f"ack: {produced.acknowledged}, expected {expect['ack']}")
    wanted = expect.get("tickets", [])
    if expect["disposition"] == "new" or wanted:
        found += _tickets(wanted, produced, done)
    found += _target(expect, produced)
    whole = produced.tickets or produced.shelf or [{}]
    keys = {k: v for k, v in expect.items() if k not in ("disposition", "tickets", "ack", "append_to", "must_not", "forbid")}
    if keys:
        found += _one(keys, _joined(whole), done)
    for forbid in (expect.get("forbid"), sample.get("forbid")):
        if forbid:
            found += _forbidden(forbid, produced)
    return found


def _target(expect: dict[str, Any], produced: Produced) -> list[str]:
    target = expect.get("append_to") or expect.get("merge_into")
    if not target:
        return []
    numbers = [t["number"] for t in produced.tickets]
    return [] if target in numbers else [f"append_to: {numbers}, expected {target}"]


def _tickets(wanted: list[dict[str, Any]], produced: Produced, done: dict[str, Produced]) -> list[str]:
    if len(produced.tickets) != len(wanted):
        return [f"tickets: {len(produced.tickets)}, expected {len(wanted)}"]
    order = _best_order(wanted, produced.tickets, done)
    return [f"ticket {i + 1} {line}" for i, t in enumerate(order) for line in _one(wanted[i], t, done)]


def _best_order(wanted: list[dict[str, Any]], have: list[dict[str, Any]], done: dict[str, Produced]) -> list[dict[str, Any]]:
    """Match tickets to expectations: the expected ones come in the order of the message, ours by number."""
    left, order = list(have), []
    for want in wanted:
        best = min(left, key=lambda t: len(_one(want, t, done)))
        left.remove(best)
        order.append(best)
    return order


def _joined(items: list[dict[str, Any]]) -> dict[str, Any]:
    """Tickets of one append or shelf entries seen as one."""
    joined = dict(items[0])
    for item in items[1:]:
        for key in SUBSET:
            joined[key] = [*joined.get(key, []), *item.get(key, [])]
        joined["deadlines"] = {**item.get("deadlines", {}), **joined.get("deadlines", {})}
    return joined


def _one(want: dict[str, Any], have: dict[str, Any], done: dict[str, Produced]) -> list[str]:
    found = []
    for key, value in want.items():
        if key.endswith("_any_of"):
            name = key.removesuffix("_any_of")
            if have.get(name) not in value:
                found.append(f"{name}: {have.get(name)}, expected one of {value}")
        elif key in EXACT and value is not None and have.get(key) != value:
            found.append(f"{key}: {have.get(key)}, expected {value}")
        elif key in SUBSET:
            found += _subset(key, value, have, done)
        elif key == "deadlines":
            found += _deadlines(value, have.get("deadlines") or {})
    return found


def _subset(key: str, value: list[str], have: dict[str, Any], done: dict[str, Produced]) -> list[str]:
    there = {d["form"] if isinstance(d, dict) else d for d in have.get(key) or []}
    missing = [v for v in value if v not in there and not _duplicate_of(v, have, done)]
    return [f"{key}: {sorted(there)} lacks {missing}"] if missing else []


def _duplicate_of(effect: str, have: dict[str, Any], done: dict[str, Produced]) -> bool:
    """"duplicate_of:SAMPLE" speaks of a sample, which no software can know: it holds if both share a ticket."""
    name, _, sample = effect.partition(":")
    earlier = done.get(sample)
    return name == "duplicate_of" and earlier is not None and have.get("number") in [t["number"] for t in earlier.tickets]


def _deadlines(wanted: dict[str, str], have: dict[str, Any]) -> list[str]:
    found = []
    for name, value in wanted.items():
        due = (have.get(name) or {}).get("due")
        if due is None:
            found.append(f"deadline {name}: none, expected {value}")
        elif abs((datetime.fromisoformat(due) - datetime.fromisoformat(value)).total_seconds()) > 60:
            found.append(f"deadline {name}: {due}, expected {value}")
    return found


def _forbidden(forbid: dict[str, Any], produced: Produced) -> list[str]:
    whole = _joined(produced.tickets or produced.shelf or [{}])
    found = []
    for key in ("documents", "effects", "deadlines"):
        names = whole.get(key) or ()
        there = {n["form"] if isinstance(n, dict) else n for n in names}
        found += [f"forbidden {key}: {v}" for v in _list(forbid.get(key)) if v in there]
    for key in ("status", "handler"):
        found += [f"forbidden {key}: {v}" for v in _list(forbid.get(key)) if v == whole.get(key)]
    told = {x["recipient"] for x in produced.letters} | {a for x in produced.letters for a in x["addresses"]}
    found += [f"forbidden recipient: {v}" for v in _list(forbid.get("recipients")) if v in told]
    for name, value in (forbid.get("deadline_values") or {}).items():
        for wrong in _list(value):
            if not _deadlines({name: wrong}, whole.get("deadlines") or {}):
                found.append(f"forbidden deadline {name}: {wrong}")
    if forbid.get("new_ticket") and produced.new:
        found.append(f"forbidden new ticket: {produced.new}")
    return found + _forbidden_text(forbid.get("text"), produced)


def _forbidden_text(text: Any, produced: Produced) -> list[str]:
    """Words that must not stand in a letter: {letter: words} or words for every letter."""
    if not text:
        return []
    found = []
    for name, words in (text.items() if isinstance(text, dict) else [("", text)]):
        for letter in produced.letters:
            about = f"{letter['template']} {letter['recipient']} {' '.join(form for form, _ in letter['documents'])}"
            body = f"{letter['subject']}\n{letter['text']}\n{letter['html']}"
            if not name or name in about:
                found += [f"forbidden text in {letter['template']}: {w}" for w in _list(words) if w in body]
    return found


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
