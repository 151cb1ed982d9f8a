"""来件: what a channel hands over, raw and untouched."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kefud.large import Large


@dataclass(frozen=True, slots=True)
class Arrival:
    """One thing that arrived, before anybody read it.

    ``ref`` is the source's own stable reference (for a mailbox folder/UIDVALIDITY/UID), unique within the channel.
    ``content`` is the raw original; of 1 MiB and more it may be a file of the spool's room for what comes in.
    ``received_at`` (aware) is when the channel saw it, used where the content has no better start instant. ``medium`` names
    what `read` will make of it. ``subject`` is a short label for lists, "" if only reading will tell.
    """

    ref: str
    received_at: datetime
    content: bytes | Large
    medium: str = "mail"
    subject: str = ""
