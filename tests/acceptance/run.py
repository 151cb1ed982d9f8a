"""A folder of samples through the real line: Dovecot, CSV drops, scans and SMTP, compared with expected.json.

    python tests/acceptance/run.py DIR

Prints a line for each sample with every difference, and ends with "N passed, N failed". The clock is moved to the moment
each sample arrives; everything else is as in the daemon, child processes included.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from paper import render_letter
from servers.dovecot import Mailbox, dovecot
from servers.scripted_smtp import ScriptedSmtp

from acceptance.compare import Produced, differences
from acceptance.office import configuration, moment, phone_pieces, sidecar
from kefud import log
from kefud.cli.shelf import entry_json
from kefud.config import load
from kefud.desk.view import ticket_json
from kefud.store import arrivals, letters, tickets
from kefud.store.imports import take_in
from kefud.store.invariants import violations
from kefud.store.tables import ArrivalRow, ArrivalTicket, LetterRow
from kefud.wiring import Office


class MovedClock:
    """Runs at the usual speed from wherever it was moved to; never backwards."""

    def __init__(self, start: datetime) -> None:
        self._base, self._since = start, time.monotonic()

    def __call__(self) -> datetime:
        return self._base + timedelta(seconds=time.monotonic() - self._since)

    def move(self, to: datetime) -> None:
        self._base, self._since = max(to, self()), time.monotonic()


class Run:
    """One folder of samples on its way through one office."""

    def __init__(self, samples: Path, work: Path, mailbox: Mailbox, smtp: ScriptedSmtp) -> None:
        self.samples = samples
        self.work = work
        self.mailbox = mailbox
        self.expected = json.loads((samples / "expected.json").read_text("utf-8"))
        self.context = self.expected.get("context", {})
        path = work / "kefud.toml"
        path.write_text(configuration(self.context, work, mailbox.port, mailbox.user, smtp.port), "utf-8")
        self.loaded = load(path)
        self.fed: dict[str, list[bytes]] = {}
        self.done: dict[str, Produced] = {}

    def all(self) -> list[tuple[str, list[str]]]:
        """Feed every sample at its moment; returns each sample's id with its differences."""
        items = sorted(self.expected["samples"], key=self._moment)
        self.clock = MovedClock(min(map(self._moment, items)) - timedelta(days=1))
        results = []
        with Office(self.loaded, clock=self.clock) as self.office:
            with self.office.db.write() as tx:
                take_in(tx, self.context.get("open_tickets", []), self.clock(), self.loaded.site.timezone, self.loaded.site)
            for sample in items:
                self.clock.move(self._moment(sample) + timedelta(seconds=5))
                produced = self._feed(sample)
                self.done[sample["id"]] = produced
                results.append((sample["id"], differences(sample, produced, self.done)))
            broken = violations(self.office.db, Path(self.loaded.spool))
        if broken:
            results.append(("verify", [f"{v.invariant}: {v.where} {v.what}" for v in broken]))
        return results

    def _moment(self, sample: dict[str, Any]) -> datetime:
        """When a sample arrives: as it says, else as its file does."""
        given = sample.get("received_at") or moment(self.samples / sample["file"], int(sample.get("row", 1)))
        at = datetime.fromisoformat(given)
        return at if at.tzinfo else at.replace(tzinfo=ZoneInfo(self.loaded.site.timezone))

    def _feed(self, sample: dict[str, Any]) -> Produced:
        file = self.samples / sample["file"]
        with self.office.db.read() as tx:
            before = _last(tx, ArrivalRow), _last(tx, LetterRow)
            known = set(tickets.search(tx, most=100_000))
        {".eml": self._mail, ".csv": self._phone}.get(file.suffix.lower(), self._paper)(file, sample)
        self.office.run_once()
        return self._produced(before, known)

    def _mail(self, file: Path, sample: dict[str, Any]) -> None:
        self.mailbox.put(file.read_bytes())

    def _phone(self, file: Path, sample: dict[str, Any]) -> None:
        """The telephone system's file grows row by row, as it does in life."""
        pieces = phone_pieces(file.read_bytes())
        target = self.work / "calls" / file.name
        rows = int(sample.get("row", len(pieces) - 1))
        target.write_bytes(b"".join(pieces[: rows + 1]))

    def _paper(self, file: Path, sample: dict[str, Any]) -> None:
        name, content, about = file.name, file.read_bytes(), {}
        if file.suffix == ".txt":
            about, body = sidecar(content.decode("utf-8-sig"))
            name, content = f"{file.stem}.png", render_letter(body, "png")
        about |= {key: str(sample[key]) for key in ("box", "opener") if sample.get(key)}
        opened = self._moment(sample)
        target = self.work / "box" / name
        target.with_suffix(".toml").write_text(_toml(about, opened), "utf-8")
        target.write_bytes(content)
        os.utime(target, (opened.timestamp(), opened.timestamp()))

    def _produced(self, before: tuple[int, int], known: set[int]) -> Produced:
        with self.office.db.read() as tx:
            rows = _rows(tx, ArrivalRow, before[0])
            linked = list(dict.fromkeys(r.ticket for r in _links(tx, [r.id for r in rows])))
            loaded = tickets.load(tx, linked)
            shelf = [entry_json(e, self.office) for e in arrivals.shelf(tx) if e.id > before[0]]
            sent = [r for r in letters.listed(tx, most=500) if r["id"] > before[1]]
            new = set(tickets.search(tx, most=100_000)) - known
        return Produced(
            disposition=rows[-1].disposition if rows else "nothing arrived",
            reason=rows[-1].reason if rows else "",
            tickets=[json.loads(json.dumps(ticket_json(loaded[i]), default=str)) for i in linked],
            new=[loaded[i].number for i in linked if i in new],
            shelf=json.loads(json.dumps(shelf, default=str)),
            letters=sent,
        )


def _last(tx: Any, table: Any) -> int:
    from sqlalchemy import func, select

    return int(tx.scalar(select(func.max(table.id))) or 0)


def _rows(tx: Any, table: Any, after: int) -> list[Any]:
    from sqlalchemy import select

    return list(tx.execute(select(table).where(table.id > after).order_by(table.id)))


def _links(tx: Any, ids: list[int]) -> list[Any]:
    from sqlalchemy import select

    query = select(ArrivalTicket).where(ArrivalTicket.arrival.in_(ids))
    return list(tx.execute(query.order_by(ArrivalTicket.ticket)))


def _toml(about: dict[str, Any], opened: datetime) -> str:
    lines = [f"opened_at = {opened.isoformat()}"]
    lines += [f'{key} = "{value}"' for key, value in about.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--keep", type=Path, help="keep the office here, to look at it")
    arguments = parser.parse_args()
    log.set_up("human")
    work = Path(tempfile.mkdtemp(prefix="kefud-accept-"))
    try:
        with dovecot() as server, ScriptedSmtp() as smtp:
            results = Run(arguments.samples, work, server.mailbox(), smtp).all()
    finally:
        if arguments.keep:
            shutil.copytree(work, arguments.keep, dirs_exist_ok=True)
        shutil.rmtree(work, ignore_errors=True)
    failed = 0
    for id, found in results:
        failed += bool(found)
        print(f"{'FAIL' if found else 'ok  '} {id}" + "".join(f"\n       {line}" for line in found))
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
