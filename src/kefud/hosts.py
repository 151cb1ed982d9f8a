"""What runs inside the child processes: channels, the reading room where rules are asked, and transports.

Each factory here is named by `wiring` and called in the child; plugin code is imported nowhere else.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from kefud.api import Channel, Observer, Parcel, Transport
from kefud.compose import Draft, LetterFault, Press, build_mail
from kefud.compose.mail import Automatic
from kefud.config import Site, WrongSettings
from kefud.desk import decisions as d
from kefud.desk.arrival import Arrival
from kefud.desk.dispatch import Dispatch, Sent
from kefud.desk.message import Message, is_address
from kefud.desk.occasions import Arrived, Occasion
from kefud.desk.reading import Reading, Sorted, Unread
from kefud.desk.ticket import Ticket
from kefud.desk.triage import Outcome, Rule, deliberate
from kefud.errors import DeliveryFailed, KefudError, Unreadable
from kefud.failpoints import reached
from kefud.journal import Journal, Pen
from kefud.large import INCOMING, LARGE, Large, Spilled
from kefud.loader import HOOKS, Found, PluginFailed, collect, hooks_of, load
from kefud.mime import authenticated, is_sign_up
from kefud.workers import Asker, asks, doing, forget_pages, trim_heap

LONGEST_ANSWER = 500
"""Characters of an answer that are kept."""

AFRESH, MANY = 0.1, 16
"""The daemon hears anew of letters that are noted on disk after so many seconds, or so many letters: it is not woken for each."""


def forged(message: Message, authserv_id: str) -> bool:
    """True where our own server says that SPF or DMARC failed for the sender (S06)."""
    ours = [a for a in message.authentication if authserv_id and a.split(";")[0].split()[:1] == [authserv_id]]
    return any("dmarc=fail" in a or ("spf=fail" in a and "dmarc=pass" not in a) for a in ours)


class ReadingRoom:
    """Reads arrivals and asks the rules. Holds no state between calls."""

    def __init__(self, site: Site, channels: Sequence[Found], rules: Sequence[Found]) -> None:
        self.site = site
        self.channels: dict[str, Channel] = {}
        self.rules: list[Rule] = []
        wanted = [*((found, "register_channels") for found in channels), *((found, "register_rules") for found in rules)]
        self._plugins = list(dict.fromkeys(wanted))
        self._loaded: dict[tuple[Found, str], list[Any]] = {}

    def load(self, off: Sequence[str] = ()) -> None:
        """Load what is not loaded yet, but for plugins that are switched off; one that cannot be loaded offers nothing."""
        if len(self._loaded) == len(self._plugins):
            return
        for found, hook in self._plugins:
            name = f"plugin {found.name}"
            if (found, hook) in self._loaded or name in off:
                continue
            doing(name)
            try:
                self._loaded[found, hook] = collect(found, hook, self.site)
            except PluginFailed:
                self._loaded[found, hook] = []
        doing("")
        self.channels = {c.id: c for (_, hook), offered in self._in_order() if hook == "register_channels" for c in offered}
        self.rules = [rule for (_, hook), offered in self._in_order() if hook == "register_rules" for rule in offered]

    def _in_order(self) -> list[tuple[tuple[Found, str], list[Any]]]:
        return [(place, self._loaded.get(place, [])) for place in self._plugins]

    def read(
        self, batch: Sequence[tuple[int, str, Arrival, str, str]], at: datetime, off: Sequence[str] = ()
    ) -> list[Reading | Unread]:
        """Read arrivals given as (id, channel, arrival, path of a large original, transcript of a person)."""
        self.load(off)
        return [self._read(*item, at, off) for item in batch]

    def _read(
        self, id: int, channel_id: str, arrival: Arrival, path: str, transcript: str, at: datetime, off: Sequence[str]
    ) -> Reading | Unread:
        channel = self.channels.get(channel_id)
        if channel is None:
            return Unread(id, f"no channel {channel_id} is enabled that could read this")
        doing(f"channel {channel_id}: arrival {id}")
        content = _original(channel, arrival, path)
        try:
            message = self._message(channel, content, arrival, transcript)
        except Unreadable as error:
            return Unread(id, error.reason, error.transcribe, error.draft, error.confidence, _preview(channel, content, error))
        except Exception as error:
            return Unread(id, f"reading failed: {type(error).__name__}: {error}")
        try:
            matters = self._sort(message, channel_id, at, off)
        except Exception as error:
            return Unread(id, f"sorting failed: {type(error).__name__}: {error}")
        vouched = authenticated(message, self.site.authserv_id) if self.site.authserv_id else False
        reached("read")
        suspect = forged(message, self.site.authserv_id) or is_sign_up(message.subject)
        return Reading(id, channel_id, message, matters, vouched, suspect)

    def _message(self, channel: Channel, content: Any, arrival: Arrival, transcript: str) -> Message:
        transcribed = getattr(channel, "transcribed", None)
        if transcript and transcribed is not None:
            message: Message = transcribed(content, arrival, self.site, transcript)
            return message
        return channel.read(content, arrival, self.site)

    def _sort(self, message: Message, channel: str, at: datetime, off: Sequence[str]) -> tuple[Sorted, ...]:
        whole = self._examine(message, channel, at, off)
        split = next((x for x in whole.decisions if isinstance(x, d.Split)), None)
        if split is None:
            return (whole,)
        parts = [
            replace(message, text=matter.text, subject=matter.subject or message.subject) for matter in split.matters
        ]
        effect = f"split:{len(parts)}"
        sorted_parts = [self._examine(part, channel, at, off, split=False) for part in parts]
        return tuple(
            replace(s, ticket=s.ticket.changed(effects=(*s.ticket.effects, effect)))
            for s in sorted_parts
        )

    def _examine(
        self, message: Message, channel: str, at: datetime, off: Sequence[str], split: bool = True
    ) -> Sorted:
        draft = Ticket(
            subject=message.subject, text=message.text, medium=message.medium, channel=channel, started_at=message.received_at
        )
        outcome = deliberate(draft, Arrived(at, message, channel), self._asked(off), watch=doing)
        decisions = outcome.decisions if split else tuple(x for x in outcome.decisions if not isinstance(x, d.Split))
        return Sorted(outcome.ticket, message, decisions, outcome.opinions)

    def judge(
        self, batch: Sequence[tuple[Ticket, Occasion, Sequence[d.Decision]]], off: Sequence[str] = ()
    ) -> list[Outcome]:
        """Ask the rules about tickets and what happened to them."""
        self.load(off)
        return [
            deliberate(ticket, occasion, self._asked(off), watch=doing, given=given) for ticket, occasion, given in batch
        ]

    def _asked(self, off: Sequence[str]) -> list[Rule]:
        return [r for r in self.rules if r.name not in off] if off else self.rules


def _original(channel: Channel, arrival: Arrival, path: str) -> Any:
    """What a channel is given to read: bytes, or a large original where it lies if the channel can read it there."""
    if not path:
        return arrival.content
    if getattr(channel, "reads_large", False) and os.path.getsize(path) >= LARGE:
        return Large(path)
    return Path(path).read_bytes()


def _preview(channel: Channel, content: bytes, error: Unreadable) -> bytes:
    make = getattr(channel, "page_image", None)
    if not error.transcribe or make is None:
        return b""
    try:
        image: bytes = make(content, 0)
    except Exception:
        return b""
    return image


def reading_room(site: Site, channels: Sequence[Found], rules: Sequence[Found]) -> ReadingRoom:
    return ReadingRoom(site, channels, rules)


class _Ledger:
    """The channel's view of the store: asks the daemon. Whatever is asked waits for the batches that are under way."""

    def __init__(self, asker: Asker, channel: str, incoming: Path) -> None:
        self._asker = asker
        self._channel = channel
        self._incoming = incoming
        self._under_way: deque[list[Arrival]] = deque()
        self._safe: list[str] = []
        self._heard: tuple[datetime, float] | None = None

    def known(self, refs: Sequence[str]) -> set[str]:
        found: set[str] = self._ask("known", list(refs))
        return found

    def originals(self, refs: Sequence[str]) -> dict[str, Arrival]:
        found: dict[str, Arrival] = self._ask("originals", list(refs))
        return found

    def remember(self, key: str, value: str) -> None:
        self._ask("remember", key, value)

    def recall(self, key: str) -> str:
        return str(self._ask("recall", key))

    def report(self, problem: str) -> None:
        self._ask("report", problem)

    def now(self) -> datetime:
        """The daemon's time. While batches are under way: what it was, and what has passed since."""
        if self._under_way and self._heard:
            told, then = self._heard
            return told + timedelta(seconds=time.monotonic() - then)
        now: datetime = self._ask("now")
        self._heard = now, time.monotonic()
        return now

    def take(self, batch: Sequence[Arrival]) -> None:
        """Give a batch to the daemon, without waiting until it is durable."""
        handed_over = [self._as_file(arrival) for arrival in batch]
        self._asker.post("take", handed_over)
        self._under_way.append(handed_over)  # a file is kept until it is taken over

    def taken(self, most: int = 0) -> list[str]:
        """What has become durable since this was last asked, in order.

        Waits until at most so many batches are under way; raises where the store refuses one.
        """
        self._hear(most)
        safe, self._safe = self._safe, []
        return safe

    def _as_file(self, arrival: Arrival) -> Arrival:
        """What is large goes by way of a file, not in memory twice more."""
        if isinstance(arrival.content, Large) or len(arrival.content) < LARGE:
            return arrival
        return replace(arrival, content=Spilled.of(arrival.content, self._incoming))

    def _ask(self, what: str, *args: Any) -> Any:
        self._hear()
        return self._asker.ask(what, *args)

    def _hear(self, most: int = 0) -> None:
        while len(self._under_way) > most:
            taken = self._asker.answer()
            batch = self._under_way.popleft()
            if not taken:
                while self._under_way:  # the daemon refuses what comes behind, too
                    self._under_way.popleft()
                    self._asker.answer()
                raise KefudError("the store did not take the batch; nothing was acknowledged")
            self._safe += [arrival.ref for arrival in batch]


