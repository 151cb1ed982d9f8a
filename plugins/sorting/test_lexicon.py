"""What the lists of words cost."""

from __future__ import annotations

import tomllib
from pathlib import Path

from .lexicon import _entries, spellings


def test_no_word_is_spelled_out_so_often_that_the_lists_fill_the_memory() -> None:
    """Each spelling costs time at the start and ten bytes of every reading room."""
    tables = tomllib.loads((Path(__file__).parent / "words.toml").read_text("utf-8"))
    ways = {text: sum(len(spellings(part)) for part in text.split("…")) for _, _, text in _entries(tables, "")}
    assert max(ways.values()) <= 7000 and sum(ways.values()) <= 90_000
