"""Papers that belong to an application: what is missing is asked for once, and the acceptance is stamped (S3-2.2.2); a result goes out as chosen."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from kefud.api import (
    Decision,
    Draw,
    Effect,
    Heard,
    Message,
    Occasion,
    Opened,
    Remark,
    Reply,
    Rule,
    SetFields,
    Site,
    Ticket,
    fold,
    hookimpl,
)  # fmt: skip

from .delivery import Delivery

KINDS = ("consultation", "liaison", "suggestion")


class Papers:
    """Compares what was enclosed with the list of the business; only applications with something enclosed are looked at."""

    name = "papers"

    def __init__(self, site: Site) -> None:
        data = tomllib.loads((Path(__file__).parent / "papers.toml").read_text("utf-8"))
        more = site.plugin_settings("papers")
        self.business: dict[str, Mapping[str, Any]] = {**data["business"], **more.get("business", {})}
        self.applying = tuple(map(fold, data["applying"]))
        self.enclosed = tuple(map(fold, data["enclosed"]))

    def judge(self, ticket: Ticket, occasion: Occasion) -> Iterable[Decision]:
        if isinstance(occasion, Opened) and ticket.kind in KINDS and ticket.origin in ("owner", "sales"):
            return self._applied(ticket, occasion.message)
        if isinstance(occasion, Heard) and ticket.fields.get("papers_missing") and occasion.author.role == "requester":
            return self._more_came(ticket, occasion.message)
        return ()

    def _applied(self, ticket: Ticket, message: Message) -> Iterator[Decision]:
        text = fold(f"{message.subject}\n{message.text}")
        found = next((b for b in self.business.values() if any(fold(w) in text for w in b["words"])), None)
        if found is None or not message.attachments or not any(word in text for word in self.applying):
            return
        missing = self._missing(found["items"], message)
        values: dict[str, Any] = {"papers": found["name"], "papers_missing": missing}
        if missing:
            values["missing"] = [*(ticket.fields.get("missing") or ()), *missing]
            yield SetFields(values, rule="S3-2.2.2", why=f"{found['name']}所附资料不齐,一次告知")
        else:
            yield SetFields(values, rule="S3-2.2.2", why=f"{found['name']}所附资料齐全")
            yield from _accepted(message, str(found["name"]))

    def _more_came(self, ticket: Ticket, message: Message) -> Iterator[Decision]:
        name = str(ticket.fields.get("papers") or "")
        items = next((b["items"] for b in self.business.values() if b["name"] == name), {})
        still = [item for item in ticket.fields["papers_missing"] if item in self._missing(items, message)]
        if len(still) == len(ticket.fields["papers_missing"]):
            return
        yield SetFields({"papers_missing": still}, rule="S3-2.2.2", why="补交资料")
        if still:
            yield Remark(f"{name}仍缺:{'、'.join(still)}", rule="S3-2.2.2")
            return
        yield from _accepted(message, name)
        told = {"progress": f"您补交的资料已收齐，{name}已受理。"}
        yield Reply("replies/progress", told, rule="S3-2.2.2", why="资料齐全,予以受理")

    def _missing(self, items: Mapping[str, Any], message: Message) -> list[str]:
        """The items that neither a file name nor the words about enclosures name."""
        said = [line for line in fold(message.text).split("\n") if any(word in line for word in self.enclosed)]
        have = " ".join([*(fold(a.name) for a in message.attachments), *said])
        return [item for item, words in items.items() if not any(fold(word) in have for word in words)]


def _accepted(message: Message, name: str) -> Iterator[Decision]:
    """The stamp of acceptance, with the time the last paper came."""
    at = message.received_at.isoformat()
    yield SetFields({"accepted_at": at}, rule="S3-2.2.2", why=f"{name}资料齐全,予以受理")
    yield Effect(("papers_complete",), rule="S3-2.2.2", why=f"{name}资料齐全")
    yield Draw("doc_in_register", {"title": name, "received_at": at, "attachments": len(message.attachments)}, rule="S3-2.2.2")


SETTINGS = ("business",)
"""Keys of [plugin.papers]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Papers(site), Delivery()]
