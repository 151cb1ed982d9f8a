"""TOML → validated frozen models, and Site, the facts plugins are given.

Every problem is reported at once, with file, line and key, in a sentence that says what to do. Constructing the models does
no I/O besides reading the files named; no network, no database.
"""

from __future__ import annotations

import csv
import io
import ipaddress
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from kefud.desk.calendar import Calendar
from kefud.desk.deadlines import Term, parse_term
from kefud.desk.houses import normalise_house
from kefud.desk.message import is_address
from kefud.desk.phones import find_phones, normalise_phone
from kefud.desk.ticket import CATEGORIES
from kefud.errors import ConfigError, KefudError, Problem

M = TypeVar("M", bound=BaseModel)


class Secret:
    """A password or key that is never in the file: read when it is used, and never shown.

    Written as ``{ file = "…" }``, ``{ env = "…" }`` or ``{ credential = "…" }`` (systemd's $CREDENTIALS_DIRECTORY).
    """

    __slots__ = ("kind", "where")

    def __init__(self, kind: str, where: str) -> None:
        self.kind = kind
        self.where = where

    @classmethod
    def parse(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if isinstance(value, str):
            raise ValueError('a secret must not stand in the file; write { file = "…" }, { env = "…" } or { credential = "…" }')
        if isinstance(value, dict) and len(value) == 1:
            kind, where = next(iter(value.items()))
            if kind in ("file", "env", "credential") and isinstance(where, str) and where:
                return cls(kind, where)
        raise ValueError('write { file = "…" }, { env = "…" } or { credential = "…" }')

    def beside(self, directory: Path) -> Secret:
        """The same secret, a relative file counted from ``directory``."""
        return Secret(self.kind, str(directory / self.where)) if self.kind == "file" else self

    def reveal(self) -> str:
        """The secret itself, without a trailing newline. Raises KefudError saying what is missing, never the value."""
        if self.kind == "env":
            value = os.environ.get(self.where)
            if value is None:
                raise KefudError(f"environment variable {self.where} is not set")
            return value
        path = Path(self.where)
        if self.kind == "credential":
            directory = os.environ.get("CREDENTIALS_DIRECTORY")
            if not directory:
                raise KefudError(f"credential {self.where}: $CREDENTIALS_DIRECTORY is not set (LoadCredential= in the unit)")
            path = Path(directory) / Path(self.where).name
        try:
            return path.read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            raise KefudError(f"secret file {path}: {error.strerror or error}") from None

    def __repr__(self) -> str:
        return f"Secret({self.kind}={self.where!r})"

    __str__ = __repr__


SecretField = Annotated[Any, BeforeValidator(Secret.parse)]
Cap = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Outgoing(Model):
    """The sender of every letter."""

    name: str = "客户服务中心"
    address: str = "kefu@localhost"


class Service(Model):
    """[service]: who we are and where things lie."""

    name: str = "客户服务中心"
    estate: str = ""
    developer: str = ""
    property_company: str = ""
    hotline: str = ""
    postal_address: str = ""
    timezone: str = "Asia/Shanghai"
    profile: Literal["developer", "property"] = "developer"
    database: str = ""
    spool: str = "spool"
    templates: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    outgoing: Outgoing = Outgoing()
    own_addresses: tuple[str, ...] = ()
    complaint_addresses: tuple[str, ...] = ()
    own_hosts: tuple[str, ...] = ()
    authserv_id: str = ""
    trust_internal_mail: bool = False
    reply_tag: bool = False
    log: Literal["json", "human"] = "human"


class ChannelConfig(Model):
    """[[channel]]: one source of arrivals. Keys beyond the fixed ones are the plugin's own, in ``settings``."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    plugin: str
    enabled: bool = True
    every: str = "60s"
    retry: str = "5s"

    @model_validator(mode="after")
    def _every_is_a_duration(self) -> ChannelConfig:
        seconds(self.every)
        seconds(self.retry)
        return self

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def period(self) -> float:
        """Seconds between two looks."""
        return seconds(self.every)


class TransportConfig(Model):
    """[[transport]]: one way out."""

    model_config = ConfigDict(extra="allow", frozen=True, arbitrary_types_allowed=True)

    id: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")
    plugin: str
    enabled: bool = True

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class Party(Model):
    """[[party]]: a department or outside party. ``addresses`` are patterns (*@*.gov.example.cn); the first plain one gets mail."""

    id: str
    name: str = ""
    kind: Literal[
        "department", "property_company", "contractor", "government", "owners_committee", "leadership", "other"
    ] = "department"
    addresses: tuple[str, ...] = ()
    fallback: str = ""
    handles: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    show_contact: bool = False
    internal: bool = False

    @property
    def address(self) -> str:
        """Where its mail goes: the first address without a wildcard, "" if there is none."""
        return next((a for a in self.addresses if a and not _is_pattern(a)), "")

    def owns(self, email: str) -> bool:
        wanted = email.lower()
        return any(fnmatchcase(wanted, pattern.lower()) for pattern in (*self.addresses, self.fallback) if pattern)


def _is_pattern(address: str) -> bool:
    return "*" in address or "?" in address


class Absence(Model):
    """Days a person is away, both included; the deputy acts (S1-3)."""

    since: date
    until: date


class Role(Model):
    """[[role]]: who holds it and who stands in."""

    id: str
    name: str = ""
    person: str = ""
    address: str = ""
    deputy: str = ""
    phone: str = ""
    absences: tuple[Absence, ...] = ()

    def address_on(self, day: date) -> str:
        """The holder's address, or the deputy's while the holder is away (S1-3)."""
        away = any(a.since <= day <= a.until for a in self.absences)
        return self.deputy if away and self.deputy else self.address


class House(Model):
    """[[house]]: a flat of the estate and who lives there."""

    id: str
    owner: str = ""
    phone: str = ""
    email: str = ""
    status: str = "occupied"
    adviser: str = ""
    handed_over: date | None = None


class Knowledge(Model):
    """[[knowledge]]: a verified answer. It answers at once only while it is valid (S0-4.1.2)."""

    topic: str
    answer: str
    keywords: tuple[str, ...] = ()
    category: str = ""
    department: str = ""
    owner: str = "cs_clerk"
    source: str = ""
    verified_on: date | None = None
    valid_from: date | None = None
    valid_until: date | None = None

    def valid_on(self, day: date) -> bool:
        started = (self.valid_from or self.verified_on or date.max) <= day
        return self.verified_on is not None and started and (self.valid_until is None or day <= self.valid_until)


class CalendarConfig(Model):
    """[calendar]: hours and days; given dates add to and override the built-in Chinese calendar."""

    timezone: str = ""
    service_hours: dict[str, Any] = Field(
        default_factory=lambda: {"mon-fri": ["08:30-12:00", "13:00-17:00"], "sat-sun": ["09:00-17:00"]}
    )
    holiday_hours: Any = "as sat-sun"
    makeup_hours: Any = "as mon-fri"
    office_week: str = "mon-fri, minus public holidays, plus make-up working days"
    public_holidays: tuple[date, ...] = ()
    makeup_working_days: tuple[date, ...] = ()
    builtin: bool = True


DEFAULT_RULES = (
    "sorting", "merging", "routing", "deadlines", "papers", "answers", "approvals", "notices", "acknowledge", "commands",
    "visits", "escalation",
)  # fmt: skip


class Rules(Model):
    """[rules]: which plugins with rules are enabled, in the order they are asked."""

    order: tuple[str, ...] = DEFAULT_RULES


class Limits(Model):
    """[limits]: caps that keep a flood or a loop from doing harm (S05)."""

    letters_per_recipient_hour: Cap = 3
    letters_per_recipient_day: Cap = 10
    letters_per_hour: Cap = 200
    tickets_per_sender_hour: Positive = 20
    due_per_tick: Positive = 50
    message_bytes: Positive = 36_700_160
    worker_memory: Positive = 1_073_741_824
    worker_seconds: Positive = 30
    ocr_seconds: Positive = 300


class Retention(Model):
    """[retention]: when a closed ticket is filed, and how long personal data is kept after that (S1-4.3.5, PIPL Art. 19)."""

    archive_days: Cap = 30
    originals_days: Cap = 180
    personal_days: Cap = 1095


class Observers(Model):
    """[observers]: plugins that hear of changes after the commit."""

    enabled: tuple[str, ...] = ()


DEFAULT_DEADLINES: dict[str, str] = {
    "first_response.normal": "30 service_minutes",
    "first_response.urgent": "15 clock_minutes",
    "first_response.emergency": "5 clock_minutes",
    "plan.urgent": "4 clock_hours",
    "plan.emergency": "2 clock_hours",
    "reply.consultation": "1 calendar_days",
    "notice.property": "8 clock_hours",
    "notice.engineering_major": "1 clock_hours",
    "reply.property_company": "3 calendar_days",
    "reply.sales": "3 calendar_days",
    "design.drawing": "3 working_days",
    "approval": "4 service_hours",
    "callback.missed_call": "30 service_minutes",
    "resolve.complaint": "3 calendar_days",
    "resolve.repair.normal": "7 calendar_days",
    "resolve.repair.urgent": "24 clock_hours",
    "resolve.repair.emergency": "24 clock_hours",
    "rectify.inspection": "7 calendar_days",
    "circulation.read": "1 working_days",
    "visit": "3 calendar_days",
    "progress.normal": "2 calendar_days",
    "progress.urgent": "1 calendar_days",
    "thanks.adopted": "1 calendar_days",
    "duplicate_window": "7 calendar_days",
    "acknowledge.department": "4 service_hours",
    "sign_off.notice": "2 service_hours",
    "important.acknowledge": "30 clock_minutes",
}
"""RULES §3, with the keys of [deadlines]. Every one is a setting."""


class Config(Model):
    """The whole configuration as validated."""

    service: Service = Service()
    channel: tuple[ChannelConfig, ...] = ()
    transport: tuple[TransportConfig, ...] = ()
    party: tuple[Party, ...] = ()
    role: tuple[Role, ...] = ()
    calendar: CalendarConfig = CalendarConfig()
    deadlines: dict[str, str] = Field(default_factory=dict)
    house: tuple[House, ...] = ()
    houses: str = ""
    knowledge: tuple[Knowledge, ...] | str = ()
    rules: Rules = Rules()
    observers: Observers = Observers()
    limits: Limits = Limits()
    retention: Retention = Retention()
    plugin: dict[str, dict[str, Any]] = Field(default_factory=dict)
    include: tuple[str, ...] = ()


_MOBILE = re.compile(r"1[3-9][0-9]{9}")


def _numbers(phone: str) -> tuple[str, ...]:
    """The telephone numbers of a register's entry, in canonical form; the entry itself where none is recognised."""
    if _MOBILE.fullmatch(phone):
        return (phone,)
    return tuple(filter(None, (normalise_phone(phone), *find_phones(phone)))) or (phone,)


class Site(Model):
    """The facts of the site that plugins are given: no secrets of others, no database, no paths but their own settings."""

    name: str
    estate: str
    developer: str
    property_company: str
    hotline: str
    postal_address: str
    timezone: str
    profile: str
    outgoing: Outgoing
    own_addresses: tuple[str, ...]
    complaint_addresses: tuple[str, ...]
    own_hosts: tuple[str, ...]
    authserv_id: str
    parties: tuple[Party, ...]
    roles: tuple[Role, ...]
    houses: Mapping[str, House]
    knowledge: tuple[Knowledge, ...]
    calendar: Calendar
    terms: Mapping[str, Term]
    channels: tuple[ChannelConfig, ...]
    transports: tuple[TransportConfig, ...]
    settings: Mapping[str, dict[str, Any]]
    limits: Limits
    spool: str
    base: str = ""
    _by_contact: dict[str, tuple[House, ...]] = PrivateAttr(default_factory=dict)

    def party(self, id: str) -> Party | None:
        """The party with that id; for a kind such as "contractor" the first party of that kind."""
        exact = next((p for p in self.parties if p.id == id), None)
        return exact or next((p for p in self.parties if p.kind == id), None)

    def party_of(self, email: str) -> Party | None:
        """Whose address this is, None for a stranger or an owner."""
        if not email:
            return None
        exact = next((p for p in self.parties if email.lower() in {a.lower() for a in (*p.addresses, p.fallback)}), None)
        return exact or next((p for p in self.parties if p.owns(email)), None)

    def role(self, id: str) -> Role | None:
        return next((r for r in self.roles if r.id == id), None)

    def role_of(self, email: str) -> tuple[Role, ...]:
        """The roles whose holder or deputy writes from this address."""
        wanted = email.lower()
        return tuple(r for r in self.roles if wanted and wanted in (r.address.lower(), r.deputy.lower()))

    def is_own(self, email: str) -> bool:
        """True for the centre's own mailboxes."""
        return email.lower() in self.own

    @cached_property
    def own(self) -> tuple[str, ...]:
        """The centre's own addresses, in lower case."""
        return tuple(a.lower() for a in (self.outgoing.address, *self.own_addresses, *self.complaint_addresses))

    def houses_by_contact(self, contact: str) -> tuple[House, ...]:
        """Houses registered with this phone number or address, however either is written."""
        if not self._by_contact:
            found: dict[str, tuple[House, ...]] = {}
            for house in self.houses.values():
                for key in filter(None, dict.fromkeys((*_numbers(house.phone), house.email.lower()))):
                    found[key] = (*found.get(key, ()), house)
            self._by_contact.update(found or {"": ()})
        if "@" not in contact and not _MOBILE.fullmatch(contact):
            contact = normalise_phone(contact) or contact
        return self._by_contact.get(contact.lower(), ()) if contact else ()

    def term(self, name: str) -> Term:
        """The term of a [deadlines] key, e.g. "resolve.repair.urgent"."""
        return self.terms[name]

    def plugin_settings(self, plugin: str) -> dict[str, Any]:
        """The [plugin.NAME] table, {} where there is none."""
        return self.settings.get(plugin, {})

    def channels_of(self, plugin: str) -> tuple[ChannelConfig, ...]:
        return tuple(c for c in self.channels if c.plugin == plugin and c.enabled)

    def transports_of(self, plugin: str) -> tuple[TransportConfig, ...]:
        return tuple(t for t in self.transports if t.plugin == plugin and t.enabled)


_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Seconds of a duration such as "30s", "5m", "1h". Raises ValueError for anything else."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)\s*", text)
    if not match:
        raise ValueError(f'"{text}" is no duration; write for example "30s", "5m" or "1h"')
    return float(match[1]) * _SECONDS[match[2]]


