"""The one HTTP client of this process: proxies, certificates and credentials as the machine is set up."""

import errno
import functools
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from portside.common.url import may_lead, redact, secrets_of, shown
from portside.errors import InputError, RecipeError
from portside.net.bounded import AnswerError, Patience, body_of, from_json
from portside.net.pip_settings import read_pip_settings
from portside.net.proxies import Routing, proxy_settings

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 15
READ_SECONDS = 60
MOST_REDIRECTS = 20
NO_URL = "not a URL; write what separates its parts (/ ? # @ :) as %2F, %3F, %23, %40 and %3A inside of a password"
"""Instead of what httpx says about it: that would quote a part of the password."""
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class WantsLoginError(InputError):
    """A server that does not answer without a login, or not with this one."""


class RedirectError(Exception):
    """A server sends us where we do not go; the text says where, without secrets."""


def http_client() -> "httpx.Client":
    """The client for what the environment and pip's configuration say now; threads share it.

    Raises RecipeError where the configured certificate bundle cannot be used.
    """
    settings = read_pip_settings()
    return _client(settings.cert, settings.trusted_hosts, tuple(sorted(proxy_settings().items())))


@functools.lru_cache(maxsize=4)
def _client(cert: str | None, trusted_hosts: tuple[str, ...], proxies: tuple[tuple[str, str], ...]) -> "httpx.Client":
    return new_client(Routing(shared_tls_context(cert), trusted_hosts, dict(proxies)), CONNECT_SECONDS)


def new_client(transport: Routing, connect_seconds: float) -> "httpx.Client":
    """A client that says what Portside is, and looks at no variable but through its transport."""
    import httpx

    return httpx.Client(
        transport=cast("httpx.BaseTransport", transport),
        trust_env=False,
        event_hooks={"response": [redirect_target]},
        timeout=httpx.Timeout(READ_SECONDS, connect=connect_seconds),
        headers={"User-Agent": "portside", "Accept-Encoding": "identity"},
    )


@functools.lru_cache(maxsize=4)
def shared_tls_context(cert: str | None) -> ssl.SSLContext:
    """`tls_context` for clients that add nothing to it: to read all authorities takes longer than a request."""
    return tls_context(cert)


def tls_context(cert: str | None) -> ssl.SSLContext:
    """Trust `cert` alone if somebody configured it; else the machine's authorities and certifi's. RecipeError."""
    try:
        if cert is not None:
            # REQUESTS_CA_BUNDLE may name a folder, as openssl's c_rehash makes it.
            is_folder = Path(cert).is_dir()
            return ssl.create_default_context(cafile=None if is_folder else cert, capath=cert if is_folder else None)
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context
    except OSError as error:
        raise RecipeError(
            f"the certificate bundle {cert} cannot be used: {error.strerror or error}",
            "Correct `cert` in pip's configuration, or SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE.",
        ) from None


class PrivateUrl(str):
    """A URL that is asked with headers, such as a token, which only its own scheme, host and port may get."""

    headers: Mapping[str, str]

    def __new__(cls, url: str, headers: Mapping[str, str]) -> "PrivateUrl":
        made = super().__new__(cls, url)
        made.headers = headers
        return made


@contextmanager
def get(url: str, headers: Mapping[str, str], patience: Patience | None = None) -> Iterator["httpx.Response"]:
    """The response to a GET, after redirects; its body is still to be read. Credentials: see `_response`.

    patience: how long it all may take; default: METADATA_SECONDS.
    """
    with _response("GET", url, headers, None, patience) as response:
        yield response


