"""What a person wrote down when a box was opened: the register ``box.toml``, or a note beside one scan (S1-5.4.3)."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class Opening(BaseModel):
    """One opening of a box. What is not given is taken from the settings or the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    opened_at: datetime | None = None
    box: str = Field("", max_length=60)
    opener: str = Field("", max_length=60)
    witness: str = Field("", max_length=60)
    lock: str = Field("", max_length=60)
    count: int | None = Field(None, ge=0, le=10_000)

    @classmethod
    def parse(cls, content: bytes, zone: ZoneInfo) -> Opening:
        """Raises ValueError with a sentence in Chinese."""
        try:
            found = cls.model_validate(tomllib.loads(content.decode("utf-8-sig")))
        except UnicodeDecodeError:
            raise ValueError("不是 UTF-8 编码") from None
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"不是正确的 TOML：{error}") from None
        except ValidationError as error:
            keys = "、".join(".".join(map(str, fault["loc"])) for fault in error.errors())
            raise ValueError(f"这些项写得不对：{keys}（可用 opened_at、box、opener、witness、lock、count）") from None
        if found.opened_at is not None and found.opened_at.tzinfo is None:
            return found.model_copy(update={"opened_at": found.opened_at.replace(tzinfo=zone)})
        return found

    def over(self, other: Opening) -> Opening:
        """This note, completed from ``other``."""
        given = self.model_dump(exclude_defaults=True)
        return other.model_copy(update={**given, "count": other.count})


@dataclass(frozen=True, slots=True)
class Details:
    """What is kept with a letter so that reading it again tells the same."""

    box: str = ""
    opened_at: datetime | None = None
    opener: str = ""
    witness: str = ""
    lock: str = ""
    registered: bool = False

    def pack(self) -> bytes:
        told: dict[str, Any] = {"box": self.box, "opener": self.opener, "witness": self.witness, "lock": self.lock}
        told["registered"] = self.registered
        if self.opened_at is not None:
            told["opened_at"] = self.opened_at.isoformat()
        return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()

    @classmethod
    def unpack(cls, content: bytes) -> Details:
        """Nothing where ``content`` is empty or spoilt."""
        try:
            told: Any = json.loads(content or b"{}")
            opened = datetime.fromisoformat(told["opened_at"]) if "opened_at" in told else None
            box, opener, witness, lock = (str(told.get(key, "")) for key in ("box", "opener", "witness", "lock"))
            return cls(box, opened, opener, witness, lock, told.get("registered") is True)
        except (ValueError, TypeError, AttributeError):
            return cls()
