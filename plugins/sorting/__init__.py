"""Sort what arrives: one matter or several, what kind, what about, how urgent, from whom (S1-4.3.5, S2-6.B3)."""

from __future__ import annotations

from kefud.api import Rule, Site, hookimpl

from .rule import Sorting


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Sorting(site, site.plugin_settings("sorting"))]
