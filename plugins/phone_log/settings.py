"""The keys of a [[channel]] with plugin = "phone_log"."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, field_validator

from kefud.api import ChannelConfig, Site, seconds, validated

from .columns import own_columns


def _duration(value: object) -> object:
    return seconds(value) if isinstance(value, str) else value


Duration = Annotated[float, BeforeValidator(_duration)]


class Settings(BaseModel):
    """What an administrator may say about a folder of telephone logs. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    encoding: str = "auto"
    columns: dict[str, list[str]] = {}
    date_order: Literal["auto", "ymd", "mdy", "dmy"] = "auto"
    settle: Duration = 5.0
    unclosed: Duration = 60.0
    late: Duration = 900.0
    done_folder: Path | None = None
    reject_folder: Path = Path("rejected")
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt")
    own_numbers: tuple[str, ...] = ()

    @classmethod
    def of(cls, config: ChannelConfig, site: Site) -> Settings:
        """The settings of one channel; relative folders count from the configuration, reject_folder from the folder."""
        found = validated(cls, config.settings, f'channel "{config.id}"')
        folder = Path(site.base) / found.folder
        done = Path(site.base) / found.done_folder if found.done_folder else None
        own = (*found.own_numbers, site.hotline) if site.hotline else found.own_numbers
        return found.model_copy(
            update={"folder": folder, "done_folder": done, "reject_folder": folder / found.reject_folder, "own_numbers": own}
        )

    @field_validator("encoding")
    @classmethod
    def _known(cls, value: str) -> str:
        if value == "auto":
            return value
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError(f'"{value}" is no encoding; write "auto", "utf-8", "gb18030" or "utf-16"') from None

    @field_validator("columns", mode="before")
    @classmethod
    def _columns(cls, value: object) -> object:
        return own_columns(value) if isinstance(value, dict) else value
