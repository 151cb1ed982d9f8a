"""The store's promises, on both engines."""

from __future__ import annotations

import re
import socket
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from kefud.desk.arrival import Arrival
from kefud.desk.ticket import Deadline, Requester, Ticket
from kefud.errors import Busy, KefudError
from kefud.store import arrivals, blobs, letters, numbers, schema, settings, tickets
from kefud.store.database import Database
from kefud.store.invariants import violations
from kefud.store.tables import Base, HistoryRow
from kefud.store.tickets import Ledger

NOW = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
LATER = datetime(2025, 3, 3, 2, 0, tzinfo=UTC)


@pytest.fixture
def db(database_url: str) -> Database:
    made = Database(database_url)
    schema.ensure(made)
    return made


def a_ticket(number: str, **changes: object) -> Ticket:
    return Ticket(number=number, started_at=NOW, handler="cs_clerk", requester=Requester("何样板")).changed(**changes)


def saved(db: Database, ticket: Ticket) -> Ticket:
    with db.write() as tx:
        ledger = Ledger(tx, NOW)
        made = ledger.create(ticket)
        ledger.history(made.id, "program", "opened")
        ledger.flush()
    with db.read() as tx:
        found = tickets.by_number(tx, ticket.number)
    assert found is not None
    return found


def test_a_migrated_database_equals_a_fresh_one(db: Database) -> None:
    assert schema.version(db) == schema.HEAD
    assert schema.differences(db) == []
    fresh = described(db)
    with db.write() as tx:
        Base.metadata.drop_all(tx)
        tx.exec_driver_sql("drop table alembic_version")
        schema.migrate(tx)
    assert schema.version(db) == schema.HEAD
    assert schema.differences(db) == []
    assert described(db) == fresh and len(fresh) > 18


def described(db: Database) -> dict[str, object]:
    """Every table and index as the database tells it."""
    with db.read() as tx:
        if db.sqlite:
            found = tx.exec_driver_sql("select name, sql from sqlite_master where name not like 'sqlite%'")
            return {name: sorted(re.findall(r"[^\s,()\"]+", (sql or "").lower())) for name, sql in found}
        columns = tx.exec_driver_sql(
            "select table_name || '.' || column_name, data_type, is_nullable, character_maximum_length, column_default"
            " from information_schema.columns where table_schema = 'public'"
        )
        indexes = tx.exec_driver_sql("select indexname, indexdef from pg_indexes where schemaname = 'public'")
        return {row[0]: tuple(row[1:]) for rows in (columns, indexes) for row in rows}


def test_the_newest_migration_is_the_one_the_program_wants() -> None:
    from alembic.script import ScriptDirectory

    directory = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert directory.get_current_head() == schema.HEAD


def test_an_older_schema_is_refused_with_what_to_do(db: Database) -> None:
    with db.write() as tx:
        tx.execute(text("update alembic_version set version_num = '0000'"))
    with pytest.raises(KefudError, match="kefud db upgrade") as caught:
        schema.ensure(db)
    assert caught.value.exit_status == 78


