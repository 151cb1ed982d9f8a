"""`kefud ticket`: list and show tickets, and what a handler does with them; the state machine decides whether it may."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from kefud.cli.common import acting, as_json, by_role, cut, local, office, show, table
from kefud.compose import Press
from kefud.correspondence import site_view
from kefud.desk.deadlines import parse_when
from kefud.desk.decisions import Classify, Effect, SetFields
from kefud.desk.houses import normalise_house
from kefud.desk.states import STEPS
from kefud.desk.ticket import VOCABULARY, Requester, Ticket, chinese, word_meant
from kefud.desk.view import form_data, ticket_json
from kefud.errors import Usage
from kefud.shipped import shipped
from kefud.store import letters, tickets
from kefud.wiring import Office


@click.group()
def ticket() -> None:
    """Tickets."""


@ticket.command("list")
@click.option("--status", help='A state in English or Chinese, or "open".')
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
    state = state_named(status) if status else None
    with office(ctx) as found:
        before = instant(due_before, found) if due_before else None
        with found.db.read() as tx:
            ids = tickets.search(tx, status=state, due_before=before, text=text, most=limit, offset=offset)
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


def state_named(text: str) -> str:
    """The state meant by ``text``, which may be its Chinese name."""
    known = {**{chinese(state): state for state in STEPS}, **{state: state for state in STEPS}, "open": "open"}
    if text not in known:
        raise Usage(f'"{text}" is no state; states are open, {", ".join(f"{state} ({chinese(state)})" for state in STEPS)}')
    return known[text]


class Word(click.ParamType[str]):
    """A value of ``field``, in English or Chinese."""

    def __init__(self, field: str) -> None:
        self.field = field
        self.name = field

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not (word := word_meant(self.field, value)):
            known = ", ".join(f"{x} ({chinese(x)})" for x in VOCABULARY[self.field])
            self.fail(f'"{value}" is no {self.field}; there are {known}', param, ctx)
        return word

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(VOCABULARY[self.field])}]"


def instant(text: str, found: Office) -> datetime:
    """An ISO 8601 instant; without offset in the office's time zone."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f'"{text}" is no ISO 8601 time, e.g. 2025-03-06T17:00') from None
    return at if at.tzinfo else at.replace(tzinfo=found.site.calendar.zone)


def to_come(text: str, found: Office) -> datetime:
    """A time that is still to come: ISO 8601, or as people write it, 3月15日, 周五下班前."""
    with suppress(Usage):
        return instant(text, found)
    meant = parse_when(text, found.clock(), found.site.calendar)
    if meant is None:
        raise Usage(f'"{text}" is no time, e.g. 2025-03-06T17:00 or 3月6日17时')
    return meant


@ticket.command("show")
@click.argument("number")
@click.option("--reason", default="", help="Why; it stands in the access log.")
@as_json
@click.pass_context
def show_(ctx: click.Context, number: str, reason: str, as_json: bool) -> None:
    """One ticket with its whole history. That it was looked at stands in the access log."""
    from kefud.cli.privacy import note

    with office(ctx) as found:
        with found.db.read() as tx:
            one = tickets.by_number(tx, number)
            if one is None:
                raise Usage(f"there is no ticket {number}")
            history = tickets.history_of(tx, one.id)
            messages = tickets.messages_of(tx, one.id)
        note(found, "show", one.number, reason)
        zone = found.site.calendar.zone
    if as_json:
        show(ticket_json(one, history))
        return
    _print(one, history, messages, zone)


def _print(t: Ticket, history: list[dict[str, Any]], messages: list[dict[str, Any]], zone: Any) -> None:
    click.secho(f"{t.number}  {chinese(t.status)}  {t.subject}", bold=True)
    facts = [chinese(t.kind), chinese(t.category), chinese(t.urgency), "重要" if t.important else "", t.house or ""]
    click.echo(" · ".join(f for f in facts if f))
    joint = "、".join(map(chinese, t.joint)) or "无"
    click.echo(f"主办 {chinese(t.department or '')}  协同 {joint}  经办 {chinese(t.handler or '')}")
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


