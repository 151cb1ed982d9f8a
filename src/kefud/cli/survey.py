"""`kefud survey`: ask a list of houses how satisfied they are, and count the answers (S2-4.4)."""

from __future__ import annotations

from typing import Any

import click

from kefud.cli.common import as_json, office, show


@click.group()
def survey() -> None:
    """Satisfaction surveys by mail."""


@survey.command("start")
@click.argument("name")
@click.option("--house", "houses", multiple=True, help="Only these houses; may be repeated. All inhabited ones otherwise.")
@click.option("--question", default="", help="A sentence of your own in the letter.")
@as_json
@click.pass_context
def start(ctx: click.Context, name: str, houses: tuple[str, ...], question: str, as_json: bool) -> None:
    """Write the letters of a survey; the daemon sends them."""
    with office(ctx) as found:
        _shown(found.surveying.start(name, houses, question), as_json)


@survey.command("show")
@click.argument("name")
@as_json
@click.pass_context
def show_(ctx: click.Context, name: str, as_json: bool) -> None:
    """Response rate and answers so far."""
    with office(ctx) as found:
        _shown(found.surveying.result(name), as_json)


def _shown(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show(result)
        return
    click.echo(f"{result['name']}: asked {result['sent']}, answered {result['answered']} ({result['response']} %)")
    said = f"满意 {result['satisfied']}  基本满意 {result['mostly']}  不满意 {result['unsatisfied']}"
    click.echo(f"{said}  ({result['satisfaction']} %)")
