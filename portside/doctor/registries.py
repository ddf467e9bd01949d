"""Whether the registries that the configuration and the recipe name answer (OCI distribution-spec: GET /v2/)."""

from collections.abc import Iterator, Sequence

from portside.doctor.findings import Finding
from portside.errors import PortsideError
from portside.registry.client import Client
from portside.registry.reference import Repository, parse_repository

SECONDS = 5.0


def examine_registries(registries: Sequence[str]) -> Iterator[Finding]:
    """registries: `[http://|https://]HOST[:PORT]/REPOSITORY`. Each host is asked once, with one small request."""
    asked: set[tuple[str, bool | None]] = set()
    for registry in registries:
        try:
            repository = parse_repository(registry)
        except PortsideError as error:
            yield Finding("problem", "registry", error.problem, error.solution)
            continue
        host = (repository.host, repository.plain)
        if host not in asked:
            asked.add(host)
            yield _answer(registry, repository)


def _answer(registry: str, repository: Repository) -> Finding:
    try:
        with Client(repository, pauses=(), connect_seconds=SECONDS) as client:
            status = client.status()
    except PortsideError as error:
        return Finding(
            "problem",
            "registry",
            f"{registry} does not answer: {error.problem}",
            f"{error.solution or 'Correct its name in portside.toml.'} Without it layers are built, not pulled.",
        )
    if status in (200, 401):
        return Finding("ok", "registry", f"{registry} answers" + (" and wants a login" if status == 401 else ""))
    return Finding("problem", "registry", f"{registry} answers with status {status}", "Is it a registry (/v2/)?")