def post_json(url: str, value: Any, media: str, what: str) -> Any:
    """What a server answers, in JSON, to a value of JSON; redirects are followed with it. media: of both.

    what: who is asked, for the InputError where there is no such answer.
    """
    import httpx

    headers = {"Accept": media, "Content-Type": media}
    try:
        with _response("POST", url, headers, json.dumps(value).encode()) as response:
            data = body_of(response)
            if response.status_code in (401, 403):
                raise WantsLoginError(
                    f"{what} wants a login: it says {response.status_code}",
                    "Put it into ~/.netrc, or into the URL of a mirror in portside.toml.",
                )
            if response.status_code != 200:
                raise InputError(f"{what} says {response.status_code} {response.reason_phrase}".rstrip())
            return from_json(data)
    except httpx.HTTPError as error:
        raise InputError(f"{what}: {redact(str(error), secrets_of([url])) or type(error).__name__}") from None
    except (RedirectError, AnswerError) as error:
        raise InputError(f"{what}: {error}") from None
    except (httpx.InvalidURL, UnicodeError):
        raise InputError(f"{what}: {NO_URL}") from None
    except ValueError:
        raise InputError(f"{what} does not answer in JSON") from None


@contextmanager
def _response(
    method: str, url: str, headers: Mapping[str, str], content: bytes | None, patience: Patience | None = None
) -> Iterator["httpx.Response"]:
    """The response, after redirects, to which the same request goes; its body is still to be read.

    Credentials, of the URL itself, of its headers (`PrivateUrl`) or of ~/.netrc, go to the URL's own scheme, host and
    port, and to no other that a redirect leads to. Raises RedirectError for a redirect to another scheme than http and
    https, from https to http, or in a circle; what httpx raises for everything else (HTTPError, InvalidURL,
    UnicodeError).
    """
    import httpx

    client = http_client()
    timeout = (patience or Patience()).extension(CONNECT_SECONDS)
    place = httpx.URL(url)
    auth = credentials(place)
    private = url.headers if isinstance(url, PrivateUrl) else {}
    if any(name.lower() == "authorization" for name in private):
        auth = None
    for _ in range(MOST_REDIRECTS):
        request = client.build_request(
            method, place, headers={**headers, **private}, content=content, extensions={"timeout": timeout}
        )
        response = client.send(request, auth=auth, stream=True)
        try:
            target = redirect_target(response)
            if target is None:
                yield response
                return
        finally:
            response.close()
        if same_origin(place, target):
            place = target.copy_with(userinfo=place.userinfo)
        else:
            place, auth, private = target, None, {}
    raise RedirectError(f"more than {MOST_REDIRECTS} redirects")


def redirect_target(response: "httpx.Response") -> "httpx.URL | None":
    """Where a response sends us, without userinfo; None if it is no redirect. Raises RedirectError (see `get`).

    A hook of every client (httpx: event_hooks), so that httpx does not look at a Location first that is not safe, and
    quotes nothing of it.
    """
    import httpx

    location = response.headers.get("Location")
    if response.status_code not in _REDIRECTS or location is None:
        return None
    try:
        target = response.url.join(location)
    except (httpx.InvalidURL, ValueError):
        raise RedirectError("it leads to something that is no URL") from None
    if not may_lead(str(response.url), str(target)):
        raise RedirectError(f"it leads from {response.url.scheme} to {shown(str(target))}, which is refused")
    return target.copy_with(userinfo=b"")


def same_origin(one: "httpx.URL", other: "httpx.URL") -> bool:
    """Whether scheme, host and port are the same."""

    def origin(url: "httpx.URL") -> tuple[str, str, int | None]:
        return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)

    return origin(one) == origin(other)


def same_place(one: str, other: str) -> bool:
    """`same_origin` of URLs as text; what is no URL is nowhere."""
    import httpx

    try:
        return same_origin(httpx.URL(one), httpx.URL(other))
    except (httpx.InvalidURL, UnicodeError):
        return False


def credentials(url: "httpx.URL") -> "httpx.Auth | None":
    """What the URL itself or ~/.netrc (or $NETRC) says for its host."""
    import netrc

    import httpx

    if url.userinfo:
        return httpx.BasicAuth(url.username, url.password)
    try:
        return httpx.NetRCAuth(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError, UnicodeError):
        return None


def is_lasting(error: "httpx.TransportError") -> bool:
    """Whether no other try can heal the fault: an unknown host or protocol, a certificate nobody trusts, no route."""
    import httpx

    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if (
            isinstance(cause, ssl.SSLCertVerificationError)
            or (isinstance(cause, socket.gaierror) and cause.errno == socket.EAI_NONAME)
            or (isinstance(cause, OSError) and cause.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH))
        ):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
