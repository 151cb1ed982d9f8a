"""R25: a new version whose migration dies in the middle. The store is old or new, never between; who does not know it stays out."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile.station import Station, environment, kefud
from line.office import mail
from servers.scripted_smtp import ScriptedSmtp
from sqlalchemy import text

import kefud as package
from kefud.errors import Busy, KefudError
from kefud.store import schema
from kefud.store.database import Database
from kefud.store.tables import Base
from kefud.wiring import alone

RUDE = "西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"
STEPS = 5
MIGRATION = '''
"""A table that others refer to is replaced, a column filled, an index and a table made."""
import os
import signal

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade():
    step(1)
    with op.batch_alter_table("ticket", recreate="auto" if op.get_bind().dialect.name != "sqlite" else "always") as batch:
        batch.add_column(sa.Column("colour", sa.String(10), nullable=False, server_default=""))
    step(2)
    op.execute("update ticket set colour = 'blue'")
    step(3)
    op.create_index("ix_ticket_colour", "ticket", ["colour"])
    step(4)
    of = sa.Column("ticket", sa.BigInteger, sa.ForeignKey("ticket.id"))
    op.create_table("paint", sa.Column("id", sa.Integer, primary_key=True), of)
    op.execute("insert into paint (id, ticket) select id, id from ticket")
    step(5)


def step(n):
    if os.environ.get("DIES_AT") == str(n):
        os.kill(os.getpid(), signal.SIGKILL)
'''


class Upgrade:
    """A store with tickets, and the version of kefud that follows this one: one migration more."""

    def __init__(self, home: Path, smtp: ScriptedSmtp, database: str) -> None:
        self.office = Station(home, smtp=smtp, database=database)
        with self.office.office:
            for n in range(3):
                self.office.put(mail(f"{n + 1}号楼1单元101业主。{RUDE}", sender=f"o{n}@mail.example.com", name=f"业主{n}"))
            self.office.work()
        self.db = Database(database)
        self.before = self.rows()
        self.next = home / "next" / "src"
        here = Path(package.__file__).parent
        shutil.copytree(here, self.next / "kefud", ignore=shutil.ignore_patterns("__pycache__"))
        for kind in ("plugins", "templates", "config"):
            (home / "next" / kind).symlink_to(here.parents[1] / kind)
        store = self.next / "kefud" / "store"
        (store / "migrations" / "versions" / "0002_paint.py").write_text(MIGRATION, "utf-8")
        program = (store / "schema.py").read_text("utf-8")
        assert program.count(f'HEAD = "{schema.HEAD}"') == 1
        (store / "schema.py").write_text(program.replace(f'HEAD = "{schema.HEAD}"', 'HEAD = "0002"'), "utf-8")

    def new(self, *command: str, wrapper: tuple[str, ...] = (), **more: str) -> subprocess.CompletedProcess[str]:
        """A command of the next version."""
        known = environment(**more)
        known["PYTHONPATH"] = os.pathsep.join([str(self.next), known["PYTHONPATH"]])
        called = [*wrapper, *kefud(self.office.path, *command)]
        return subprocess.run(called, env=known, capture_output=True, text=True, timeout=120)

    def old(self, *command: str) -> subprocess.CompletedProcess[str]:
        called = kefud(self.office.path, *command)
        return subprocess.run(called, env=environment(), capture_output=True, text=True, timeout=120)

    def rows(self) -> Counter[str]:
        """How many rows each table has."""
        names = sorted(set(Base.metadata.tables) - {"lease"})
        with self.db.read() as tx:
            return Counter({name: tx.scalar(text(f'select count(*) from "{name}"')) for name in names})

    def is_old(self) -> None:
        """As if nobody had tried: also nothing that a half migration leaves behind."""
        assert schema.version(self.db) == schema.HEAD
        assert schema.differences(self.db) == []
        assert self.rows() == self.before
        assert self.office.broken() == []

    def is_new(self) -> None:
        assert schema.version(self.db) == "0002"
        assert self.rows() == self.before, "nothing went with the table that was replaced"
        with self.db.read() as tx:
            assert tx.scalar(text("select count(*) from ticket where colour = 'blue'")) == self.before["ticket"]
            assert tx.scalar(text("select count(*) from paint")) == self.before["ticket"]
        assert self.new("verify").returncode == 0


@pytest.fixture
def upgrade(tmp_path: Path, database_url: str) -> Iterator[Upgrade]:
    with ScriptedSmtp() as smtp:
        made = Upgrade(tmp_path, smtp, database_url)
        yield made
        made.db.close()


def dies_and_is_finished(upgrade: Upgrade, steps: list[int]) -> None:
    """Killed at these steps of the migration one after the other; the next attempt finishes it."""
    for step in steps:
        assert upgrade.new("db", "upgrade", DIES_AT=str(step)).returncode == -9
        upgrade.is_old()
    refused = upgrade.new("run", "--once")
    assert refused.returncode == 78 and "run `kefud db upgrade`" in refused.stderr
    upgrade.is_old()
    done = upgrade.new("db", "upgrade")
    assert done.returncode == 0 and "0001 → 0002" in done.stderr, done.stderr
    upgrade.is_new()
    if upgrade.db.path:
        copy = Database(f"sqlite:///{upgrade.db.path.with_suffix('.before-0002.db')}")
        assert schema.version(copy) == schema.HEAD and schema.differences(copy) == []
        copy.close()
        assert not list(upgrade.db.path.parent.glob("*.part*"))


def test_a_migration_that_is_killed_leaves_the_old_store_and_the_next_one_finishes(upgrade: Upgrade) -> None:
    dies_and_is_finished(upgrade, [STEPS])
    refused = upgrade.old("run", "--once")
    assert refused.returncode == 78 and "a newer kefud made it" in refused.stderr, "the version before stays out"
    upgrade.office.put(mail(f"9号楼1单元101业主。{RUDE}", sender="o9@mail.example.com", name="业主九"))
    upgrade.new("run", "--once")
    went = [letter["Message-ID"] for letter in upgrade.office.delivered("o9@mail.example.com")]
    assert went and len(went) == len(set(went)), "work goes on with the new version"
    upgrade.office.office.db.close()


def test_while_a_daemon_works_the_schema_is_not_touched(upgrade: Upgrade) -> None:
    with upgrade.office.office as office:
        office.look_after_others()
        refused = upgrade.new("db", "upgrade")
        assert refused.returncode == 75 and ("stop them" in refused.stderr or "another daemon" in refused.stderr), refused.stderr
        upgrade.is_old()
    with alone(upgrade.office.loaded, upgrade.db):
        pass


def test_a_store_is_held_alone_by_one(tmp_path: Path) -> None:
    with ScriptedSmtp() as smtp:
        office = Station(tmp_path, smtp=smtp)
        with alone(office.loaded, office.office.db), pytest.raises(Busy), alone(office.loaded, office.office.db):
            pass
        with office.office:
            pass


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path}/kefud.db")
    with made.write() as tx:
        tx.execute(text("create table house (id integer primary key)"))
        tx.execute(text("create table flat (id integer primary key, house integer references house(id) on delete cascade)"))
        tx.execute(text("insert into house values (1)"))
        tx.execute(text("insert into flat values (1, 1)"))
    yield made
    made.close()


def replaced(db: Database, keep: bool) -> None:
    with db.rebuild() as tx:
        tx.execute(text("create table new_house (id integer primary key)"))
        if keep:
            tx.execute(text("insert into new_house select id from house"))
        tx.execute(text("drop table house"))
        tx.execute(text("alter table new_house rename to house"))


def count(db: Database, table: str) -> Any:
    with db.read() as tx:
        return tx.scalar(text(f"select count(*) from {table}"))


def test_a_table_others_refer_to_is_replaced_and_they_stay(db: Database) -> None:
    replaced(db, keep=True)
    assert (count(db, "house"), count(db, "flat")) == (1, 1)


def test_where_a_reference_would_lead_nowhere_nothing_has_changed(db: Database) -> None:
    with pytest.raises(KefudError, match="flat"):
        replaced(db, keep=False)
    assert (count(db, "house"), count(db, "flat")) == (1, 1)
    with pytest.raises(Exception, match="FOREIGN KEY"), db.write() as tx:
        tx.execute(text("insert into flat values (2, 7)"))
