"""Decision and template make a letter: words by Jinja2, paper by typst, mail by hand.

Nothing here reads a clock, a database or the network; the same input gives the same bytes.
"""

from __future__ import annotations

from kefud.compose.letters import Composer, Draft, Plain, PlainView, TemplateFault, plain, sample_context
from kefud.compose.mail import LetterFault, build_mail
from kefud.compose.press import Press, PressFault

__all__ = [
    "Composer", "Draft", "LetterFault", "Plain", "PlainView", "Press", "PressFault", "TemplateFault",
    "build_mail", "plain", "sample_context",
]  # fmt: skip