def loopback(host: str) -> bool:
    """True for addresses of this machine alone; only there may a connection go without TLS (S20)."""
    if host in ("localhost", "ip6-localhost") or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


Place = tuple[Any, ...]


class _Source:
    """One TOML file: its data, and on which line each key stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text("utf-8")
        self.data = tomllib.loads(text)
        self.lines = key_lines(text)

    def line(self, place: Place) -> int:
        while place:
            if place in self.lines:
                return self.lines[place]
            place = place[:-1]
        return 0


def key_lines(text: str) -> dict[Place, int]:
    """Line numbers (from 1) of tables and keys: ("channel", 0, "host") → 12."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if header := re.match(r"\[\[\s*([^\]]+?)\s*\]\]", stripped):
            name = _parts(header[1])
            counts[name] = counts.get(name, -1) + 1
            table = (*name, counts[name])
            lines.setdefault(name, number)
            lines[table] = number
        elif header := re.match(r"\[\s*([^\[\]]+?)\s*\]", stripped):
            table = _parts(header[1])
            lines.setdefault(table, number)
        elif key := re.match(r"((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"))*)\s*=", stripped):
            lines.setdefault((*table, *_parts(key[1])), number)
    return lines


def _parts(dotted: str) -> Place:
    found = re.findall(r'"([^"]*)"|\'([^\']*)\'|([^.\s]+)', dotted)
    return tuple(a or b or c for a, b, c in found)


