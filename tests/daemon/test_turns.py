"""Who waits for a lock gets it in turn; what was read ahead is not kept from the next daemon."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from line.office import MONDAY, Line, line, mail
from servers.dovecot import Dovecot

from kefud.desk.ticket import Deadline
from kefud.intake import ReadingDesk
from kefud.store import tickets
from kefud.turns import Turns


def test_the_lock_goes_to_whoever_asked_first() -> None:
    turns, order = Turns(), []
    asked = [threading.Event() for _ in range(3)]

    def take(n: int) -> None:
        asked[n].set()
        with turns:
            order.append(n)

    threads = []
    with turns:
        for n in range(3):
            threads.append(threading.Thread(target=take, args=(n,)))
            threads[-1].start()
            asked[n].wait()
            while len(turns._waiting) <= n:
                threading.Event().wait(0.001)
    with turns:  # the one who let go queues behind those who waited
        order.append("again")
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, "again"]


def test_it_is_let_go_after_an_error() -> None:
    turns = Turns()
    try:
        with turns:
            raise ValueError
    except ValueError:
        pass
    with turns:
        pass


def test_what_was_read_ahead_waits_again_when_the_desk_ends(tmp_path: Path, imap_server: Dovecot) -> None:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as office:
        for n in range(3):
            office.put(mail(f"{n + 1}号楼1单元101电梯异响,请检查。", sender=f"o{n}@mail.example.com", name=f"业主{n}"))
        [receiver] = office.office.receivers(lambda: None)
        while receiver.step():
            pass
        [desk] = [x for x in office.office.desks(lambda: None) if x.name == "reading"]
        assert isinstance(desk, ReadingDesk)
        desk._batch = 1
        assert desk.step()
        desk.end()
        assert len(office.tickets) == 1
        while desk.step():
            pass
        assert sorted(t.requester.email for t in office.tickets) == [f"o{n}@mail.example.com" for n in range(3)]


def late(office: Line, count: int) -> list[str]:
    """So many tickets with a deadline that is due."""
    for n in range(count):
        office.put(mail(f"{n + 1}号楼2单元201水管漏水,请派人来修。", sender=f"o{n}@mail.example.com", name=f"业主{n}"))
    office.work()
    return [t.number for t in office.tickets]


def test_one_ticket_that_cannot_be_followed_holds_up_no_other(tmp_path: Path, imap_server: Dovecot) -> None:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as office:
        numbers = late(office, 4)
        office.pass_time(days=2)
        casework, usual = office.office.casework, tickets.Ledger.save

        def broken(self: Any, ticket: Any, before: Any) -> Any:
            if ticket.number == numbers[1]:
                raise RuntimeError("this one cannot be saved")
            return usual(self, ticket, before)

        tickets.Ledger.save = broken  # type: ignore[method-assign]
        try:
            casework.wake()
        except RuntimeError:
            pass
        finally:
            tickets.Ledger.save = usual  # type: ignore[method-assign]
        chased = {number: [x for x in office.ticket(number).deadlines if x.steps] for number in numbers}
        assert not chased[numbers[1]] and all(chased[n] for n in numbers if n != numbers[1])


def test_deadlines_of_one_ticket_are_followed_one_after_the_other(tmp_path: Path, imap_server: Dovecot) -> None:
    with line(tmp_path, f"sqlite:///{tmp_path}/kefud.db", imap_server) as office:
        [number] = late(office, 1)
        with office.office.db.write() as tx:
            due = tickets.due_deadlines(tx, MONDAY + timedelta(days=9), 50)
        assert len(due) >= 2, "more than one clock runs"
        office.pass_time(days=9)
        while office.office.casework.wake():
            pass
        told = [d for d in office.ticket(number).deadlines if d.steps]
        assert len(told) >= 2 and all(isinstance(d, Deadline) for d in told)
        assert office.broken() == []
