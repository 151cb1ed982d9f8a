"""`kefud explain`: why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from kefud.cli.common import as_json, local, office, show
from kefud.desk.deadlines import intervals, parse_term
from kefud.desk.ticket import Deadline, Ticket
from kefud.errors import Usage
from kefud.store import tickets
from kefud.wiring import Office


@click.command()
@click.argument("number")
@as_json
@click.pass_context
def explain(ctx: click.Context, number: str, as_json: bool) -> None:
    """Why this kind, department, deadline, recipient: every rule asked, what it answered, each interval the clock counted."""
    with office(ctx) as found:
        with found.db.read() as tx:
            one = tickets.by_number(tx, number)
            if one is None:
                raise Usage(f"there is no ticket {number}")
            history = tickets.history_of(tx, one.id)
        document = account(one, history, found)
        zone = found.site.calendar.zone
    if as_json:
        show(document)
    else:
        _print(document, zone)


def account(one: Ticket, history: list[dict[str, Any]], found: Office) -> dict[str, Any]:
    """The whole account of a ticket: occasions with the opinions of the rules, deadlines with their intervals."""
    occasions = [
        {"at": h["at"], "who": h["who"], "what": h["what"], "why": h["why"], "opinions": h["data"].get("opinions", [])}
        for h in history
        if h["data"].get("opinions")
    ]
    return {
        "number": one.number, "status": one.status, "occasions": occasions,
        "deadlines": [_deadline(d, found) for d in one.deadlines],
    }  # fmt: skip


def _deadline(d: Deadline, found: Office) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": d.name, "rule": d.rule, "term": d.term or None, "agreed": d.agreed, "start": d.start, "due": d.due,
        "met": d.met, "dropped": d.dropped or None, "round": d.round,
        "pauses": [{"start": a, "end": b, "why": why} for a, b, why in d.pauses], "intervals": [],
    }  # fmt: skip
    if d.term and not d.agreed:
        counted = intervals(d.start, d.due, parse_term(d.term), found.site.calendar)
        shown["intervals"] = [{"start": i.start, "end": i.end, "counted": i.counted, "why": i.why} for i in counted]
    return shown


def _print(document: dict[str, Any], zone: Any) -> None:
    click.secho(f"{document['number']}  {document['status']}", bold=True)
    for occasion in document["occasions"]:
        click.secho(f"{local(occasion['at'], zone)}  {occasion['what']}  {occasion['who']}  {occasion['why']}", bold=True)
        for opinion in occasion["opinions"]:
            for said in opinion["said"]:
                rest = {k: v for k, v in said.items() if k not in ("decision", "why", "rule")}
                values = ", ".join(f"{k}={v}" for k, v in rest.items())
                click.echo(f"  {opinion['rule']}: {said['decision']} {values}  [{said.get('rule', '')}] {said.get('why', '')}")
            for reason in opinion.get("refused", ()):
                click.echo(f"  {opinion['rule']}: refused: {reason}")
            if opinion.get("error"):
                click.echo(f"  {opinion['rule']}: failed: {opinion['error']}")
    for d in document["deadlines"]:
        click.secho(f"{d['name']}: {local(d['start'], zone)} → {local(d['due'], zone)}  {d['term'] or 'agreed'}  [{d['rule']}]", bold=True)
        for i in d["intervals"]:
            mark = "+" if i["counted"] else " "
            click.echo(f"  {mark} {_span(i['start'], i['end'], zone)} {i['why']}")


def _span(start: datetime, end: datetime, zone: Any) -> str:
    return f"{local(start, zone)} – {local(end, zone)}"
