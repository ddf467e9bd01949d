"""Names of images as people write them, `[HOST[:PORT]/]REPOSITORY[:TAG][@sha256:HEX]`, and where a mirror has them.

The grammar is that of distribution/reference: what stands in front of the first '/' is a host if it has a '.' or a ':',
is `localhost`, or has a capital letter; all others are names of Docker Hub.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from portside.common.values import ImageAddress, Sha256, Tag
from portside.errors import RecipeError
from portside.registry.hub import hub
from portside.registry.reference import Repository, parse_repository


@dataclass(frozen=True, slots=True)
class ImageReference:
    """An image in a registry. tag, digest: at least one of them; with a digest nobody asks for the tag.

    called: the repository as it was written.
    """

    repository: Repository
    called: str
    tag: Tag | None
    digest: Sha256 | None

    @property
    def wanted(self) -> str:
        """The tag or the digest that a registry is asked for."""
        return f"sha256:{self.digest}" if self.digest is not None else str(self.tag)

    def by_digest(self, digest: Sha256) -> str:
        """What every engine takes for exactly the image with this digest."""
        return f"{self.called}@sha256:{digest}"


def parse_image(text: ImageAddress) -> ImageReference:
    """What an address says. Raises RecipeError where the host that it begins with cannot be one."""
    called, _, digest = text.partition("@")
    tag: str | None = None
    if ":" in called.rpartition("/")[2]:
        called, _, tag = called.rpartition(":")
    return ImageReference(
        _repository(called),
        called,
        Tag(tag) if tag is not None else None,
        Sha256.of_digest(digest) if digest else None,
    )


def _repository(called: str) -> Repository:
    first, slash, rest = called.partition("/")
    host, name = (first, rest) if slash and _is_host(first) else (hub().host, called)
    if hub().called(host):
        return parse_repository(f"{hub().host}/{name if '/' in name else f'{hub().folder}/{name}'}")
    return parse_repository(f"{host}/{name}")


def _is_host(first: str) -> bool:
    """Whether the part of a name in front of its first '/' is a host."""
    return "." in first or ":" in first or first == "localhost" or first != first.lower()


def mirrored(repository: Repository, mirrors: Mapping[str, str]) -> Repository:
    """Where to ask for a repository. mirrors: prefixes of `HOST[:PORT]/REPOSITORY`, whole parts between slashes, with
    what stands in their place, http:// in front of it for a registry without TLS. The longest prefix counts.

    Raises RecipeError for a mirror that makes no repository of it.
    """
    best: tuple[int, str, str] | None = None
    for prefix, instead in mirrors.items():
        first, _, rest = prefix.rstrip("/").partition("/")
        host, path = (first, rest) if _is_host(first) else (hub().host, prefix.rstrip("/"))
        host = hub().host if hub().called(host) else host
        below = path == "" or f"{repository.name}/".startswith(f"{path}/")
        if host == repository.host and below and (best is None or len(path) > best[0]):
            best = (len(path), instead, repository.name[len(path) :].strip("/"))
    if best is None:
        return repository
    _, instead, rest = best
    try:
        return parse_repository("/".join(part for part in (instead.rstrip("/"), rest) if part))
    except RecipeError as error:
        raise RecipeError(f"[mirrors] registries, for {repository}: {error.problem}", error.remedy) from None