class ChannelLane:
    """One channel in the child of its plugin."""

    def __init__(self, channel: Channel, incoming: Path) -> None:
        self.channel = channel
        self.incoming = incoming

    @asks
    def fetch(self, asker: Asker) -> int:
        """Bring in all that is new; every batch is committed by the daemon before its source is told. Returns the count.

        A channel that says it ``fetches_ahead`` fetches its next batch while one is being committed, and has it waiting at
        the daemon's door before it tells its source of the one before.
        """
        count, ledger, ahead = 0, _Ledger(asker, self.channel.id, self.incoming), getattr(self.channel, "fetches_ahead", False)
        try:
            for batch in self.channel.fetch(ledger, ledger.now):
                doing(f"channel {self.channel.id}")
                if not batch:
                    continue
                reached("fetched")
                ledger.take(batch)
                count += len(batch)
                self._acknowledge(ledger.taken(1 if ahead else 0))
        finally:
            safe = ledger.taken()
        self._acknowledge(safe)
        if count:
            trim_heap()
        return count

    def _acknowledge(self, refs: Sequence[str]) -> None:
        if refs:
            self.channel.acknowledge(refs)
            reached("arrival.acknowledged")

    def wait(self, seconds: float) -> bool:
        return self.channel.wait(seconds)

    def again_in(self) -> float:
        """Seconds until half-written files of the channel may be looked at again, 0 where nothing waits."""
        return float(getattr(self.channel, "again_in", lambda: 0.0)())

    def close(self) -> None:
        self.channel.close()


