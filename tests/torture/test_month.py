"""A month of two hundred matters (KEFUD_TORTURE=N for another number), each plot again and again, recounted by hand."""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

from month.people import PLOTS
from month.test_month import lived
from torture.crash import count


def test_a_month_of_two_hundred_matters(tmp_path: Path) -> None:
    lived(tmp_path, list(islice(cycle(PLOTS), count(200))), tuple(range(24)))
