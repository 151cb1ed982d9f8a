"""Mail bytes to text, attachments and verdicts: pure functions, no network and no disk."""

from kefud.mime.automatic import is_sign_up
from kefud.mime.forward import Forwarded, forwarded
from kefud.mime.limits import Limits
from kefud.mime.markup import html_to_text
from kefud.mime.reader import attachment_bytes, read_mail
from kefud.mime.reply import split_reply
from kefud.mime.trust import authenticated

__all__ = [
    "Forwarded",
    "Limits",
    "attachment_bytes",
    "authenticated",
    "forwarded",
    "html_to_text",
    "is_sign_up",
    "read_mail",
    "split_reply",
]
