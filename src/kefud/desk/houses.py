"""House addresses in all the ways people write them, brought to one form: building-unit-room, ``3-2-501`` (S1-4.2.3).

三号楼二单元501室, 3栋2单元501房, 3幢2门501, 3#-2-501 and A座2单元1203 (``A-2-1203``) are read; dates, telephone, ticket
and notice numbers, prices and times are not. What was written stays as it is; only the id is normalised.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from kefud.desk.chinese import fold, number
from kefud.desk.phones import find_phones

Registry = Mapping[str, object] | frozenset[str] | set[str]
"""The houses the estate knows, by id."""


@dataclass(frozen=True, slots=True)
class HouseMention:
    """A house named in a text. ``exact`` is false where only a building or a unit is known (``8``, ``1-3``), or no unit
    could be found for the room (``12-1503``)."""

    id: str
    text: str
    span: tuple[int, int]
    exact: bool


_DIGIT = "零〇○一二两三四五六七八九"
_COUNT = rf"(?:[0-9]{{1,3}}|[{_DIGIT}十廿百]{{1,5}})"
_FLOORED = r"[二三四五]?十[一二三四五六七八九]?[零〇○0][一二三四五六七八九]"
_ROOM = rf"(?:[0-9]{{3,4}}|{_FLOORED}|[{_DIGIT}]{{3,4}}|[一二三四五六七八九]千?[{_DIGIT}百十]{{2,6}})"
_GAP = r"[ ,的第]{0,2}"
_ROOM_END = r"(?:室|房(?!屋)|号(?!楼)|户)?(?![0-9]|[-/.:][0-9]|[年元块米平㎡万天次个人吨度%]|多[元块米平]|mm|cm|kg)"
_HYPHENS = str.maketrans(
    dict.fromkeys("‐‑‒–—―−﹣", "-") | {"\u00a0": " ", "\u3000": " ", "\t": " "}
    | dict(zip("壹贰叁肆伍陆柒捌玖拾", "一二三四五六七八九十", strict=True))
)  # fmt: skip

_SPOKEN = re.compile(
    rf"(?<![0-9a-z{_DIGIT}十廿百月./-])(?P<building>[a-z]?{_COUNT}|[a-z])"
    rf"(?: ?(?P<word>号楼|号院?|楼|栋|幢|座|#楼?|#)(?!线|车))"
    rf"(?:{_GAP}(?:-?(?P<unit>{_COUNT}) ?(?:单元|单(?=[0-9{_DIGIT}]{{3}})|门洞?(?![口禁卡])|#)"
    rf"|-?(?P<bare_unit>[0-9]{{1,2}})(?=-[0-9]{{3,4}}(?![0-9])))"
    rf"(?:{_GAP}(?P<floor>{_COUNT})(?:层|楼))?)?"
    rf"(?:{_GAP}-?(?P<room>{_ROOM}){_ROOM_END})?"
)
_SHORT = re.compile(
    r"(?<![0-9a-z_./-])(?<![0-9]:)#?(?P<building>[0-9]{1,3}|[a-z][0-9]?)#? ?(?P<mark>[-/.]) ?(?P<unit>[0-9]{1,2})"
    rf" ?(?P=mark) ?(?P<room>[0-9]{{3,4}}){_ROOM_END}(?![a-z_-])"
)
_PAIR = re.compile(
    r"(?<![0-9a-z_./-])(?<![0-9]:)(?P<building>[0-9]{1,2}|[a-z][0-9]?)-(?P<room>[0-9]{3,4})(?P<word>[室房])?"
    rf"{_ROOM_END}(?![a-z_-])"
)
_ENGLISH = re.compile(
    r"(?<![a-z])(?:building|block|tower|bldg)\.?(?: no\.?)? ?#?(?P<building>[0-9]{1,3}|[a-z][0-9]?)[ ,]{1,3}"
    r"(?:unit|entrance) ?#?(?P<unit>[0-9]{1,2})[ ,]{1,3}(?:flat|room|apartment|apt|rm)\.? ?#?(?P<room>[0-9]{3,4})(?![0-9])"
    r"|(?<![a-z])(?:flat|room|apartment|apt|rm)\.? ?#?(?P<room_first>[0-9]{3,4})[ ,]{1,3}(?:unit|entrance) ?#?(?P<unit_then>[0-9]{1,2})"
    r"[ ,]{1,3}(?:building|block|tower|bldg)\.?(?: no\.?)? ?#?(?P<building_last>[0-9]{1,3}|[a-z][0-9]?)(?![0-9a-z])"
)

_OWN_BEFORE = re.compile(
    r"(?:我(?:是|家|们家|住|们是|的房子)|本人|家住|住在?|住址|住户|地址|房号|房间号?|业主|署名|落款)"
    r"(?:是|在|为|住)?[: ,的]{0,2}$"
)
_OTHER_BEFORE = re.compile(
    r"(?:楼上|楼下|邻居|隔壁|对门|对面|投诉|举报|旁边|不是|从|靠近|附近|经过)[^\n。;]{0,3}$"
)
_OWNER_AFTER = re.compile(
    r"[ ,的]{0,2}(?:业主|住户)(?!群|们|都|家|装修|乱|又|经常|扰|在|把|每|总|养|漏)"
    r"|[ ,]{0,2}[^\x00-\x7f。]{2,4}[ ,(]{0,2}(?:电话|手机|1[3-9])"
)
_PLACE_AFTER = re.compile(
    r"[ ,的]{0,2}(?:电梯|门口|门前|大门|楼道|楼下|楼顶|楼前|楼后|附近|旁|[东南西北前后]|大堂|大厅|外墙|[和与]|之间"
    r"|地下|车库|路灯|垃圾)"
)
_OTHERS_AFTER = re.compile(
    r"[ ,的]{0,2}(?:业主|住户|邻居|人家|那家|家|租户)?(?:装修|扰民|乱|养|漏水到|半夜|深夜|每天|经常|总是)"
)
_SIGNATURE = re.compile(
    r"[ ,:]{0,3}(?:[^\x00-\x7f。]{2,4})?(?:[ ,:]{0,3}(?:联系)?(?:电话|手机)?[: ]{0,3}[+0-9 -]{7,})?[ ,。]{0,3}$"
)


def find_houses(text: str, registry: Registry | None = None) -> tuple[HouseMention, ...]:
    """The houses a text names: the writer's own first, the others in the order of the text, each id once.

    With a registry a room without unit (12栋1503) takes the only unit that has such a room, and a reading that exists
    is preferred to one that does not. Buildings (8号楼 → ``8``) and units (1号楼3单元 → ``1-3``) are given as inexact.
    """
    mentions = tuple(_distinct(_mentions(text, registry)))
    own = _choose_own(text, mentions, registry)
    return mentions if own is None else (own, *(mention for mention in mentions if mention is not own))


def normalise_house(text: str) -> str | None:
    """The id of the house a field such as 房号 holds, None when it holds none; of several the most complete."""
    mentions = find_houses(text)
    if mentions:
        return max(mentions, key=lambda mention: (mention.exact, mention.id.count("-"))).id
    pair = _PAIR.fullmatch(_fold(text).strip())
    return f"{_building(pair['building'])}-{int(pair['room'])}" if pair else None


def own_house(text: str, registry: Registry | None = None) -> HouseMention | None:
    """The house the writer lives in or the owner spoken for, None where the text only names places.

    A house counts as the writer's when it stands behind 我是, 我家, 住, 房号 …, beside an owner's name and telephone or
    in a signature line; a full address counts too unless it is called somebody else's. A mere building needs 我是, 住
    or the like.
    """
    return _choose_own(text, tuple(_distinct(_mentions(text, registry))), registry)


def _fold(text: str) -> str:
    return fold(text).translate(_HYPHENS)


def _mentions(text: str, registry: Registry | None) -> Iterator[HouseMention]:
    folded, done = _fold(text), 0
    matches = [match for pattern in (_SHORT, _SPOKEN, _PAIR, _ENGLISH) for match in pattern.finditer(folded)]
    for match in sorted(matches, key=lambda match: match.start()):
        found = _read(match, registry) if match.start() >= done else None
        if found is not None:
            end = match.end() - len(match.group()) + len(match.group().rstrip(" ,的"))
            done = end
            yield HouseMention(found[0], text[match.start() : end], (match.start(), end), found[1])


def _read(match: re.Match[str], registry: Registry | None) -> tuple[str, bool] | None:
    if match.re is _ENGLISH:
        building, unit = match["building"] or match["building_last"], match["unit"] or match["unit_then"]
        return f"{_building(building)}-{int(unit)}-{int(match['room'] or match['room_first'])}", True
    if match.re is _SHORT:
        return _read_short(match, registry)
    if match.re is _PAIR:
        return _read_pair(match, registry)
    return _read_spoken(match, registry)


def _read_short(match: re.Match[str], registry: Registry | None) -> tuple[str, bool] | None:
    building, unit, room = _building(match["building"]), int(match["unit"]), int(match["room"])
    if not building or not unit or room < 100:
        return None
    house = f"{building}-{unit}-{room}"
    like_a_date = building.isdigit() and int(building) <= 31 and unit <= 12 and 1950 <= room < 2050
    like_a_date = like_a_date or match["mark"] != "-"  # 3/2/501 and 3.2.501 are houses only where there is one
    return (house, True) if not like_a_date or _knows(registry, house) else None


def _read_pair(match: re.Match[str], registry: Registry | None) -> tuple[str, bool] | None:
    building, room = _building(match["building"]), int(match["room"])
    if not building or match["room"].startswith("0"):
        return None
    house, exact = _without_unit(building, room, registry)
    return (house, exact) if exact or match["word"] else None


def _read_spoken(match: re.Match[str], registry: Registry | None) -> tuple[str, bool] | None:
    building, word = _building(match["building"]), match["word"]
    unit, room = _value(match["unit"] or match["bare_unit"]), _value(match["room"])
    if not building or (word in ("号", "号院", "楼", "#") and not unit and not (word == "#" and room)):
        return None
    if word == "座" and building.isdigit() and not (unit or room):
        return None
    if unit:
        return (f"{building}-{unit}-{room}", True) if room else (f"{building}-{unit}", False)
    return _without_unit(building, room, registry) if room else (building, False)


def _without_unit(building: str, room: int, registry: Registry | None) -> tuple[str, bool]:
    """A room whose unit was left out: 12栋1503, or the unit written into the room as in 3栋2501 for 3-2-501."""
    plain = f"{building}-{room}"
    if registry is None or plain in registry:
        return plain, registry is not None
    same = [house for house in registry if house.startswith(f"{building}-") and house.endswith(f"-{room}")]
    if len(same) == 1:
        return same[0], True
    digits = str(room)
    joined = f"{building}-{digits[0]}-{digits[1:]}"
    return (joined, True) if len(digits) == 4 and not same and joined in registry else (plain, False)


def _building(text: str) -> str:
    if text[0].isascii() and text[0].isalpha():
        rest = _value(text[1:]) if text[1:] else None
        return text[0].upper() + (str(rest) if rest else "")
    value = _value(text)
    return str(value) if value and value < 300 else ""


def _value(text: str | None) -> int:
    if text and re.fullmatch(_FLOORED, text):
        return (number(text[:-2]) or 0) * 100 + (number(text[-1]) or 0)  # 十六零一 is the first on the sixteenth floor
    return (number(text) or 0) if text else 0


def _knows(registry: Container[str] | None, house: str) -> bool:
    return registry is not None and house in registry


def _distinct(mentions: Iterable[HouseMention]) -> Iterator[HouseMention]:
    seen: set[str] = set()
    for mention in mentions:
        if mention.id not in seen:
            seen.add(mention.id)
            yield mention


def _choose_own(text: str, mentions: tuple[HouseMention, ...], registry: Registry | None) -> HouseMention | None:
    folded = _fold(text)
    weighed = [(_ownness(folded, mention, registry), -place) for place, mention in enumerate(mentions)]
    best = max(weighed, default=(0, 0))
    if best[0] <= 0:
        return None
    own = mentions[-best[1]]
    return next((m for (points, _), m in zip(weighed, mentions, strict=True) if points > 0 and _completes(folded, own, m)), own)


def _completes(text: str, mention: HouseMention, other: HouseMention) -> bool:
    """Whether the same line names the house in full: 3号楼 王某某 3-1-1702."""
    first, last = sorted((mention.span, other.span))
    return other.id.startswith(f"{mention.id}-") and other.id.count("-") == 2 and "\n" not in text[first[0] : last[1]]


def _ownness(text: str, mention: HouseMention, registry: Registry | None) -> int:
    start, end = mention.span
    before = text[max(start - 12, 0) : start].rpartition("\n")[2]
    after = text[end : end + 40].partition("\n")[0]
    points = 1 if mention.id.count("-") == 2 or mention.exact else -2
    if _OWN_BEFORE.search(before):
        points += 6
    elif _OTHER_BEFORE.search(before):
        points -= 3
    if _PLACE_AFTER.match(after) or _OTHERS_AFTER.match(after):
        points -= 3
    elif _OWNER_AFTER.match(after) or (not before.strip() and _SIGNATURE.match(after)):
        points += 4
    if not before.strip() and find_phones(after):
        points += 2
    return points + (1 if _knows(registry, mention.id) else 0)
