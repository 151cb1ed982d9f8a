"""A letter on its way out: what the transport's process needs, and what it says became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kefud.desk.message import Address


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A letter to print, build and send.

    ``prints`` are forms to print and enclose: document id, form, path below the papers' directory without ending, data.
    ``files`` are enclosed as they are: name, media type, bytes. ``envelope`` is the envelope sender, "" for none.
    """

    id: int
    epoch: int
    message_id: str
    ticket: str
    sender: Address
    addresses: tuple[Address, ...]
    subject: str
    text: str
    date: datetime
    html: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    automatic: str = ""
    reply_to: str = ""
    envelope: str = ""
    prints: tuple[tuple[int, str, str, dict[str, Any]], ...] = ()
    files: tuple[tuple[str, str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Sent:
    """The fate of one dispatch. ``code`` and ``answer`` are the receiving server's; ``papers`` the files printed.

    ``ours``: the letter could not even be printed or built; the server has nothing to do with it. ``interrupted``: the child
    that sent it ended before it could say what became of it.
    """

    id: int
    epoch: int
    ok: bool
    code: int | None = None
    answer: str = ""
    permanent: bool = False
    ours: bool = False
    interrupted: bool = False
    papers: tuple[tuple[int, str], ...] = ()
