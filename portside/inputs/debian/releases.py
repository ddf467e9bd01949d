"""Debian's and Ubuntu's archives: what releases.yaml, beside this file, says of them."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

_LIST = Path(__file__).with_name("releases.yaml")


class Family(NamedTuple):
    """A distribution with archives of its own.

    name: ID in os-release(5). title: what people call it. folders: the last folder of the root of its mirrors.
    security: the same of a root that has its security suites alone. keyrings: names of files, which `package` brings.
    beside: the suites of updates, with {suite} in them.
    """

    name: str
    title: str
    folders: tuple[str, ...]
    security: tuple[str, ...]
    keyrings: tuple[str, ...]
    package: str
    components: tuple[str, ...]
    beside: tuple[str, ...]
    codenames: frozenset[str]

    def suites(self, codename: str) -> tuple[str, ...]:
        """A release and what updates it."""
        return (codename, *(suite.format(suite=codename) for suite in self.beside))


@cache
def families() -> Mapping[str, Family]:
    """By name."""
    from portside.common.yaml_file import read_yaml

    found = {}
    for name, said in read_yaml(_LIST)[0].items():
        lists = {key: tuple(said[key]) for key in ("folders", "security", "keyrings", "components", "beside")}
        found[name] = Family(
            name, said["title"], package=said["package"], codenames=frozenset(said["codenames"]), **lists
        )
    return found


def distribution_of(suite: str) -> Family:
    """Whose archive has a suite; what nobody else has is Debian's."""
    known = families()
    release = release_of(suite)
    return next((family for family in known.values() if release in family.codenames), known["debian"])


def release_of(suite: str) -> str:
    """The code name of the release that a suite belongs to: noble of noble-updates."""
    return suite.partition("-")[0]
