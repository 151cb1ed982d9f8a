"""The bytes of an export → its encoding, its header, its rows. Streams: memory does not grow with the file."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .columns import HEADERLESS, Columns, mapping

DELIMITERS = (",", ";", "\t", "|", "，")
LONGEST_LINE = 1 << 20
LONGEST_RECORD = 200
HEADER_WITHIN = 60
_BLOCK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class NoTable(Exception):
    """The file is no telephone log; the text says in Chinese why."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over the whole file found. ``damaged``: no encoding fits, bytes that do not decode are shown as \\xNN."""

    size: int
    sha256: str
    prefix_sha256: str
    encoding: str
    damaged: bool
    closed: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One row as it stands: ``line`` counts lines of the file, ``raw`` is its text verbatim."""

    line: int
    raw: str
    cells: tuple[str, ...]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """Where the table starts and how it is cut. ``line`` 0: there is no header line, the columns are Asterisk's."""

    line: int
    delimiter: str
    names: tuple[str, ...]
    columns: Columns


def survey(descriptor: int, size: int, encoding: str = "auto", prefix: int = 0) -> Survey:
    """Read the first ``size`` bytes once or twice: their hash, that of the first ``prefix`` bytes, and the encoding."""
    whole, part, left = hashlib.sha256(), hashlib.sha256(), prefix
    head, tail = b"", b""
    utf8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
    for block in _blocks(descriptor, size):
        whole.update(block)
        part.update(block[:left])
        left -= min(left, len(block))
        head, tail = head or block[:4096], block[-4:]
        utf8 = _still(utf8, block)
    if encoding == "auto":
        fits, damaged = _encoding(descriptor, size, head, utf8 is not None)
    else:
        fits, damaged = encoding, not _decodes(descriptor, size, encoding)
    closed = tail.endswith((b"\n", b"\r", b"\n\0", b"\r\0"))
    return Survey(size, whole.hexdigest(), part.hexdigest() if prefix and not left else "", fits, damaged, closed)


def records(descriptor: int, found: Survey, delimiter: str, last: bool = True) -> Iterator[Record]:
    """The rows of the table and the lines around it. Without ``last`` a line that is not closed yet is left out."""
    lines = _Lines(descriptor, found)
    while (record := _next(lines, delimiter)) is not None:
        if not record.raw.endswith(("\n", "\r")) and not last:
            return
        if record.raw.strip("\ufeff\r\n\t \0\x1a" + delimiter):
            yield record


def header(descriptor: int, found: Survey, own: Mapping[str, Sequence[str]]) -> Header:
    """The header line, title lines above it left out, with the delimiter that names most columns. Raises NoTable."""
    best: Header | None = None
    for delimiter in DELIMITERS:
        for record, _ in zip(records(descriptor, found, delimiter), range(HEADER_WITHIN), strict=False):
            columns = mapping(record.cells, own)
            if columns.usable and (best is None or len(columns.places) > len(best.columns.places)):
                best = Header(record.line, delimiter, record.cells, columns)
    best = best or _headerless(descriptor, found)
    if best is None:
        raise NoTable("找不到表头：没有认出呼叫时间和号码、状态等列，请检查分隔符或设置 columns")
    return best


def is_summary(cells: Sequence[str]) -> bool:
    """True for the lines below a table: 合计, 共 120 条, 导出时间…"""
    first = next((cell for cell in cells if cell.strip()), "")
    return _SUMMARY.match(first) is not None and sum(map(bool, cells)) <= max(4, len(cells) // 2)


_SUMMARY = re.compile(
    r"\s*(?:合\s*计|总\s*计|小\s*计|汇\s*总|总数|总条数|记录数|共\s*\d+|共计|导出|制表|打印|统计|查询|备注[:：]|说明[:：]|第\s*\d+\s*页|-{3,}|={3,}"
    r"|(?:sub)?totals?\b|records?\s*:|exported\b|generated\b|end of report)",
    re.IGNORECASE,
)


def _headerless(descriptor: int, found: Survey) -> Header | None:
    first = next(records(descriptor, found, ","), None)
    if first is None or not 16 <= len(first.cells) <= len(HEADERLESS) + 2:
        return None
    dated = re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first.cells[9])
    if not dated or first.cells[14] not in ("ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"):
        return None
    return Header(0, ",", HEADERLESS, mapping(HEADERLESS, {}))


