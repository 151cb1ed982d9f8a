"""`kefud status`."""

from __future__ import annotations

import json
import os
from datetime import datetime
from typing import Any

import click

from kefud.cli.common import as_json, local, office, show, table
from kefud.store import arrivals, letters, schema, settings, tickets
from kefud.wiring import Office


@click.command()
@as_json
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> None:
    """Channels (last success, backlog), shelf, outbox (depth, oldest), deadlines, workers, plugins switched off."""
    with office(ctx) as found:
        report = gather(found)
    if as_json:
        show(report)
    else:
        _print(report, found)


def gather(found: Office) -> dict[str, Any]:
    """The whole state as one document."""
    now = found.clock()
    with found.db.read() as tx:
        backlog = arrivals.backlog(tx)
        success, failure, report = (settings.notes(tx, k) for k in ("last success", "failure", "report"))
        counts = arrivals.counts(tx)
        depth = letters.depth(tx)
        about = settings.setting(tx, "daemon")
        off = settings.plugins_off(tx, now)
        broken = settings.setting(tx, "plugins_broken")
        deadlines = tickets.open_counts(tx, now)
    channels = [
        {
            "id": c.id, "plugin": c.plugin, "enabled": c.enabled, "last_success": success.get(c.id, ("", None))[0] or None,
            "backlog": backlog.get(c.id, 0), "failure": failure.get(c.id, ("", None))[0] or None,
            "report": report.get(c.id, ("", None))[0] or None,
        }
        for c in found.loaded.config.channel
    ]  # fmt: skip
    daemon = json.loads(about) if about else {}
    return {
        "at": now.isoformat(), "schema": schema.HEAD, "daemon": _alive(daemon), "channels": channels,
        "arrivals": counts, "shelf": counts.get("shelved", 0),
        "outbox": {**{s: depth["counts"].get(s, 0) for s in letters.UNSENT}, "oldest": depth["oldest"]},
        "deadlines": deadlines, "workers": daemon.get("workers", {}) if _alive(daemon) else {},
        "plugins_off": [{"plugin": p, "until": until.isoformat(), "reason": why} for p, (until, why) in off.items()],
        "plugins_broken": [{"plugin": p, "reason": why} for p, why in json.loads(broken or "{}").items()],
    }  # fmt: skip


def _alive(daemon: dict[str, Any]) -> dict[str, Any] | None:
    try:
        os.kill(int(daemon["pid"]), 0)
    except (KeyError, ValueError, ProcessLookupError):
        return None
    except PermissionError:
        pass
    return {"pid": daemon["pid"], "owner": daemon["owner"], "seen": daemon["at"]}


def _print(report: dict[str, Any], found: Office) -> None:
    zone = found.site.calendar.zone
    daemon = report["daemon"]
    click.echo(f"daemon: process {daemon['pid']}" if daemon else "daemon: not running")
    rows = []
    for c in report["channels"]:
        seen = datetime.fromisoformat(c["last_success"]) if c["last_success"] else None
        rows.append([c["id"], c["plugin"], local(seen, zone) or "never", c["backlog"], c["failure"] or c["report"] or "ok"])
    table(rows, ["channel", "plugin", "last success", "backlog", "state"])
    box = report["outbox"]
    oldest = f", oldest since {local(box['oldest'], zone)}" if box["oldest"] else ""
    click.echo(f"outbox: {box['pending']} pending, {box['leased']} leased, {box['held']} held, {box['failed']} failed{oldest}")
    click.echo(f"shelf: {report['shelf']} waiting for a person")
    d = report["deadlines"]
    click.echo(f"tickets: {d['open']} open; deadlines: {d['deadlines']} running, {d['overdue']} overdue")
    for broken in report["plugins_broken"]:
        click.echo(f"not in use: {broken['reason']}")
    for off in report["plugins_off"]:
        click.echo(f"plugin {off['plugin'].removeprefix('plugin ')} is switched off until {off['until']}: {off['reason']}")