def test_numbers_have_no_gaps_when_many_draw_at_once(db: Database) -> None:
    drawn: list[int] = []

    def draw() -> None:
        for _ in range(10):
            with db.write() as tx:
                drawn.append(numbers.draw(tx, "notice.2025"))

    with db.write() as tx:
        drawn.append(numbers.draw(tx, "notice.2025"))
    threads = [threading.Thread(target=draw) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(drawn) == list(range(1, 42))


def test_a_number_drawn_in_a_transaction_that_fails_is_drawn_again(db: Database) -> None:
    with pytest.raises(RuntimeError), db.write() as tx:
        assert numbers.draw(tx, "x") == 1
        raise RuntimeError
    with db.write() as tx:
        assert numbers.draw(tx, "x") == 1


def test_an_arrival_is_taken_once_however_often_it_is_offered(db: Database, tmp_path: Path) -> None:
    offered = [Arrival("INBOX/1/1", NOW, b"one"), Arrival("INBOX/1/2", NOW, b"two")]
    with db.write() as tx:
        assert arrivals.take(tx, "box", offered, blobs.keep([a.content for a in offered], tmp_path), NOW) == 2
    with db.write() as tx:
        assert arrivals.take(tx, "box", offered, blobs.keep([a.content for a in offered], tmp_path), NOW) == 0
        assert arrivals.known(tx, "box", ["INBOX/1/1", "INBOX/1/3"]) == {"INBOX/1/1"}


def test_a_large_original_is_a_file_and_comes_back_whole(db: Database, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    [stored] = blobs.keep([content], tmp_path / "blobs")
    assert stored.path is not None
    with db.write() as tx:
        blobs.record(tx, [stored], NOW)
        assert blobs.fetch(tx, stored.sha, tmp_path / "blobs") == content
    (tmp_path / "blobs" / stored.path).write_bytes(b"changed")
    with db.read() as tx, pytest.raises(KefudError, match="does not match its name"):
        blobs.fetch(tx, stored.sha, tmp_path / "blobs")


def test_a_ticket_comes_back_as_it_was_saved(db: Database) -> None:
    deadline = Deadline("resolve", NOW, NOW, "S3-3.3.3", "3 calendar_days", next_at=NOW, pauses=((NOW, None, "等待业主"),))
    given = a_ticket("KF20250303-0001", house="5-1-201", joint=("legal",), fields={"cause": "老化"}, deadlines=(deadline,))
    found = saved(db, given)
    assert (found.house, found.joint, found.fields, found.deadlines) == ("5-1-201", ("legal",), {"cause": "老化"}, (deadline,))


def test_times_beyond_2038_come_back_and_wake(db: Database) -> None:
    """R21: seconds since 1970 outgrow 32 bits on 2038-01-19; ten more years for matters that stay."""
    far = datetime(2048, 1, 19, 3, 14, 8, tzinfo=UTC)
    clock = Deadline("reply", NOW, far, "S0-1.0", next_at=far)
    found = saved(db, a_ticket("KF20250303-0001", deadlines=(clock,)))
    assert found.deadlines[0].due == found.deadlines[0].next_at == far
    with db.read() as tx:
        assert tickets.due_deadlines(tx, far - timedelta(seconds=1), 9) == []
        [due] = tickets.due_deadlines(tx, far, 9)
    assert due[5] == far


def test_a_ticket_changed_by_someone_else_is_not_overwritten(db: Database) -> None:
    found = saved(db, a_ticket("KF20250303-0001"))
    with db.write() as tx:
        assert Ledger(tx, NOW).save(found.changed(subject="first"), found) is not None
    with db.write() as tx:
        assert Ledger(tx, NOW).save(found.changed(subject="second"), found) is None
    with db.read() as tx:
        assert tickets.by_number(tx, found.number).subject == "first"  # type: ignore[union-attr]


def test_history_that_was_tampered_with_is_found(db: Database, tmp_path: Path) -> None:
    saved(db, a_ticket("KF20250303-0001"))
    assert [v for v in violations(db, tmp_path) if v.invariant.startswith("I5")] == []
    with db.write() as tx:
        tx.execute(update(HistoryRow).values(why="nothing happened"))
    assert [v.what for v in violations(db, tmp_path) if v.invariant.startswith("I5")] == ["row 1 was changed"]


def test_a_letter_is_leased_by_one_and_fenced_from_the_other(db: Database) -> None:
    found = saved(db, a_ticket("KF20250303-0001"))
    with db.write() as tx:
        ledger = Ledger(tx, NOW)
        ledger.letter(letter_row(found.id))
        ledger.flush()
    late = datetime(2025, 3, 3, 2, 0, tzinfo=UTC)
    with db.write() as tx:
        [first] = letters.lease(tx, "a", NOW, until=NOW, most=5, transport="mail")
        assert letters.lease(tx, "b", NOW, until=late, most=5, transport="mail") == []
    with db.write() as tx:
        [second] = letters.lease(tx, "b", late, until=late, most=5, transport="mail")
    with db.write() as tx:
        assert letters.sent(tx, [letters.Accepted(first.id, first.epoch, 250, "ok", late)]) == set()
        assert letters.sent(tx, [letters.Accepted(second.id, second.epoch, 250, "ok", late)]) == {second.id}


def test_a_letter_that_waits_is_superseded_and_one_under_way_is_not(db: Database) -> None:
    found = saved(db, a_ticket("KF20250303-0001"))
    with db.write() as tx:
        ledger = Ledger(tx, NOW)
        for n, priority in enumerate((0, 5, 5)):
            ledger.letter({**letter_row(found.id), "message_id": f"<{n}@example.com>", "priority": priority})
        ledger.letter({**letter_row(found.id), "message_id": "<other@example.com>", "recipient": "handler"})
        ledger.letter({**letter_row(found.id), "message_id": "<report@example.com>", "ticket": None})
        ledger.flush()
    with db.write() as tx:
        [first] = letters.lease(tx, "a", NOW, until=LATER, most=1, transport="mail")
        waiting = [x["id"] for x in letters.waiting(tx, found.id, "requester")]
        assert len(waiting) == 2 and first.id not in waiting
        assert [x["message_id"] for x in letters.waiting(tx, None, "requester")] == ["<report@example.com>"]
        letters.supersede(tx, waiting)
    with db.write() as tx:
        taken = letters.lease(tx, "a", LATER, until=LATER, most=9, transport="mail")
        assert not {x.id for x in taken} & set(waiting)
        assert letters.change(tx, waiting[0], "retry", LATER), "a person may want it all the same"
        late = letters.Accepted(waiting[1], 0, 250, "ok", LATER)
        assert letters.sent(tx, [late]) == {waiting[1]}, "one that had gone out after all is said to be sent"


def letter_row(ticket: int) -> dict[str, object]:
    return {
        "ticket": ticket, "recipient": "requester", "addresses": ["a@example.com"], "template": "replies/answer",
        "message_id": "<1@example.com>", "in_reply_to": "", "references": [], "subject": "s", "text": "t", "html": "",
        "automatic": "auto-replied", "documents": [], "attachments": [], "transport": "mail", "status": "pending", "hold": "",
        "key": "", "meets": "", "priority": 5, "attempts": 0, "next_attempt": NOW, "owner": "", "epoch": 0, "last_answer": "",
        "created_at": NOW, "told": True,
    }  # fmt: skip


def test_a_lease_goes_to_another_owner_only_when_it_has_ended(db: Database) -> None:
    with db.write() as tx:
        assert settings.take_lease(tx, "deadlines", "a", NOW, 60) == 1
        assert settings.take_lease(tx, "deadlines", "b", NOW, 60) == 0
        assert settings.take_lease(tx, "deadlines", "b", datetime(2025, 3, 3, 1, 2, tzinfo=UTC), 60) == 2


def test_times_without_zone_are_refused(db: Database) -> None:
    with pytest.raises(Exception, match="time zone"), db.write() as tx:
        settings.keep_note(tx, "box", "k", "v", datetime(2025, 3, 3))  # noqa: DTZ001


def test_token_keys_are_made_once_and_the_old_one_still_counts_after_rotation(db: Database) -> None:
    with db.write() as tx:
        first = settings.token_keys(tx)
        assert settings.token_keys(tx) == first
        settings.rotate_token_keys(tx)
        assert settings.token_keys(tx)[1] == first[0]


def test_search_takes_wildcards_literally(db: Database) -> None:
    saved(db, a_ticket("KF20250303-0001", subject="100% 满意"))
    saved(db, a_ticket("KF20250303-0002", subject="100 满意"))
    with db.read() as tx:
        assert len(tickets.search(tx, text="100%")) == 1
        assert tickets.search(tx, text="' OR 1=1--") == []
        assert len(list(tx.scalars(select(HistoryRow.id)))) == 2


def test_a_postgresql_behind_a_network_that_swallows_everything_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        away = Database(f"postgresql+psycopg://kefud@127.0.0.1:{silent.getsockname()[1]}/kefud?connect_timeout=2")
        with pytest.raises(Busy), away.read() as tx:
            tx.execute(text("select 1"))
        away.close()
