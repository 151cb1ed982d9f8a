"""`kefud run` itself. Here is all that the daemon needs and its children do not."""

from __future__ import annotations

import sys

import click

from kefud import log
from kefud.cli.check import under_systemd, unsafe_places
from kefud.cli.common import config_path, loaded, show
from kefud.config import Loaded, load
from kefud.daemon import Orders, notify
from kefud.errors import ConfigError, KefudError
from kefud.wiring import Office
from kefud.workers import Nursery


def serve(ctx: click.Context, nursery: Nursery, once: bool, as_json: bool) -> None:
    """Run until a signal ends it, or with ``once`` until nothing is left to do."""
    found = _trusted(loaded(ctx))
    log.set_up(found.config.service.log, verbose=ctx.find_root().obj["verbose"], unhurried=not once)
    if once:
        with Office(found, nursery=nursery) as office:
            undone = office.run_once()
        if as_json:
            show(undone)
        elif any(undone.values()):
            click.echo("left undone: " + ", ".join(f"{n} {what}" for what, n in undone.items() if n), err=True)
        sys.exit(1 if any(undone.values()) else 0)
    orders = Orders()
    orders.listen()
    while True:
        with Office(found, nursery=nursery) as office:
            if office.run(orders) == "stop":
                break
        orders.again = False
        try:
            found = _trusted(load(config_path(ctx)))
            log.event("reloaded", path=found.path)
        except ConfigError as error:
            for problem in error.problems:
                log.error("reload-refused", problem=problem)
            notify(f"STATUS=new configuration refused, the old one runs on: {error.problems[0]}")
        except KefudError as error:
            log.error("reload-refused", problem=error)


def _trusted(found: Loaded) -> Loaded:
    """The same. Raises ConfigError where others could put code into what it names: nothing of that is run (S22)."""
    if problems := unsafe_places(found, strict=under_systemd()):
        raise ConfigError(problems)
    return found
