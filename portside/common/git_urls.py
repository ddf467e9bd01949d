"""Which URLs of git repositories may stand in a lock: those that a recipe or a `.gitmodules` may name."""

import re

from portside.common.url import holds_secret, shown
from portside.common.values import GitUrl, shown_value

_OPTION = re.compile(r"([A-Za-z]+://([^/@]*@)?|([^/:@]*@)?)-")
"""A host that ssh would take for an option."""


def is_local(url: str) -> bool:
    """Whether it is a folder of this machine."""
    return url.startswith(("/", "file://"))


def refused(what: str, url: GitUrl, parent: GitUrl | None = None) -> str | None:
    """Why a URL must not be asked, None if it may. what: whose it is. parent: of a submodule, its repository's."""
    if re.search("[\ud800-\udfff]", url):
        return f"{what} is not UTF-8: {shown_value(url)}"
    if _OPTION.match(url):
        return f"{what} has no host: {shown_value(url)}"
    if parent is not None and is_local(url) and not is_local(parent):
        return f"{what} leads from {shown(parent)} to a file of this machine: {shown_value(url)}"
    if holds_secret(url):
        return f"{what}, {shown(url)}, holds a password or token, which must not get into a lock"
    return None
