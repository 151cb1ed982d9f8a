"""The keys of a [[channel]] with plugin = "imap_mailbox"."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from kefud.api import ChannelConfig, Secret, Site, loopback, seconds, validated


def _one_line(text: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in text):
        raise ValueError("must not contain line breaks or control characters")
    return text


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _duration(value: object) -> object:
    return seconds(value) if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_one_line)]
Duration = Annotated[float, BeforeValidator(_duration)]
SecretValue = Annotated[Any, BeforeValidator(Secret.parse)]


class Settings(BaseModel):
    """What an administrator may say about a mailbox. Unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    host: Line
    port: int = 0
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    ca_file: str = ""
    username: Line
    password: SecretValue = None

    folder: Annotated[tuple[Line, ...], BeforeValidator(_several)] = ("INBOX",)
    processed_folder: Line = ""
    acknowledge: Literal["", "move", "flag", "none"] = ""
    flag: Literal["\\Seen", "\\Flagged", "$KefudFiled"] = "\\Seen"

    auth: Literal["password", "xoauth2"] = "password"
    tenant: Line = "organizations"
    client_id: Line = ""
    client_secret: SecretValue = None
    refresh_token: SecretValue = None
    scope: Line = "https://outlook.office365.com/.default"

    idle: bool = True
    timeout: Duration = 30.0
    deadline: Duration = 60.0
    reconnect: Duration = 5.0
    full_look: Duration = 600.0
    reconcile: Duration = 86_400.0
    batch_mails: int = 200
    batch_bytes: int = 1280 * 1024
    message_bytes: int = 36_700_160

    @classmethod
    def of(cls, config: ChannelConfig, site: Site) -> Settings:
        """The settings of one channel; relative file names count from the configuration."""
        values = dict(config.settings)
        if values.get("ca_file"):
            values["ca_file"] = str(Path(site.base) / str(values["ca_file"]))
        values.setdefault("message_bytes", site.limits.message_bytes)
        return validated(cls, values, f'channel "{config.id}"')

    @model_validator(mode="after")
    def _fits_together(self) -> Settings:
        if self.tls == "none" and not loopback(self.host):
            raise ValueError('tls = "none" is accepted for loopback addresses only')
        if not self.folder or not all(self.folder):
            raise ValueError('folder must name at least one folder, for example "INBOX"')
        if self.auth == "password" and self.password is None:
            raise ValueError('password is missing; add it, or choose auth = "xoauth2"')
        if self.auth == "xoauth2" and not (self.client_id and (self.client_secret or self.refresh_token)):
            raise ValueError('auth = "xoauth2" needs client_id, and client_secret or refresh_token')
        if self.acknowledge == "move" and not self.processed_folder:
            raise ValueError('acknowledge = "move" needs processed_folder')
        if self.processed_folder in self.folder:
            raise ValueError("processed_folder must differ from folder")
        return self

    @property
    def port_used(self) -> int:
        return self.port or (993 if self.tls == "implicit" else 143)

    @property
    def marks(self) -> str:
        """What acknowledging does: "move", "flag" or "none"."""
        return self.acknowledge or ("move" if self.processed_folder else "flag")
