"""Who may learn whose matter it is: need to know, and no more (S2-5.7, S3-4.3.1; RULES §9)."""

from __future__ import annotations

import re

from kefud.desk.chinese import fold
from kefud.desk.ticket import Ticket

_INDOORS = re.compile("家里|家中|我家|屋内|屋里|室内|户内|房间|卧室|客厅|厨房|卫生间|阳台|飘窗|入户门|马桶|地漏|暖气|墙面|吊顶")


def contact_shown(ticket: Ticket, party_kind: str, show_contact: bool = False) -> bool:
    """Whether a notice to a party may name the requester and the number (RULES §9, catalogue D26).

    Never where the requester asked for confidence or complains of somebody's conduct. Otherwise where people must get into
    the house or be called on the way: emergencies, repairs by a contractor, repairs inside a flat; and where the
    configuration says so.
    """
    if ticket.masked or ticket.category == "attitude" or ticket.origin == "anonymous":
        return False
    if ticket.urgency == "emergency" or show_contact:
        return True
    if ticket.kind != "repair":
        return False
    return party_kind == "contractor" or bool(_INDOORS.search(fold(ticket.text or ticket.summary)))
