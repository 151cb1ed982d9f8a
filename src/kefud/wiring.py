"""The one place that knows everybody: builds the line from a configuration."""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from kefud import loader, log
from kefud.casework import Casework
from kefud.compose import Composer, Press
from kefud.config import ChannelConfig, Loaded, TransportConfig, seconds
from kefud.daemon import Daemon, Job, Orders, Stage, run_until_idle
from kefud.desk import tokens
from kefud.desk.arrival import Arrival
from kefud.desk.decisions import Decision
from kefud.desk.dispatch import Dispatch
from kefud.desk.message import Address, Message
from kefud.desk.ticket import Ticket
from kefud.errors import Busy, ConfigError, KefudError, NotAllowed, NotStarted, Problem
from kefud.intake import Backlog, ReadingDesk, Receiver
from kefud.journal import Journal
from kefud.large import tidy
from kefud.observation import Telling
from kefud.outbox import Outbox
from kefud.periodic import Filing, Periodic, Post, Reporter, Signing, Surveying, settings_of
from kefud.preload import PRELOAD
from kefud.shipped import shipped
from kefud.store import arrivals, blobs, letters, schema, settings, tickets
from kefud.store.backup import carry_on, is_restored
from kefud.store.database import Connection, Database
from kefud.store.numbers import LEFT_OUT
from kefud.supervision import Breaker, Judge, Reader
from kefud.workers import WITH_ITS_NURSERY, Nursery, Worker, WorkerDied, one_heap, trim_heap

FETCH_SECONDS = 900.0
SEND_SECONDS = 900.0
LEASE_SECONDS = 40.0
MEDIUM_OF_PLUGIN = {"print_folder": "print"}


def system_clock() -> datetime:
    return datetime.now(UTC)


def _uptime() -> float:
    """Seconds that go on while the machine is suspended: it holds nothing any more when it wakes up."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Patience:
    """How long others are given to show that they live: ``grace`` seconds from the first look, and from one after a gap."""

    def __init__(self, gap: float = 25.0, grace: float = 25.0) -> None:
        self._gap = gap
        self._grace = grace
        self._last = -gap
        self._until = 0.0

    def over(self, now: float) -> bool:
        """Called at each look that reached the store."""
        if now - self._last >= self._gap:
            self._until = now + self._grace
        self._last = now
        return now >= self._until


class _Lane:
    """A channel in the child of its plugin."""

    def __init__(self, worker: Worker, index: int) -> None:
        self._worker = worker
        self._index = index

    def fetch(self, asked: Callable[[str, tuple[Any, ...]], Any]) -> int:
        count: int = self._worker.call("fetch", timeout=FETCH_SECONDS, lane=self._index, asked=asked)
        return count

    def wait(self, seconds: float) -> bool:
        found: bool = self._worker.call("wait", seconds, timeout=seconds + 120, lane=self._index)
        return found

    def again_in(self) -> float:
        found: float = self._worker.call("again_in", timeout=30, lane=self._index)
        return found


class _Sender:
    """A transport in its child."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def send(self, batch: Sequence[Dispatch], asked: Callable[[str, tuple[Any, ...]], Any]) -> int:
        count: int = self._worker.call("send", list(batch), timeout=SEND_SECONDS, asked=asked)
        return count

    def finish(self) -> None:
        self._worker.call("finish", timeout=60)


class _Deadlines:
    """The stage that follows deadlines and tells tickets what became of their letters."""

    name = "deadlines"
    idle = 3.0

    def __init__(self, casework: Casework, wake: Callable[[], None], mine: Callable[[], bool]) -> None:
        self._casework = casework
        self._wake = wake
        self._mine = mine

    def step(self) -> bool:
        if not self._mine():
            return False
        told = self._casework.tell()
        woke = self._casework.wake()
        if told or woke:
            self._wake()
        return told or woke


class RehearsalRoom:
    """Reads and judges in one child."""

    def __init__(self, reader: Reader, judge: Judge) -> None:
        self.read = reader.read
        self.judge = judge.judge


