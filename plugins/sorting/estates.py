"""Whether a matter lies in another estate (S0-2.0). Pure; words lie in estates.toml, our own names in the settings.

Only two ways of naming a place count: the writer lives there (我是…花园3号楼业主), or a clause of somebody we do not know begins
with it (…花园3号楼电梯坏了). Where our own name or a house without that estate's name is named too, the matter is ours.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from kefud.api import find_houses, fold

_WORDS: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "estates.toml").read_text("utf-8"))
_ENDS, _INTRODUCED, _NO_NAMES, _PAST, _ABOUT_US = (
    "|".join(_WORDS[key]) for key in ("ends", "introduced", "no_names", "past", "about_us")
)
_CLAUSE = r"(?:^|(?<=[\s,。!?;:、]))"
_NAME = rf"(?P<name>[\u4e00-\u9fff]{{2,6}}?(?:{_ENDS}))(?:[一二三四五六1-6]期|[东南西北a-d]区)?的?"
_BUILDING = r"(?:(?:[0-9]{1,3}|[一二三四五六七八九十]{1,3}|[a-z])(?:号楼|栋|幢|座|#)|[0-9]{1,2}-[0-9])"
_LIVES = re.compile(rf"{_CLAUSE}(?:{_INTRODUCED}){_NAME}(?:{_BUILDING}|(?:业主|住户|居民|租户|房主))")
_BEGINS = re.compile(rf"{_CLAUSE}{_NAME}{_BUILDING}")
_IS_NO_NAME, _IS_PAST, _IS_ABOUT_US = re.compile(_NO_NAMES), re.compile(rf"的?(?:{_PAST})"), re.compile(_ABOUT_US)
_LOOKED_AT = 4
_END = re.compile(rf"(?:{_ENDS})$")


class Estates:
    """Tells our estate by its names; without any, every matter is ours."""

    def __init__(self, names: Iterable[str]) -> None:
        self.ours = tuple(bare for name in names if len(bare := _END.sub("", fold(name).strip())) >= 2)

    def elsewhere(self, text: str, *, known: bool = False) -> tuple[str, str]:
        """The other estate and the place in it, as written; "" twice where the matter is ours. ``known``: a house of ours writes."""
        folded = fold(text)
        if not self.ours or any(name in folded for name in self.ours) or _IS_ABOUT_US.search(folded):
            return "", ""
        for pattern in (_LIVES,) if known else (_LIVES, _BEGINS):
            for match in islice(pattern.finditer(folded), _LOOKED_AT):
                end = _end_of_place(text, match)
                place = text[match.start("name") : end]
                if _is_name(match["name"]) and not _IS_PAST.match(folded, end) and not find_houses(text.replace(place, "")):
                    return text[match.start("name") : match.end("name")], place
        return "", ""


def _is_name(name: str) -> bool:
    return not _IS_NO_NAME.search(_END.sub("", name))


def _end_of_place(text: str, match: re.Match[str]) -> int:
    """Where building, unit and room behind the name end."""
    houses = (mention.span for mention in find_houses(text))
    return max([match.end(), *(end for start, end in houses if match.end("name") <= start <= match.end("name") + 4)])
