"""Letters from a complaint box: scans dropped into a folder, read by a machine, and by a person where it is unsure."""

from __future__ import annotations

from kefud.api import Channel, Site, hookimpl

from .channel import ComplaintBox
from .settings import Settings

SETTINGS = ()
"""Keys of [plugin.complaint_box]."""


@hookimpl
def register_channels(site: Site) -> list[Channel]:
    return [ComplaintBox(config.id, Settings.of(config, site), site) for config in site.channels_of("complaint_box")]