class Places:
    """Where each key of a configuration stands, over all its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.main: _Source | None = None
        self.origin: dict[Place, tuple[_Source, Place]] = {}

    def problem(self, place: Place, message: str) -> Problem:
        """What is wrong at ``place``, such as ("channel", 0, "host"), with its file, line and key."""
        source, local = self.main, place
        for size in range(len(place), 0, -1):
            if place[:size] in self.origin:
                source, head = self.origin[place[:size]]
                local = (*head, *place[size:])
                break
        key = ".".join(f"[{p}]" if isinstance(p, int) else str(p) for p in place).replace(".[", "[")
        file = str(source.path if source else self.path)
        return Problem(file, source.line(local) if source else 0, key, message)


class Loaded(Model):
    """A validated configuration, the site it describes, and where it came from."""

    config: Config
    site: Site
    path: str
    database: str
    spool: str
    templates: tuple[str, ...]
    plugins: tuple[str, ...]
    places: Places
    warnings: tuple[Problem, ...] = ()


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read and validate a configuration file and all it names.

    Raises ConfigError with every problem found, each with file, line and key.
    """
    reader = _Reader(Path(path))
    return reader.load()


class _Reader:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.places = Places(path)

    def load(self) -> Loaded:
        data = self._merged()
        self._stop_on_problems()
        try:
            config = Config.model_validate(data)
        except ValidationError as error:
            for fault in error.errors():
                self._fault(fault["loc"], _sentence(fault))
            raise ConfigError(self.problems) from None
        houses = self._houses(config)
        knowledge = self._knowledge(config)
        calendar = self._calendar(config)
        terms = self._terms(config)
        config = _with_deputies(config)
        self._cross_checks(config)
        self._stop_on_problems()
        assert calendar is not None
        return self._finish(config, houses, knowledge, calendar, terms)

    def _merged(self) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        waiting, seen = [self.path], set()
        while waiting:
            path = waiting.pop(0)
            if path in seen:
                continue
            seen.add(path)
            source = self._source(path)
            if source is None:
                continue
            self.places.main = self.places.main or source
            waiting += [path.parent / name for name in source.data.get("include", []) if isinstance(name, str)]
            self._merge(merged, source)
        return merged

    def _source(self, path: Path) -> _Source | None:
        try:
            return _Source(path)
        except tomllib.TOMLDecodeError as error:
            line = int(m[1]) if (m := re.search(r"line (\d+)", str(error))) else 0
            self.problems.append(Problem(str(path), line, "", f"no valid TOML: {error}"))
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
            self.problems.append(Problem(str(path), 0, "", f"cannot be read: {reason}"))
        return None

    def _merge(self, merged: dict[str, Any], source: _Source) -> None:
        for key, value in source.data.items():
            if isinstance(value, list) and isinstance(merged.get(key, []), list) and key != "include":
                have = merged.setdefault(key, [])
                for index, item in enumerate(value):
                    self.places.origin[(key, len(have))] = (source, (key, index))
                    have.append(item)
            elif isinstance(value, dict) and isinstance(merged.get(key), dict):
                for inner, content in value.items():
                    self.places.origin[(key, inner)] = (source, (key, inner))
                    merged[key][inner] = content
            else:
                self.places.origin[(key,)] = (source, (key,))
                merged[key] = dict(value) if isinstance(value, dict) else value

    def _fault(self, place: Place, message: str) -> None:
        self.problems.append(self.places.problem(place, message))

    def _warn(self, place: Place, message: str) -> None:
        self.warnings.append(self.places.problem(place, message))

    def _stop_on_problems(self) -> None:
        if self.problems:
            raise ConfigError(self.problems)

    def _beside(self, key: str, name: str) -> Path:
        source = self.places.origin.get((key,), (self.places.main, ()))[0]
        return (source.path if source else self.path).parent / name

    def _houses(self, config: Config) -> dict[str, House]:
        found: dict[str, House] = {}
        for index, house in enumerate(config.house):
            self._add_house(found, house, ("house", index, "id"))
            for key, told in _doubts(house):
                self._warn(("house", index, key), told)
        if config.houses:
            path = self._beside("houses", config.houses)
            try:
                rows = list(csv.DictReader(io.StringIO(path.read_text("utf-8-sig"))))
            except (OSError, UnicodeDecodeError) as error:
                self._fault(("houses",), f"{path} cannot be read: {error}")
                return found
            for number, row in enumerate(rows, 2):
                known = {k: (v or "").strip() for k, v in row.items() if k in House.model_fields}
                if not known.get("id"):
                    self.problems.append(Problem(str(path), number, "id", "the house has no id; give building-unit-room"))
                    continue
                house = House(**known)
                self._add_house(found, house, ("houses",))
                self.warnings += [Problem(str(path), number, key, told) for key, told in _doubts(house)]
        return found

    def _add_house(self, found: dict[str, House], house: House, place: Place) -> None:
        id = normalise_house(house.id) or house.id
        if id in found:
            self._fault(place, f"house {id} stands here twice; remove one")
        found[id] = house.model_copy(update={"id": id})

    def _knowledge(self, config: Config) -> tuple[Knowledge, ...]:
        if not isinstance(config.knowledge, str):
            return config.knowledge
        path = self._beside("knowledge", config.knowledge)
        source = self._source(path)
        if source is None:
            return ()
        entries = []
        for index, item in enumerate(source.data.get("knowledge", [])):
            self.places.origin["knowledge", index] = (source, ("knowledge", index))
            try:
                entries.append(Knowledge.model_validate(item))
            except ValidationError as error:
                for fault in error.errors():
                    self._fault(("knowledge", index, *fault["loc"]), _sentence(fault))
        return tuple(entries)

    def _calendar(self, config: Config) -> Calendar | None:
        c = config.calendar
        try:
            return Calendar.build(
                timezone=c.timezone or config.service.timezone,
                service_hours=c.service_hours,
                holiday_hours=c.holiday_hours,
                makeup_hours=c.makeup_hours,
                public_holidays=c.public_holidays,
                makeup_working_days=c.makeup_working_days,
                builtin=c.builtin,
            )
        except ValueError as error:
            self._fault(("calendar",), str(error))
            return None

    def _terms(self, config: Config) -> dict[str, Term]:
        terms = {}
        for key, text in {**DEFAULT_DEADLINES, **config.deadlines}.items():
            if key not in DEFAULT_DEADLINES and key.split(".")[0] not in _OPEN_TERMS:
                known = ", ".join(sorted(DEFAULT_DEADLINES))
                if key in config.deadlines and key not in _NOT_TERMS:
                    self._fault(("deadlines", key), f"unknown deadline; known are {known}")
                continue
            try:
                terms[key] = parse_term(text)
            except ValueError as error:
                self._fault(("deadlines", key), str(error))
        return terms

    def _cross_checks(self, config: Config) -> None:
        for table in ("channel", "transport", "party", "role"):
            seen: set[str] = set()
            for index, item in enumerate(getattr(config, table)):
                if item.id in seen:
                    self._fault((table, index, "id"), f'"{item.id}" is used twice; ids must differ')
                seen.add(item.id)
        for table in ("channel", "transport"):
            for index, item in enumerate(getattr(config, table)):
                self._check_tls((table, index), item.settings)
        for index, party in enumerate(config.party):
            for category in party.handles:
                if category not in CATEGORIES and not re.fullmatch(r"[a-z_]+", category):
                    self._fault(("party", index, "handles"), f'"{category}" is no category')
                elif category not in CATEGORIES:
                    self._warn(("party", index, "handles"), unknown(category, "category", CATEGORIES))
        self._check_addresses(config)

    def _check_addresses(self, config: Config) -> None:
        """Letters go to these addresses as they stand: one that is malformed would be found out by a letter that never leaves."""
        sends = any(t.enabled for t in config.transport)
        self._check_address(("service", "outgoing", "address"), config.service.outgoing.address, needed=sends)
        for index, party in enumerate(config.party):
            place = ("party", index, "addresses")
            for address in party.addresses:
                if address == party.address:
                    self._check_address(place, address)
                elif address and (re.search(r"\s", address) or ("@" not in address and not _is_pattern(address))):
                    self._fault(place, f'"{address}" is no mail address and no pattern; write kefu@example.cn or *@*.example.cn')
            self._check_address(("party", index, "fallback"), party.fallback)
        for index, role in enumerate(config.role):
            self._check_address(("role", index, "address"), role.address)
            if role.absences:
                self._check_address(("role", index, "deputy"), role.deputy)
            elif role.deputy and not is_address(role.deputy):
                self._warn(("role", index, "deputy"), f"{_no_address(role.deputy)}; letters could not go there while the holder is away")

    def _check_address(self, place: Place, address: str, *, needed: bool = False) -> None:
        if (address or needed) and not is_address(address):
            self._fault(place, _no_address(address))

    def _check_tls(self, place: Place, settings: dict[str, Any]) -> None:
        if settings.get("tls") == "none" and not loopback(str(settings.get("host", ""))):
            self._fault((*place, "tls"), 'tls = "none" is accepted for loopback addresses only; use "implicit" or "starttls"')
        for key in SECRET_KEYS:
            if key in settings:
                try:
                    Secret.parse(settings[key])
                except ValueError as error:
                    self._fault((*place, key), str(error))

    def _finish(
        self,
        config: Config,
        houses: dict[str, House],
        knowledge: tuple[Knowledge, ...],
        calendar: Calendar,
        terms: dict[str, Term],
    ) -> Loaded:
        base = self.path.resolve().parent
        spool = os.path.normpath(base / config.service.spool)
        config = config.model_copy(
            update={t: tuple(_with_secrets(x, base) for x in getattr(config, t)) for t in ("channel", "transport")}
        )
        service = config.service
        site = Site(
            name=service.name, estate=service.estate, developer=service.developer, property_company=service.property_company,
            hotline=service.hotline, postal_address=service.postal_address, timezone=service.timezone, profile=service.profile,
            outgoing=service.outgoing, own_addresses=service.own_addresses, complaint_addresses=service.complaint_addresses,
            own_hosts=service.own_hosts, authserv_id=service.authserv_id, parties=config.party, roles=config.role,
            houses=houses, knowledge=knowledge, calendar=calendar, terms=terms, channels=config.channel,
            transports=config.transport, settings=config.plugin, limits=config.limits, spool=spool, base=str(base),
        )  # fmt: skip
        return Loaded(
            config=config,
            site=site,
            path=str(self.path),
            database=_database(service.database, base, spool),
            spool=spool,
            templates=tuple(str(base / t) for t in service.templates),
            plugins=tuple(str(base / p) for p in service.plugins),
            places=self.places,
            warnings=tuple(self._warnings(config)),
        )

    def _warnings(self, config: Config) -> list[Problem]:
        found = list(self.warnings)
        if not config.service.hotline:
            told = "is empty; letters will show no telephone number (S1-5.3)"
            found.append(Problem(str(self.path), 0, "service.hotline", told))
        return found


