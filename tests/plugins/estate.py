"""A small office that reads a maildir and asks a few rules, with one plugin of the test's own, called "mine"."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from kefud.config import load
from kefud.store import tickets
from kefud.testing import NOON, mail
from kefud.wiring import Office

RULES = '["sorting", "routing", "deadlines", "notices", "acknowledge", "mine"]'


class Estate:
    """``code`` is the plugin; it is enabled as a rule, or as an observer."""

    def __init__(self, home: Path, code: str, *, observer: bool = False, database: str = "") -> None:
        self.home = home
        self.now: datetime = NOON
        (home / "plugins" / "mine").mkdir(parents=True)
        (home / "plugins" / "mine" / "__init__.py").write_text(code, "utf-8")
        for part in ("tmp", "new", "cur"):
            (home / "mail" / part).mkdir(parents=True)
        order = RULES.replace(', "mine"', "") if observer else RULES
        self.file = home / "kefud.toml"
        self.file.write_text(
            f"""
[service]
hotline = "400-000-0000"
spool = "var"
plugins = ["plugins"]
database = "{database}"
[rules]
order = {order}
[observers]
enabled = {'["mine"]' if observer else "[]"}
[[channel]]
id = "mail"
plugin = "maildir"
path = "mail"
""",
            "utf-8",
        )

    def open(self) -> Office:
        return Office(load(self.file), clock=lambda: self.now)

    def put(self, building: int) -> None:
        """A mail from somebody who lives in that building."""
        text = f"{building}号楼1单元201厨房水龙头坏了,请派人来修。"
        (self.home / "mail" / "new" / f"{building}.a").write_bytes(mail(text, sender=f"owner{building}@example.com"))

    def work(self, **later: float) -> None:
        """What the daemon does, in a new process' stead, after so much time."""
        self.now += timedelta(**later)
        with self.open() as office:
            office.run_once()

    @property
    def tickets(self) -> list[tickets.Ticket]:
        with self.open() as office, office.db.read() as tx:
            return list(tickets.load(tx, tickets.search(tx)).values())

    @property
    def history(self) -> list[str]:
        """Ticket and change of every line of the history, in order."""
        with self.open() as office, office.db.read() as tx:
            changes = tickets.changes(tx, 0, [], 1000)
            known = tickets.load(tx, {ticket for _, ticket, _ in changes})
        return [f"{known[ticket].number} {what}" for _, ticket, what in changes]
