"""Which parts are the text, which are attachments (RFC 2046, 2387, 3676)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from kefud.desk.message import Attachment
from kefud.mime.charsets import decode
from kefud.mime.forward import write_out
from kefud.mime.headers import clean_name, clean_text, decode_words
from kefud.mime.limits import Limits, Remarks
from kefud.mime.markup import charset_of, html_to_text
from kefud.mime.structure import Part

_USELESS = re.compile(
    r"(?:view|read|display).{0,40}html|html.{0,20}(?:格式|邮件|版本|e-?mail|format|message)|不支持.{0,12}html|"
    r"this is a multi-?part message|请使用.{0,12}html|無法顯示.{0,12}html|no text version|text version not available",
    re.I | re.S,
)
_MACHINERY = frozenset(
    "message/delivery-status message/global-delivery-status message/disposition-notification text/rfc822-headers "
    "message/feedback-report application/pgp-signature application/pkcs7-signature application/x-pkcs7-signature".split()
)
_EXTENSIONS = {
    "image/png": "png", "image/jpeg": "jpg", "image/gif": "gif", "image/webp": "webp", "image/heic": "heic",
    "image/tiff": "tif", "image/bmp": "bmp", "application/pdf": "pdf", "application/zip": "zip", "text/plain": "txt",
    "text/html": "html", "text/csv": "csv", "text/calendar": "ics", "text/vcard": "vcf", "video/mp4": "mp4",
    "audio/mpeg": "mp3", "audio/amr": "amr", "audio/wav": "wav", "application/ms-tnef": "dat", "application/msword": "doc",
    "application/vnd.ms-excel": "xls", "message/rfc822": "eml",
}  # fmt: skip
_SMALL_TEXT = 64 * 1024


@dataclass(slots=True)
class Body:
    """The text of a mail: the writer's, what their client marked as quoted, and attached mails written out."""

    own: list[str] = field(default_factory=list)
    quoted: list[str] = field(default_factory=list)
    forwards: list[str] = field(default_factory=list)
    _known: set[str] = field(default_factory=set)

    def add(self, other: Body) -> None:
        """Append, leaving out a text that was there already (a plain text and its HTML twin side by side)."""
        for text in other.own:
            key = "".join(text.split()) if len(text) < _SMALL_TEXT else text
            if key not in self._known:
                self._known.add(key)
                self.own.append(text)
        self.quoted += other.quoted
        self.forwards += other.forwards

    def empty(self) -> bool:
        return not any(self.own) and not any(self.quoted) and not self.forwards


class BodyReader:
    """Chooses the text of one mail; decodes only what it chooses."""

    def __init__(self, limits: Limits, remarks: Remarks) -> None:
        self._limits = limits
        self._remarks = remarks
        self._budget = 4 * limits.text

    def read(self, part: Part) -> Body:
        """The text below ``part``."""
        if part.is_message:
            return Body(forwards=[self._attached_mail(part)]) if part.children else Body()
        if not part.children:
            return self._leaf(part) if is_text(part) else Body()
        if part.media_type == "multipart/alternative":
            return self._alternative(part.children)
        if part.media_type in ("multipart/related", "multipart/report", "multipart/signed"):
            return self._first_with_text(part.children)
        body = Body()
        for child in part.children:
            body.add(self.read(child))
        return body

    def _alternative(self, choices: list[Part]) -> Body:
        plain = next((part for part in choices if is_text(part) and part.media_type == "text/plain"), None)
        first = self._leaf(plain) if plain else Body()
        if any(first.own) and not (len(choices) > 1 and _is_useless("".join(first.own))):
            return first
        for choice in reversed(choices):
            body = Body() if choice is plain else self.read(choice)
            if not body.empty():
                return body
        return first

    def _first_with_text(self, parts: list[Part]) -> Body:
        for part in parts:
            body = self.read(part)
            if not body.empty():
                return body
        return Body()

    def _leaf(self, part: Part) -> Body:
        data = self._within_budget(part.content(), 4 if part.media_type == "text/html" else 1)
        if part.media_type == "text/html":
            own, quoted = html_to_text(self._decode(part, data, charset_of(data)))
            return Body([own] if own else [], [quoted] if quoted else [])
        text = self._decode(part, data, "").strip("\n")
        if part.parameters.get("format", "").lower() == "flowed":
            text = unflow(text, part.parameters.get("delsp", "").lower() == "yes")
        return Body([text] if text.strip() else [])

    def _within_budget(self, data: bytes, weight: int) -> bytes:
        """What may still be read of all texts together; HTML costs four times its length."""
        allowed = self._budget // weight
        if len(data) > allowed:
            self._remarks.add("text cut")
            data = data[:allowed]
        self._budget -= len(data) * weight
        return data

    def _decode(self, part: Part, data: bytes, hint: str) -> str:
        text, remark = decode(data, part.parameters.get("charset", "") or hint)
        self._remarks.add(remark)
        return clean_text(text)

    def _attached_mail(self, part: Part) -> str:
        inner = part.children[0]
        if "from" not in inner.headers and "subject" not in inner.headers:
            body = self.read(inner)
            return "\n\n".join(body.own + body.quoted + body.forwards)
        body = self.read(inner)
        text = "\n\n".join(piece for piece in body.own + body.quoted + body.forwards if piece)
        named = [inner.headers.text(name, self._limits) for name in ("from", "date", "to", "subject")]
        return write_out(named[0], named[1], named[2], named[3], text)

    def from_attachments(self, root: Part) -> str:
        """The words of small text attachments, for a mail that has no others."""
        found = []
        for leaf in root.leaves():
            if leaf.media_type in ("text/plain", "text/html") and not is_text(leaf) and leaf.end - leaf.start <= _SMALL_TEXT:
                found += self._leaf(leaf).own
        return "\n\n".join(found)


