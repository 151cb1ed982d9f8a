"""What the press holds in memory beside what it prints with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TEMPLATES = Path(__file__).parents[2] / "templates"
PAGES = """
import sys
from pathlib import Path
from kefud.compose.press import Press
from kefud.workers import forget_pages

def resident():
    name, found = "", 0
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if not first.endswith(":"):
            name = rest[4] if len(rest) > 4 else ""
        elif first == "Rss:" and "typst" in name:
            found += int(rest[0])
    return found

press = Press([Path(sys.argv[1])])
notice = press.samples()["notice"]
first = press.print("notice", notice)
loaded = resident()
forget_pages("typst")
kept = resident()
assert press.print("notice", notice) == first
print(loaded, kept, resident())
"""


def test_what_was_only_needed_to_load_typst_is_given_back() -> None:
    found = subprocess.run([sys.executable, "-c", PAGES, str(TEMPLATES)], capture_output=True, text=True, check=True)
    loaded, kept, needed = map(int, found.stdout.split())
    assert kept < needed < loaded * 3 / 4
