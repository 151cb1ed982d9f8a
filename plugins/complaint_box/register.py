"""The register ``box.toml``: in force while one opening's letters are scanned, then put away; counts them (S1-5.4.3)."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from kefud.api import Ledger

from .opening import Opening

NOTE = "register"
KEPT = 12 * 3600.0


class Count:
    """How many letters came under one register, kept across restarts."""

    def __init__(self, ledger: Ledger, register: Opening, now: datetime) -> None:
        digest = hashlib.sha256(register.model_dump_json().encode()).hexdigest()
        self._ledger = ledger
        self._register = register
        self._state = _state(ledger)
        if self._state.get("register") != digest:
            self._state = {"register": digest, "refs": [], "last": now.isoformat()}
            self._save()

    def add(self, ref: str, now: datetime) -> None:
        if ref not in self._state["refs"]:
            self._state["refs"].append(ref)
            self._state["last"] = now.isoformat()
            self._save()

    def quiet(self, now: datetime) -> float:
        """Seconds since the last letter came."""
        return (now - datetime.fromisoformat(self._state["last"])).total_seconds()

    def mismatch(self, now: datetime, patience: float) -> str:
        """What differs from the register, "" while that cannot be said or nothing does."""
        expected, count = self._register.count, len(self._state["refs"])
        if expected is None or count == expected or (count < expected and self.quiet(now) < patience):
            return ""
        opened = f"{self._register.opened_at:%Y-%m-%d %H:%M} " if self._register.opened_at else ""
        return f"{opened}开箱登记 {expected} 件，扫描件 {count} 件，请核对"

    def over(self, now: datetime, patience: float) -> bool:
        """True when the register has served: all letters are in, or none has come for half a day."""
        expected, count = self._register.count, len(self._state["refs"])
        all_in = count >= expected if expected is not None else count > 0
        return self.quiet(now) >= (patience if all_in else KEPT)

    def _save(self) -> None:
        self._ledger.remember(NOTE, json.dumps(self._state))


def _state(ledger: Ledger) -> dict[str, Any]:
    try:
        state = json.loads(ledger.recall(NOTE) or "{}")
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}