def channel_host(site: Site, plugin: Found, ids: Sequence[str]) -> list[ChannelLane]:
    """The lanes of a plugin's channels, in the order of ``ids``."""
    channels = {c.id: c for c in collect(plugin, "register_channels", site)}
    missing = [i for i in ids if i not in channels]
    if missing:
        raise PluginFailed(f"plugin {plugin.name} registered no channel {', '.join(missing)}")
    return [ChannelLane(channels[i], Path(site.spool) / INCOMING) for i in ids]


class _Line:
    """Tells the daemon what became of letters, and hears whether the next one may leave, and which further ones there are."""

    def __init__(self, asker: Asker, pen: Pen | None, monotonic: Callable[[], float]) -> None:
        self._asker = asker
        self._pen = pen
        self._monotonic = monotonic
        self._owed: Sent | None = None
        self._noted: list[Sent] = []
        self._told_at = float("-inf")
        self._unanswered = 0
        self._may_wait = True
        self._going = True
        self._further: list[Dispatch] = []

    def owe(self, sent: Sent) -> None:
        """Tell before anything of the next letter leaves: `settle`. At once where it is not accepted, or there is no pen."""
        self._owed = sent
        if self._pen is None or not sent.ok:
            self.settle()

    def settle(self) -> None:
        """Note on disk what is owed, and tell it with what was noted since the daemon last heard.

        Where it could not be noted this waits until the daemon has committed it.
        """
        sent, self._owed = self._owed, None
        if sent is None:
            return
        self._may_wait = sent.ok and self._note(sent)
        reached("letter.noted")
        self._noted.append(sent)
        if not self._may_wait or len(self._noted) >= MANY or self._monotonic() - self._told_at >= AFRESH:
            self.tell()

    def tell(self) -> None:
        if self._noted:
            self._asker.post("result", tuple(self._noted), self._may_wait)
            self._noted = []
            self._told_at = self._monotonic()
            self._unanswered += 1
            self.hear(self._unanswered if self._may_wait else 0)

    def _note(self, sent: Sent) -> bool:
        if self._pen is None:
            return False
        try:
            self._pen.note(sent)
        except OSError:
            self._pen = None
            return False
        return True

    def goes_on(self) -> bool:
        """Whether the next letter may leave, by the answers that have come."""
        self.hear(self._unanswered)
        return self._going

    def hear(self, most: int) -> None:
        """Take the answers that are there, and wait until at most so many are outstanding."""
        while self._unanswered and (self._unanswered > most or self._asker.answered()):
            self._unanswered -= 1
            going, further = self._asker.answer()
            self._going = going and self._going
            self._further += further

    def further(self, wait: bool) -> list[Dispatch]:
        """Letters that the daemon gave for the rest of this burst; with ``wait`` it is told everything and asked for them."""
        if wait:
            self.settle()
            self.tell()
            self.hear(0)
        further, self._further = self._further, []
        return further if self._going else []