def _doubts(house: House) -> Iterator[tuple[str, str]]:
    """What can hardly be meant in the register: (key, sentence)."""
    known = normalise_house(house.id)
    if known and "-" not in known and known != house.id:
        yield "id", f'"{house.id}" is a building, no flat; give building-unit-room, as in 3-2-501'
    if _numbers(house.phone) == (house.phone,) and re.search(r"\d", house.phone) and not normalise_phone(house.phone):
        yield "phone", f'"{house.phone}" is no telephone number that can be recognised; write one, in full'


def unknown(word: str, what: str, known: Collection[str]) -> str:
    """That a word is not known, and which one may have been meant."""
    like = get_close_matches(word, known, 1)
    return f'"{word}" is no {what}; ' + (f'did you mean "{like[0]}"?' if like else f"known are {', '.join(known)}")


def _no_address(address: str) -> str:
    return f'"{address}" is no mail address; write it bare, as in wuye@property.example.com (a Chinese domain as xn--…)'


def _with_deputies(config: Config) -> Config:
    """A deputy named by a role is whoever holds that role."""
    addresses = {role.id: role.address for role in config.role if role.address}
    roles = tuple(r.model_copy(update={"deputy": addresses.get(r.deputy, r.deputy)}) for r in config.role)
    return config.model_copy(update={"role": roles})


