"""What an office that was answered in writing says of the answer: not accepted, not solved (S1-5.5.2, S1-5.7.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kefud.api import Assign, Classify, Decision, Effect, Heard, Join, Ticket, fold

OFFICES = ("sales", "property_company")
_NOT_DONE = re.compile(
    r"不(?:予|能|太)?(?:接受|认可|同意|满意)|(?:仍|依然|依旧|还是?)[^,。;!\n]{0,8}(?:漏|渗|坏|堵|裂|响|没|未|不|存在|有)|还在"
    r"|又[^,。;!\n]{0,4}(?:漏|渗|坏|堵|裂|响|出现|发生)|(?:未|没有?)(?:能|得到|真正|彻底)*(?:解决|修好|处理|消除|整改)"
    r"|(?:重新|再次?|进一步)(?:研究|处理|办理|答复|核实|维修|考虑)|继续(?:处理|办理|维修|整改)|有异议"
)
_SETTLED = re.compile(r"(?:无|没有)(?:任何|其他)?异议|不再(?:渗|漏|响|堵)|已(?:接受|认可|同意)")
_DISPUTE = re.compile(r"退房|退还房款|解除(?:购房)?合同|索赔|赔偿|起诉|拒绝收房|拒收")


def rejects(ticket: Ticket, occasion: Heard) -> bool:
    """Whether the office that brought a matter writes that our written answer does not settle it."""
    author = occasion.author
    if author.role != "party" or not author.verified or author.id != ticket.origin or author.id not in OFFICES:
        return False
    words = fold(occasion.message.text[:2000])
    return bool(_DISPUTE.search(words) or _NOT_DONE.search(_SETTLED.sub("", words)))


def disputed(ticket: Ticket, text: str) -> Iterator[Decision]:
    """Who wants to give the house back, or money, is the manager's and legal's (S1-4.2.4)."""
    if ticket.dispute or not _DISPUTE.search(fold(text[:2000])):
        return
    why = "要求退房、赔偿等,按纠纷办理"
    yield Classify(dispute=True, rule="S1-4.2.4", why=why)
    yield Assign(handler="cs_manager", rule="S1-4.2.4", why=why)
    yield Join(("legal",), rule="S1-4.2.4", why=why)
    yield Effect(("dispute:compensation", "joint:legal"), rule="S1-4.2.4", why=why)
