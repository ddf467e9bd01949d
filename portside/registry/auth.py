"""Answering a registry's challenge: Basic (RFC 7617), or a bearer token from the place that it names.

The token protocol is that of distribution's documentation ("Token Authentication", "OAuth2"), which every public
registry follows.
"""

import base64
import json
import re
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from portside.common.url import shown
from portside.common.values import BearerToken
from portside.errors import RegistryError
from portside.registry.credentials import Login, login_for
from portside.registry.hub import login_command
from portside.registry.reference import Repository, is_loopback

if TYPE_CHECKING:
    import httpx

    from portside.registry.answer import Answer

_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


class Authorizer:
    """Knows the Authorization header for one repository; threads share it."""

    def __init__(self, repository: Repository, send: Callable[["httpx.Request"], "Answer"]) -> None:
        """send: sends a request to the place that gives tokens."""
        self._repository = repository
        self._send = send
        self._lock = threading.Lock()
        self._header: str | None = None
        self._login: Login | None = None
        self._asked = False

    @property
    def header(self) -> str | None:
        """The value for Authorization, as far as it is known; nothing is sent before a registry asks for it."""
        return self._header

    def answer(self, response: "httpx.Response", used: str | None) -> bool:
        """Take in a 401 to a request that was sent with the header `used`; whether it is worth trying again.

        Raises RegistryError where the registry's question cannot be answered.
        """
        with self._lock:
            if self._header != used:
                return True  # another thread was faster
            for challenge in response.headers.get_list("WWW-Authenticate"):
                scheme, _, rest = challenge.strip().partition(" ")
                values = {m[1].lower(): m[2] if m[2] is not None else m[3] for m in _PARAMETER.finditer(rest)}
                made = self._make(scheme.lower(), values)
                if made is not None and made != used:
                    self._header = made
                    return True
            return False

    def _make(self, scheme: str, values: dict[str, str]) -> str | None:
        if not self._asked:
            self._login, self._asked = login_for(self._repository.host, self._repository.name), True
        login = self._login
        if scheme == "basic":
            return None if login is None or login.token else _basic(login)
        if scheme == "bearer" and "realm" in values:
            return f"Bearer {self._token(values)}"
        return None

    def _token(self, values: dict[str, str]) -> BearerToken:
        import httpx

        realm, login = values["realm"], self._login
        try:
            place = httpx.URL(realm)
        except httpx.InvalidURL:
            place = httpx.URL()
        host = place.netloc.decode("ascii")  # without what a URL may have in front of an @
        unsafe_is_meant = place.scheme == "http" and (is_loopback(host) or self._repository.plain)
        if place.scheme != "https" and not unsafe_is_meant:
            raise RegistryError(f"{self._repository.host} wants the password sent to {shown(realm)}, which is not safe")
        # A push of everything needs both; the registry narrows it down to what the user may.
        scope = values.get("scope") or f"repository:{self._repository.name}:pull,push"
        asked = {"service": values.get("service", ""), "scope": scope}
        if login is not None and login.token:
            form = asked | {"grant_type": "refresh_token", "client_id": "portside", "refresh_token": login.token}
            request = httpx.Request("POST", place, data=form)
        else:
            headers = {"Authorization": _basic(login)} if login is not None else {}
            url = place.copy_merge_params({k: v for k, v in asked.items() if v})
            request = httpx.Request("GET", url, headers=headers)
        response = self._send(request)
        if response.status != 200:
            raise RegistryError(
                f"{host} gives no token for {self._repository}: status {response.status}",
                _log_in(self._repository),
            )
        try:
            answer = json.loads(response.body)
            return BearerToken(answer.get("token") or answer["access_token"])
        except (ValueError, KeyError, AttributeError, RecursionError):
            raise RegistryError(f"{host} answered without a token for {self._repository}") from None


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode()


def _log_in(repository: Repository) -> str:
    return f"Is the name right? Then log in as somebody who may: {login_command(repository.host)}"


def refused(repository: Repository, status: int, what: str) -> RegistryError:
    """The error for a 401 or 403 that stays."""
    return RegistryError(f"{repository.host} refuses to {what} (status {status})", _log_in(repository))
