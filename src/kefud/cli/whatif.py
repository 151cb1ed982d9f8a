"""`kefud rehearse` and `kefud simulate`: other rules on the past, or the future if nobody acts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from kefud.cli.common import as_json, cut, local, office, progress, show, table
from kefud.config import Loaded, load, seconds
from kefud.errors import Usage
from kefud.rehearsal import Difference, rehearse, simulate
from kefud.store import arrivals, tickets
from kefud.wiring import Office


@click.command("rehearse")
@click.option("--since", default="30d", show_default=True, help="How far back: 30d, 12h …")
@click.option("--config", "candidate", required=True, type=click.Path(exists=True, dir_okay=False), help="The changed configuration.")
@as_json
@click.pass_context
def rehearse_command(ctx: click.Context, since: str, candidate: str, as_json: bool) -> None:
    """Run stored arrivals through changed rules; show what would have been sorted, routed or timed differently."""
    try:
        start = timedelta(seconds=seconds(since))
    except ValueError as error:
        raise Usage(str(error)) from None
    with office(ctx) as found, Office(_beside(found.loaded, load(candidate)), exclusive=False, open_store=False) as other:
        with found.db.read() as tx:
            stored = arrivals.filed_since(tx, found.clock() - start, Path(found.spool))
        with progress(stored, "rehearse") as items:
            differences = list(rehearse(items, found.room(), other.room(found.loaded.config.channel), lambda w: w.arrival.received_at))
    if as_json:
        show({"arrivals": len(stored), "differences": [_difference(x) for x in differences]})
        return
    for x in differences:
        click.secho(f"{', '.join(x.tickets) or 'no ticket'}  {cut(x.subject, 50)}", bold=True)
        for what, (before, after) in x.changes.items():
            click.echo(f"  {what}: {_text(before)} → {_text(after)}")
    click.echo(f"{len(stored)} arrivals rehearsed, {len(differences)} would have been treated differently", err=True)


def _beside(ours: Loaded, candidate: Loaded) -> Loaded:
    """The changed configuration on our own store: whatever it names for itself is neither opened nor made."""
    return candidate.model_copy(update={"database": ours.database, "spool": ours.spool})


def _difference(x: Difference) -> dict[str, Any]:
    changes = {what: {"before": b, "after": a} for what, (b, a) in x.changes.items()}
    return {"arrival": x.arrival, "tickets": list(x.tickets), "subject": x.subject, "changes": changes}


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@click.command("simulate")
@click.option("--days", default=7, show_default=True, type=click.IntRange(1, 366))
@as_json
@click.pass_context
def simulate_command(ctx: click.Context, days: int, as_json: bool) -> None:
    """What the daemon would send and escalate in the next days if nobody acted."""
    with office(ctx) as found:
        now = found.clock()
        with found.db.read() as tx:
            ids = tickets.search(tx, status="open", most=100_000)
            loaded = tickets.load(tx, ids)
        with progress([loaded[i] for i in reversed(ids)], "simulate") as items:
            seen = simulate(_each(items), found.room(), now, now + timedelta(days=days))
        zone = found.site.calendar.zone
    if as_json:
        show([{"at": f.at, "ticket": f.ticket, "what": f.what, "to": f.to, "text": f.text, "rule": f.rule} for f in seen])
        return
    table([[local(f.at, zone), f.ticket, f.what, f.to, cut(f.text, 60), f.rule] for f in seen], ["at", "ticket", "what", "to", "text", "rule"])


def _each(items: Any) -> Iterator[Any]:
    yield from items
