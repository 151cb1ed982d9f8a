"""What kind of scan the bytes are, by their first bytes, and whether the file is complete. Decodes nothing."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from typing import Literal

Kind = Literal["jpeg", "png", "tiff", "pdf", "zip"]

MOST_PAGES = 200
_MAGIC: Sequence[tuple[bytes, Kind]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"%PDF-", "pdf"),
)
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
DETAILS = "letter.json"


def kind_of(content: bytes) -> Kind | None:
    """The format of one scanned file, None for anything that is no scan, whatever its name says."""
    head = content[:1024]
    found = next((kind for magic, kind in _MAGIC if head.startswith(magic)), None)
    return found or ("pdf" if b"%PDF-" in head else None)


def complete(content: bytes, kind: Kind) -> bool:
    """True where the file closes as its format must; a scanner or copier that is still writing leaves it open."""
    if kind == "jpeg":
        return content.rfind(b"\xff\xd9") > content.rfind(b"\xff\xda") > 0
    if kind == "png":
        return b"IEND\xaeB`\x82" in content[-64:]
    if kind == "pdf":
        return b"%%EOF" in content[-2048:]
    return _tiff_complete(content)


def bundle(pages: Sequence[tuple[str, bytes]], details: bytes = b"") -> bytes:
    """Several files as one: an uncompressed ZIP, byte for byte the same for the same pages."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for number, (name, content) in enumerate(pages, 1):
            suffix = {"jpeg": "jpg", "tiff": "tif"}.get(kind := kind_of(content) or "bin", kind)
            archive.writestr(_member(f"{number:03d}.{suffix}", name), content)
        if details:
            archive.writestr(_member(DETAILS), details)
    return packed.getvalue()


def unbundle(content: bytes) -> tuple[list[bytes], bytes]:
    """The files in what ``bundle`` made, and the details; one file is its own only page. Raises ValueError."""
    if not content.startswith(b"PK\x03\x04"):
        return [content], b""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MOST_PAGES + 1 or any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise ValueError("打包的扫描件不是本程序所打包")
            pages = [archive.read(m) for m in members if m.filename != DETAILS]
            details = archive.read(DETAILS) if DETAILS in archive.namelist() else b""
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"打包的扫描件损坏（{type(error).__name__}）") from None
    return pages, details


def _member(name: str, original: str = "") -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.create_system = 3
    info.external_attr = 0o640 << 16
    info.comment = original.encode("utf-8", "replace")[:200]
    return info


def _tiff_complete(content: bytes) -> bool:
    """Follows the chain of directories; every one of them, and the last strip it names, must lie inside the file."""
    order = "<" if content[:2] == b"II" else ">"
    big = content[2:4] in (b"+\0", b"\0+")
    try:
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)
        for _ in range(MOST_PAGES + 1):
            if place == 0:
                return True
            end, place = _tiff_directory(content, order, big, place)
            if end > len(content):
                return False
    except struct.error:
        return False
    return True


def _tiff_directory(content: bytes, order: str, big: bool, place: int) -> tuple[int, int]:
    """Where the data of one directory ends, and where the next directory lies, 0 for none."""
    head, entry, following = ("Q", "HHQQ", "Q") if big else ("H", "HHII", "I")
    (count,) = struct.unpack_from(order + head, content, place)
    place += struct.calcsize(order + head)
    size = struct.calcsize(order + entry)
    tags: dict[int, tuple[int, int, int]] = {}
    for number in range(min(count, 4096)):
        tag, type, many, value = struct.unpack_from(order + entry, content, place + number * size)
        tags[tag] = (type, many, value)
    (after,) = struct.unpack_from(order + following, content, place + count * size)
    for offsets, lengths in ((273, 279), (324, 325)):
        if offsets in tags and lengths in tags:
            start = _last_value(content, order, big, tags[offsets])
            return start + _last_value(content, order, big, tags[lengths]), after
    return place, after


def _last_value(content: bytes, order: str, big: bool, field: tuple[int, int, int]) -> int:
    """The last number of a field: strips are written in order, so the last one ends the data."""
    type, many, value = field
    letter = {3: "H", 4: "I", 16: "Q"}.get(type, "I")
    width = struct.calcsize(order + letter)
    if many * width <= (8 if big else 4):
        packed = struct.pack(order + ("Q" if big else "I"), value)
        return int(struct.unpack_from(order + letter, packed, (many - 1) * width)[0]) if many else 0
    return int(struct.unpack_from(order + letter, content, value + (many - 1) * width)[0])
