"""Access tokens for mailboxes that take no passwords (Exchange Online). Needs the extra "oauth"."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

from kefud.api import SourceFailed

from .settings import Settings

EARLY = 120.0
PATIENCE = 30
FINAL = ("invalid_client", "invalid_grant", "unauthorized_client", "invalid_scope", "interaction_required")


class Tokens:
    """Gives an access token, asking for a new one only when the last is about to expire.

    ``application`` stands in for msal's in tests; ``clock`` is monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        application: Callable[..., Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._application = application
        self._clock = clock
        self._refresh = ""
        self._token = ""
        self._until = 0.0

    def __call__(self) -> str:
        if not self._token or self._clock() >= self._until:
            answer = self._asked()
            self._token = str(answer["access_token"])
            self._until = self._clock() + max(0.0, float(answer.get("expires_in", 0)) - EARLY)
            self._refresh = str(answer.get("refresh_token") or self._refresh)
        return self._token

    def forget(self) -> None:
        """The server refused the token: ask for a new one next time."""
        self._token = ""

    def _asked(self) -> dict[str, Any]:
        settings = self.settings
        application = self._msal()
        try:
            if settings.refresh_token is None:
                answer = application.acquire_token_for_client(scopes=[settings.scope])
            else:
                secret = self._refresh or settings.refresh_token.reveal()
                answer = application.acquire_token_by_refresh_token(secret, scopes=[settings.scope])
        except Exception as error:  # msal passes on whatever its HTTP library raises; its text may hold the request
            raise SourceFailed(f"the token server cannot be asked: {type(error).__name__}") from None
        if not isinstance(answer, dict) or not answer.get("access_token"):
            code = str((answer or {}).get("error", "no answer"))[:60]
            raise SourceFailed(f"the token server refuses: {code}", page=code in FINAL)
        return answer

    def _msal(self) -> Any:
        settings = self.settings
        authority = f"https://login.microsoftonline.com/{settings.tenant}"
        if settings.client_secret is None:
            return self._class("PublicClientApplication")(settings.client_id, authority=authority, timeout=PATIENCE)
        return self._class("ConfidentialClientApplication")(
            settings.client_id, authority=authority, client_credential=settings.client_secret.reveal(), timeout=PATIENCE
        )

    def _class(self, name: str) -> Callable[..., Any]:
        if self._application is not None:
            return self._application
        try:
            found: Callable[..., Any] = getattr(importlib.import_module("msal"), name)
        except ImportError:
            raise SourceFailed('auth = "xoauth2" needs msal; install kefud[oauth]', page=True) from None
        return found
