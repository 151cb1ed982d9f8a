"""What the store keeps about itself: the keys of tokens, who holds it, plugins switched off, notes of channels."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, text, update

from kefud.store.tables import ChannelNote, Lease, PluginState, Setting


def setting(tx: Connection, name: str) -> str:
    """The value kept under ``name``, "" if there is none."""
    return tx.scalar(select(Setting.value).where(Setting.name == name)) or ""


def keep_setting(tx: Connection, name: str, value: str) -> None:
    if tx.execute(update(Setting).where(Setting.name == name).values(value=value)).rowcount == 0:
        tx.execute(insert(Setting).values(name=name, value=value))


def token_keys(tx: Connection) -> tuple[bytes, ...]:
    """The keys that tokens are made and checked with, newest first; made when there are none."""
    kept = setting(tx, "token_keys")
    if not kept:
        kept = secrets.token_hex(32)
        keep_setting(tx, "token_keys", kept)
    return tuple(bytes.fromhex(k) for k in kept.split())


def rotate_token_keys(tx: Connection) -> None:
    """A new key signs from now on; the one before still verifies."""
    keys = token_keys(tx)
    keep_setting(tx, "token_keys", " ".join([secrets.token_hex(32), keys[0].hex()]))


def take_lease(tx: Connection, name: str, owner: str, now: datetime, seconds: float) -> int:
    """Hold ``name`` until ``now + seconds``; returns the epoch, 0 where another owner holds it."""
    row = tx.execute(select(Lease).where(Lease.name == name).with_for_update()).one_or_none()
    until = now + timedelta(seconds=seconds)
    if row is None:
        tx.execute(insert(Lease).values(name=name, owner=owner, until=until, epoch=1))
        return 1
    if row.owner != owner and row.until > now:
        return 0
    epoch = row.epoch if row.owner == owner else row.epoch + 1
    tx.execute(update(Lease).where(Lease.name == name).values(owner=owner, until=until, epoch=epoch))
    return int(epoch)


def database_now(tx: Connection) -> datetime:
    """The database's own clock: hosts that share a store do not trust each other's."""
    now: datetime = tx.execute(text("select clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)


def bury(tx: Connection, prefix: str, now: datetime) -> list[str]:
    """Owners of leases called ``prefix…`` that have ended; all they held is free."""
    owners = list(tx.scalars(select(Lease.owner).where(Lease.name.startswith(prefix, autoescape=True), Lease.until < now)))
    if owners:
        tx.execute(delete(Lease).where(Lease.owner.in_(owners)))
    return owners


def living(tx: Connection, prefix: str, now: datetime) -> list[str]:
    """Owners of leases called ``prefix…`` that have not ended."""
    return list(tx.scalars(select(Lease.owner).where(Lease.name.startswith(prefix, autoescape=True), Lease.until >= now)))


def drop_lease(tx: Connection, name: str, owner: str) -> None:
    tx.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner))


def lease_of(tx: Connection, name: str) -> tuple[str, datetime] | None:
    row = tx.execute(select(Lease).where(Lease.name == name)).one_or_none()
    return (row.owner, row.until) if row else None


def note(tx: Connection, channel: str, key: str) -> str:
    return tx.scalar(select(ChannelNote.value).where(ChannelNote.channel == channel, ChannelNote.key == key)) or ""


def keep_note(tx: Connection, channel: str, key: str, value: str, now: datetime) -> None:
    same = (ChannelNote.channel == channel, ChannelNote.key == key)
    if tx.execute(update(ChannelNote).where(*same).values(value=value, at=now)).rowcount == 0:
        tx.execute(insert(ChannelNote).values(channel=channel, key=key, value=value, at=now))


def notes(tx: Connection, key: str) -> dict[str, tuple[str, datetime]]:
    """What every channel keeps under ``key``, and since when."""
    query = select(ChannelNote.channel, ChannelNote.value, ChannelNote.at).where(ChannelNote.key == key)
    return {channel: (value, at) for channel, value, at in tx.execute(query)}


def plugin_failed(tx: Connection, plugin: str, reason: str, now: datetime, *, most: int, rest: timedelta) -> bool:
    """Count a failure of a plugin; True where it is switched off by this one."""
    row = tx.execute(select(PluginState).where(PluginState.plugin == plugin)).one_or_none()
    failures = (row.failures if row else 0) + 1
    off = now + rest if failures >= most else None
    values = {"failures": 0 if off else failures, "off_until": off, "reason": reason[:500]}
    if row is None:
        tx.execute(insert(PluginState).values(plugin=plugin, **values))
    else:
        tx.execute(update(PluginState).where(PluginState.plugin == plugin).values(**values))
    return off is not None


def plugin_well(tx: Connection, plugin: str) -> None:
    tx.execute(delete(PluginState).where(PluginState.plugin == plugin))


def plugins_off(tx: Connection, now: datetime) -> dict[str, tuple[datetime, str]]:
    """Plugins that are switched off now: until when, and why."""
    query = select(PluginState).where(PluginState.off_until > now)
    return {r.plugin: (r.off_until, r.reason) for r in tx.execute(query)}
