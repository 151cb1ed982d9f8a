"""The keys of a [[channel]] with plugin = "maildir"."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from kefud.api import ChannelConfig, Site, validated


class Settings(BaseModel):
    """What an administrator may say about a maildir. Unknown keys are refused; paths count from the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    processed_folder: Path | None = None
    batch_mails: int = 50
    batch_bytes: int = 8 * 1024 * 1024
    message_bytes: int = 36_700_160

    @classmethod
    def of(cls, config: ChannelConfig, site: Site) -> Settings:
        values = dict(config.settings)
        for key in ("path", "processed_folder"):
            if isinstance(values.get(key), str):
                values[key] = Path(site.base) / values[key]
        values.setdefault("message_bytes", site.limits.message_bytes)
        return validated(cls, values, f'channel "{config.id}"')

    @model_validator(mode="after")
    def _differ(self) -> Settings:
        if self.processed_folder == self.path:
            raise ValueError("processed_folder must be another maildir than path")
        return self
