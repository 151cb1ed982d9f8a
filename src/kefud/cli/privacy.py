"""`kefud privacy`: what we hold about a person — hand it out, take it away, account for it."""

from __future__ import annotations

import getpass
import io
import json
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from kefud import log
from kefud.cli.common import as_json, cut, local, office, show, table
from kefud.cli.ticket import instant
from kefud.config import Site, loopback
from kefud.desk.discretion import contact_shown
from kefud.desk.phones import mask_phone, normalise_phone
from kefud.desk.ticket import Ticket, chinese
from kefud.desk.view import ticket_json
from kefud.errors import Usage
from kefud.privacy import Person, Receiver, for_the_eyes_of
from kefud.privacy import assessment as paper
from kefud.store import personal
from kefud.wiring import Office

reason = click.option("--reason", required=True, help="Why; it stands in the access log.")


@click.group()
def privacy() -> None:
    """Personal data: export, erase, impact, retention, and who looked at what."""


def _person(given: str) -> Person:
    try:
        return Person.of(given)
    except ValueError as error:
        raise Usage(str(error)) from None


def note(found: Office, what: str, subject: str, why: str) -> None:
    """Write into the access log that the user of this command looked at something."""
    with found.db.write() as tx:
        personal.log_access(tx, getpass.getuser(), what, subject, why, found.clock())


def _code(person: Person) -> str:
    return ",".join(log.hashed(mark) for mark in person.marks)[:80]


@privacy.command()
@click.argument("person")
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="The zip file to write (mode 0600).")
@reason
@click.pass_context
def export(ctx: click.Context, person: str, output: str, reason: str) -> None:
    """All we hold about PERSON (a telephone number or address), other people masked, as JSON and as text."""
    who = _person(person)
    with office(ctx) as found:
        note(found, "export", _code(who), reason)
        with found.db.read() as tx:
            held = personal.find(tx, who, _ours(found))
            others = personal.other_names(tx, held) | {h.owner for h in found.site.houses.values()}
            pages = [_page(page) for page in personal.held(tx, held)]
        shown = for_the_eyes_of(held.person, pages, others)
        zone = found.site.calendar.zone
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(shown, ensure_ascii=False, indent=1, default=str))
        archive.writestr("data.txt", _readable(shown, zone))
    target = Path(output)
    target.touch(mode=0o600)
    target.chmod(0o600)
    target.write_bytes(packed.getvalue())
    click.echo(f"{len(pages)} tickets in {output}", err=True)


def _page(page: dict[str, Any]) -> dict[str, Any]:
    messages = [
        {k: m[k] for k in ("received_at", "sender", "sender_name", "author", "subject", "text", "quoted")}
        for m in page["messages"]
    ]
    letters = [{k: x[k] for k in ("created_at", "addresses", "subject", "text", "status")} for x in page["letters"]]
    told = [{k: h[k] for k in ("at", "who", "what", "why")} for h in page["history"]]
    return {"ticket": ticket_json(page["ticket"]), "messages": messages, "letters": letters, "history": told}


def _readable(pages: list[dict[str, Any]], zone: Any) -> str:
    lines = []
    for page in pages:
        ticket = page["ticket"]
        lines += [f"工单 {ticket['number']}  {chinese(str(ticket['status']))}  {ticket['subject']}", ""]
        lines += [
            f"{local(m['received_at'], zone)} 来件 {m['sender_name']} {m['sender']}\n{m['text']}\n" for m in page["messages"]
        ]
        lines += [f"{local(x['created_at'], zone)} 函件 {x['subject']}\n{x['text']}\n" for x in page["letters"]]
        lines += [f"{local(h['at'], zone)} {h['who']} {h['what']} {h['why']}" for h in page["history"]] + ["", "-" * 40, ""]
    return "\n".join(lines)


@privacy.command()
@click.argument("person")
@reason
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def erase(ctx: click.Context, person: str, reason: str, yes: bool) -> None:
    """Take PERSON out of tickets, history, originals, letters, papers and the database's own log. It cannot be undone."""
    who = _person(person)
    with office(ctx) as found:
        with found.db.read() as tx:
            meant = personal.find(tx, who, _ours(found))
        if not yes:
            known = ", ".join(sorted(meant.person.marks) + sorted(meant.person.names))
            told = f"{len(meant.tickets)} tickets of {known} will be emptied for good"
            click.confirm(f"{told}, {len(meant.messages)} messages on others' tickets blanked. Go on?", abort=True)
        note(found, "erase", _code(who), reason)
        done = erase_now(found, who)
    click.echo(
        f"{done.tickets} tickets emptied, {done.originals} originals removed, {done.mentions} mentions elsewhere taken out",
        err=True,
    )
    click.echo("Not reached from here: the mailbox and its processed folder, the house register in the configuration, "
               "backups (run `kefud privacy replay` after restoring one)", err=True)  # fmt: skip


def erase_now(found: Office, who: Person) -> personal.Erasure:
    """Erase and leave no trace in the files of the store."""
    with found.db.write() as tx:
        meant = personal.find(tx, who, _ours(found))
        done = personal.erase(tx, meant, found.spool, found.clock(), f"user:{getpass.getuser()}")
    if done.tickets or done.mentions:
        personal.remember_erasure(found.spool, meant.person, found.clock())
    for file in done.files:
        file.unlink(missing_ok=True)
    personal.overwrite(found.db)
    return done


def _ours(found: Office) -> set[str]:
    """Numbers and addresses of the office, its parties and roles: they stand on tickets of many people."""
    site = found.site
    addresses = {a for p in site.parties for a in (*p.addresses, p.fallback)} | {a for r in site.roles for a in (r.address, r.deputy)}
    return {a.lower() for a in (*addresses, *site.own)} | {normalise_phone(site.hotline)} - {""}