class Office:
    """A running kefud: the store, the children, the stages. Use as a context manager.

    ``clock`` gives aware instants; ``nonce`` short random text; ``nursery`` is one that several offices share; ``patience`` is
    what hosts that share a store have with each other; ``busy`` is how many seconds a lock of another process is waited for, 0
    for the usual. Opening takes the store's lock and raises Busy (75) where another daemon holds it.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        clock: Callable[[], datetime] = system_clock,
        nonce: Callable[[], str] = lambda: secrets.token_hex(5),
        exclusive: bool = True,
        open_store: bool = True,
        nursery: Nursery | None = None,
        patience: Patience | None = None,
        busy: float = 0.0,
    ) -> None:
        self.loaded = loaded
        self.site = loaded.site
        self.clock = clock
        self.spool = Path(loaded.spool)
        self.owner = f"{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(3)}"
        # The daemon says soon what it waits for, and tries again; a command has a person who waits.
        self.db = Database(loaded.database, busy=busy or (10.0 if exclusive else 30.0))
        self.nursery = nursery or Nursery(PRELOAD)
        self._own_nursery = nursery is None
        self.plugins = loader.find([*loaded.plugins, shipped("plugins")])
        self.composer = Composer([*loaded.templates, str(shipped("templates"))])
        self.breaker = Breaker(self.db, clock)
        self.workers: list[Worker] = []
        self._nonce = nonce
        self._exclusive = exclusive
        self._open_store = open_store
        self._lock: int | None = None
        self._daemon: Daemon | None = None
        self._casework: Casework | None = None
        self._leases: dict[str, tuple[float, bool]] = {}
        self._patient = patience or Patience()
        self._backlog = Backlog()
        self._closing = threading.Event()
        self._looking: threading.Thread | None = None
        self._once: tuple[list[Receiver], list[Stage]] | None = None

    def __enter__(self) -> Office:
        try:
            self.open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        if not self._open_store:
            return
        self.spool.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._exclusive and self.db.sqlite:
            self._lock = take_lock(self.spool / "kefud.lock")
        schema.ensure(self.db)
        with self.db.read() as tx:
            restored = is_restored(tx)
        if restored:  # before anything is numbered, be it by a command
            with self.db.write() as tx:
                carry_on(tx, self.site.calendar.local(self.clock()).date())
            log.warn("restored", numbers_left_out=LEFT_OUT)
        if self._exclusive:
            tidy(self.spool, math.inf if self._lock is not None else (self.clock() - timedelta(days=1)).timestamp())
        if self._lock is not None:
            self._take_over(None)

    def _take_over(self, owners: list[str] | None) -> None:
        """What a daemon that died had in hand becomes due again; all there is where the store is ours alone."""
        with self.db.write() as tx:
            count = self._let_go(tx, owners)
        if count:
            log.warn("took-over", items=count, owners=len(owners) if owners is not None else None)

    def _let_go(self, tx: Connection, owners: list[str] | None) -> int:
        return arrivals.take_over(tx, owners) + letters.take_over(tx, self.clock(), owners)

    def look_after_others(self) -> None:
        """On a shared store: renew our own sign of life, and take over from hosts that gave none for forty seconds.

        Who has not reached the store for a while, or never before, first lets the others give their sign of life again: where
        the database itself was away nobody has died.
        """
        if self.db.sqlite:
            return
        with self.db.write() as tx:
            now = settings.database_now(tx)
            settings.take_lease(tx, f"node.{self.owner}", self.owner, now, LEASE_SECONDS)
            self._leases[f"node.{self.owner}"] = (0.0, True)
            dead = settings.bury(tx, "node.", now) if self._patient.over(_uptime()) else []
            count = self._let_go(tx, dead) if dead else 0
        if dead:
            log.warn("took-over", items=count, owners=len(dead))
            for name in [name for name, (_, held) in list(self._leases.items()) if not held]:
                self._leases.pop(name, None)  # what they held may be ours now
            if self._daemon:
                self._daemon.wake()

    def close(self) -> None:
        self._closing.set()
        for worker in self.workers:
            worker.stop()
        if self._own_nursery:
            self.nursery.close()
        if self._leases:
            with suppress(KefudError), self.db.write() as tx:
                self._let_go(tx, [self.owner])
                for name in self._leases:
                    settings.drop_lease(tx, name, self.owner)
        self.db.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # Parts

    def enabled_rules(self) -> list[loader.Found]:
        """The rule plugins in the order they are asked. Raises ConfigError for one that is nowhere."""
        return [self._plugin(n, "rules.order") for n in self.loaded.config.rules.order]

    def _plugin(self, name: str, key: str) -> loader.Found:
        found = self.plugins.get(name)
        if found is None:
            known = ", ".join(sorted(self.plugins)) or "none"
            message = f'there is no plugin "{name}"; found are {known}'
            raise ConfigError([Problem(self.loaded.path, 0, key, message)])
        return found

    def room(self, channels: Sequence[ChannelConfig] = ()) -> RehearsalRoom:
        """A reading room for what-if: reads with ``channels`` (else our own) and asks this configuration's rules."""
        read_by = [c for c in channels or self.loaded.config.channel if c.enabled]
        limits = self.site.limits
        worker = self._room("rehearsal", read_by, 4 << 30)
        return RehearsalRoom(
            Reader(worker, self.breaker, seconds=limits.ocr_seconds), Judge(worker, self.breaker, seconds=limits.worker_seconds)
        )

    def channels(self) -> list[ChannelConfig]:
        return [c for c in self.loaded.config.channel if c.enabled]

    def transports(self) -> list[TransportConfig]:
        return [t for t in self.loaded.config.transport if t.enabled]

    def _worker(self, name: str, factory: str, args: tuple[Any, ...], **options: Any) -> Worker:
        worker = Worker(self.nursery, name, f"kefud.hosts:{factory}", args, **options)
        self.workers.append(worker)
        return worker

    def _room(self, name: str, channels: Sequence[ChannelConfig], memory: int) -> Worker:
        plugins = [self._plugin(n, "channel.plugin") for n in dict.fromkeys(c.plugin for c in channels)]
        args = (self.site, plugins, self.enabled_rules())
        return self._worker(name, "reading_room", args, memory=memory, recycle=512 << 20 if memory < 2 << 30 else 0)

    @cached_property
    def _reading_room(self) -> Worker:
        """Where mail is read and the rules are asked, in turns: a second child would hold the rules' words once more."""
        read_by = [c for c in self.channels() if c.plugin not in SCAN_PLUGINS]
        return self._room("reading room", read_by, self.site.limits.worker_memory)

    @property
    def casework(self) -> Casework:
        """Where tickets change; also used by commands."""
        if self._casework is None:
            limits = self.site.limits
            judge = Judge(self._reading_room, self.breaker, seconds=limits.worker_seconds)
            service = self.loaded.config.service
            self._casework = Casework(
                self.db, self.site, self.composer, judge, clock=self.clock, nonce=self._nonce,
                can_print=any(MEDIUM_OF_PLUGIN.get(t.plugin) == "print" for t in self.transports()),
                trust_internal=service.trust_internal_mail,
            )  # fmt: skip
            self._casework.answered = lambda reading: self.signing.answered(reading) or self.surveying.answered(reading)
        return self._casework

    @cached_property
    def reporter(self) -> Reporter:
        """The data of reports, for the daemon and for `kefud report`."""
        return Reporter(self.site, settings_of(self.site, self.loaded.config.deadlines))

    @cached_property
    def post(self) -> Post:
        """Letters that belong to no ticket."""
        return Post(self.db, self.site, self.composer, self.spool, keys=self.casework.token_keys, nonce=self._nonce)

    @cached_property
    def signing(self) -> Signing:
        """Where digests are signed, by command or by mail."""
        return Signing(self.db, self.site, self.reporter, self.casework, self.post, clock=self.clock)

    @cached_property
    def surveying(self) -> Surveying:
        """Satisfaction surveys to a list of houses."""
        keys = self.casework.token_keys
        return Surveying(self.db, self.site, self.reporter, self.post, keys, clock=self.clock)

    def periodic(self, wake: Callable[[], None], mine: Callable[[], bool]) -> Periodic:
        """The stage that makes digests and reports at their times."""
        return Periodic(self.db, self.site, self.reporter, self.post, clock=self.clock, wake=wake, mine=mine)

    def filing(self, mine: Callable[[], bool]) -> Filing:
        """The stage that archives closed tickets."""
        return Filing(self.casework, self.loaded.config.retention.archive_days, clock=self.clock, mine=mine)

    def receivers(self, wake: Callable[[], None]) -> list[Receiver]:
        """One stage for each channel; the channels of a plugin share a child."""
        found = []
        by_plugin: dict[str, list[ChannelConfig]] = {}
        for channel in self.channels():
            by_plugin.setdefault(channel.plugin, []).append(channel)
        for name, channels in by_plugin.items():
            plugin = self._plugin(name, "channel.plugin")
            ids = [c.id for c in channels]
            worker = self._worker(f"channels {name}", "channel_host", (self.site, plugin, ids), lanes=len(ids))
            for index, channel in enumerate(channels):
                found.append(self._receiver(channel, _Lane(worker, index), wake))
        return found

    def _receiver(self, channel: ChannelConfig, lane: _Lane, wake: Callable[[], None]) -> Receiver:
        return Receiver(
            channel.id, lane, self.db, self.spool, clock=self.clock, period=channel.period, retry=seconds(channel.retry),
            wake=wake, mine=lambda: self.holds(f"channel.{channel.id}"), backlog=self._backlog,
        )  # fmt: skip

    def desks(self, wake: Callable[[], None]) -> list[ReadingDesk]:
        """The stages that read: scans have a desk of their own, for reading them takes seconds."""
        scans = [c for c in self.channels() if c.plugin in SCAN_PLUGINS]
        others = [c for c in self.channels() if c.plugin not in SCAN_PLUGINS]
        limits = self.site.limits
        desks = []
        if others:
            reader = Reader(self._reading_room, self.breaker, seconds=limits.worker_seconds)
            desks.append(self._desk("reading", others, reader, wake, batch=25))
        if scans:
            room = self._room("scans", scans, 4 << 30)
            reader = Reader(room, self.breaker, seconds=limits.ocr_seconds)
            desks.append(self._desk("scans", scans, reader, wake, batch=1))
        return desks

    def _desk(
        self, name: str, channels: Sequence[ChannelConfig], reader: Reader, wake: Callable[[], None], batch: int
    ) -> ReadingDesk:
        return ReadingDesk(
            name, [c.id for c in channels], reader, self.casework, self.db, self.spool, clock=self.clock, owner=self.owner,
            wake=wake, batch=batch, backlog=self._backlog,
        )  # fmt: skip

    def outboxes(self, wake: Callable[[], None], stopping: Callable[[], bool]) -> list[Outbox]:
        """One stage for each enabled transport."""
        transports = self.transports()
        printers = [t for t in transports if MEDIUM_OF_PLUGIN.get(t.plugin) == "print"]
        mailers = [t for t in transports if t not in printers]
        media: dict[str, list[str]] = {t.id: [] for t in transports}
        for medium, first in (("mail", mailers or printers), ("print", printers or mailers)):
            if first:
                media[first[0].id].append(medium)
        templates = [*self.loaded.templates, str(shipped("templates"))]
        papers = str(self.spool / "papers")
        boxes = []
        for transport in transports:
            if not media[transport.id]:
                continue
            plugin = self._plugin(transport.plugin, "transport.plugin")
            # On a shared store each answer is recorded before the next letter leaves: another host may take over.
            journal = Journal(self.spool / "outbox" / f"{transport.id}.sent") if self.db.sqlite else None
            args = (self.site, plugin, transport.id, templates, papers, str(journal.path) if journal else "")
            worker = self._worker(f"transport {transport.id}", "transport_host", args)
            boxes.append(
                Outbox(
                    transport.id, media[transport.id], _Sender(worker), self.db, self.site, self.spool, clock=self.clock,
                    owner=self.owner, stopping=stopping, wake=wake, keyed=self._keyed_addresses(),
                    journal=journal,
                )  # fmt: skip
            )
        return boxes

    def _keyed_addresses(self) -> Callable[[int, int], tuple[str, str]]:
        """Where a letter comes back to and where it is answered to, where the mail server delivers tagged addresses."""
        if not self.loaded.config.service.reply_tag:
            return lambda letter, ticket: ("", "")
        key, own = self.casework.token_keys()[0], self.site.outgoing.address
        return lambda letter, ticket: (
            tokens.return_address(key, letter, own), tokens.reply_address(key, ticket, own) if ticket else "",
        )  # fmt: skip

    def observers(self) -> list[Telling]:
        """One stage for each enabled plugin with observers."""
        stages: list[Telling] = []
        for name in dict.fromkeys(self.loaded.config.observers.enabled):
            args = (self.site, self._plugin(name, "observers.enabled"))
            worker = self._worker(f"observer {name}", "observer_host", args, memory=self.site.limits.worker_memory)
            mine = partial(self.holds, f"observer.{name}")
            stages.append(Telling(name, worker, self.db, self.breaker, clock=self.clock, mine=mine))
        return stages

    def look_at_plugins(self) -> dict[str, str]:
        """Say which enabled plugins cannot be used, in the log and for `kefud status`; all others do their work."""
        config = self.loaded.config
        names = [(c.plugin, "channel.plugin") for c in self.channels()] + [(n, "rules.order") for n in config.rules.order]
        names += [(t.plugin, "transport.plugin") for t in self.transports()]
        names += [(n, "observers.enabled") for n in config.observers.enabled]
        worker = self._worker("inspector", "inspector", (self.site,))
        broken = dict(faults_of(worker, [self._plugin(name, key) for name, key in dict(names).items()]))
        worker.stop()
        for name, reason in broken.items():
            log.error("plugin-broken", plugin=name, reason=reason)
        with self.db.write() as tx:
            settings.keep_setting(tx, "plugins_broken", json.dumps(broken))
        return broken

    def _get_ready(self) -> None:
        """What nothing waits for, least of all the mail: faces for the first paper, and a word about plugins that are broken."""
        if self.transports():
            Press((), cut=self.spool / "fonts").prepare()
        self._say_what_is_broken()

    def _say_what_is_broken(self) -> None:
        try:
            self.look_at_plugins()
        except KefudError as error:
            log.warn("plugins-not-looked-at", reason=error)

    def holds(self, name: str) -> bool:
        """Whether this daemon does the work called ``name``: always on SQLite, by a lease of 40 seconds on PostgreSQL.

        Others look every five seconds, so that a dead host's work is taken over within a minute.
        """
        if self.db.sqlite:
            return True
        now = _uptime()
        until, held = self._leases.get(name, (0.0, False))
        if now < until:
            return held
        with self.db.write() as tx:
            held = settings.take_lease(tx, name, self.owner, settings.database_now(tx), LEASE_SECONDS) > 0
        self._leases[name] = (now + (20.0 if held else 5.0), held)
        return held

    # Running

    def daemon(self) -> Daemon:
        """The daemon with all its stages."""
        def wake_of(*names: str) -> Callable[[], None]:
            return lambda: self._daemon.wake(*names) if self._daemon else None

        readers = wake_of("reading", "scans")
        outboxes = self.outboxes(wake_of("deadlines"), lambda: bool(self._daemon and self._daemon.stopping()))
        observers = self.observers()
        out = wake_of(*(o.name for o in outboxes), *(o.name for o in observers))
        stages: list[Stage] = [
            *self.receivers(readers), *self.desks(out),
            _Deadlines(self.casework, out, lambda: self.holds("deadlines")),
            self.periodic(out, lambda: self.holds("reports")), self.filing(lambda: self.holds("filing")), *outboxes, *observers,
        ]  # fmt: skip
        self._daemon = Daemon(stages, self.jobs(), monotonic=time.monotonic, status=self.status_line)
        return self._daemon

    def enter(self, text: str, about: Mapping[str, Any], given: Sequence[Decision], at: datetime | None = None) -> Ticket:
        """A matter entered at the counter (S1-4.3.2): what was said is kept like any arrival, then filed at once.

        ``about`` is kept beside the words (who entered it, name, house …), ``at`` is when it was brought, now where None.
        """
        now = self.clock()
        when = at or now
        content = json.dumps({"text": text, "at": when.isoformat(), **about}, ensure_ascii=False, indent=1).encode()
        ref = f"{when:%Y%m%dT%H%M%S}-{hashlib.sha256(content).hexdigest()[:12]}"
        stored = blobs.keep([content], self.spool / "blobs")
        with self.db.write() as tx:
            new = arrivals.take(tx, "counter", [Arrival(ref, when, content, "entry")], stored, now)
            if not new:
                raise NotAllowed("同一内容已登记过")
            id = arrivals.id_of(tx, "counter", ref)
            arrivals.settle(tx, id, "shelved", reason="登记未完成,请重新登记", subject=text[:80])
        message = Message("entry", when, text=text, sender=Address(str(about.get("name") or ""), str(about.get("email") or "")))
        return self.casework.enter(id, message, given)

    def jobs(self) -> list[Job]:
        """What is done at a rhythm."""
        wake = lambda: self._daemon.wake("deadlines") if self._daemon else None  # noqa: E731
        return [Job("look at deadlines", 15, wake), Job("say that we live", 30, self.say_alive),
                Job("look after others", 10, self.look_after_others), Job("give memory back", 10, trim_heap)]  # fmt: skip

    def run(self, orders: Orders) -> str:
        """The daemon, until a signal ends it; "stop" or "reload"."""
        one_heap()
        sys.setswitchinterval(0.0005)  # each statement lets go of the interpreter; to get it back must not take 5 ms
        self.nursery.start()
        self.look_after_others()
        self._looking = threading.Thread(target=self._get_ready, daemon=True)
        self._looking.start()
        daemon = self.daemon()
        self.say_alive()
        log.event("ready", channels=len(self.channels()), transports=len(self.transports()), database=self._engine())
        return daemon.run(orders, interrupt=self._interrupt)

    def _interrupt(self) -> None:
        for worker in self.workers:
            worker.stop()

    def run_once(self) -> dict[str, int]:
        """Read every channel until empty, work off all that is due, deliver all that is due; what is left undone."""
        receivers, rest = self._line()
        for receiver in receivers:
            receiver.empty(self._closing.wait)
        run_until_idle(rest)
        if self._looking is not None:
            self._looking.join()
        return self.undone(failed=[r.channel for r in receivers if r.failing])

    def _line(self) -> tuple[list[Receiver], list[Stage]]:
        """The stages of `run_once`, built once."""
        if self._once is None:
            self._looking = threading.Thread(target=self._say_what_is_broken, daemon=True)
            self._looking.start()
            nothing = lambda: None  # noqa: E731
            rest: list[Stage] = [
                *self.desks(nothing), _Deadlines(self.casework, nothing, lambda: True),
                self.periodic(nothing, lambda: True), self.filing(lambda: True), *self.outboxes(nothing, lambda: False), *self.observers(),
            ]  # fmt: skip
            self._once = self.receivers(nothing), rest
        return self._once

    def undone(self, failed: Sequence[str] = ()) -> dict[str, int]:
        """What `run --once` left: channels that failed, arrivals not read, letters not sent."""
        with self.db.read() as tx:
            waiting = sum(arrivals.backlog(tx).values())
            counts = letters.depth(tx)["counts"]
            late = tickets.late_count(tx, self.clock())
        unsent = counts.get("pending", 0) + counts.get("leased", 0) if self.transports() else 0
        return {"channels": len(failed), "arrivals": waiting, "letters": unsent, "deadlines": late}

    def say_alive(self) -> None:
        """Note for `kefud status` that a daemon runs, and which processes it has."""
        about = {
            "owner": self.owner, "pid": os.getpid(), "at": self.clock().isoformat(),
            "workers": {w.name: w.pid for w in self.workers},
        }  # fmt: skip
        with self.db.write() as tx:
            settings.keep_setting(tx, "daemon", json.dumps(about))

    def status_line(self) -> str:
        """One line for systemd: queue depths and the oldest unsent letter."""
        with self.db.read() as tx:
            backlog = sum(arrivals.backlog(tx).values())
            depth = letters.depth(tx)
        waiting = depth["counts"].get("pending", 0) + depth["counts"].get("leased", 0)
        since = f" since {self.site.calendar.local(depth['oldest']):%m-%d %H:%M}" if depth["oldest"] else ""
        return f"arrivals waiting {backlog}, letters waiting {waiting}{since}, held {depth['counts'].get('held', 0)}"

    def _engine(self) -> str:
        return "sqlite" if self.db.sqlite else "postgresql"

    def overdue(self) -> dict[str, int]:
        with self.db.read() as tx:
            return tickets.open_counts(tx, self.clock())


