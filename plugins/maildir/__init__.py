"""Mail from a maildir on this machine."""

from __future__ import annotations

from kefud.api import Channel, Site, hookimpl

from .channel import Maildir
from .settings import Settings

SETTINGS = ()
"""Keys of [plugin.maildir]."""


@hookimpl
def register_channels(site: Site) -> list[Channel]:
    return [Maildir(config.id, Settings.of(config, site)) for config in site.channels_of("maildir")]