def _with_secrets(item: Any, base: Path) -> Any:
    """The channel or transport with its secrets as such, relative files counted from the configuration."""
    found = {k: Secret.parse(v).beside(base) for k, v in item.settings.items() if k in SECRET_KEYS}
    return item.model_copy(update=found) if found else item


SECRET_KEYS = ("password", "client_secret", "token", "refresh_token")
_OPEN_TERMS = ("resolve", "reply", "first_response", "plan")
_NOT_TERMS = ("box_opening", "group_complaint", "satisfaction_target")


def _database(url: str, base: Path, spool: str) -> str:
    if not url:
        return f"sqlite:///{spool}/kefud.db"
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////") and url != "sqlite:///:memory:":
        return f"sqlite:///{os.path.normpath(base / url.removeprefix('sqlite:///'))}"
    return url


def _sentence(fault: Any) -> str:
    kind, message = fault["type"], fault["msg"]
    if kind == "extra_forbidden":
        return "unknown key; remove it or correct its spelling"
    if kind == "missing":
        return "is missing; add it"
    if kind == "tuple_type":
        return 'must be a list; write [ … ]'
    text = str(message).removeprefix("Value error, ")
    return text[0].lower() + text[1:] if text[:1].isupper() and not text[:2].isupper() else text


class WrongSettings(ValueError):
    """Settings of a plugin that do not fit. ``faults`` are the keys and what to do, "" for the table as a whole."""

    def __init__(self, owner: str, faults: Sequence[tuple[str, str]]) -> None:
        said = [f"{key}: {sentence}" if key else sentence for key, sentence in faults]
        super().__init__(f"{owner}: {'; '.join(said)}")
        self.owner = owner
        self.faults = tuple(faults)


def validated(model: type[M], values: Mapping[str, Any], owner: str) -> M:
    """The settings of a plugin as its own model. Raises WrongSettings naming every wrong key of ``owner`` and what to do."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [(str(fault["loc"][0]) if fault["loc"] else "", _sentence(fault)) for fault in error.errors()]
        raise WrongSettings(owner, faults) from None


def day_of(instant: datetime, timezone: str) -> date:
    """The calendar day of an instant in the office's time zone."""
    from zoneinfo import ZoneInfo

    return instant.astimezone(ZoneInfo(timezone)).date()
