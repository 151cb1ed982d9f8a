"""Letters go into a folder, for a printer or a person."""

from __future__ import annotations

from kefud.api import Site, Transport, hookimpl

from .settings import Settings
from .transport import PrintFolder

SETTINGS = ()
"""Keys of [plugin.print_folder]."""


@hookimpl
def register_transports(site: Site) -> list[Transport]:
    return [PrintFolder(config.id, Settings.of(config, site)) for config in site.transports_of("print_folder")]
