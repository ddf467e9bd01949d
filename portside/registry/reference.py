"""Names of repositories and images in registries: `HOST[:PORT]/REPOSITORY[:TAG]`."""

import ipaddress
import re
from dataclasses import dataclass

from portside.common.values import Tag
from portside.errors import RecipeError

# distribution-spec 1.1, "Pulling manifests": <name>.
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository of a registry. host: `HOST[:PORT]`. plain: True for http, None if the registry is to be asked."""

    host: str
    name: str
    plain: bool | None = False

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A tag in a repository."""

    repository: Repository
    tag: Tag

    def __str__(self) -> str:
        return f"{self.repository}:{self.tag}"


def parse_repository(text: str) -> Repository:
    """`[http://|https://]HOST[:PORT]/REPOSITORY`.

    Without a scheme that is https; a registry on this machine (localhost, 127.0.0.1) is asked which it speaks.
    Raises RecipeError.
    """
    scheme, separator, rest = text.rpartition("://")
    host, slash, name = rest.partition("/")
    if scheme not in ("", "http", "https") or not slash or not _HOST.fullmatch(host) or not _REPOSITORY.fullmatch(name):
        raise RecipeError(
            f"{_public(text)!r} is no repository of a registry",
            "Write HOST:PORT/REPOSITORY, with http:// in front for a registry without TLS; the repository's name "
            "consists of lower-case letters, digits, '.', '_', '-' and '/'. A password belongs to docker login.",
        )
    plain = scheme == "http" if separator else (None if is_loopback(host) else False)
    return Repository(host, name, plain)


def parse_reference(text: str, home: str | None) -> Reference:
    """A tag in the repository `home`, or a full `HOST[:PORT]/REPOSITORY:TAG`. Raises RecipeError."""
    if "/" in text:
        where, _, tag = text.rpartition(":")
        if "/" in tag:
            raise RecipeError(f"{_public(text)!r} names no tag", "Write HOST:PORT/REPOSITORY:TAG.")
    elif home is None:
        raise RecipeError(
            f"no registry is known for the tag {text!r}",
            "Write HOST:PORT/REPOSITORY:TAG, or name a registry in the recipe (`registry`) or portside.toml "
            "(`registries`).",
        )
    else:
        where, tag = home, text
    try:
        checked = Tag(tag)
    except ValueError:
        raise RecipeError(f"{tag!r} is no tag", "A tag has up to 128 letters, digits, '.', '_' and '-'.") from None
    return Reference(parse_repository(where), checked)


def _public(text: str) -> str:
    """What somebody gave for a repository, without a user and password in front of its host."""
    scheme, separator, rest = text.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def is_loopback(host: str) -> bool:
    """Whether `HOST[:PORT]` is this machine itself."""
    name = host[: host.index("]") + 1] if host.startswith("[") else host.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
