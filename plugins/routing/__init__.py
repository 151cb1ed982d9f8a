"""Give every new ticket its department, handler, helpers and registers by a table (RULES §2, S2-4.2)."""

from __future__ import annotations

from kefud.api import Rule, Site, hookimpl

from .rule import Routing


@hookimpl
def register_rules(site: Site) -> list[Rule]:
    return [Routing(site, site.plugin_settings("routing"))]
