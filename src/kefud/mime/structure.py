"""Cut a mail into its parts on the raw bytes: find the boundary lines, never walk what lies between (RFC 2046)."""

from __future__ import annotations

import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from kefud.mime.headers import Headers, Source, from_base64, hash_base64, parse_parameters, read_headers, searched
from kefud.mime.limits import Limits, Remarks

_STRAY_BOUNDARY = re.compile(rb"\n--([^\s][^\r\n]{0,199})\r?\n[ \t]{0,20}[Cc]ontent-")
_TEXT_PART = re.compile(rb"\ncontent-type:[ \t]{0,20}text/(?:plain|html)", re.I)
_TOKEN = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}")
_MESSAGES = frozenset({"message/rfc822", "message/global", "message/news"})


@dataclass(slots=True)
class Part:
    """One node of a mail. A leaf has no children; ``index`` is its place among the leaves, -1 for others."""

    headers: Headers
    source: Source
    start: int
    end: int
    media_type: str = "text/plain"
    parameters: dict[str, str] = field(default_factory=dict)
    disposition: str = ""
    disposition_parameters: dict[str, str] = field(default_factory=dict)
    children: list[Part] = field(default_factory=list)
    index: int = -1
    whole: bool = True
    """On the root: whether every byte of the message lies in a part (or between parts), nothing cut."""

    @property
    def is_message(self) -> bool:
        return self.media_type in _MESSAGES

    @property
    def is_base64(self) -> bool:
        return self.headers.raw("content-transfer-encoding").strip().lower() == b"base64"

    def content(self) -> bytes:
        """The decoded bytes of a leaf."""
        if self.is_base64:
            return from_base64(self.source, self.start, self.end)
        return decode_transfer(self.source[self.start : self.end], self.headers.raw("content-transfer-encoding"))

    def hashed(self) -> tuple[int, str]:
        """Size and SHA-256 of the decoded bytes."""
        if self.is_base64:
            return hash_base64(self.source, self.start, self.end)
        data = self.content()
        return len(data), hashlib.sha256(data).hexdigest()

    def leaves(self) -> Iterator[Part]:
        """All leaves in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()


def decode_transfer(data: bytes, encoding: bytes) -> bytes:
    """Undo base64 and quoted-printable, tolerantly (RFC 2045 6); anything else is left as it is."""
    name = encoding.partition(b";")[0].strip(b' \t"').lower()
    if name == b"base64":
        return from_base64(data)
    if name == b"quoted-printable":
        return binascii.a2b_qp(data)
    return data


def read_structure(raw: Source, limits: Limits, remarks: Remarks) -> Part:
    """The tree of parts of one message, its leaves numbered."""
    if raw.find(b"\n") < 0 <= raw.find(b"\r"):
        raw = raw[:].replace(b"\r", b"\n")
    splitter = _Splitter(limits, remarks)
    root = splitter.message(raw, 0, len(raw), 0)
    root.whole = not splitter.cut
    for number, leaf in enumerate(root.leaves()):
        leaf.index = number
    return root


class _Splitter:
    """Carries the budget of boundary lines through one message."""

    def __init__(self, limits: Limits, remarks: Remarks) -> None:
        self.limits = limits
        self.remarks = remarks
        self.lines_left = limits.boundary_lines
        self.cut = False

    def message(self, source: Source, start: int, end: int, depth: int) -> Part:
        """A whole message: like a part, but empty lines above its header are forgiven."""
        while source.startswith((b"\n", b"\r\n"), start, end) and start < end:
            start = source.index(b"\n", start) + 1
        return self.part(source, start, end, depth, "text/plain")

    def part(self, source: Source, start: int, end: int, depth: int, default: str) -> Part:
        headers, body = read_headers(source, start, end, self.limits, self.remarks)
        part = Part(headers, source, body, end)
        _read_type(part, default)
        if part.media_type.startswith("multipart/"):
            self._split_multipart(part, depth)
        elif part.is_message:
            self._open_message(part, depth)
        return part

    def _split_multipart(self, part: Part, depth: int) -> None:
        if depth >= self.limits.depth:
            self._rescue(part)
            return
        boundary = part.parameters.get("boundary", "").rstrip().encode("utf-8", "replace")[:512]
        spans = self._spans(part, boundary) if boundary else []
        if not spans:
            stray = searched(_STRAY_BOUNDARY, part.source, max(part.start - 1, 0), part.end)
            if stray:
                self.remarks.add("boundary missing, parts cut where lines look like one")
                spans = self._spans(part, stray[1].rstrip())
        default = "message/rfc822" if part.media_type == "multipart/digest" else "text/plain"
        part.children = [self.part(part.source, *span, depth + 1, default) for span in spans]
        if not part.children:
            self.remarks.add("multipart without parts read as text")
            part.media_type = "text/plain"

    def _open_message(self, part: Part, depth: int) -> None:
        if depth >= self.limits.depth:
            self._rescue(part)
            return
        encoding = part.headers.raw("content-transfer-encoding").strip().lower()
        if encoding in (b"base64", b"quoted-printable"):
            content = part.content()
            part.children = [self.message(content, 0, len(content), depth + 1)]
        else:
            part.children = [self.message(part.source, part.start, part.end, depth + 1)]

    def _rescue(self, part: Part) -> None:
        """Too deep: no more structure, but the first text below is worth having."""
        self.cut = True
        self.remarks.add(f"nested more than {self.limits.depth} levels deep, cut")
        found = searched(_TEXT_PART, part.source, max(part.start - 1, 0), part.end)
        if not found:
            return
        line = part.source.rfind(b"\n--", max(part.start - 1, 0), found.start())
        start = part.source.find(b"\n", line + 1) + 1 if line >= 0 else found.start() + 1
        mark = part.source[line:start].rstrip() if line >= 0 else b"\n--"
        end = part.source.find(mark, found.end(), part.end)
        end = part.end if end < 0 else end
        if start < end:
            part.children = [self._text_leaf(part.source, start, end)]

    def _text_leaf(self, source: Source, start: int, end: int) -> Part:
        headers, body = read_headers(source, start, end, self.limits, self.remarks)
        leaf = Part(headers, source, body, end)
        _read_type(leaf, "text/plain")
        if not leaf.media_type.startswith("text/"):
            leaf.media_type = "text/plain"
        return leaf

    def _spans(self, part: Part, boundary: bytes) -> list[tuple[int, int]]:
        """Start and end of each part between the boundary lines of one multipart."""
        spans: list[tuple[int, int]] = []
        opened = -1
        for line_start, line_end, closing in self._boundary_lines(part, boundary):
            if opened >= 0:
                before = line_start - 1 if part.source[line_start - 1 : line_start] == b"\r" else line_start
                spans.append((opened, max(before, opened)))
            opened = -1 if closing else line_end
            if closing:
                break
            if self.lines_left <= 0:
                self.cut = True
                self.remarks.add(f"more than {self.limits.boundary_lines} boundary lines, cut")
                return spans
            self.lines_left -= 1
        if opened >= 0:
            self.remarks.add("last boundary missing")
            spans.append((opened, part.end))
        return spans

    def _boundary_lines(self, part: Part, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
        source, end, mark = part.source, part.end, b"\n--" + boundary
        at = source.find(mark, max(part.start - 1, 0), end)
        false_ones = 0
        while at >= 0 and false_ones < 50 * self.limits.boundary_lines:
            after = at + len(mark)
            line_end = source.find(b"\n", after, end)
            line_end = end if line_end < 0 else line_end
            rest = source[after : min(line_end, after + 80)].strip()
            if rest == b"" or rest.startswith(b"--"):
                yield at, min(line_end + 1, end), rest != b""
            else:
                false_ones += 1
            at = source.find(mark, line_end, end)


def _read_type(part: Part, default: str) -> None:
    raw = part.headers.raw("content-type")
    value, part.parameters = parse_parameters(raw) if raw else ("", {})
    part.media_type = value if _TOKEN.fullmatch(value) else _mended_type(value, default)
    raw = part.headers.raw("content-disposition")
    if raw:
        part.disposition, part.disposition_parameters = parse_parameters(raw)


def _mended_type(value: str, default: str) -> str:
    first = value.split(None, 1)[0] if value.split() else ""
    return first if _TOKEN.fullmatch(first) else default
