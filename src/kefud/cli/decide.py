"""`kefud approve` and `kefud reject`."""

from __future__ import annotations

import click

from kefud.cli.common import acting, office


@click.command()
@click.argument("number")
@click.option("--as", "role", default="pm_dept_manager", show_default=True, help="The role that decides.")
@click.option("--text", default="", help="The text that the answer must use.")
@click.pass_context
def approve(ctx: click.Context, number: str, role: str, text: str) -> None:
    """Approve what a ticket asks for; with --text exactly this text leaves."""
    _decide(ctx, number, "approve", role, text)


@click.command()
@click.argument("number")
@click.option("--as", "role", default="pm_dept_manager", show_default=True, help="The role that decides.")
@click.option("--text", "--reason", "text", required=True, help="Why not, and what to do instead.")
@click.pass_context
def reject(ctx: click.Context, number: str, role: str, text: str) -> None:
    """Reject what a ticket asks for."""
    _decide(ctx, number, "reject", role, text)


def _decide(ctx: click.Context, number: str, command: str, role: str, text: str) -> None:
    with office(ctx) as found:
        ticket, refused = found.casework.order(number, command, acting(found.site, role), {"text": text}, text)
    for reason in refused:
        click.echo(reason, err=True)
    click.echo(f"{ticket.number}: {ticket.status}")
    if refused:
        ctx.exit(1)
