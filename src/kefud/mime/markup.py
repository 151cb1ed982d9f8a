"""HTML to text in one pass over the tags: paragraphs, cells and quotes survive, scripts and styles do not."""

from __future__ import annotations

import re
from html import unescape

_TAG = re.compile(r"(/?)([a-zA-Z][a-zA-Z0-9:-]{0,30})(?=[\s/>]|$)")
_QUOTED_OR_END = re.compile(r""""[^"]*"|'[^']*'|>""")
_SPACES = re.compile(r"[ \t\n\r\f\v]+")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([\w.:-]{1,40})", re.I)
_QUOTE_BOX = re.compile(r"divrplyfwdmsg|appendonsend|yahoo_quoted|olk_src_body_section|__aliyun_previous_quote|stopspelling")
_LAYOUT = re.compile("[\x0e-\x11]")

_SKIPPED = frozenset({"script", "style", "head", "title", "template", "noscript", "object", "svg", "math", "iframe", "select"})
_LINE = frozenset(
    "div tr li dt dd hr section article header footer h1 h2 h3 h4 h5 h6 table tbody ul ol dl form fieldset center "
    "address pre body html figure option includetail".split()
)
_OPEN, _CLOSE, _CUT, _HARD = "\x0e", "\x0f", "\x10", "\x11"
_PARAGRAPH = f"\n{_HARD}\n"


def charset_of(data: bytes) -> str:
    """The charset an HTML page names itself, "" where it names none."""
    match = _META_CHARSET.search(data, 0, 4096)
    return match[1].decode("ascii", "replace") if match else ""


def html_to_text(source: str) -> tuple[str, str]:
    """Text of an HTML body, and the part of it that the client marked as the quoted mail ("" if none).

    Lines inside <blockquote> begin with ">", as in a plain mail.
    """
    return _lay_out("".join(_pieces(_LAYOUT.sub("", source))))


def _pieces(source: str) -> list[str]:
    """The text between the tags, with line ends and quote marks where tags put them."""
    first, *rest = source.split("<")
    out = [_SPACES.sub(" ", first)]
    skip = ""
    comment = False
    pre = 0
    for piece in rest:
        if comment or (piece.startswith("!--") and not skip):
            end = piece.find("-->", 0 if comment else 1)
            comment = end < 0
            text = "" if comment else piece[end + 3 :]
        else:
            match = _TAG.match(piece)
            if skip:
                if not match or not _ends_skip(match, skip):
                    continue
                skip = ""
            if not match:
                text = piece[_tag_end(piece) :] if piece[:1] in ("!", "?", "/") else "<" + piece
            else:
                closing, name = match[1], match[2].lower()
                end = _tag_end(piece)
                if name in _SKIPPED and not closing and piece[end - 2 : end - 1] != "/":
                    skip = name
                    continue
                out.append(_effect(name, closing, piece[:end]))
                pre += (name == "pre") * (-1 if closing else 1)
                text = piece[end:]
        if text and not skip:
            out.append(text.replace("\n", _HARD + "\n") if pre > 0 else _SPACES.sub(" ", text))
    return out


def _ends_skip(match: re.Match[str], skip: str) -> bool:
    name = match[2].lower()
    return (bool(match[1]) and name == skip) or (skip in ("head", "title") and name == "body")


def _tag_end(piece: str) -> int:
    """Where the text after a tag begins; a > inside a quoted attribute does not end the tag."""
    end = piece.find(">")
    if end < 0:
        return len(piece)
    if piece.count('"', 0, end) % 2 or piece.count("'", 0, end) % 2:
        for match in _QUOTED_OR_END.finditer(piece):
            if match[0] == ">":
                return match.end()
    return end + 1


def _effect(name: str, closing: str, tag: str) -> str:
    """What a tag does to the lines of the text."""
    if name == "blockquote":
        return f"\n{_CLOSE if closing else _OPEN}\n"
    if name in ("td", "th"):
        return "\t" if closing else ""
    if name == "p":
        return "\n" if "MsoNormal" in tag or "MsoPlainText" in tag else _PARAGRAPH
    if name == "br":
        return _HARD + "\n"
    mark = f"\n{_CUT}\n" if not closing and len(tag) > 12 and _QUOTE_BOX.search(tag.lower()) else ""
    if name == "li" and not closing:
        return mark + "\n- "
    return mark or ("\n" if name in _LINE else "")


def _lay_out(text: str) -> tuple[str, str]:
    """Join lines, drop repeated blank ones, prefix the quoted, and cut at the client's mark."""
    own: list[str] = []
    quoted: list[str] = []
    lines = own
    depth = 0
    for line in text.split("\n"):
        hard = _HARD in line
        line = (line.replace(_HARD, "") if hard else line).strip()
        if line == _OPEN:
            depth += 1
        elif line == _CLOSE:
            depth = max(depth - 1, 0)
        elif line == _CUT:
            lines = quoted
        else:
            if "&" in line:
                line = unescape(line)
            line = line.replace("\xa0", " ").strip()
            prefix = ">" * min(depth, 9)
            if line:
                lines.append(f"{prefix} {line}" if prefix else line)
            elif hard and lines and lines[-1].strip(">"):
                lines.append(prefix)
    return "\n".join(own).strip("\n"), "\n".join(quoted).strip("\n")
