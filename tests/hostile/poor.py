"""Imported by a nursery: a process that can be made poor, and rich again, by signals. Root's processes are never counted, so it
is somebody else's."""

import os
import resource
import signal

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)


def allow(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    resource.setrlimit(what, (hard if most < 0 else most, hard))


signal.signal(signal.SIGUSR1, lambda *_: allow(resource.RLIMIT_NPROC, 0))
signal.signal(signal.SIGUSR2, lambda *_: allow(resource.RLIMIT_NOFILE, 4))
signal.signal(signal.SIGHUP, lambda *_: [allow(what, -1) for what in (resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE)])
