"""`kefud shelf`: arrivals that wait for a person."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from kefud.cli.common import as_json, cut, local, office, show, table
from kefud.errors import Usage
from kefud.outbox import scan_name
from kefud.store import arrivals, blobs
from kefud.wiring import Office


@click.group()
def shelf() -> None:
    """Arrivals that could not be read, scans that wait for a person."""


def entry_json(entry: arrivals.ShelfEntry, found: Office) -> dict[str, Any]:
    from kefud.desk.deadlines import due

    first = due(entry.received_at, found.site.term("first_response.normal"), found.site.calendar)
    return {
        "id": entry.id, "channel": entry.channel, "ref": entry.ref, "received_at": entry.received_at, "reason": entry.reason,
        "subject": entry.subject, "confidence": entry.confidence, "path": None, "medium": entry.medium,
        "effects": list(entry.effects), "draft": entry.draft or None,
        "deadlines": {"first_response": {"due": first, "met": None, "rule": "S4-4.1.1"}},
    }  # fmt: skip


@shelf.command("list")
@as_json
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """All that waits."""
    with office(ctx) as found, found.db.read() as tx:
        entries = arrivals.shelf(tx)
        zone = found.site.calendar.zone
        if as_json:
            show([entry_json(e, found) for e in entries])
        else:
            rows = [[e.id, e.channel, local(e.received_at, zone), cut(e.subject, 24), cut(e.reason, 70)] for e in entries]
            table(rows, ["id", "channel", "received", "subject", "reason"])


def _entry(found: Office, id: int) -> arrivals.ShelfEntry:
    with found.db.read() as tx:
        entries = arrivals.shelf(tx, id)
    if not entries:
        raise Usage(f"nothing with id {id} is on the shelf")
    return entries[0]


@shelf.command("show")
@click.argument("id", type=int)
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the original to this file.")
@as_json
@click.pass_context
def show_(ctx: click.Context, id: int, output: str | None, as_json: bool) -> None:
    """One entry; -o writes its original."""
    with office(ctx) as found:
        entry = _entry(found, id)
        with found.db.read() as tx:
            content = blobs.fetch(tx, entry.blob, found.spool / "blobs")
        document = entry_json(entry, found)
        target = Path(output) if output else found.spool / "shelf" / scan_name(entry.id, content)[0]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        document["path"] = str(target)
    if as_json:
        show(document)
    else:
        for key, value in document.items():
            click.echo(f"{key}: {value}")


@shelf.command()
@click.argument("id", type=int)
@click.pass_context
def retry(ctx: click.Context, id: int) -> None:
    """Read it once more."""
    _release(ctx, id, "")


@shelf.command()
@click.argument("id", type=int)
@click.option("--text", help="What the scan says.")
@click.option("--file", "file", type=click.File("r", encoding="utf-8"), help="A file with what the scan says.")
@click.pass_context
def transcribe(ctx: click.Context, id: int, text: str | None, file: Any) -> None:
    """Give the text of a scan that could not be read; it then becomes a ticket."""
    words = text or (file.read() if file else "")
    if not words and not sys.stdin.isatty():
        words = sys.stdin.read()
    if not words.strip():
        raise Usage("give the text with --text or --file, or on standard input")
    _release(ctx, id, words)


def _release(ctx: click.Context, id: int, words: str) -> None:
    with office(ctx) as found:
        with found.db.write() as tx:
            done = arrivals.release(tx, id, found.clock(), words)
    if not done:
        raise Usage(f"nothing with id {id} is on the shelf")
    click.echo(f"{id} goes back to reading", err=True)


@shelf.command()
@click.argument("id", type=int)
@click.option("--reason", required=True, help="Why it needs no ticket.")
@click.pass_context
def discard(ctx: click.Context, id: int, reason: str) -> None:
    """Take it off the shelf without a ticket; the original stays in the archive."""
    with office(ctx) as found:
        _entry(found, id)
        with found.db.write() as tx:
            arrivals.settle(tx, id, "discarded", reason=reason)
    click.echo(f"{id} is off the shelf", err=True)