HANDLING: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "assign": ("assign", "Give it to a department or a handler.", ("to=department", "handler")),
    "note": ("note", "Add a note.", ("text",)),
    "reply": ("reply", "Answer the requester: by mail, or as told on the telephone or in person.", ("text", "by", "enclosure=enclosures*")),
    "transfer": ("transfer", "Pass it to another department.", ("to", "reason")),
    "extend": ("extend", "Ask the owner for more time.", ("until", "reason", "consent")),
    "acknowledge": ("acknowledge", "A superior has taken note; with --for-department, the department signed.",
                    ("text", "for-department!")),
    "handle": ("handle", "It is handled: result, and for complaints inquiry, cause, solution and talk.",
               ("text=result", "inquiry", "cause", "solution", "talk=customer_talk", "opinion=written_opinion", "liable-unit",
                "improvement", "done-by", "cost", "warranty", "enclosure=enclosures*")),
    "verify": ("verify", "Acceptance by us, not by the doer.", ("text", "failed!")),
    "visit": ("visit", "Record a return visit.", ("result", "text", "way")),
    "deliver": ("deliver", "How the customer wants the result, post, on_site or pickup; with its proof, that it was delivered.",
                ("way", "proof", "enclosed*")),
    "close": ("close", "Close it.", ("reason",)),
    "reopen": ("reopen", "Open it again: new round.", ("reason",)),
    "merge": ("merge", "It is the same matter as another ticket, of the same house; of another one with --other-house.",
              ("to=target", "reason", "other-house!")),
    "split": ("split", "Make a ticket of its own from a part.", ("text",)),
    "classify": ("classify", "Correct what it is; rules leave these fields alone afterwards.",
                 ("kind", "category", "urgency", "important", "origin", "house", "department", "joint", "masked", "dispute",
                  "reason")),
    "decline": ("decline", "Not accepted: reason and alternative.", ("reason", "alternative")),
    "withdraw": ("withdraw", "The customer withdraws it: the customer's words.", ("text",)),
    "adopt": ("adopt", "A suggestion is adopted; in part: --plan what, --reason why not the rest; one that is not: decline.",
              ("reason", "plan", "partly!")),
    "plan": ("plan", "The detailed plan to the customer.", ("text", "until=promised_at", "by")),
    "need-info": ("need_info", "Ask the requester for what is missing, all at once; may be repeated.", ("missing*",)),
    "got-info": ("got_info", "What was missing came by telephone or over the counter; the work goes on.", ("text",)),
    "respond": ("respond", "A person has spoken with the requester.", ("text",)),
    "callback": ("respond", "The call-back was made.", ("text",)),
    "finding": ("finding", "An item of an inspection was looked at again: ok, or open.", ("item", "state", "text")),
    "contribute": ("contribute", "The contribution of a department.", ("department", "text")),
    "release": ("release", "Let its held letters go, or the one with this id (for those who sign).", ("letter", "text")),
    "task": ("done", "A task is done; its kind as `ticket show --json` has it.", ("kind=task", "text")),
}  # fmt: skip
"""Command → order, help, options: "to=department" is --to, told to the rules as department; "!" is a flag, "*" repeats."""


def _handling(name: str, order: str, text: str, arguments: tuple[str, ...]) -> click.Command:
    @click.command(name, help=text)
    @click.argument("number")
    @by_role
    @as_json
    @click.pass_context
    def command(ctx: click.Context, /, number: str, role: str, as_json: bool, **given: Any) -> None:
        args = {k: v if not isinstance(v, tuple) else list(v) for k, v in given.items() if v not in (None, False, ())}
        if args.pop("failed", False):
            args["passed"] = False
        with office(ctx) as found:
            for when in ("until", "promised_at"):
                if when in args:
                    args[when] = to_come(str(args[when]), found).isoformat()
            changed, refused = found.casework.order(number, order, acting(found.site, role), args, str(args.get("text", "")))
            held = [x.id for x in changed.letters if x.status == "held"]
            with found.db.read() as tx:
                waits = [(id, str((letters.by_id(tx, id) or {}).get("hold", ""))) for id in held]
        for reason in refused:
            click.echo(reason, err=True)
        for id, why in waits:
            click.echo(f"函件{id}暂缓发出：{why}", err=True)
        if as_json:
            show(ticket_json(changed))
        else:
            click.echo(f"{changed.number}: {chinese(changed.status)} ({changed.status})")
        if refused:
            ctx.exit(1)

    for argument in reversed(arguments):
        shown, _, known = argument.rstrip("!*").partition("=")
        parameter = (known or shown).replace("-", "_")
        if argument.endswith("!"):
            command = click.option(f"--{shown}", parameter, is_flag=True)(command)
        elif parameter in VOCABULARY:
            command = click.option(f"--{shown}", parameter, type=Word(parameter))(command)
        else:
            command = click.option(f"--{shown}", parameter, multiple=argument.endswith("*"))(command)
    return command


for _name, (_order, _text, _arguments) in HANDLING.items():
    ticket.add_command(_handling(_name, _order, _text, _arguments))


