"""Join the same matter to its ticket, and see when several households bring one matter (S0-3.2)."""

from __future__ import annotations

from kefud.api import Rule, Site, hookimpl

from .rule import Merging

SETTINGS = (
    "same", "same_thing", "same_other_category", "anonymous", "chased",
    "group", "group_elsewhere", "households",
)  # fmt: skip
"""Keys of [plugin.merging]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Merging(site, site.plugin_settings("merging"))]
