"""The environment variables of an image, and of what is executed on the way to it."""

from collections.abc import Mapping, Sequence

from portside.lock.bases import LockedBase

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The search path of a base that has none of its own."""


def variables(base: LockedBase, path: Sequence[str], own: Mapping[str, str]) -> dict[str, str]:
    """What the base sets, with the folders `path` in front of its PATH, and what the recipe sets."""
    inherited = {"PATH": PATH, **base.env}
    return {**inherited, "PATH": ":".join([*path, inherited["PATH"]]), **own}