@privacy.command()
@click.option("--list", "erasures", type=click.Path(exists=True, dir_okay=False), help="The erasures.json of the spool set aside.")
@click.pass_context
def replay(ctx: click.Context, erasures: str | None) -> None:
    """After a restore: erase again who was erased since the backup was made.

    The list of erasures stands in the spool, not in the backup: name that of the spool you have set aside.
    """
    with office(ctx) as found:
        path = Path(erasures) if erasures else found.spool / personal.ERASURES
        if not path.exists():
            click.echo(f"there is no {path}: if anybody was ever erased here, name the list with --list", err=True)
            return
        if erasures and path.resolve() != (found.spool / personal.ERASURES).resolve():
            personal.adopt_erasures(found.spool, path)
        with found.db.read() as tx:
            people = personal.to_erase_again(tx, path)
        for person in people:
            note(found, "erase", _code(person), "replayed after a restore")
            erase_now(found, person)
    click.echo(f"{len(people)} numbers and addresses erased again", err=True)


@privacy.command()
@click.option("--since", required=True, help="ISO 8601.")
@click.option("--until", required=True, help="ISO 8601.")
@click.option("--plain", is_flag=True, help="Numbers and addresses in full, to tell the people concerned.")
@as_json
@reason
@click.pass_context
def impact(ctx: click.Context, since: str, until: str, plain: bool, as_json: bool, reason: str) -> None:
    """Whose data came in, changed or went out in a span of time: which fields, to whom."""
    with office(ctx) as found:
        note(found, "impact", f"{since}/{until}", reason)
        with found.db.read() as tx:
            rows = personal.touched(tx, instant(since, found), instant(until, found))
    for row in rows if not plain else ():
        row["phone"] = mask_phone(row["phone"])
        row["email"] = f"{row['email'][:1]}***" if row["email"] else ""
        row["name"] = f"{row['name'][:1]}**" if row["name"] else ""
    if as_json:
        show(rows)
        return
    heads = ["ticket", "name", "phone", "address", "fields", "went to"]
    table(
        [[r["ticket"], r["name"], r["phone"], r["email"], " ".join(r["fields"]), " ".join(r["recipients"])] for r in rows],
        heads,
    )


@privacy.command()
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write it there instead of printing it.")
@click.pass_context
def assessment(ctx: click.Context, output: str | None) -> None:
    """The impact assessment (PIPL Art. 55, 56) in Chinese: what is held, what for, how long, and who sees which of it."""
    with office(ctx) as found:
        site, rules = found.site, found.loaded.config.retention
        days = {"originals": rules.originals_days, "personal": rules.personal_days}
        settings = [x.settings for x in site.channels if x.enabled] + [x.settings for x in site.transports if x.enabled]
        hosts = sorted({host for x in settings if (host := str(x.get("host") or "")) and not loopback(host)})
        at = found.clock().astimezone(site.calendar.zone)
        text = paper(site.name, _receivers(site), hosts, days, at)
    if output:
        Path(output).write_text(text, "utf-8")
    else:
        click.echo(text)


_KINDS = {"department": "部门", "leadership": "领导", "other": "其他单位"}


def _receivers(site: Site) -> list[Receiver]:
    """Whoever gets letters, each with the profile of an ordinary matter and, where that differs, of an emergency."""
    found = [Receiver("来件人本人", "业主", "owner")]
    for party in site.parties:
        usual, urgent = (contact_shown(t, party.kind, party.show_contact) for t in (Ticket(), Ticket(urgency="emergency")))
        found.append(Receiver(party.name or chinese(party.id), _KINDS.get(party.kind) or chinese(party.kind), "party" if usual else "masked"))
        if urgent and not usual:
            found.append(Receiver(party.name or chinese(party.id), "紧急件、户内维修", "party"))
    return found + [Receiver(role.name or chinese(role.id), "岗位", "full") for role in site.roles]


@privacy.command()
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.pass_context
def retain(ctx: click.Context, dry_run: bool) -> None:
    """Let go of what was kept long enough ([retention]); for a daily timer. Tickets with the effect legal_hold stay."""
    with office(ctx) as found:
        rules, now = found.loaded.config.retention, found.clock()
        with found.db.read() as tx:
            before = now - timedelta(days=rules.personal_days)
            old, originals = personal.past_retention(tx, before, now - timedelta(days=rules.originals_days))
        if not dry_run and (old or originals):
            note(found, "retain", f"{len(old)}/{len(originals)}", "retention")
            _let_go(found, old, originals, now)
    would = "would be " if dry_run else ""
    click.echo(f"{len(old)} tickets {would}emptied, {len(originals)} originals {would}removed", err=True)


def _let_go(found: Office, old: list[int], originals: list[int], now: datetime) -> None:
    files: list[Path] = []
    with found.db.write() as tx:
        for id in old:
            files += personal.erase_ticket(tx, id, found.spool, now, "retention")
        files += personal.drop_originals(tx, originals, found.spool)
    for file in files:
        file.unlink(missing_ok=True)
    personal.overwrite(found.db)


@privacy.command("log")
@click.option("--since", help="ISO 8601.")
@as_json
@click.pass_context
def log_(ctx: click.Context, since: str | None, as_json: bool) -> None:
    """Who looked at what, when, and why."""
    with office(ctx) as found:
        with found.db.read() as tx:
            rows = personal.accesses(tx, instant(since, found) if since else None)
        zone = found.site.calendar.zone
    if as_json:
        show([{k: r[k] for k in ("at", "who", "what", "subject", "why")} for r in rows])
    else:
        table(
            [[local(r["at"], zone), r["who"], r["what"], r["subject"], cut(r["why"], 60)] for r in rows],
            ["at", "who", "what", "of", "why"],
        )
