"""Schema by alembic: made, upgraded and checked; the migrations ship inside the package."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table, inspect, select, text

from kefud.errors import KefudError
from kefud.store.database import Database

HEAD = "0001"
"""The newest migration; a test compares it with alembic's own answer, so that starting needs no alembic. Versions are ordered
as text."""


def version(db: Database) -> str:
    """The store's schema version, "" for an empty database."""
    with db.read() as tx:
        if not inspect(tx).has_table("alembic_version"):
            return ""
        return str(tx.scalar(text("select version_num from alembic_version")) or "")


def upgrade(db: Database) -> str:
    """Bring the schema to the newest version; returns the version it had. One transaction: killed in it, nothing has changed."""
    before = version(db)
    if before > HEAD:
        raise _newer(before)
    if before != HEAD:
        with db.rebuild() as tx:
            if not db.sqlite:  # hosts that start at once on an empty store make it one after the other
                tx.execute(text("select pg_advisory_xact_lock(74656665)"))
            if before:
                migrate(tx)
            else:
                _make(tx)
    return before


def migrate(tx: Connection) -> None:
    """Run the migrations a store lacks, all of them where it is empty."""
    from alembic import command

    command.upgrade(_config(tx), "head")


def _make(tx: Connection) -> None:
    """The newest schema at once; a test shows that all migrations in a row make the same. Alembic would cost the daemon 10 MB."""
    from kefud.store.tables import Base

    Base.metadata.create_all(tx)
    names = Table("alembic_version", MetaData(), Column("version_num", String(32), nullable=False))
    names.append_constraint(PrimaryKeyConstraint("version_num", name="alembic_version_pkc"))
    names.create(tx, checkfirst=True)
    if not tx.scalar(select(names.c.version_num)):
        tx.execute(names.insert().values(version_num=HEAD))


def ensure(db: Database) -> None:
    """Make the schema of an empty database; refuse one that is older or newer than this program (exit 78)."""
    have = version(db)
    if not have:
        upgrade(db)
    elif have > HEAD:
        raise _newer(have)
    elif have != HEAD:
        raise _refusal(f"the store has schema {have}, this program needs {HEAD}; run `kefud db upgrade`")


def _newer(have: str) -> KefudError:
    what = "install that version again, or restore the backup made before it"
    return _refusal(f"the store has schema {have}, a newer kefud made it, this program knows {HEAD}; {what}")


def _refusal(what: str) -> KefudError:
    error = KefudError(what)
    error.exit_status = 78
    return error


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