SCAN_PLUGINS = ("complaint_box",)
"""Channel plugins whose reading takes seconds and hundreds of megabytes."""


def faults_of(worker: Worker, plugins: Sequence[loader.Found]) -> list[tuple[str, str]]:
    """What is wrong with these plugins, found out in a child that may die of them: (name, sentence)."""
    return [(report["name"], fault) for report in inspected(worker, plugins) for fault in report["faults"]]


def inspected(worker: Worker, plugins: Sequence[loader.Found]) -> list[dict[str, Any]]:
    """What `hosts.inspect_plugin` reports of each of these plugins, from a child that may die of them."""
    reports = []
    for plugin in plugins:
        try:
            reports.append(worker.call("inspect", plugin, timeout=60))
        except NotStarted:
            raise  # the machine gives no process: no fault of a plugin
        except KefudError as error:
            if isinstance(error, WorkerDied) and error.reason in ("stopped", WITH_ITS_NURSERY):
                raise  # we are ending, or somebody ended the nursery: no fault of a plugin
            what = f" ends the process that loads it ({error.reason})" if isinstance(error, WorkerDied) else f": {error}"
            fault = f"plugin {plugin.name}{what}; mend {plugin.path} or take it out of the configuration"
            reports.append({"name": plugin.name, "faults": [fault]})
    return reports


@contextmanager
def alone(loaded: Loaded, db: Database) -> Iterator[None]:
    """While no daemon works on the store. Raises Busy (75) where one does."""
    if not db.sqlite:
        if schema.version(db):
            with db.read() as tx:
                others = settings.living(tx, "node.", settings.database_now(tx))
            if others:
                raise Busy(f"daemons work on this store ({', '.join(sorted(others))}); stop them first")
        yield
        return
    spool = Path(loaded.spool)
    spool.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = take_lock(spool / "kefud.lock")
    try:
        yield
    finally:
        os.close(lock)


def take_lock(path: Path) -> int:
    """Hold the store of this spool alone. Raises Busy (75) at once where another daemon does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with os.fdopen(descriptor) as file:
            holder = file.read(80).strip() or "unknown"
        raise Busy(f"another daemon holds this store (process {holder}, lock {path})") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor

