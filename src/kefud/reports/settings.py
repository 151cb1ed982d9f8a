"""[plugin.reports]: times, roles and limits of the reports, with their defaults (RULES §9, catalogue part D)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, time
from typing import Any

from kefud.errors import KefudError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

ROLES: dict[str, tuple[str, ...]] = {
    "daily": ("property_supervisor",),
    "daily-missing": ("property_manager",),
    "weekly": ("property_manager",),
    "weekly-missing": ("pm_dept_manager",),
    "effect": ("director", "pm_dept_manager"),
    "record": ("cs_supervisor",),
    "monthly": ("cs_manager", "leader_in_charge"),
    "visit-analysis": ("leadership",),
    "contractors": ("cs_manager",),
    "meeting": ("cs_manager", "property_manager", "property_company"),
    "internal": ("cs_manager", "cs_supervisor", "cs_specialist", "cs_clerk"),
    "briefing": ("cs_manager", "leader_in_charge"),
    "yearly": ("cs_manager",),
    "spot-check": ("service_inspector",),
    "breaches": ("service_inspector",),
    "backlog": ("cs_manager",),
    "visits": ("cs_specialist",),
    "box": ("cs_clerk",),
    "improvement": ("cs_manager",),
    "guidance": ("cs_manager",),
}
"""Who gets what. A role that nobody holds gets nothing."""


@dataclass(frozen=True, slots=True)
class Settings:
    """When reports are made, who gets them, and where their limits lie."""

    off: tuple[str, ...] = ()
    daily_at: time = time(16, 0)
    weekly_at: tuple[int, time] = (4, time(15, 0))
    weekly_sign_by: tuple[int, time] = (6, time(17, 0))
    internal_at: tuple[int, time] = (0, time(8, 30))
    monthly_at: time = time(9, 0)
    meeting_day: int = 25
    meeting_lead_days: int = 3
    yearly_on: tuple[int, int] = (12, 20)
    sample_rate: float = 0.1
    satisfaction_target: float = 95.0
    backlog: int = 20
    contact_days: int = 90
    visits_per_week: int = 20
    opt_out: tuple[str, ...] = ()
    box_opening: tuple[tuple[int, ...], time] = ((1, 3, 5), time(10, 0))
    knowledge_days: int = 14
    near_minutes: int = 60
    hot_spot: int = 3
    owners_committee: str = "none"
    roles: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def told(self, kind: str) -> tuple[str, ...]:
        """The roles and parties a report goes to."""
        return dict(self.roles).get(kind, ROLES.get(kind, ()))

    def supervises(self, day: date) -> bool:
        """Whether we still supervise the property company: until an owners' committee exists (S1-2.6)."""
        formed = self.owners_committee
        if formed in ("none", ""):
            return True
        return formed != "formed" and date.fromisoformat(formed) > day


def read_settings(table: Mapping[str, Any], deadlines: Mapping[str, str] | None = None) -> Settings:
    """The settings of a [plugin.reports] table; ``deadlines`` may bring ``box_opening`` and ``satisfaction_target``.

    Raises KefudError with one sentence naming the key.
    """
    given = dict(table)
    for key in ("box_opening", "satisfaction_target"):
        if deadlines and key in deadlines:
            given.setdefault(key, deadlines[key])
    known = {f.name for f in fields(Settings)}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise _fault(key, f"is unknown; known are {', '.join(sorted(known))}")
        try:
            values[key] = _READ.get(key, _same)(value)
        except (TypeError, ValueError) as error:
            raise _fault(key, f"{value!r} does not fit: {error}") from None
    return Settings(**values)


def _fault(key: str, text: str) -> KefudError:
    error = KefudError(f"plugin.reports.{key}: {text}")
    error.exit_status = 78
    return error


def _same(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _time(value: Any) -> time:
    return value if isinstance(value, time) else time.fromisoformat(str(value).strip().zfill(5))


def _weekday(text: str) -> int:
    name = text.strip().lower()[:3]
    if name not in WEEKDAYS:
        raise ValueError("write a day as mon, tue, wed, thu, fri, sat or sun")
    return WEEKDAYS.index(name)


def _day_and_time(value: Any) -> tuple[int, time]:
    day, _, at = str(value).strip().partition(" ")
    return _weekday(day), _time(at)


def _days_and_time(value: Any) -> tuple[tuple[int, ...], time]:
    match = re.fullmatch(r"\s*(.+?)[,\s]+(\d{1,2}:\d{2})\s*", str(value))
    if not match:
        raise ValueError('write for example "Tue, Thu, Sat 10:00"')
    return tuple(sorted(_weekday(d) for d in re.split(r"[,\s]+", match[1]))), _time(match[2])


def _month_and_day(value: Any) -> tuple[int, int]:
    month, _, day = str(value).partition("-")
    date(2024, int(month), int(day))
    return int(month), int(day)


def _percent(value: Any) -> float:
    return float(str(value).strip().removesuffix("%"))


def _share(value: Any) -> float:
    text = str(value).strip()
    share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    if not 0 < share <= 1:
        raise ValueError("write a share between 0 and 1, or a percentage")
    return share


def _committee(value: Any) -> str:
    text = str(value).strip().removeprefix("formed(").removesuffix(")")
    return text if text in ("none", "formed") else date.fromisoformat(text).isoformat()


def _roles(value: Any) -> tuple[tuple[str, tuple[str, ...]], ...]:
    unknown = sorted(set(value) - set(ROLES))
    if unknown:
        raise ValueError(f"there is no report {unknown[0]}; known are {', '.join(sorted(ROLES))}")
    return tuple((kind, (names,) if isinstance(names, str) else tuple(names)) for kind, names in value.items())


_READ: dict[str, Callable[[Any], Any]] = {
    "daily_at": _time, "weekly_at": _day_and_time, "weekly_sign_by": _day_and_time, "internal_at": _day_and_time,
    "monthly_at": _time, "yearly_on": _month_and_day, "sample_rate": _share, "satisfaction_target": _percent,
    "box_opening": _days_and_time, "owners_committee": _committee, "roles": _roles, "backlog": int, "contact_days": int,
    "visits_per_week": int, "knowledge_days": int, "near_minutes": int, "hot_spot": int, "meeting_day": int,
    "meeting_lead_days": int,
}  # fmt: skip
