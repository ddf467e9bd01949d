"""Questions to interfaces of the web: a GET, and the whole small answer, whatever its status."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from portside.common.url import redact, secrets_of
from portside.errors import InputError
from portside.net import download
from portside.net.bounded import AnswerError, body_of, from_json, seconds_of
from portside.net.client import NO_URL, PrivateUrl, RedirectError, get, is_lasting


@dataclass(frozen=True)
class Reply:
    """status: of HTTP. headers: by names in lower case. url: who answered in the end."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self, what: str) -> Any:
        """What stands in it. what: who was asked, for the InputError where it is no JSON."""
        try:
            return from_json(self.body)
        except ValueError:
            raise InputError(f"{what} does not answer in JSON") from None


def ask(url: str, what: str, headers: Mapping[str, str] | None = None, *, body: bool = True) -> Reply:
    """The answer of a server, after redirects, and after further tries where a fault may pass.

    what: who is asked, for messages. headers: of the request; what is private belongs into a `PrivateUrl`, and is in no
    message. body: whether the body is read.
    Raises InputError where there is no answer, or one that is too large.
    """
    private = url.headers.values() if isinstance(url, PrivateUrl) else ()
    secrets = secrets_of([url]) | {word for value in private for word in value.replace("=", " ").split()}
    tries = 0
    while True:
        reply, fault, wait = _try(lambda: _once(url, headers or {}, body), secrets)
        if reply is not None and (reply.status not in download.PASSING_STATUS or tries >= len(download.PAUSES)):
            return reply
        if fault is not None and (fault.lasting or tries >= len(download.PAUSES)):
            raise InputError(f"{what}: {fault.text}")
        time.sleep(max(download.PAUSES[tries], min(wait, download.LONGEST_WAIT)))
        tries += 1


@dataclass(frozen=True)
class _Fault:
    text: str
    lasting: bool


def _try(once: Callable[[], Reply], secrets: frozenset[str]) -> tuple[Reply | None, _Fault | None, float]:
    """The answer, or why there is none, and the seconds that the server asks us to wait."""
    import httpx

    try:
        reply = once()
    except httpx.TransportError as error:
        return None, _Fault(redact(str(error), secrets) or type(error).__name__, is_lasting(error)), 0.0
    except (RedirectError, AnswerError) as error:
        return None, _Fault(str(error), lasting=True), 0.0
    except (httpx.InvalidURL, UnicodeError):
        return None, _Fault(NO_URL, lasting=True), 0.0
    wait = reply.headers.get("retry-after", "")
    return reply, None, seconds_of(wait)


def _once(url: str, headers: Mapping[str, str], body: bool) -> Reply:
    with get(url, headers) as response:
        data = body_of(response) if body else b""
        told = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, response.reason_phrase, told, data, str(response.url))
