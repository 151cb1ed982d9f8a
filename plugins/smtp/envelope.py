"""What may go onto the wire: checked addresses, and a message that cannot be mistaken for commands."""

from __future__ import annotations

import re

_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\U0010ffff-]"
_LABEL = r"[A-Za-z0-9\u00a1-\U0010ffff](?:[A-Za-z0-9\u00a1-\U0010ffff-]{0,61}[A-Za-z0-9\u00a1-\U0010ffff])?"
_MAILBOX = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*@{_LABEL}(?:\.{_LABEL})*")
_LINE_END = re.compile(rb"\r\n|\r|\n")


def acceptable(address: str) -> bool:
    """True for a plain mailbox: dot-atom at domain name, nothing quoted, nothing that could end a command."""
    local, _, domain = address.rpartition("@")
    short = len(local.encode("utf-8", "replace")) <= 64 and len(domain) <= 253 and len(address) <= 254
    return short and bool(_MAILBOX.fullmatch(address)) and address.isprintable()


def on_the_wire(message: bytes) -> bytes:
    """CRLF ends every line and nothing else does, dots are doubled, the final dot stands alone."""
    ends = message.count(b"\r\n")
    if message.count(b"\n") != ends or message.count(b"\r") != ends:
        message = _LINE_END.sub(b"\r\n", message)
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    message = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        message = b"." + message
    return message + b".\r\n"
