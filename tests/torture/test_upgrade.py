"""R25 at length: a migration killed at each of its steps and at many of its system calls. KEFUD_TORTURE=N: the more, the denser."""

from __future__ import annotations

from hostile.test_upgrade import STEPS, Upgrade, dies_and_is_finished, upgrade  # noqa: F401
from torture.crash import count

from kefud.store import schema


def test_killed_at_each_step(upgrade: Upgrade) -> None:  # noqa: F811
    dies_and_is_finished(upgrade, list(range(1, STEPS + 1)))


def test_killed_at_the_nth_system_call(upgrade: Upgrade) -> None:  # noqa: F811
    """Old until it is new, whole at each moment, and new in the end."""
    home = upgrade.office.home
    watched = ("-P", f"{home}/kefud.db", "-P", f"{home}/kefud.db-wal") if upgrade.db.sqlite else ()
    calls = "pwrite64,write,fdatasync,fsync" if upgrade.db.sqlite else "sendto,sendmsg"
    n, killed = 1, 0
    while schema.version(upgrade.db) == schema.HEAD:
        strace = ("strace", "-f", "-q", "-o", f"{home}/trace", *watched, "-e", f"inject={calls}:signal=KILL:when={n}")
        done = upgrade.new("db", "upgrade", wrapper=strace)
        assert done.returncode in (0, -9), done.stderr
        killed += done.returncode == -9
        if schema.version(upgrade.db) == schema.HEAD:
            assert done.returncode == -9, "success was reported for what did not happen"
            upgrade.is_old()
        n += max(1, n * 10 // count(200))
    assert killed > 3, "it was hardly ever killed, so this showed little"
    assert upgrade.new("db", "upgrade").returncode == 0
    upgrade.is_new()
