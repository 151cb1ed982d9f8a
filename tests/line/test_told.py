"""What became of letters reaches their tickets, whatever is wrong with one of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from estate import Estate
from line.office import PARTIES, ROLES
from sqlalchemy import select, update

from kefud.casework import Casework
from kefud.desk.occasions import Delivered
from kefud.store.tables import LetterRow

OUT = '[[transport]]\nid = "out"\nplugin = "print_folder"\npath = "out"\ncontent = "mail"\n'


class Refusing:
    """Judges, who fail with one ticket's delivered letters."""

    def __init__(self, judges: Any, number: str) -> None:
        self._judges = judges
        self._number = number

    def judge(self, batch: Any) -> Any:
        if any(ticket.number == self._number and isinstance(occasion, Delivered) for ticket, occasion, _ in batch):
            raise ArithmeticError("no rule can judge this")
        return self._judges.judge(batch)


def test_a_ticket_that_cannot_be_told_holds_up_no_other(tmp_path: Path) -> None:
    estate = Estate(tmp_path, f"{OUT}{PARTIES}{ROLES}", service="trust_internal_mail = true\n")
    estate.put("我是5号楼1单元201的业主何样板,电话13800000201。西门保安态度恶劣,骂人,我要投诉。")
    estate.put("我是8号楼2单元1201的业主魏占空,电话13800000207。客厅天花板漏水,请维修。", sender="other@example.com")
    estate.work()
    made = {t.number: t.id for t in estate.tickets}
    first = min(made)
    with estate.open() as office:
        kept, theirs = office.casework, list(made.values())
        with office.db.write() as tx:
            tx.execute(update(LetterRow).where(LetterRow.ticket.in_(theirs), LetterRow.meets != "").values(told=False))
            waiting = set(tx.scalars(select(LetterRow.ticket).where(LetterRow.told.is_(False))))
        assert len(waiting) == 2
        cases = Casework(office.db, office.site, office.composer, Refusing(kept.judges, first), clock=office.clock, nonce=lambda: "x")
        for _ in range(10):
            with pytest.raises(ArithmeticError):
                cases.tell()
        with office.db.read() as tx:
            untold = set(tx.scalars(select(LetterRow.ticket).where(LetterRow.told.is_(False))))
    assert untold == {made[first]}