class _Lines:
    """The physical lines of a file, with a way to put lines back."""

    def __init__(self, descriptor: int, found: Survey) -> None:
        raw = io.BufferedReader(_Window(descriptor, found.size), _BLOCK)
        self._text = io.TextIOWrapper(raw, found.encoding, errors="backslashreplace", newline="")
        self._back: list[str] = []
        self.number = 0

    def take(self) -> str:
        self.number += 1
        if self._back:
            return self._back.pop()
        line = self._text.readline(LONGEST_LINE)
        if len(line) >= LONGEST_LINE:
            raise NoTable("有一行超过一百万字，不像是话单")
        return line

    def put_back(self, lines: list[str]) -> None:
        self._back.extend(reversed(lines))
        self.number -= len(lines)


class _Window(io.RawIOBase):
    """The first ``size`` bytes of a descriptor, whatever is appended meanwhile."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor, self._size, self._place = descriptor, size, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]
        block = os.pread(self._descriptor, min(len(buffer), self._size - self._place), self._place)
        buffer[: len(block)] = block
        self._place += len(block)
        return len(block)


def _next(lines: _Lines, delimiter: str) -> Record | None:
    """One record: one line, or several where a quoted field goes on."""
    line = lines.take()
    if not line:
        return None
    number = lines.number
    if line.count('"') % 2 == 0 or not _open(line, delimiter):
        return Record(number, line, _cells(line, delimiter))
    more: list[str] = []
    while len(more) < LONGEST_RECORD:
        following = lines.take()
        if not following:
            lines.number -= 1
            break
        more.append(following)
        if following.count('"') % 2 and not _open("".join([line, *more]), delimiter):
            whole = "".join([line, *more])
            return Record(number, whole, _cells(whole, delimiter))
    lines.put_back(more)
    return Record(number, line, _cells(line, delimiter), "引号没有配对")


def _open(text: str, delimiter: str) -> bool:
    """True where ``text`` ends inside a quoted field."""
    try:
        for _ in csv.reader([text], delimiter=delimiter, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _cells(text: str, delimiter: str) -> tuple[str, ...]:
    try:
        rows = list(csv.reader([text.lstrip("\ufeff")], delimiter=delimiter))
    except csv.Error:
        return tuple(text.split(delimiter))
    return tuple(rows[0]) if rows else ()


def _blocks(descriptor: int, size: int) -> Iterator[bytes]:
    place = 0
    while place < size and (block := os.pread(descriptor, min(_BLOCK, size - place), place)):
        place += len(block)
        yield block


def _still(decoder: codecs.IncrementalDecoder | None, block: bytes) -> codecs.IncrementalDecoder | None:
    try:
        if decoder is not None:
            decoder.decode(block)
    except UnicodeDecodeError:
        return None
    return decoder


def _encoding(descriptor: int, size: int, head: bytes, is_utf8: bool) -> tuple[str, bool]:
    """The encoding that fits the whole file, or the one with the fewest misfits and True."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name, not _decodes(descriptor, size, name)
    if 0 in head:
        name = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
        return name, not _decodes(descriptor, size, name)
    if is_utf8:
        return "utf-8", False
    if _decodes(descriptor, size, "gb18030"):
        return "gb18030", False
    return min(("gb18030", "utf-8"), key=lambda name: _misfits(descriptor, size, name)), True


def _decodes(descriptor: int, size: int, encoding: str) -> bool:
    decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(encoding)()
    for block in _blocks(descriptor, size):
        decoder = _still(decoder, block)
        if decoder is None:
            return False
    return True


def _misfits(descriptor: int, size: int, encoding: str) -> int:
    decode: Callable[[bytes], str] = codecs.getincrementaldecoder(encoding)("replace").decode
    return sum(decode(block).count("\ufffd") for block in _blocks(descriptor, size))
