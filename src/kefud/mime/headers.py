"""The header block: cut it off, unfold it, decode it. RFC 5322, 2047, 2231, and what clients make of them."""

from __future__ import annotations

import binascii
import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import pybase64

from kefud.large import Large
from kefud.mime import charsets
from kefud.mime.limits import DEFAULT_LIMITS, Limits, Remarks

_BLANK_LINE = re.compile(rb"\n\r?\n")
_FIELD_NAME = re.compile(rb"[!-9;-~]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_TEXT_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_WORD = re.compile(r"=\?([^?\s]{1,75})\?([bBqQ])\?([^?]*)(?:\?=|\??$)")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
_PIECE = 1 << 18

Source = bytes | Large
"""What is read: a mail, or a large one where it lies."""


class Headers:
    """The fields of one header block, in order: lower-case name and unfolded raw value."""

    __slots__ = ("_named", "fields")

    def __init__(self, fields: Iterable[tuple[str, bytes]] = ()) -> None:
        self.fields = list(fields)
        self._named: dict[str, list[bytes]] = {}
        for name, value in self.fields:
            self._named.setdefault(name, []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._named

    def names(self) -> Iterable[str]:
        return self._named

    def all(self, name: str) -> list[bytes]:
        return self._named.get(name, [])

    def raw(self, name: str) -> bytes:
        values = self._named.get(name)
        return values[0] if values else b""

    def text(self, name: str, limits: Limits = DEFAULT_LIMITS) -> str:
        """The first field of that name as clean text, encoded words decoded; "" where there is none."""
        return header_text(self.raw(name), limits.encoded_words)


def searched(pattern: re.Pattern[bytes], source: Source, start: int, end: int) -> re.Match[bytes] | None:
    """``pattern.search`` in either kind of source."""
    return source.search(pattern, start, end) if isinstance(source, Large) else pattern.search(source, start, end)


def read_headers(source: Source, start: int, end: int, limits: Limits, remarks: Remarks) -> tuple[Headers, int]:
    """The fields that begin at ``start``, and where the body begins.

    A line that is no field ends the block and belongs to the body, as mail servers see it.
    """
    if source.startswith((b"\n", b"\r\n"), start, end):
        return Headers(), source.index(b"\n", start) + 1
    blank = searched(_BLANK_LINE, source, start, end)
    stop, body = (blank.start(), blank.end()) if blank else (end, end)
    if stop - start > limits.header_block:
        stop = max(source.rfind(b"\n", start, start + limits.header_block), start)
        remarks.add("header block cut")
    fields: list[tuple[str, bytes]] = []
    folded: list[bytes] = []
    position = start
    for line in source[start:stop].split(b"\n"):
        if line[:1] in (b" ", b"\t") and fields:
            folded.append(line)
        else:
            if folded:
                _append_folded(fields, folded)
            raw_name, colon, value = line.partition(b":")
            name = _field_name(raw_name) if colon and len(raw_name) < 100 else ""
            if name:
                fields.append((name, value.strip(b" \t\r")))
            elif line.strip() and (fields or not line.startswith((b"From ", b">From "))):
                body = position
                if fields:
                    remarks.add("header block ends without a blank line")
                break
        position += len(line) + 1
    if folded:
        _append_folded(fields, folded)
    if any(len(value) > limits.header for _, value in fields):
        remarks.add("header cut")
        fields = [(name, value[: limits.header]) for name, value in fields]
    return Headers(fields), min(body, end)


def _append_folded(fields: list[tuple[str, bytes]], folded: list[bytes]) -> None:
    name, value = fields[-1]
    fields[-1] = (name, b"".join([value, *(line.rstrip(b"\r") for line in folded)]).strip(b" \t"))
    folded.clear()


@lru_cache(maxsize=1024)
def _field_name(raw: bytes) -> str:
    raw = raw.rstrip(b" \t")
    return raw.decode("ascii").lower() if _FIELD_NAME.fullmatch(raw) else ""


def clean(text: str) -> str:
    """One line of safe text: control characters gone, line ends turned into spaces, no bidi controls."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return _BIDI.sub("", _without_controls(text)).strip()


def _without_controls(text: str) -> str:
    return _CONTROL.sub(lambda match: " " if match[0] in "\r\n\t\u2028\u2029\x85" else "", text)


def clean_name(text: str) -> str:
    """A display or file name: like ``clean``, and no format characters at all; NFC."""
    text = clean(text)
    if not text.isascii():
        text = "".join(char for char in text if unicodedata.category(char) not in ("Cf", "Cs", "Cn"))
        text = unicodedata.normalize("NFC", text)
    return text.strip()


def clean_text(text: str) -> str:
    """Body text with \\n as the only line end and no control characters but tab."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _TEXT_CONTROL.sub("", text)


def raw_text(raw: bytes) -> str:
    """A raw header value as text; unlabelled 8-bit bytes are guessed, encoded words left alone."""
    return raw.decode("ascii") if raw.isascii() else charsets.guess(raw)[0]


def header_text(raw: bytes, max_words: int = DEFAULT_LIMITS.encoded_words) -> str:
    """Decode a whole unstructured field."""
    return clean(decode_words(raw_text(raw), max_words))


def decode_words(text: str, max_words: int = DEFAULT_LIMITS.encoded_words) -> str:
    """Decode RFC 2047 words; neighbours of one charset are joined as bytes first, so split characters survive."""
    if "=?" not in text:
        return text
    return _decoded_words(text, max_words) if len(text) > 200 else _cached_words(text, max_words)


def _decoded_words(text: str, max_words: int) -> str:
    out: list[str] = []
    run: list[tuple[str, str, str]] = []
    position = 0
    for count, match in enumerate(_WORD.finditer(text)):
        if count >= max_words:
            break
        between = text[position : match.start()]
        charset = match[1].partition("*")[0].lower()
        if run and (between.strip() or run[0][0] != charset):
            out.append(_decode_run(run))
            run = []
        if between.strip() or position == 0:
            out.append(between)
        run.append((charset, match[2].lower(), match[3]))
        position = match.end()
    out.append(_decode_run(run))
    out.append(text[position:])
    return "".join(out)


_cached_words = lru_cache(maxsize=1024)(_decoded_words)


def _decode_run(run: list[tuple[str, str, str]]) -> str:
    data = b""
    base64 = ""
    for _, encoding, payload in run:
        if encoding == "q":
            data += _base64(base64) + binascii.a2b_qp(payload.encode("utf-8", "replace"), header=True)
            base64 = ""
        elif base64 and (len(base64) % 4 == 0 or base64.endswith("=")):
            data += _base64(base64)
            base64 = payload.strip()
        else:
            base64 += payload.strip()
    data += _base64(base64)
    return charsets.decode(data, run[0][0])[0] if run else ""


def _base64(payload: str) -> bytes:
    return from_base64(payload.encode("ascii", "ignore")) if payload else b""


def from_base64(source: Source, start: int = 0, end: int | None = None) -> bytes:
    """Base64 as found in the wild: strange characters skipped, padding missing or in the middle. Copies nothing it need not."""
    end = len(source) if end is None else end
    pad = source.find(b"=", start, end)
    if pad < 0 or not source[pad:end].strip(b"= \r\n\t") or source.count(b"=", pad, end) > 5000:
        try:
            return pybase64.b64decode(source[start:end] if isinstance(source, Large) else memoryview(source)[start:end])
        except (binascii.Error, ValueError):
            return _mend_base64(source[start:end])
    return b"".join(_mend_base64(piece) for piece in source[start:end].split(b"=") if piece)


def hash_base64(source: Source, start: int, end: int) -> tuple[int, str]:
    """Size and SHA-256 of what `from_base64` gives, piece by piece: of a large attachment no second copy is held."""
    pad = source.find(b"=", start, end)
    last = end if pad < 0 else pad
    if last - start > 2 * _PIECE and not source[last:end].strip(b"= \r\n\t"):
        size, sha, rest = 0, hashlib.sha256(), b""
        for position in range(start, last, _PIECE):
            piece = rest + source[position : min(position + _PIECE, last)].translate(None, _NOT_BASE64)
            whole = len(piece) & ~3
            data = pybase64.b64decode(memoryview(piece)[:whole])
            rest = piece[whole:]
            size += len(data)
            sha.update(data)
        if len(rest) != 1 and -len(rest) % 4 == source.count(b"=", last, end):
            data = pybase64.b64decode(rest + b"=" * (-len(rest) % 4))
            sha.update(data)
            return size + len(data), sha.hexdigest()
    data = from_base64(source, start, end)
    return len(data), hashlib.sha256(data).hexdigest()


def _mend_base64(data: bytes) -> bytes:
    """Decode line by line where a character was lost, so that the damage stays in its line."""
    lines = [line for raw in data.split(b"\n") if (line := raw.translate(None, _NOT_BASE64))]
    uneven = sum(len(line) % 4 != 0 for line in lines[:-1])
    if not uneven or uneven * 4 > len(lines):
        lines = [b"".join(lines)]
    return b"".join(map(_base64_line, lines))


def _base64_line(line: bytes) -> bytes:
    if len(line) % 4 == 1:
        line = line[:-1]
    return binascii.a2b_base64(line + b"=" * (-len(line) % 4))


def parse_parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    """``text/plain; charset=x`` as the value in lower case and its parameters, RFC 2231 forms resolved.

    At most 100 parameters. Quoted values may hold semicolons and escaped quotes; a lone backslash stays.
    """
    return _cached_parameters(raw) if len(raw) < 100 else _parameters(raw)


def _parameters(raw: bytes) -> tuple[str, dict[str, str]]:
    text = raw_text(raw)
    if not text.isprintable():
        text = _without_controls(text)
    if '"' in text and ("\\" in text or text.count(";") > 1):
        pieces = text.replace("\\\\", "\x01").replace('\\"', "\x02").split('"')
        text = '"'.join(piece.replace(";", "\x03") if n % 2 else piece for n, piece in enumerate(pieces))
    value, *rest = text.split(";", 101)
    if not rest:
        return value.strip().lower(), {}
    plain: dict[str, str] = {}
    pieces_of: dict[str, dict[int, tuple[str, bool]]] = {}
    for item in rest[:100]:
        name, equals, found = item.partition("=")
        name = name.strip().lower()
        if equals and name:
            found = found.strip().strip('"').replace("\x03", ";").replace("\x02", '"').replace("\x01", "\\")
            if "*" in name:
                _keep_piece(name, found, pieces_of)
            else:
                plain.setdefault(name, found)
    for name, pieces_found in pieces_of.items():
        plain[name] = _join_pieces(pieces_found)
    return value.strip().lower(), plain


_cached_parameters = lru_cache(maxsize=512)(_parameters)


def _keep_piece(name: str, value: str, found: dict[str, dict[int, tuple[str, bool]]]) -> None:
    base, _, rest = name.partition("*")
    number = rest.rstrip("*")
    if number == "":
        found.setdefault(base, {})[0] = (value, True)
    elif number.isascii() and number.isdigit() and len(number) < 4:
        found.setdefault(base, {})[int(number)] = (value, rest.endswith("*"))


def _join_pieces(pieces: dict[int, tuple[str, bool]]) -> str:
    charset = ""
    data = b""
    for number, (value, encoded) in sorted(pieces.items()):
        if encoded and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        data += unquote_to_bytes(value) if encoded else value.encode("utf-8", "replace")
    return charsets.decode(data, charset)[0]
