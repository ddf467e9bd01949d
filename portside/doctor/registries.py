"""Whether the registries that the configuration names answer (OCI distribution-spec: GET /v2/)."""

import http.client
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from portside.doctor.findings import Finding

SECONDS = 5.0


def examine_registries(registries: Sequence[str]) -> Iterator[Finding]:
    """registries: `HOST[:PORT][/…]` with https, or a URL that says http. Nothing is sent but one small request."""
    for registry in registries:
        yield _answer(registry)


def _answer(registry: str) -> Finding:
    parts = urlsplit(registry if "://" in registry else f"https://{registry}")
    kind = http.client.HTTPConnection if parts.scheme == "http" else http.client.HTTPSConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=SECONDS)
        try:
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Finding(
            "problem",
            "registry",
            f"{registry} does not answer: {error}",
            "Is its name right in portside.toml, and its server running? Without it layers are built, not pulled.",
        )
    if status in (200, 401):
        return Finding("ok", "registry", f"{registry} answers" + (" and wants a login" if status == 401 else ""))
    return Finding("problem", "registry", f"{registry} answers with status {status}", "Is it a registry (/v2/)?")
