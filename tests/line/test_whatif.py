"""What-if: nothing is touched, and what is foretold is what the rules say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from line.office import Line, line, mail
from servers.dovecot import Dovecot
from sqlalchemy import text

from kefud.cli import kefud
from kefud.config import load
from kefud.rehearsal import rehearse, simulate
from kefud.store import arrivals
from kefud.wiring import Office

RUDE = "我是5号楼1单元201的业主何样板。西门保安态度恶劣,骂人,我要投诉,请给我一个说法。"


@pytest.fixture
def office(tmp_path: Path, imap_server: Dovecot) -> Iterator[Line]:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as made:
        made.put(mail(RUDE))
        made.work()
        yield made


def _changes(office: Line) -> int:
    with office.office.db.read() as tx:
        return int(tx.scalar(text("select (select count(*) from history) + (select count(*) from letter) + (select count(*) from counter)")))


def test_a_changed_deadline_is_shown_for_the_stored_mail_and_nothing_is_touched(office: Line, tmp_path: Path) -> None:
    before = _changes(office)
    changed = tmp_path / "new.toml"
    changed.write_text(office.path.read_text("utf-8") + '\n[deadlines]\n"resolve.complaint" = "5 calendar_days"\n', "utf-8")
    with office.office.db.read() as tx:
        stored = arrivals.filed_since(tx, office.now - timedelta(days=1), Path(office.loaded.spool))
    with Office(load(changed), exclusive=False, open_store=False) as other:
        same = list(rehearse(stored, office.office.room(), office.office.room(), lambda w: w.arrival.received_at))
        [found] = rehearse(stored, office.office.room(), other.room(office.loaded.config.channel), lambda w: w.arrival.received_at)
    assert same == []
    assert found.tickets == ("KF20250303-0001",)
    assert [(what, after - before) for what, (before, after) in found.changes.items()] == [("deadline resolve", timedelta(days=2))]
    assert _changes(office) == before


def test_a_department_that_never_answers_is_chased_and_reported(office: Line) -> None:
    before = _changes(office)
    seen = simulate(office.tickets, office.office.room(), office.now, office.now + timedelta(days=5))
    told = {(f.to, f.text) for f in seen if f.what == "letter"}
    assert ("department", "reports/chaser") in told
    assert ("property_manager", "reports/escalation") in told
    assert ("requester", "replies/progress") in told
    assert all(a.at <= b.at for a, b in zip(seen, seen[1:], strict=False))
    assert _changes(office) == before


def test_what_was_told_already_is_not_foretold_again(office: Line) -> None:
    def foretold() -> list[str]:
        seen = simulate(office.tickets, office.office.room(), office.now, office.now + timedelta(days=5))
        return [f.text for f in seen if f.what == "letter" and f.to == "property_manager"]

    first = foretold()
    for _ in range(5 * 24):
        office.pass_time(hours=1)
        office.work()
        if any(x.recipient == "property_manager" for t in office.tickets for x in t.letters):
            break
    assert len(foretold()) == len(first) - 1


def test_a_candidate_that_names_a_store_of_its_own_is_tried_on_ours(office: Line, tmp_path: Path) -> None:
    changed = tmp_path / "new.toml"
    words = office.path.read_text("utf-8").replace('spool = "var"', 'spool = "elsewhere"').replace("/kefud.db", "/other.db")
    changed.write_text(words + '\n[deadlines]\n"resolve.complaint" = "5 calendar_days"\n', "utf-8")
    command = ["-c", str(office.path), "rehearse", "--since", "9000d", "--config", str(changed)]
    done = CliRunner().invoke(kefud, command, catch_exceptions=False)
    assert done.exit_code == 0 and "1 arrivals rehearsed, 1 would" in done.output
    assert not (tmp_path / "other.db").exists() and not (tmp_path / "elsewhere").exists()
