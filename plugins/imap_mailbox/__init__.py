"""Mail from an IMAP mailbox."""

from __future__ import annotations

from kefud.api import Channel, Site, hookimpl

from .channel import Mailbox
from .settings import Settings

SETTINGS = ()
"""Keys of [plugin.imap_mailbox]."""


@hookimpl
def register_channels(site: Site) -> list[Channel]:
    return [Mailbox(config.id, Settings.of(config, site), site) for config in site.channels_of("imap_mailbox")]
