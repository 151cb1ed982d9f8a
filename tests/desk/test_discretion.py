"""A notice names the requester only to those who must get in or call on the way (S2-5.7, D26)."""

import pytest

from kefud.desk.discretion import contact_shown, without_traces
from kefud.desk.ticket import Ticket


@pytest.mark.parametrize(
    ("ticket", "party", "shown"),
    [
        (Ticket(kind="repair", text="客厅北墙空鼓"), "contractor", True),
        (Ticket(kind="repair", text="家里水龙头漏水"), "property_company", True),
        (Ticket(kind="repair", text="北侧路灯不亮"), "property_company", False),
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
