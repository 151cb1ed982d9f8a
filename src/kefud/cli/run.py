"""`kefud run`: the daemon."""

from __future__ import annotations

import click

from kefud.preload import PRELOAD
from kefud.workers import Nursery


@click.command()
@click.option("--once", is_flag=True, help="Work off all there is, then end; status 1 if anything was left undone.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print what was left undone as JSON.")
@click.pass_context
def run(ctx: click.Context, once: bool, as_json: bool) -> None:
    """The daemon, in the foreground; SIGTERM ends it cleanly, SIGHUP reloads."""
    nursery = Nursery.forked(PRELOAD)
    try:
        # Not before: the nursery would share what only the daemon needs, and hold it twice as soon as that changes.
        from kefud.cli.serve import serve

        serve(ctx, nursery, once, as_json)
    finally:
        nursery.close()
