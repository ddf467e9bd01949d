"""The one HTTP client of this process: proxies, certificates and credentials as the machine is set up."""

import errno
import functools
import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from portside.errors import RecipeError
from portside.inputs.pip_settings import read_pip_settings

if TYPE_CHECKING:
    import httpx

_PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
CONNECT_SECONDS = 15
READ_SECONDS = 60


def http_client() -> "httpx.Client":
    """The client for what the environment and pip's configuration say now; threads share it.

    Raises RecipeError where the configured certificate bundle cannot be used.
    """
    settings = read_pip_settings()
    names = sorted({*_PROXY_VARIABLES, *(name.upper() for name in _PROXY_VARIABLES)})
    return _client(settings.cert, settings.trusted_hosts, tuple(os.environ.get(name) for name in names))


@functools.lru_cache(maxsize=4)
def _client(cert: str | None, trusted_hosts: tuple[str, ...], proxies: tuple[str | None, ...]) -> "httpx.Client":
    import httpx

    del proxies  # part of the cache's key: the client reads them from the environment by itself
    unverified = {f"https://{host}": httpx.HTTPTransport(verify=False) for host in trusted_hosts}
    verify = tls_context(cert)
    with usable_proxies():
        return httpx.Client(
            verify=verify,
            mounts=unverified,
            follow_redirects=True,
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={"User-Agent": "portside", "Accept-Encoding": "identity"},
        )


@contextmanager
def usable_proxies() -> Iterator[None]:
    """Around the making of a client: raises RecipeError where the environment's proxies are of no use to httpx."""
    import httpx

    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL):
        raise RecipeError(
            "the environment names a proxy that Portside cannot use: look at ALL_PROXY, HTTPS_PROXY and HTTP_PROXY",
            "Name it as http://HOST:PORT (most SOCKS proxies listen for HTTP too), or unset the variable.",
        ) from None


def tls_context(cert: str | None) -> ssl.SSLContext:
    """Trust `cert` alone if somebody configured it; else the machine's authorities and certifi's. RecipeError."""
    try:
        if cert is not None:
            return ssl.create_default_context(cafile=cert)
        import certifi

        context = ssl.create_default_context()
        context.load_verify_locations(certifi.where())
        return context
    except OSError as error:
        raise RecipeError(
            f"the certificate bundle {cert} cannot be used: {error.strerror or error}",
            "Correct `cert` in pip's configuration, or SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE.",
        ) from None


def credentials(url: "httpx.URL") -> "httpx.Auth | None":
    """What the URL itself or ~/.netrc (or $NETRC) says for its host."""
    import netrc

    import httpx

    if url.userinfo:
        return httpx.BasicAuth(url.username, url.password)
    try:
        return httpx.NetRCAuth(os.environ.get("NETRC"))
    except (OSError, netrc.NetrcParseError):
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
