"""Give every new ticket its department, handler, helpers and registers by a table (RULES §2, S2-4.2)."""

from __future__ import annotations

from kefud.api import Rule, Site, hookimpl

from .rule import Routing

SETTINGS = ("handlers", "routes", "kinds", "topics", "accused", "special", "origins", "report", "ladder")
"""Keys of [plugin.routing]."""


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Routing(site, site.plugin_settings("routing"))]
