"""The journal of accepted letters: what is on disk is recorded once, however late, and no letter leaves twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from line.office import line, mail
from servers.dovecot import Dovecot

from kefud.desk.dispatch import Sent
from kefud.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "outbox" / "mail.sent")
    made.create()
    return made


def test_what_was_noted_is_read_back(journal: Journal) -> None:
    letters = [Sent(n, 3, True, 250, "250 2.0.0 Ok: 已收", papers=((n, f"客联-{n}.pdf"),)) for n in (4, 5)]
    with journal.opened() as pen:
        for sent in letters:
            pen.note(sent)
    assert journal.read()[0] == letters
    journal.clear()
    assert journal.read()[0] == []


def test_a_line_that_a_power_cut_tore_is_left_out(journal: Journal) -> None:
    with journal.opened() as pen:
        pen.note(Sent(4, 1, True, 250, "ok"))
        pen.note(Sent(5, 1, True, 250, "ok"))
    journal.path.write_bytes(journal.path.read_bytes()[:-7])
    assert [sent.id for sent in journal.read()[0]] == [4]


def test_letters_only_the_journal_knows_are_recorded_and_not_sent_again(tmp_path: Path, imap_server: Dovecot) -> None:
    """As after a death between the server's answer and the commit: the letter waits in the store, the journal knows better."""
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as office:
        office.put(mail("5号楼1单元201电梯异响,请检查。何样板 13800000201"))
        assert office.work()["letters"] == 0
        [letter] = [x for x in office.letters if x["recipient"] == "requester"]
        before = len(office.smtp.letters)
        with office.office.db.write() as tx:
            tx.exec_driver_sql(f"update letter set status='pending', sent_at=null where id={letter['id']}")
        journal = Journal(Path(office.loaded.spool) / "outbox" / "mail.sent")
        with journal.opened() as pen:
            pen.note(Sent(letter["id"], letter["epoch"], True, 250, "250 2.0.0 Ok"))
        for box in office.office.outboxes(lambda: None, lambda: False):
            while box.step():
                pass
        assert len(office.smtp.letters) == before
        [again] = [x for x in office.letters if x["id"] == letter["id"]]
        assert again["status"] == "sent" and again["sent_at"] is not None
        assert journal.read()[0] == []
        assert office.broken() == []


def test_a_letter_leased_anew_is_not_taken_for_the_one_noted_before(tmp_path: Path, imap_server: Dovecot) -> None:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as office:
        office.put(mail("5号楼1单元201电梯异响,请检查。何样板 13800000201"))
        office.work()
        [letter] = [x for x in office.letters if x["recipient"] == "requester"]
        before = len(office.smtp.letters)
        with office.office.db.write() as tx:
            tx.exec_driver_sql(f"update letter set status='pending', epoch=epoch+1 where id={letter['id']}")
        with Journal(Path(office.loaded.spool) / "outbox" / "mail.sent").opened() as pen:
            pen.note(Sent(letter["id"], letter["epoch"], True, 250, "of an earlier lease"))
        for box in office.office.outboxes(lambda: None, lambda: False):
            while box.step():
                pass
        assert len(office.smtp.letters) == before + 1
