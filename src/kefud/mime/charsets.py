"""Bytes and a label to text. Labels are often wrong and never trusted further than an allow-list."""

from __future__ import annotations

import re

_GB = "gb18030"
_BIG5 = "cp950"
_WEAK = "cp1252"
_LABELS = (
    {
        _GB: "gb2312 gbk cp936 x-gbk euc-cn gb18030 gb-2312 gb2312-80 gb-2312-80 csgb2312 windows-936 ms936 chinese x-euc-cn",
        _BIG5: "big5 big-5 x-x-big5 csbig5 cp950 big5-eten big5-hkscs windows-950 x-big5",
        _WEAK: "us-ascii ascii ansi-x3.4-1968 iso-8859-1 latin1 latin-1 iso8859-1 windows-1252 cp1252",
        "utf-8": "utf-8 utf8 unicode-1-1-utf-8 utf-8-sig utf8mb4 x-utf-8",
        "utf-16": "utf-16 utf16 unicode ucs-2",
        "utf-16-le": "utf-16le utf-16-le",
        "utf-16-be": "utf-16be utf-16-be",
        "cp932": "shift-jis shift_jis sjis x-sjis ms-kanji cp932 windows-31j",
        "euc-jp": "euc-jp x-euc-jp",
        "cp949": "euc-kr ks-c-5601-1987 ks-c-5601 ksc5601 cp949 windows-949",
        "iso-2022-jp": "iso-2022-jp",
        "koi8-r": "koi8-r",
        "koi8-u": "koi8-u",
    }
    | {f"iso8859-{n}": f"iso-8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16)}
    | {f"cp{n}": f"windows-{n} cp{n}" for n in (1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258)}
)
_CODECS = {label.replace("_", "-"): codec for codec, labels in _LABELS.items() for label in labels.split()}
_NOT_ASCII_COMPATIBLE = frozenset({"utf-16", "utf-16-le", "utf-16-be", "iso-2022-jp"})
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SAMPLE = 16 * 1024
_LABEL_JUNK = re.compile(r"[^a-z0-9.-]+")


def _level_one(codec: str, leads: range, trails: tuple[int, ...]) -> frozenset[str]:
    pairs = b"".join(bytes((lead, trail)) for lead in leads for trail in trails)
    return frozenset(pairs.decode(codec, "ignore"))


# The ranges into which both standards put the characters of daily use: GB 2312 rows 16-55, Big5 A4-C6.
_COMMON_GB = _level_one(_GB, range(0xB0, 0xD8), tuple(range(0xA1, 0xFF)))
_COMMON_BIG5 = _level_one(_BIG5, range(0xA4, 0xC7), (*range(0x40, 0x7F), *range(0xA1, 0xFF)))
_COMMON = _COMMON_GB | _COMMON_BIG5
_FREQUENT = frozenset(
    "的一是不了我在有人这中来上们到时大地为子你说生国年着就那和要出也得里后自以会家可下而过天去能对小多然于心么之都好看起发"
    "没成只如事把还用第样道想作种开总从无面最但现前些所同日手又行意动方期头经长回位分因很给名法间知什两次使身者被高已其进此话"
    "常与正您请水电楼房修师傅谢业主這來們時為說國後會過對於學麼發當沒還樣種開總從無現頭經長給間兩進話與請電樓師謝業機裝維報"
)
_MARKS = frozenset("，。、；：？！“”‘’（）《》【】…—·～　￥％「」『』％－＋／＝")


def _score(text: str, common: frozenset[str]) -> float:
    """How much ``text`` looks like Chinese as people write it: about 1 for prose, below 0 for a wrong charset."""
    sample = [char for char in text[:400] if char > "\x7f"][:120] or [char for char in text[:20000] if char > "\x7f"][:120]
    if not sample:
        return 0.0
    total = 0.0
    for char in sample:
        if char in common:
            total += 1.4 if char in _FREQUENT else 0.9
        elif char in _MARKS:
            total += 0.8
        elif char == "\ufffd":
            total -= 3
        else:
            total -= 0.3 if "\u4e00" <= char <= "\u9fff" else 1
    return total / len(sample)


def _has_hanzi(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text)


def _strict(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return _strict(data, "big5hkscs") if codec == _BIG5 else None


def _forced(data: bytes, codec: str) -> str:
    text = _strict(data, codec)
    return data.decode(codec, "replace") if text is None else text


def guess(data: bytes, fallback: str = "", favour: float = 0.0) -> tuple[str, str]:
    """Text and codec of unlabelled bytes: utf-8 if it fits, else gb18030, else big5 where that reads better.

    ``favour`` is added to the score of utf-8 where the label speaks for it. Short bytes that are valid UTF-8 without a
    single 汉字, but common 汉字 in gb18030, are read as the latter (漏水).
    """
    utf8 = _strict(data, "utf-8")
    if utf8 is not None and (data.isascii() or len(data) >= 16 or _has_hanzi(utf8)):
        return utf8, "utf-8"
    sample = data[:_SAMPLE]
    gb = _score(_forced(sample, _GB), _COMMON_GB)
    if utf8 is not None:
        return (_forced(data, _GB), _GB) if gb > 0.8 else (utf8, "utf-8")
    scores = {
        _GB: gb,
        _BIG5: _score(_forced(sample, _BIG5), _COMMON_BIG5) - 0.1,
        "utf-8": _score(sample.decode("utf-8", "replace"), _COMMON) + favour,
    }
    codec = max(scores, key=lambda name: scores[name])
    if fallback and scores[codec] < 0.5:
        codec = fallback
    return _forced(data, codec), codec


def _utf16(data: bytes, codec: str) -> tuple[str, str]:
    if codec != "utf-16":
        return data.decode(codec, "replace"), codec
    both = [(data.decode(name, "replace"), name) for name in ("utf-16-be", "utf-16-le")]
    return max(both, key=lambda reading: _score(reading[0], _COMMON) + reading[0].isascii() * 2)


def _labelled(data: bytes, codec: str) -> tuple[str, str]:
    """Read with the label's codec unless the bytes plainly say another."""
    if codec.startswith("utf-16"):
        return _utf16(data, codec)
    if codec == _WEAK:
        return guess(data, fallback=_WEAK)
    text = _strict(data, codec)
    if text is None:
        return guess(data, favour=0.3 if codec == "utf-8" else 0.0)
    if codec not in (_GB, _BIG5):
        return text, codec
    score = _score(text, _COMMON_GB if codec == _GB else _COMMON_BIG5)
    utf8 = _strict(data, "utf-8")
    if utf8 is not None and _score(utf8, _COMMON) > score - 0.2:
        return utf8, "utf-8"
    if score < 0.4:
        other = _BIG5 if codec == _GB else _GB
        rival = _forced(data, other)
        if _score(rival, _COMMON_BIG5 if codec == _GB else _COMMON_GB) > score + 0.4:
            return rival, other
    return text, codec


def decode(data: bytes, label: str = "") -> tuple[str, str]:
    """Text of ``data``, and a remark where the label did not hold; "" where it did. Never raises."""
    wanted = _LABEL_JUNK.sub("-", label.lower()[:60]).strip("-")
    codec = _CODECS.get(wanted, "")
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace"), "" if codec[:6] == name[:6] else _remark(wanted, name)
    if data.isascii() and codec not in _NOT_ASCII_COMPATIBLE:
        return data.decode("ascii"), "" if codec or not wanted else _remark(wanted, "us-ascii")
    text, used = _labelled(data, codec) if codec else guess(data)
    damage = "unreadable characters" if "\ufffd" in text and "\ufffd".encode() not in data else ""
    if damage or (wanted and used != codec) or (wanted == "gb2312" and _strict(data, "gb2312") is None):
        read_as = _remark(wanted, used) if used != codec or not damage else f"charset {used}"
        return text, f"{read_as}, {damage}" if damage else read_as
    return text, ""


def _remark(wanted: str, used: str) -> str:
    return f"charset {wanted or '(none)'} read as {used}"
