"""Letters go out by SMTP."""

from __future__ import annotations

from kefud.api import Site, Transport, hookimpl

from .settings import Settings
from .transport import Smtp

SETTINGS = ()
"""Keys of [plugin.smtp]."""


@hookimpl
def register_transports(site: Site) -> list[Transport]:
    return [Smtp(config.id, Settings.of(config, site)) for config in site.transports_of("smtp")]
