"""Schema by alembic: made, upgraded and checked; the migrations ship inside the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from kefud.errors import KefudError
from kefud.store.database import Database

HEAD = "0001"
"""The newest migration; a test compares it with alembic's own answer, so that starting needs no alembic."""


def version(db: Database) -> str:
    """The store's schema version, "" for an empty database."""
    with db.read() as tx:
        if not inspect(tx).has_table("alembic_version"):
            return ""
        return str(tx.scalar(text("select version_num from alembic_version")) or "")


def upgrade(db: Database) -> str:
    """Bring the schema to the newest version; returns the version it had. Runs in one transaction."""
    from alembic import command

    before = version(db)
    if before != HEAD:
        with db.write() as tx:
            if not db.sqlite:  # hosts that start at once on an empty store make it one after the other
                tx.execute(text("select pg_advisory_xact_lock(74656665)"))
            command.upgrade(_config(tx), "head")
    return before


def ensure(db: Database) -> None:
    """Make the schema of an empty database; refuse one that is older or newer than this program (exit 78)."""
    have = version(db)
    if not have:
        upgrade(db)
    elif have != HEAD:
        error = KefudError(f"the store has schema {have}, this program needs {HEAD}; run `kefud db upgrade`")
        error.exit_status = 78
        raise error


def differences(db: Database) -> list[str]:
    """Where the database differs from what this program expects, [] where it does not."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from kefud.store.tables import Base

    with db.read() as tx:
        context = MigrationContext.configure(tx, opts={"compare_type": False})
        return [str(d) for d in compare_metadata(context, Base.metadata)]


def _config(tx: object):  # type: ignore[no-untyped-def]
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = tx
    return config
