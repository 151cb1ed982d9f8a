"""Calls from the exports that a telephone system drops into a folder (S2-5.2)."""

from __future__ import annotations

from kefud.api import Channel, Site, hookimpl

from .channel import PhoneLog
from .settings import Settings

SETTINGS = ()
"""Keys of [plugin.phone_log]."""


@hookimpl
def register_channels(site: Site) -> list[Channel]:
    return [PhoneLog(config.id, Settings.of(config, site), site) for config in site.channels_of("phone_log")]
