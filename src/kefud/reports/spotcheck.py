"""A share of closed tickets for the service inspector, drawn so that anybody can draw the same again (S0-P5, S4-7.1)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random


def draw_sample(numbers: Iterable[str], rate: float, seed: str) -> list[str]:
    """``rate`` of the tickets, at least one where there are any; the same tickets and seed give the same sample."""
    known = sorted(set(numbers))
    if not known:
        return []
    count = min(len(known), math.ceil(round(len(known) * rate, 6)))
    return sorted(Random(f"kefud spot check {seed}").sample(known, count))
