"""One nursery for all offices of a test run: children are forked from it, and what they import is imported once."""

from __future__ import annotations

from functools import cache

from kefud.preload import PRELOAD
from kefud.workers import Nursery


@cache
def shared() -> Nursery:
    """Ends with the test run, when its socket closes."""
    return Nursery((*PRELOAD, "typst", "warm"))
