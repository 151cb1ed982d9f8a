"""One short tree of errors. A class exists where someone acts differently on it."""

from __future__ import annotations

from dataclasses import dataclass


class KefudError(Exception):
    """Anything kefud reports in one sentence; the command line prints it without a traceback."""

    exit_status = 1


class Usage(KefudError):
    """The command was called wrongly."""

    exit_status = 64


class Busy(KefudError):
    """Another daemon holds the store, or a thing is locked for now: try again later."""

    exit_status = 75


class NotStarted(Busy):
    """The machine gives no process, thread or descriptor for now. Whatever was asked for has not begun."""


class Stale(Busy):
    """What was looked at has been changed by someone else in the meantime: look again."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of the configuration: where it stands and what to do about it.

    ``line`` counts from 1; 0 where a file as a whole is meant.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ConfigError(KefudError):
    """The configuration is at fault; carries every problem found, not only the first."""

    exit_status = 78

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class NotAllowed(KefudError):
    """The state machine or a guard refuses a step; the text says why, in Chinese for staff."""


class Unreadable(KefudError):
    """An arrival cannot become a message. It stays on the shelf with this reason.

    ``transcribe`` is true where a person can help by typing what a scan says.
    """

    def __init__(self, reason: str, *, transcribe: bool = False, draft: str = "", confidence: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transcribe = transcribe
        self.draft = draft
        self.confidence = confidence


class DeliveryFailed(KefudError):
    """A transport could not deliver. ``permanent`` tells whether trying again can help."""

    def __init__(self, answer: str, *, code: int | None = None, permanent: bool = False) -> None:
        super().__init__(answer)
        self.answer = answer
        self.code = code
        self.permanent = permanent


class SourceFailed(KefudError):
    """A channel's source did not answer, refused, or broke off; tried again with back-off.

    ``page`` is true where a person must act (a password refused, a folder missing).
    """

    def __init__(self, reason: str, *, page: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.page = page
