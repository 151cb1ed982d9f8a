"""`kefud db` and `kefud verify`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from kefud.cli.common import as_json, loaded, progress, show
from kefud.errors import KefudError, Usage
from kefud.store import schema
from kefud.store.backup import back_up, hold_letters
from kefud.store.database import Database
from kefud.store.invariants import CHECKS, violations
from kefud.store.personal import rotate
from kefud.wiring import alone


@click.group()
def db() -> None:
    """Schema and backup."""


@db.command()
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Bring the schema to this program's version, while no daemon runs; an SQLite store is backed up first."""
    found = loaded(ctx)
    database = Database(found.database)
    before = schema.version(database)
    if before != schema.HEAD:
        with alone(found, database):
            if before and before < schema.HEAD and database.path:
                back_up(database, Path(found.spool), database.path.with_suffix(f".before-{schema.HEAD}.db"), files=False)
            schema.upgrade(database)
    database.close()
    click.echo(f"schema {before or 'empty'} → {schema.HEAD}", err=True)


@db.command()
@as_json
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Whether the schema is what this program expects."""
    database = Database(loaded(ctx).database)
    version = schema.version(database)
    differences = schema.differences(database) if version == schema.HEAD else [f"schema {version or 'empty'}, not {schema.HEAD}"]
    database.close()
    if as_json:
        show({"version": version, "wanted": schema.HEAD, "differences": differences})
    else:
        for difference in differences or [f"schema {version}: as expected"]:
            click.echo(difference)
    sys.exit(1 if differences else 0)


@db.command()
@click.argument("target", type=click.Path())
@click.pass_context
def backup(ctx: click.Context, target: str) -> None:
    """Copy the store and its originals to a new directory, while the daemon runs."""
    if Path(target).exists():
        raise Usage(f"{target} exists; name a new directory")
    found = loaded(ctx)
    database = Database(found.database)
    count = back_up(database, Path(found.spool), Path(target))
    database.close()
    click.echo(f"backed up to {target}: database and {count} files", err=True)


@db.command()
@click.pass_context
def restored(ctx: click.Context) -> None:
    """After pg_restore: hold the letters that waited when the dump was made; they may have gone out since."""
    count = hold_letters(Database(loaded(ctx).database))
    click.echo(f"{count} letters are held; see `kefud outbox list`", err=True)


@db.command("rotate-keys")
@click.pass_context
def rotate_keys(ctx: click.Context) -> None:
    """A new key signs letters from now on; the one before still finds tickets, older ones do not."""
    database = Database(loaded(ctx).database)
    rotate(database)
    database.close()
    click.echo("done; a running daemon takes the new key at its next start or reload", err=True)


@click.command()
@as_json
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check the invariants of the store; status 1 where one is broken."""
    found = loaded(ctx)
    database = Database(found.database)
    if schema.version(database) != schema.HEAD:
        raise KefudError("the store has no schema yet, or another one; run `kefud db upgrade`")
    with progress(range(len(CHECKS)), "verify") as bar:
        problems = violations(database, Path(found.spool), lambda name: bar.update(1, name))
    database.close()
    if as_json:
        show({"ok": not problems, "violations": [{"invariant": v.invariant, "where": v.where, "what": v.what} for v in problems]})
    else:
        for v in problems:
            click.echo(f"{v.invariant}: {v.where} {v.what}")
        if not problems:
            click.echo("every invariant holds", err=True)
    sys.exit(1 if problems else 0)
