"""Sort what arrives: one matter or several, what kind, what about, how urgent, from whom (S1-4.3.5, S2-6.B3)."""

from __future__ import annotations

from kefud.api import Rule, Site, hookimpl

from .rule import Sorting

SETTINGS = (
    "examined", "stale_days", "box_days", "ocr_confidence", "agreed_within_days", "households",
    "estates", "parts", "words", "examples",
)  # fmt: skip
"""Keys of [plugin.sorting]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Sorting(site, site.plugin_settings("sorting"))]