def _is_useless(text: str) -> bool:
    return len(text) < 300 and bool(_USELESS.search(text))


def is_text(part: Part) -> bool:
    """Whether a leaf is body text: plain or HTML without a file name and not declared an attachment."""
    if part.media_type not in ("text/plain", "text/html") or part.disposition == "attachment":
        return False
    return not (part.disposition_parameters.get("filename") or part.parameters.get("name"))


def unflow(text: str, delsp: bool) -> str:
    """Join the lines of format=flowed text (RFC 3676): a trailing space means the paragraph goes on."""
    paragraphs: list[list[str]] = []
    joining = False
    level = 0
    for line in text.split("\n"):
        depth = len(line) - len(line.lstrip(">"))
        bare = line[depth:].removeprefix(" ")
        flows = bare.endswith(" ") and bare != "-- "
        bare = bare[:-1] if flows and delsp else bare
        if joining and depth == level:
            paragraphs[-1].append(bare)
        else:
            paragraphs.append([">" * depth + " " if depth else "", bare])
        joining, level = flows, depth
    return "\n".join(map("".join, paragraphs))


def read_attachments(root: Part) -> tuple[Attachment, ...]:
    """Every leaf that is no body text, with size and hash of its decoded bytes."""
    return tuple(_describe(leaf) for leaf in root.leaves() if _is_attachment(leaf))


def _is_attachment(leaf: Part) -> bool:
    if leaf.media_type in _MACHINERY or is_text(leaf):
        return False
    return leaf.end > leaf.start or bool(leaf.disposition_parameters or "name" in leaf.parameters)


def _describe(leaf: Part) -> Attachment:
    size, digest = leaf.hashed()
    inline = leaf.disposition == "inline" or (leaf.disposition != "attachment" and "content-id" in leaf.headers)
    return Attachment(file_name(leaf), leaf.media_type, size, digest, leaf.index, inline)


def file_name(leaf: Part) -> str:
    """The name people see: from RFC 2231, RFC 2047 or raw parameters, or made up from the type; never a path (S08)."""
    given = leaf.disposition_parameters.get("filename") or leaf.parameters.get("name") or ""
    if "=?" in given:
        given = decode_words(given, 50)
    elif "%" in given and given.isascii():
        given = _unpercent(given)
    name = clean_name(given).replace("\\", "/").rpartition("/")[2].strip(" .")
    if not name:
        return f"附件{leaf.index + 1}.{_EXTENSIONS.get(leaf.media_type, 'bin')}"
    if len(name) > 200:
        stem, dot, extension = name.rpartition(".")
        name = f"{stem[: 199 - len(extension)]}.{extension}" if dot and len(extension) <= 10 else name[:200]
    return name


def _unpercent(text: str) -> str:
    data = unquote_to_bytes(text)
    try:
        return text if data.isascii() else data.decode("utf-8")
    except UnicodeDecodeError:
        return text
