"""Which proxy a request takes: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, and what NO_PROXY takes out, as curl reads it.

curl's manual ("PROXY ENVIRONMENT VARIABLES") and its lib/noproxy.c: names take the names below them along, with or
without a dot in front, `*` is everything, addresses may be networks. What curl does not know and other programs do is
taken too: `[::1]` in brackets, and NAME:PORT for that port alone.
"""

import ipaddress
import os
import re
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from portside.errors import RecipeError

if TYPE_CHECKING:
    import httpx

VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_PORTS = {"http": 80, "https": 443}
_ENTRY = re.compile(r"(?:\[([^]]*)\](/\d+)?|([^:]*)|(.*:.*:.*))(?::(\d{1,5}))?")

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def proxy_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the environment says, by variable in lower case; one in lower case counts before one in capitals."""
    found = {name: environment.get(name) or environment.get(name.upper()) or "" for name in VARIABLES}
    return {name: value.strip() for name, value in found.items() if value.strip()}


def is_direct(host: str, port: int, no_proxy: str) -> bool:
    """Whether a request to a host (no brackets) goes past all proxies."""
    host = host.rstrip(".").lower()
    try:
        address: _Address | None = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        address = None
    entries = re.split(r"[\s,]+", no_proxy.strip().lower())
    return any(_fits(entry, host, address, port) for entry in entries if entry)


def _fits(entry: str, host: str, address: _Address | None, port: int) -> bool:
    if entry == "*":
        return True
    parts = _ENTRY.fullmatch(entry)
    if parts is None or (parts[5] and int(parts[5]) != port):
        return False
    name = (parts[1] or parts[3] or parts[4] or "") + (parts[2] or "")
    if address is None:
        name = name.strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(name, strict=False)
    except ValueError:
        return False


class Routing:
    """Sends each request directly or through its proxy: a transport of httpx, which is imported late.

    unverified: hosts whose certificates nobody looks at.
    """

    def __init__(
        self, verify: ssl.SSLContext, unverified: tuple[str, ...] = (), settings: Mapping[str, str] | None = None
    ) -> None:
        """settings: as `proxy_settings` gives them, which is the default; empty: no proxy. Raises RecipeError."""
        self._settings = proxy_settings() if settings is None else settings
        self._verify = verify
        self._unverified = frozenset(host.lower() for host in unverified)
        self._lock = threading.Lock()
        self._made: dict[tuple[str | None, bool], httpx.HTTPTransport] = {}
        for scheme in _PORTS:
            if (proxy := self._proxy(scheme)) is not None:
                self._transport(proxy, True)  # says at once what is wrong with it

    def handle_request(self, request: "httpx.Request") -> "httpx.Response":
        url = request.url
        port = url.port or _PORTS.get(url.scheme, 0)
        proxy = self._proxy(url.scheme)
        if proxy is not None and is_direct(url.host, port, self._settings.get("no_proxy", "")):
            proxy = None
        verified = not self._unverified & {url.host.lower(), f"{url.host}:{port}".lower()}
        return self._transport(proxy, verified).handle_request(request)

    def _proxy(self, scheme: str) -> str | None:
        said = self._settings.get(f"{scheme}_proxy") or self._settings.get("all_proxy")
        return said if not said or "://" in said else f"http://{said}"

    def _transport(self, proxy: str | None, verified: bool) -> "httpx.HTTPTransport":
        import httpx

        with self._lock:
            if (proxy, verified) not in self._made:
                verify = self._verify if verified else False
                with _usable():
                    self._made[proxy, verified] = httpx.HTTPTransport(verify=verify, trust_env=False, proxy=proxy)
            return self._made[proxy, verified]

    def __enter__(self) -> "Routing":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for transport in self._made.values():
            transport.close()


@contextmanager
def _usable() -> Iterator[None]:
    import httpx

    try:
        yield
    except (ImportError, ValueError, httpx.InvalidURL):
        raise RecipeError(
            "the environment names a proxy that Portside cannot use: look at ALL_PROXY, HTTPS_PROXY and HTTP_PROXY",
            "Name it as http://HOST:PORT (most SOCKS proxies listen for HTTP too), or unset the variable.",
        ) from None
