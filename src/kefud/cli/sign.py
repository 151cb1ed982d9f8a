"""`kefud sign`: managers sign digests and reports, inspectors give verdicts, clerks enter box openings and visits.

The same can be done by answering the mail.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import click

from kefud.cli.common import as_json, office, show
from kefud.errors import Usage
from kefud.reports import SignOff, read_sign_off
from kefud.wiring import Office

SIGNED: dict[str, tuple[str, str]] = {
    "daily": ("property_supervisor", "The daily digest: read, with orders for tickets (S0-4.2.4)."),
    "weekly": ("property_manager", "The weekly digest: guidance in writing (S0-4.2.5)."),
    "daily-record": ("cs_supervisor", "The daily record of the service group, reviewed."),
    "monthly": ("cs_manager", "The monthly report."),
    "contractors": ("cs_manager", "The contractors' scores of a month."),
    "meeting": ("cs_manager", "What the monthly meeting decided; orders become tasks."),
}  # fmt: skip
INSIDE = {"daily-record": "record"}


@click.group()
def sign() -> None:
    """Sign digests and reports."""


def _signer(name: str, role: str, text: str) -> click.Command:
    @click.option("--date", "period", metavar="D", help="The period; default: the newest unsigned one.")
    @click.option("--as", "role", default=role, show_default=True, help="The role that signs.")
    @click.option("--text", default="", help="What is said: guidance, instructions.")
    @click.option("--order", "orders", multiple=True, metavar="NO=TEXT", help="An order for a ticket; may be repeated.")
    @click.option("--important", multiple=True, metavar="NO", help="A ticket to be reported up at once; may be repeated.")
    @as_json
    @click.pass_context
    def command(
        ctx: click.Context,
        period: str | None,
        role: str,
        text: str,
        orders: tuple[str, ...],
        important: tuple[str, ...],
        as_json: bool,
    ) -> None:
        said = _said(text, _orders(orders), tuple(n.strip().upper() for n in important))
        with office(ctx) as found:
            signed, refused = found.signing.sign(INSIDE.get(name, name), _period(found, period), role, said)
        if as_json:
            show({"kind": name, "period": signed.period, "signed_by": signed.signed_by, "signed_at": signed.signed_at,
                  "text": signed.text, "orders": signed.data.get("orders") or {}, "important": signed.data.get("marked") or [],
                  "refused": refused})  # fmt: skip
        else:
            click.echo(f"{name} {signed.period}: signed by {signed.signed_by}")
            for reason in refused:
                click.echo(reason, err=True)
        if refused:
            ctx.exit(1)

    command.__doc__ = text
    return click.command(name)(command)


def _said(text: str, orders: dict[str, str], important: tuple[str, ...]) -> SignOff:
    """The text read like a mail, with the orders and marks of the options."""
    read = read_sign_off(text)
    return SignOff(True, read.text, {**read.orders, **orders}, tuple(dict.fromkeys((*read.important, *important))))


def _orders(given: tuple[str, ...]) -> dict[str, str]:
    orders = {}
    for one in given:
        number, mark, text = one.partition("=")
        if not mark or not text.strip():
            raise Usage(f'"{one}" is no order; write NO=TEXT, e.g. KF20250303-0001=请今天上门')
        orders[number.strip().upper()] = text.strip()
    return orders


def _period(found: Office, period: str | None) -> str | None:
    if period in ("today", "今天"):
        return found.site.calendar.local(found.clock()).date().isoformat()
    return period


for _name, (_role, _text) in SIGNED.items():
    sign.add_command(_signer(_name, _role, _text))


@sign.command("spot-check")
@click.argument("number")
@click.option("--as", "role", default="service_inspector", show_default=True)
@click.option("--verdict", type=click.Choice(["pass", "fail"]), required=True)
@click.option("--text", default="", help="What was found; needed for a failed check.")
@click.pass_context
def spot_check(ctx: click.Context, number: str, role: str, verdict: str, text: str) -> None:
    """The inspector's verdict on a ticket of the sample (S0-P5)."""
    with office(ctx) as found:
        have = found.signing.verdict(number.strip().upper(), role, verdict == "pass", text)
    click.echo(f"spot-check {have.period} {number}: {verdict}")


@sign.command("task")
@click.argument("period")
@click.option("--as", "role", default="cs_manager", show_default=True)
@click.option("--text", required=True, help="What was done.")
@click.pass_context
def task(ctx: click.Context, period: str, role: str, text: str) -> None:
    """An improvement the figures asked for is dealt with; PERIOD as `kefud report tasks --json` shows it under id."""
    with office(ctx) as found:
        found.signing.task(period, role, text)
    click.echo(f"task {period}: done")


def _entry(
    name: str, argument: str, role: str, text: str, enter: Callable[[Office, str, str, datetime, str], Any]
) -> click.Command:
    @click.argument("what", metavar=argument)
    @click.option("--as", "role", default=role, show_default=True)
    @click.option("--at", help="When (ISO 8601); default: now.")
    @click.option("--text", default="", help="A remark.")
    @click.pass_context
    def command(ctx: click.Context, what: str, role: str, at: str | None, text: str) -> None:
        with office(ctx) as found:
            enter(found, what, role, _instant(found, at), text)
        click.echo(f"{name} {what}: entered")

    command.__doc__ = text
    return click.command(name)(command)


def _instant(found: Office, text: str | None) -> datetime:
    if text is None:
        return found.clock()
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f'"{text}" is no ISO 8601 time, e.g. 2025-03-06T10:00') from None
    return at if at.tzinfo else at.replace(tzinfo=found.site.calendar.zone)


sign.add_command(_entry("box", "CHANNEL", "cs_clerk", "A complaint box was opened and held no letter (S1-5.4.3).",
                        lambda found, what, role, at, text: found.signing.opened(what, role, at, text)))  # fmt: skip
sign.add_command(_entry("visit", "HOUSE", "cs_specialist", "Somebody called on a house of the visit plan (S1-4.2.5).",
                        lambda found, what, role, at, text: found.signing.called_on(what, role, at, text)))  # fmt: skip
