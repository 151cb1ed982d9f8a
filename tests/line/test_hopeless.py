"""A letter whose address can never be right is given up at once, so that a person hears of it; what may pass is tried again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hostile.station import station

from kefud.api import Parcel
from kefud.compose import Press, PressFault
from kefud.desk.decisions import Classify
from kefud.desk.dispatch import Dispatch
from kefud.desk.message import Address, is_address
from kefud.desk.ticket import Requester
from kefud.hosts import TransportHost

NOW = datetime(2025, 3, 3, 1, 0, tzinfo=UTC)
US = "kefu@estate.example.com"


class Wire:
    id = "mail"

    def send(self, parcel: Parcel) -> str:
        return "250 taken"

    def finish(self) -> None:
        pass


class Printer(Press):
    def __init__(self, fault: Exception | None = None) -> None:
        super().__init__([])
        self.fault = fault

    def print(self, form: str, data: Mapping[str, Any]) -> bytes:
        if self.fault:
            raise self.fault
        return b"%PDF"


@pytest.mark.parametrize(
    ("to", "sender", "fault", "ok", "permanent"),
    [
        ("wuye@property.example.com", US, None, True, False),
        ("wuye property.example.com", US, None, False, True),
        ("", US, None, False, True),
        ("wuye@property.example.com", "kefu", None, False, False),
        ("wuye@property.example.com", US, PressFault("install fonts-noto-cjk"), False, False),
        ("wuye@property.example.com", US, OSError(28, "No space left on device"), False, False),
    ],
)
def test_only_an_address_that_is_none_is_given_up(
    tmp_path: Path, to: str, sender: str, fault: Exception | None, ok: bool, permanent: bool
) -> None:
    dispatch = Dispatch(
        1, 1, "<1@estate.example.com>", "KF20250303-0001", Address("", sender), (Address("", to),), "联系单", "请办理", NOW,
        prints=((7, "notice", "2025/notice", {}),),
    )  # fmt: skip
    sent = TransportHost(Wire(), Printer(fault), tmp_path).one(dispatch)
    assert (sent.ok, sent.permanent) == (ok, permanent)
    assert [document for document, _ in sent.papers] == ([] if fault else [7])


def test_a_customer_whose_address_is_none_is_telephoned(tmp_path: Path) -> None:
    with station(tmp_path) as office:
        caller = Requester("赵样", "13800000388", "zhao样 mail.example.com")
        given = [Classify(house="6-1-401", requester=caller, origin="owner")]
        ticket = office.office.enter("请问怎么办理装修手续?", {"by": "receptionist"}, given)
        office.work()
        office.office.casework.order(ticket.number, "reply", "cs_specialist", {"text": "请带图纸到前台办理。"})
        office.work()
        office.work()
        assert {x["status"] for x in office.letters if x["recipient"] == "requester"} == {"failed"}
        assert "call" in [t.kind for t in office.ticket(ticket.number).tasks]


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("wuye@property.example.com", True), ("kefu@localhost", True), ("a.b+c_d@x-y.example.cn", True), ("a@xn--fiqs8s", True),
        ("wuye property.example.com", False), ("物业@property.example.com", False), ("a@b@example.cn", False), (" a@example.cn", False),
        ("张三 <a@example.cn>", False), ("a@example..cn", False), ("a@example.cn\n", False), ("@example.cn", False), ("", False),
    ],
)  # fmt: skip
def test_what_an_address_is(text: str, good: bool) -> None:
    assert is_address(text) is good
