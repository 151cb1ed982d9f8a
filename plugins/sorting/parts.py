"""One message, several matters: where it divides, and what all parts share (RULES §2).

Numbered items and sentences that begin with 另外, 此外 … are candidates. They are matters of their own only when their own
words say what kind of matter they are and what about, and when they differ from each other; a list of details stays together.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kefud.api import HouseMention, Matter, fold, number

from .meaning import Meaning
from .subjects import shortened, telling

_ITEM = re.compile(
    r"(?:(?<=^)|(?<=[\n。;!?:]))[ \t]*"
    r"(?:(?P<value>第?[一二三四五六七八九十]{1,2}[、.)]|[0-9]{1,2}(?:[、)]|[.](?![0-9])))|\((?:[一二三四五六七八九十]{1,2}|[0-9]{1,2})\)|[①②③④⑤⑥⑦⑧⑨⑩]"
    r"|第[一二三四五六七八九](?:件|个)?(?:事情?|问题|点|项|条|方面)?(?:[,:、是]|$)"
    r"|[一二三四五]是|首先[,:]|其[一二三四五][,:、]|其次[,:]?|最后[,:])",
    re.M,
)
_FURTHER = re.compile(
    r"(?:^|(?<=[\n。;!?,]))[ \t]*(?:另外|此外|另有|还有(?:一(?:件事|点|个问题|事)|个(?:事|问题)|就是|,)|再有|再者|再就是|再一个"
    r"|除此之外|附带|顺(?:便|带)(?:再)?(?:问|说|反映|咨询|提|请|想|打听|了解)?|同时(?:也)?(?:想|请|反映|咨询|建议)|并且?(?:想|请问|咨询)"
    r"|另(?:想|请|,|、|:|一(?:件事|个问题))|再(?:问|咨询|请问|反映|说|提)(?:一下|下|一个|个|一件|件)?"
    r"|最后(?:再|还|也)?(?:想|请问|问|咨询|反映|提|打听|一(?:件|个|点)))"
    r"|(?:^|(?<=[\n。;!?]))[ \t]*(?:还有|还想|也想|对了)",
    re.M,
)
_MARKS = " ,，、:："
_INSPECTED = re.compile(r"(?:验房|收房|验收)[^。]{0,20}(?:以下|如下|下列|问题)")
_CLOSING = re.compile(
    r"谢谢|多谢|感谢|此致|敬礼|祝好|顺祝|望(?:尽快|早日)?(?:回复|答复|处理|解决)|请(?:尽快|及时|早日)?(?:回复|答复)|盼复|以上|特此|烦请|麻烦"
)
_SIGN = re.compile(r"1[3-9][0-9](?:[ -]?[0-9]){8}|[0-9]{1,2}月[0-9]{1,2}日|^[^,。]{0,6}业主|电话|房号|联系人")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text. ``item`` is false for what stands before the first candidate."""

    start: int
    end: int
    item: bool = True


Examine = Callable[[str], Meaning]
Houses = Callable[[str], tuple[HouseMention, ...]]


def divide(text: str, examine: Examine, houses: Houses, signature: str) -> tuple[Matter, ...]:
    """The matters in ``text``, () when it is one. ``signature`` is added to parts that lost the writer's facts."""
    folded = fold(text)
    if not (_ITEM.search(folded) or _FURTHER.search(folded)):
        return ()
    pieces, tail = _pieces(folded)
    if len(pieces) < 2 or (not pieces[0].item and _INSPECTED.search(folded[: pieces[0].end])):
        return ()  # what was found at the handover of a house is one list
    groups = _grouped(text, pieces, examine, houses)
    if len(groups) < 2:
        return ()
    shared = text[tail:].strip()
    lead = _lead(text, pieces, groups)
    return tuple(_matter(lead, body, shared, signature) for body in groups)


def _matter(lead: str, body: str, shared: str, signature: str) -> Matter:
    body = body.strip()
    parts = [p for p in (lead, body, shared) if p]
    have = re.sub(r"[ -]", "", "".join(parts))
    if signature and not all(word.replace("-", "") in have for word in signature.split()):
        parts.append(signature)
    label = _label_length(fold(body))
    return Matter(text="\n".join(parts), subject=_short(body[label:]))


def _short(text: str) -> str:
    line = re.split(r"[。!?！？；;\n]", text.strip())[0].strip(_MARKS)
    return shortened(telling(line) or line, 30)


