"""Whether the registries that the configuration and the recipe name answer (OCI distribution-spec: GET /v2/)."""

import http.client
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from portside.doctor.findings import Finding

SECONDS = 5.0


def examine_registries(registries: Sequence[str]) -> Iterator[Finding]:
    """registries: `[http://|https://]HOST[:PORT]/REPOSITORY`. Each host is asked once, with one small request."""
    hosts: dict[tuple[str, str], str] = {}
    for registry in registries:
        parts = urlsplit(registry if "://" in registry else f"https://{registry}")
        hosts.setdefault((parts.scheme, parts.netloc), registry)
    for (scheme, host), registry in hosts.items():
        yield _answer(scheme, host, registry)


def _answer(scheme: str, host: str, registry: str) -> Finding:
    kind = http.client.HTTPConnection if scheme == "http" else http.client.HTTPSConnection
    try:
        connection = kind(host, timeout=SECONDS)
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
