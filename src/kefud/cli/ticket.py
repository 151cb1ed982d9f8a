"""`kefud ticket`: list and show tickets, and what a handler does with them; the state machine decides whether it may."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from kefud.compose import Press
from kefud.correspondence import site_view
from kefud.cli.common import as_json, by_role, cut, local, office, show, table
from kefud.desk.ticket import Ticket, chinese
from kefud.desk.view import form_data, ticket_json
from kefud.errors import Usage
from kefud.shipped import shipped
from kefud.store import tickets
from kefud.wiring import Office


@click.group()
def ticket() -> None:
    """Tickets."""


@ticket.command("list")
@click.option("--status", help='A state, or "open".')
@click.option("--due-before", help="Only with a deadline open and due before this time (ISO 8601).")
@click.option("--search", "text", default="", help="Text to look for in number, subject, text, house, requester.")
@click.option("--limit", default=100, show_default=True)
@click.option("--offset", default=0)
@as_json
@click.pass_context
def list_(
    ctx: click.Context, status: str | None, due_before: str | None, text: str, limit: int, offset: int, as_json: bool
) -> None:
    """Tickets, newest first."""
    with office(ctx) as found:
        before = instant(due_before, found) if due_before else None
        with found.db.read() as tx:
            ids = tickets.search(tx, status=status, due_before=before, text=text, most=limit, offset=offset)
            loaded = tickets.load(tx, ids)
        rows = [loaded[i] for i in ids]
        zone = found.site.calendar.zone
    if as_json:
        show([ticket_json(t) for t in rows])
        return
    table(
        [
            [t.number, chinese(t.status), chinese(t.kind), chinese(t.category), chinese(t.urgency), t.house or "",
             chinese(t.department or ""), _next_due(t, zone), cut(t.subject or t.summary, 30)]
            for t in rows
        ],
        ["number", "state", "kind", "category", "urgency", "house", "department", "next due", "subject"],
    )  # fmt: skip


def _next_due(t: Ticket, zone: Any) -> str:
    due = min((d.due for d in t.deadlines if d.open), default=None)
    return local(due, zone)


def instant(text: str, found: Office) -> datetime:
    """An ISO 8601 instant; without offset in the office's time zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f'"{text}" is no ISO 8601 time, e.g. 2025-03-06T17:00') from None
    return at if at.tzinfo else at.replace(tzinfo=found.site.calendar.zone)


@ticket.command("show")
@click.argument("number")
@as_json
@click.pass_context
def show_(ctx: click.Context, number: str, as_json: bool) -> None:
    """One ticket with its whole history."""
    with office(ctx) as found:
        with found.db.read() as tx:
            one = tickets.by_number(tx, number)
            if one is None:
                raise Usage(f"there is no ticket {number}")
            history = tickets.history_of(tx, one.id)
            messages = tickets.messages_of(tx, one.id)
        zone = found.site.calendar.zone
    if as_json:
        show(ticket_json(one, history))
        return
    _print(one, history, messages, zone)


def _print(t: Ticket, history: list[dict[str, Any]], messages: list[dict[str, Any]], zone: Any) -> None:
    click.secho(f"{t.number}  {chinese(t.status)}  {t.subject}", bold=True)
    facts = [chinese(t.kind), chinese(t.category), chinese(t.urgency), "重要" if t.important else "", t.house or ""]
    click.echo(" · ".join(f for f in facts if f))
    click.echo(f"主办 {chinese(t.department or '')}  协同 {'、'.join(map(chinese, t.joint)) or '无'}  经办 {chinese(t.handler or '')}")
    r = t.requester
    click.echo(f"业主 {r.name or ('匿名' if r.anonymous else '')} {r.phone} {r.email}")
    for d in t.deadlines:
        state = f"已于{local(d.met, zone)}完成" if d.met else d.dropped or "进行中"
        click.echo(f"时限 {d.name} {local(d.due, zone)} ({d.rule}) {state}")
    for x in t.documents:
        click.echo(f"单据 {x.form} {x.number} {x.path}")
    for letter in t.letters:
        click.echo(f"函件 {letter.template} → {letter.to} {letter.status}")
    for message in messages:
        click.echo(f"--- {local(message['received_at'], zone)} {message['author']} {message['subject']}")
        click.echo(message["text"])
    click.echo("---")
    for h in history:
        click.echo(f"{local(h['at'], zone)} {h['who']} {h['what']} {h['why']}")


