"""The keys of a [[channel]] with plugin = "complaint_box"."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from kefud.api import ChannelConfig, Site, seconds


def _duration(value: object) -> object:
    return seconds(value) if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(_duration)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseModel):
    """What an administrator may say about a complaint box. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    box: str = "意见箱"
    opened_at: datetime | None = None
    done_folder: Path = Path("done")
    register_name: str = Field("box.toml", alias="register")
    settle: Duration = 5.0
    late: Duration = 900.0
    batch: bool = False
    separator: Literal["sheet", "blank"] = "sheet"
    batch_pause: Duration = 60.0
    max_bytes: int = 36_700_160

    ocr_max_side: int = Field(1800, ge=600, le=4000)
    ocr_threads: int = Field(1, ge=1, le=64)
    least_mean: Share = 0.90
    least_line: Share = 0.60

    @classmethod
    def of(cls, config: ChannelConfig, site: Site) -> Settings:
        """The settings of one channel; folder counts from the configuration, done_folder from the folder."""
        found = cls.model_validate({"max_bytes": site.limits.message_bytes, **config.settings})
        folder = Path(site.base) / found.folder
        opened = found.opened_at
        if opened is not None and opened.tzinfo is None:
            opened = opened.replace(tzinfo=ZoneInfo(site.timezone))
        return found.model_copy(update={"folder": folder, "done_folder": folder / found.done_folder, "opened_at": opened})