_Papers = tuple[tuple[int, str], ...]
"""The papers printed for a letter: (document, path)."""

_Ready = tuple[Parcel, _Papers]
"""A letter that can be sent."""


class _Coming:
    """The next letter, printed and built once: while the server thinks about the one before, where the transport lets us.

    ``harmless`` is one without papers: should printing end this process, the one before would be sent again and again.
    """

    def __init__(self, prepare: Callable[[], _Ready | Sent], *, harmless: bool) -> None:
        self._prepare = prepare
        self.harmless = harmless
        self.made: _Ready | Sent | None = None

    def prepared(self) -> _Ready | Sent:
        if self.made is None:
            self.made = self._prepare()
        return self.made


class TransportHost:
    """Prints, builds and sends letters, one after the other over one connection."""

    def __init__(
        self,
        transport: Transport,
        press: Press,
        papers: Path,
        journal: Journal | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.transport = transport
        self.press = press
        self.papers = papers
        self.journal = journal
        self._monotonic = monotonic
        self._settled = False

    @asks
    def send(self, asker: Asker, batch: Sequence[Dispatch]) -> int:
        """Send the letters in order, and those the daemon gives meanwhile.

        Before one leaves, what became of the last is on disk: in the journal, or committed. With a journal the daemon's
        answers may come later, and a transport that says when a letter is announced has the last one noted while the server
        thinks about that. Without one the daemon has committed each result before the next letter is announced; meanwhile
        that one is printed and built.
        """
        with self.journal.opened() if self.journal else nullcontext() as pen:
            return self._send(_Line(asker, pen, self._monotonic), list(batch))

    def _send(self, line: _Line, waiting: list[Dispatch]) -> int:
        count = 0
        ready: _Ready | Sent | None = None
        try:
            while waiting:
                letter = waiting.pop(0)
                ready = ready or self._prepared(letter)
                coming = _Coming(partial(self._prepared, waiting[0]), harmless=not waiting[0].prints) if waiting else None
                sent = self._sent(letter, ready, coming, line)
                line.settle()  # where the transport did not come so far
                line.owe(sent)
                if not (coming and coming.made and hasattr(self.transport, "announced")):
                    line.settle()
                count += 1
                ready = coming.prepared() if coming else None
                if not line.goes_on():
                    break
                waiting += line.further(wait=not waiting)
                reached("letter.told")
        finally:
            line.settle()
            line.tell()
            line.hear(0)
            self._hand_over(None, None)
            doing("")
        return count

    def _hand_over(self, announced: Callable[[], object] | None, meanwhile: Callable[[], object] | None) -> None:
        if hasattr(self.transport, "announced"):
            self.transport.announced = announced
        if hasattr(self.transport, "meanwhile"):
            self.transport.meanwhile = meanwhile

    def finish(self) -> None:
        self.press.rest()
        self.transport.finish()
        trim_heap()

    def one(self, dispatch: Dispatch) -> Sent:
        """Print, build and send one letter."""
        return self._sent(dispatch, self._prepared(dispatch))

    def _prepared(self, dispatch: Dispatch) -> _Ready | Sent:
        """The letter as it will be sent, or why there is nothing to send."""
        doing(f"letter {dispatch.id}")
        papers: _Papers = ()
        try:
            papers, files = self._printed(dispatch)
            return self._parcel(dispatch, files), papers
        except LetterFault as error:
            # Whom it goes to stands in the letter itself; what else was wrong may be mended in the configuration.
            never = not all(is_address(a.email) for a in dispatch.addresses)
            return Sent(dispatch.id, dispatch.epoch, False, None, f"building failed: {error}", never, ours=True, papers=papers)
        except KefudError as error:
            return Sent(dispatch.id, dispatch.epoch, False, None, f"printing failed: {error}", ours=True)
        except Exception as error:
            what = f"building failed: {type(error).__name__}: {error}"
            return Sent(dispatch.id, dispatch.epoch, False, None, what, ours=True)

    def _sent(
        self, dispatch: Dispatch, ready: _Ready | Sent, coming: _Coming | None = None, line: _Line | None = None
    ) -> Sent:
        if isinstance(ready, Sent):
            return ready
        parcel, papers = ready
        reached("letter.sending")
        self._hand_over(line.settle if line else None, coming.prepared if coming and coming.harmless else None)
        try:
            answer = self.transport.send(parcel)
            reached("letter.sent")
        except DeliveryFailed as error:
            return Sent(dispatch.id, dispatch.epoch, False, error.code, error.answer[:LONGEST_ANSWER], error.permanent, papers=papers)
        except Exception as error:
            return Sent(dispatch.id, dispatch.epoch, False, None, f"{type(error).__name__}: {error}"[:LONGEST_ANSWER], papers=papers)
        code = int(answer[:3]) if answer[:3].isdigit() else None
        return Sent(dispatch.id, dispatch.epoch, True, code, answer[:LONGEST_ANSWER], papers=papers)

    def _printed(self, x: Dispatch) -> tuple[_Papers, list[tuple[str, str, bytes]]]:
        """The papers printed for a letter, and all that is enclosed."""
        papers, files = [], list(x.files)
        for document, form, name, data in x.prints:
            pdf = self.press.print(form, data)
            papers.append((document, self._keep(name, pdf)))
            files.append((f"{Path(name).name}.pdf", "application/pdf", pdf))
        if x.prints and not self._settled:
            self._settled = True
            forget_pages("typst")
        return tuple(papers), files

    def _parcel(self, x: Dispatch, files: Sequence[tuple[str, str, bytes]]) -> Parcel:
        message = build_mail(
            Draft(x.subject, x.text, x.html), sender=x.sender, to=x.addresses, message_id=x.message_id, date=x.date,
            in_reply_to=x.in_reply_to, references=x.references, automatic=cast(Automatic, x.automatic), files=files, reply_to=x.reply_to,
            printed=not x.addresses,
        )  # fmt: skip
        return Parcel(
            x.id, x.envelope, tuple(a.email for a in x.addresses), message, x.message_id, x.subject, x.ticket,
            tuple(files),
        )  # fmt: skip

    def _keep(self, name: str, pdf: bytes) -> str:
        """Keep the printed paper where people look for it. It can be printed again from its data at any time."""
        target = self.papers / f"{name}.pdf"
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_bytes(pdf)
        reached("letter.printed")
        os.replace(temporary, target)
        return str(target)


def transport_host(
    site: Site, plugin: Found, id: str, templates: Sequence[str], papers: str, journal: str = ""
) -> TransportHost:
    transports = {t.id: t for t in collect(plugin, "register_transports", site)}
    if id not in transports:
        raise PluginFailed(f"plugin {plugin.name} registered no transport {id}")
    press = Press(templates, cut=Path(papers).parent / "fonts")
    return TransportHost(transports[id], press, Path(papers), Journal(Path(journal)) if journal else None)


class ObserverHost:
    """The observers of one plugin."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self.observers = observers

    @asks
    def tell(self, asker: Asker, changes: Sequence[tuple[Ticket, str]]) -> int:
        """Tell every observer of each change in order; the daemon is told which ones they all have heard."""
        for index, (ticket, change) in enumerate(changes):
            for observer in self.observers:
                doing(f"observer {observer.name}")
                observer.ticket_changed(ticket, change)
            asker.ask("told", index)
        doing("")
        return len(changes)


def observer_host(site: Site, plugin: Found) -> ObserverHost:
    return ObserverHost(collect(plugin, "register_observers", site))


def inspect_plugin(plugin: Found, site: Site) -> dict[str, Any]:
    """What a plugin implements, and what is wrong with it; for `kefud plugin list` and `kefud check`."""
    report: dict[str, Any] = {"name": plugin.name, "path": str(plugin.path), "hooks": [], "faults": [], "settings": []}
    try:
        report["hooks"] = hooks_of(plugin)
    except PluginFailed as error:
        return {**report, "faults": [str(error)]}
    for hook in HOOKS:
        for part in _one_by_one(site, plugin.name, hook):
            try:
                collect(plugin, hook, part)
            except PluginFailed as error:
                report["faults"].append(str(error))
                if isinstance(error.__cause__, WrongSettings):
                    wrong = error.__cause__
                    report["settings"].append((str(error), wrong.owner, wrong.faults))
    if not report["hooks"] and not report["faults"]:
        known = ", ".join(HOOKS)
        report["faults"].append(f"plugin {plugin.name} implements no hook; put @hookimpl before one of {known}")
    report["faults"] = list(dict.fromkeys(report["faults"]))
    report["unknown"] = _unknown_settings(plugin, site)
    return report


def _one_by_one(site: Site, plugin: str, hook: str) -> list[Site]:
    """The site with one channel or transport of the plugin at a time, so that a fault in one hides none in the next."""
    table = {"register_channels": "channels", "register_transports": "transports"}.get(hook, "")
    own = [x for x in getattr(site, table) if x.plugin == plugin] if table else []
    return [site.model_copy(update={table: (x,)}) for x in own] or [site]


def _unknown_settings(plugin: Found, site: Site) -> list[str]:
    """Keys of [plugin.NAME] that the plugin does not read, where it says in SETTINGS which it does; they break nothing."""
    known = getattr(load(plugin), "SETTINGS", None)
    return [] if known is None else [key for key in site.plugin_settings(plugin.name) if key not in known]


class Inspector:
    """Looks at plugins in a child, so that none of their code runs in the command that asks."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def inspect(self, plugin: Found) -> dict[str, Any]:
        return inspect_plugin(plugin, self.site)


def inspector(site: Site) -> Inspector:
    return Inspector(site)


class Prober:
    """Logs in once to a channel's source or a transport's server, for `kefud check --connect`."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def probe(self, plugin: Found, kind: str, id: str) -> None:
        """Raises an error of kefud saying what refused."""
        hook = f"register_{kind}s"
        found = next((x for x in collect(plugin, hook, self.site) if x.id == id), None)
        probe = getattr(found, "probe", None)
        if probe is not None:
            probe()


def prober(site: Site) -> Prober:
    return Prober(site)