@ticket.command("new")
@click.option("--text", required=True, help="What was brought, in the words of the visitor.")
@click.option("--house", default="", help="3号楼2单元501, or any usual form.")
@click.option("--name", default="")
@click.option("--phone", default="")
@click.option("--email", default="")
@click.option("--kind", type=Word("kind"), help="Where the words leave it open.")
@click.option("--category", type=Word("category"))
@click.option("--at", "when", help="When it was brought (ISO 8601); now, if not given.")
@by_role
@as_json
@click.pass_context
def new(ctx: click.Context, /, text: str, when: str | None, role: str, as_json: bool, **about: str) -> None:
    """Register what somebody brought to the counter: the front desk's entry."""
    with office(ctx) as found:
        house = normalise_house(about["house"]) if about["house"] else None
        if about["house"] and not house:
            raise Usage(f'"{about["house"]}" is no house that can be read')
        people = Requester(about["name"], about["phone"], about["email"])
        known = any((about["name"], about["phone"], about["email"]))
        stated = Classify(
            kind=about["kind"], category=about["category"], house=house, requester=people if known else None,
            origin="owner" if known or house else None, rule="S1-4.3.2", why=f"{chinese(role)}当面登记",
        )  # fmt: skip
        at = instant(when, found) if when else None
        _shown(found.enter(text, {"by": role, **{k: v for k, v in about.items() if v}}, [stated], at), as_json)


@ticket.command("inspect")
@click.option("--finding", "findings", multiple=True, required=True, help="What was found; may be repeated.")
@click.option("--party", default="property_company", show_default=True, help="Who has to put it right.")
@click.option("--place", default="")
@click.option("--rectify-by", "until", help="Until when (ISO 8601, or 3月15日17时); else by [deadlines] rectify.inspection.")
@by_role
@as_json
@click.pass_context
def inspect(
    ctx: click.Context, findings: tuple[str, ...], party: str, place: str, until: str | None, role: str, as_json: bool
) -> None:
    """Enter what an inspection of the property service found: one notice, and each item is looked at again."""
    with office(ctx) as found:
        if found.site.party(party) is None:
            raise Usage(f'there is no party "{party}"')
        fields: dict[str, Any] = {"findings": [{"text": x, "state": "open"} for x in findings], "inspected": party}
        fields |= {"place": place} if place else {}
        fields |= {"rectify_by": to_come(until, found).isoformat()} if until else {}
        stated = Classify(
            kind="liaison", origin="internal", urgency="normal", important=False, subject=f"巡查整改{f'：{place}' if place else ''}",
            rule="S1-5.7.2", why=f"{chinese(role)}巡查登记",
        )  # fmt: skip
        given = [stated, Effect(("inspection",), rule="S1-5.7.2"), SetFields(fields, rule="S1-5.7.2", why="巡查发现")]
        text = "巡查发现：\n" + "\n".join(f"{n}. {x}" for n, x in enumerate(findings, 1))
        _shown(found.enter(text, {"by": role, "inspection": True, "place": place}, given), as_json)


def _shown(made: Ticket, as_json: bool) -> None:
    if as_json:
        show(ticket_json(made))
    else:
        click.echo(f"{made.number}: {chinese(made.status)} ({made.status})")


@ticket.command("house")
@click.argument("house")
@click.option("--reason", default="", help="Why; it stands in the access log.")
@as_json
@click.pass_context
def house_(ctx: click.Context, house: str, reason: str, as_json: bool) -> None:
    """The repair file of a HOUSE, oldest first: who did what, acceptance, cost and warranty (S1-4.2.7)."""
    from kefud.cli.privacy import note

    known = normalise_house(house)
    if not known:
        raise Usage(f'"{house}" is no house that can be read')
    with office(ctx) as found:
        note(found, "house", known, reason)
        with found.db.read() as tx:
            loaded = tickets.load(tx, tickets.search(tx, text=known, most=10_000)).values()
            repairs = sorted((t for t in loaded if t.house == known and t.kind == "repair"), key=lambda t: t.id)
            rows = [{**_repair(t, found), "photos": _photos(tickets.messages_of(tx, t.id))} for t in repairs]
    if as_json:
        show(rows)
    else:
        table([list(row.values()) for row in rows], list(rows[0]) if rows else ["number"])


def _photos(messages: list[dict[str, Any]]) -> str:
    return str(sum(str(a["media_type"]).startswith("image/") for m in messages for a in m["attachments"] or ()) or "")


def _repair(t: Ticket, found: Office) -> dict[str, str]:
    by = str(t.fields.get("contractor") or t.fields.get("done_by") or t.department or "")
    party = found.site.party(by)
    accepted = t.fields.get("acceptance") or {}
    return {
        "number": t.number, "received": local(t.started_at, found.site.calendar.zone), "state": chinese(t.status),
        "matter": cut(t.summary or t.subject, 30), "by": party.name if party and party.name else chinese(by),
        "result": cut(str(t.fields.get("result") or ""), 30),
        "acceptance": "" if not accepted else "合格" if accepted.get("passed") else "不合格",
        "cost": str(t.fields.get("cost") or ""), "warranty": str(t.fields.get("warranty") or ""),
    }  # fmt: skip


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
    items = data
    if not isinstance(data, list):
        items = data.get("open_tickets") or data.get("context", {}).get("open_tickets") or [data]
    with office(ctx) as found:
        with found.db.write() as tx:
            made = take_in(tx, items, found.clock(), found.site.timezone, found.site)
    if as_json:
        show(made)
    else:
        click.echo(f"{len(made)} tickets imported", err=True)
