"""A notice names the requester only to those who must get in or call on the way (S2-5.7, D26)."""

from pathlib import Path

import pytest

from kefud.compose import Composer
from kefud.compose.letters import sample_context
from kefud.desk.discretion import contact_shown, without_traces
from kefud.desk.ticket import Ticket
from kefud.desk.view import makes_appointment, ticket_view

TEMPLATES = Path(__file__).parents[2] / "templates"


@pytest.mark.parametrize(
    ("ticket", "party", "shown"),
    [
        (Ticket(kind="repair", text="客厅北墙空鼓"), "contractor", True),
        (Ticket(kind="repair", text="家里水龙头漏水"), "property_company", True),
        (Ticket(kind="repair", text="北侧路灯不亮"), "property_company", False),
        (Ticket(kind="repair", text="整层都亮着,只有我们这一户没电"), "property_company", True),
        (Ticket(kind="repair", text="昨晚起就我们一家断水,请来人看"), "property_company", True),
        (Ticket(kind="repair", urgency="emergency", text="水管爆了"), "property_company", True),
        (Ticket(kind="complaint", text="楼道脏"), "property_company", False),
        (Ticket(kind="repair", text="客厅空鼓", masked=True), "contractor", False),
        (Ticket(kind="complaint", category="attitude", urgency="emergency"), "property_company", False),
        (Ticket(kind="repair", origin="anonymous", text="家里漏水"), "contractor", False),
    ],
)
def test_need_to_know(ticket: Ticket, party: str, shown: bool) -> None:
    assert contact_shown(ticket, party) is shown


def test_a_party_may_be_trusted_by_configuration_but_not_with_confidences() -> None:
    assert contact_shown(Ticket(kind="suggestion"), "property_company", show_contact=True)
    assert not contact_shown(Ticket(kind="suggestion", masked=True), "property_company", show_contact=True)


def test_by_what_the_writer_would_be_known_is_left_out() -> None:
    told = "我家楼下1204那户隔成八间出租,走廊里充电瓶。我一个女的带着小孩住,怕。千万不要让人家晓得是我讲的。"
    assert without_traces(told) == "1204那户隔成八间出租,走廊里充电瓶。"
    assert without_traces("我家楼上天天半夜搬桌子") == "楼上天天半夜搬桌子"


@pytest.mark.parametrize(
    ("ticket", "promised"),
    [
        (Ticket(kind="repair", house="3-2-501", text="家里水龙头漏水", department="property_company"), True),
        (Ticket(kind="repair", house="3-2-501", text="客厅北墙空鼓", department="contractor"), True),
        (Ticket(kind="repair", house="3-2-501", text="北侧路灯不亮", department="property_company"), False),
        (Ticket(kind="repair", house="3-2-501", summary="楼道灯坏了", text="楼道灯坏了", department="contractor"), False),
        (Ticket(kind="repair", house="3-2-501", text="家里水龙头漏水", department="property_company", masked=True), False),
        (
            Ticket(kind="repair", house="3-2-501", origin="property_company", text="次卧窗框渗水", department="contractor"),
            False,
        ),
    ],
)
def test_an_appointment_is_promised_only_where_somebody_comes_in_and_can_make_it(ticket: Ticket, promised: bool) -> None:
    assert makes_appointment(ticket) is promised
    told = Composer([TEMPLATES]).write(
        "replies/acknowledgement", {**sample_context(), "ticket": ticket_view(ticket, "Asia/Shanghai", profile="owner")}
    )
    assert ("与您约定时间" in told.text) is promised