HANDLING: dict[str, tuple[str, tuple[str, ...]]] = {
    "assign": ("Give it to a department and send the notice.", ("to", "text")),
    "note": ("Add a note.", ("text",)),
    "reply": ("Answer the requester.", ("text",)),
    "transfer": ("Pass it to another department.", ("to", "reason")),
    "extend": ("Ask the owner for more time.", ("until", "reason")),
    "acknowledge": ("The department has signed for it.", ("text",)),
    "handle": ("It is handled: result, and for complaints inquiry, cause, solution and talk.",
               ("text", "inquiry", "cause", "solution", "talk", "opinion", "done_by")),
    "verify": ("Acceptance by us, not by the doer.", ("text", "failed")),
    "visit": ("Record a return visit.", ("result", "text", "way")),
    "close": ("Close it.", ("text", "reason")),
    "reopen": ("Open it again: new round.", ("text", "reason")),
    "merge": ("It is the same matter as another ticket.", ("to", "reason")),
    "split": ("Make a ticket of its own from a part.", ("text",)),
    "classify": ("Correct what it is; rules leave these fields alone afterwards.",
                 ("kind", "category", "urgency", "important", "house", "reason")),
    "decline": ("Not accepted: reason and alternative.", ("reason", "alternative")),
    "withdraw": ("The customer withdraws it.", ("text",)),
    "adopt": ("Decide about a suggestion: adopted, partly, declined.", ("decision", "reason")),
    "plan": ("The detailed plan to the customer.", ("text", "until")),
    "need-info": ("Ask the requester for what is missing.", ("missing", "text")),
    "respond": ("A person has contacted the requester.", ("text",)),
    "contribute": ("The contribution of a department.", ("department", "text")),
    "release": ("Let its held letters go (for those who sign).", ("text",)),
    "callback": ("The call-back was made.", ("text",)),
    "task": ("A task is done.", ("kind", "text")),
}  # fmt: skip
"""Command → help and the arguments it takes; they reach the rules as `Ordered` occasions."""


def _handling(name: str, text: str, arguments: tuple[str, ...]) -> click.Command:
    @click.command(name, help=text)
    @click.argument("number")
    @by_role
    @as_json
    @click.pass_context
    def command(ctx: click.Context, number: str, role: str, as_json: bool, **given: str | None) -> None:
        args = {k: v for k, v in given.items() if v is not None}
        with office(ctx) as found:
            if "until" in args:
                args["until"] = instant(str(args["until"]), found).isoformat()
            changed, refused = found.casework.order(number, name.replace("-", "_"), role, args, str(args.get("text", "")))
        for reason in refused:
            click.echo(reason, err=True)
        if as_json:
            show(ticket_json(changed))
        else:
            click.echo(f"{changed.number}: {chinese(changed.status)} ({changed.status})")

    for argument in reversed(arguments):
        command = click.option(f"--{argument.replace('_', '-')}", argument)(command)
    return command


for _name, (_text, _arguments) in HANDLING.items():
    ticket.add_command(_handling(_name, _text, _arguments))


@ticket.command("print")
@click.argument("number")
@click.option("--form", default="opinion_form", show_default=True, help="Which form of the ticket; see `ticket show`.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Where to write the PDF (default: FORM-NUMBER.pdf here).")
@click.pass_context
def print_(ctx: click.Context, number: str, form: str, output: str | None) -> None:
    """Print a form of a ticket as PDF, from what it said when it was made; other forms from what the ticket says now."""
    with office(ctx) as found:
        with found.db.read() as tx:
            one = tickets.by_number(tx, number)
        if one is None:
            raise Usage(f"there is no ticket {number}")
        press = Press([*found.loaded.templates, str(shipped("templates"))])
        if form not in press.forms():
            raise Usage(f'there is no form "{form}"; forms are {", ".join(press.forms())}')
        document = one.document(form)
        data = document.data if document and document.number else None
        pdf = press.print(form, data or form_data(form, one, site_view(found.site), found.site.timezone, {"at": found.clock()}))
    target = Path(output or f"{form}-{one.number}.pdf")
    target.write_bytes(pdf)
    click.echo(str(target))


@ticket.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@as_json
@click.pass_context
def import_(ctx: click.Context, file: str, as_json: bool) -> None:
    """Tickets of another system; numbers and Message-IDs kept, nothing is sent."""
    from kefud.store.imports import take_in

    try:
        data = json.loads(Path(file).read_text("utf-8"))
    except ValueError as error:
        raise Usage(f"{file}: no valid JSON: {error}") from None
    items = data if isinstance(data, list) else data.get("open_tickets") or data.get("context", {}).get("open_tickets") or [data]
    with office(ctx) as found:
        with found.db.write() as tx:
            made = take_in(tx, items, found.clock(), found.site.timezone, found.site)
    if as_json:
        show(made)
    else:
        click.echo(f"{len(made)} tickets imported", err=True)
