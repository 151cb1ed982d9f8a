"""The customer says that an emergency is none, or over: who was alarmed reads it at once, and nothing ends by it (S1-5.4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kefud.api import Decision, Heard, Site, Ticket, Write, fold, without_personal

TOLD = ("handler", "duty_officer", "property_company", "cs_supervisor")
_OVER = re.compile(
    r"误报|虚惊|看错|弄错|搞错|没事|没(?:有)?(?:着火|起火|火|危险)|无(?:火情|险情|大碍)|(?:不用|不必|无需|别)(?:再)?(?:来|派|过来|上门)"
    r"|(?:火|水|气|味|烟|阀|电)[^,。;!\n]{0,4}(?:灭|熄|关|止|停|散|消|断)(?:了|掉|住|上|好)|(?:险情|危险)[^,。;!\n]{0,3}(?:解除|过去|排除)"
    r"|(?:出来|脱困|救出)(?:来)?了|控制住|恢复(?:正常|供)"
)
_ASKED = re.compile(r"吗|\?|没事吧|怎么(?:还)?")


def says_it_is_over(text: str) -> bool:
    words = fold(text[:2000])
    return any(_OVER.search(part) and not _ASKED.search(part) for part in re.split(r"[,。;!\n]", words))


def relieved(ticket: Ticket, occasion: Heard, site: Site) -> Iterator[Decision]:
    """Nobody is called off by it: those on site look, and say what they found."""
    words = occasion.message.text.strip()[:500]
    text = f"业主来信称险情已解除或属误报(未经现场核实):{words}\n请到现场核实后回复;核实前照常处置,本件不因此结束。"
    for to in TOLD:
        shown = without_personal(text, ticket) if site.party(to) else text
        yield Write(to, "reports/alert", {"text": shown}, key=f"relief:{occasion.message.mark}:{to}", rule="S1-5.4.2")