def _label_length(folded: str) -> int:
    match = _ITEM.match(folded) or _FURTHER.match(folded)
    return match.end() if match else 0


def _pieces(folded: str) -> tuple[list[Piece], int]:
    """The stretches of the text, and where the closing lines begin that belong to all."""
    numbered = _numbered(folded)
    further = [m.start() + len(m.group()) - len(m.group().lstrip()) for m in _FURTHER.finditer(folded)]
    tail = _closing(folded, max((*numbered, *further), default=0))
    starts = sorted({*numbered, *(f for f in further if f < tail)})
    if not starts:
        return [], tail
    bounds = [*starts, tail]
    pieces = [Piece(a, b) for a, b in zip(bounds, bounds[1:], strict=False) if b > a]
    if starts[0] > 0:
        pieces.insert(0, Piece(0, starts[0], item=False))
    return pieces, tail


def _numbered(folded: str) -> list[int]:
    """Where numbered items begin; a number with another after it (3、5号楼) only where it is the next of the list."""
    starts: list[int] = []
    for match in _ITEM.finditer(folded):
        value = match["value"]
        if value and folded[match.end() : match.end() + 1].isdigit() and number(value.strip("第、.)")) != len(starts) + 1:
            continue
        starts.append(match.start() + len(match[0]) - len(match[0].lstrip()))
    return starts if len(starts) >= 2 else []


def _closing(folded: str, last: int) -> int:
    """Where the signature begins: the last lines that hold name, house, phone, date or a closing formula."""
    end, at = len(folded), len(folded)
    lines = folded[last:].split("\n")
    for line in reversed(lines[1:]):
        bare = line.strip()
        signs = not bare or len(bare) <= 12 or _SIGN.search(bare) is not None or (_CLOSING.search(bare) and len(bare) <= 30)
        if not signs:
            break
        at = end - len(line)
        end = at - 1
    return at


def _grouped(
    text: str, pieces: list[Piece], examine: Examine, houses: Houses
) -> list[str]:
    """The texts of the matters: pieces without a matter of their own go with the one before."""
    groups: list[tuple[str, tuple[str, str, str]]] = []
    unclear = ""  # an item before the first matter that is none by itself: its words stay with that matter
    for piece in pieces:
        words = text[piece.start : piece.end]
        key = _key(words, piece, examine, houses)
        if key is None:
            if groups:
                groups[-1] = (groups[-1][0] + words, groups[-1][1])
            elif piece.item:
                unclear += words
            continue
        words, unclear = unclear + words, ""
        same = next((i for i, (_, k) in enumerate(groups) if _alike(k, key)), None)
        if same is None:
            groups.append((words, key))
        else:
            groups[same] = (groups[same][0].rstrip("\n") + "\n" + words.lstrip("\n"), groups[same][1])
    return [words for words, _ in groups]


def _key(
    words: str, piece: Piece, examine: Examine, houses: Houses
) -> tuple[str, str, str] | None:
    """Kind, category and house of a piece, None where it is no matter of its own."""
    found = examine(words)
    clear = max(found.scores.values(), default=0) >= 4 or found.broken >= 2
    strong = piece.item and clear and found.weight > 0
    enough = found.has_kind and (found.weight >= 3 or bool(found.topics) or found.kind == "praise" or strong)
    if not piece.item:
        told = len(words.strip()) >= 12 and max(found.scores.values()) >= 3
        enough = enough and (told or (found.broken >= 2 and found.weight >= 5))
    if not enough:
        return None
    exact = [mention.id for mention in houses(words) if mention.exact]
    return found.kind, found.category, exact[0] if exact else ""


def _alike(one: tuple[str, str, str], other: tuple[str, str, str]) -> bool:
    """Details of one matter: the same subject; or the same house's defects told as repair and as complaint."""
    if one[2] and other[2] and one[2] != other[2]:
        return False
    if one[1] != other[1]:
        return False
    return one[0] == other[0] or {one[0], other[0]} <= {"repair", "complaint"}


def _lead(text: str, pieces: list[Piece], groups: list[str]) -> str:
    """What stands before the first item and belongs to all; nothing where it is a matter itself."""
    first = pieces[0]
    if first.item:
        return ""
    words = text[first.start : first.end]
    if any(group.startswith(words) for group in groups):
        return ""
    return words.strip()
