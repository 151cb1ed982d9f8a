"""What the lists of words cost."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .lexicon import Lexicon, _entries, spellings


def test_no_word_is_spelled_out_so_often_that_the_lists_fill_the_memory() -> None:
    """Each spelling costs time at the start and ten bytes of every reading room."""
    tables = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
    ways = {text: sum(len(spellings(part)) for part in text.split("…")) for _, _, text in _entries(tables, "")}
    assert max(ways.values()) <= 7000 and sum(ways.values()) <= 90_000


def test_who_had_it_done_by_somebody_asks_for_nobody_else() -> None:
    """A wish for others begins the last notice to the contractor (S1-5.6.2)."""
    lexicon = Lexicon(tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8")))
    assert not lexicon.read("我自己找人换好了,不用你们来了").of("mark.replace")
    assert lexicon.read("再不来我自己找人修,费用从他们质保金里扣").of("mark.replace")
