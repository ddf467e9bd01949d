"""Which wheel pip would choose for an interpreter on a platform that need not be this machine's."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from portside.errors import RecipeError

if TYPE_CHECKING:
    from packaging.tags import Tag

_PLATFORM = re.compile(r"(?P<arch>[a-z0-9_]+?)-manylinux(?:_2_(?P<minor>\d+)|(?P<year>2014))")
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
"""PEP 600: the names that manylinux_2_N had before, by N."""


def tag_ranks(version: str, platform: str) -> Mapping["Tag", int]:
    """Every tag that fits CPython `version` ('3.11') on `platform` ('x86_64-manylinux_2_28'), best first: 0, 1, …

    The order is pip's. Raises RecipeError for a version or platform that is written otherwise.
    """
    from packaging.tags import compatible_tags, cpython_tags

    match = re.fullmatch(r"(\d+)\.(\d+)(?:\.\d+)?", version)
    if match is None:
        raise RecipeError(f"env.python: not a Python version: {version}", "Write it as 3.11.")
    python = (int(match[1]), int(match[2]))
    interpreter = f"cp{python[0]}{python[1]}"
    # Given, not asked of the interpreter that runs this: its own build must not decide.
    abi = interpreter + ("m" if python < (3, 8) else "")
    platforms = list(_platforms(platform))
    tags = [*cpython_tags(python, [abi], platforms), *compatible_tags(python, interpreter, platforms)]
    ranks: dict[Tag, int] = {}
    for tag in tags:
        ranks.setdefault(tag, len(ranks))
    return ranks


def _platforms(platform: str) -> Iterator[str]:
    match = _PLATFORM.fullmatch(platform)
    if match is None:
        raise RecipeError(
            f"env.python: not a platform that wheels can be chosen for: {platform}",
            "Write ARCH-manylinux_2_N, for example x86_64-manylinux_2_28.",
        )
    arch = match["arch"]
    oldest = 5 if arch in ("x86_64", "i686") else 17
    for minor in range(int(match["minor"] or 17), oldest - 1, -1):
        yield f"manylinux_2_{minor}_{arch}"
        if minor in _LEGACY:
            yield f"{_LEGACY[minor]}_{arch}"
    yield f"linux_{arch}"


UV_MINORS = (17, 28, *range(31, 41))
"""The N of all manylinux_2_N that `uv --python-platform` takes (uv 0.9 and newer)."""


def uv_platform(platform: str) -> str:
    """The newest platform that uv knows and that is not newer than this one."""
    match = _PLATFORM.fullmatch(platform)
    if match is None or match["minor"] is None:
        return platform
    fitting = [minor for minor in UV_MINORS if minor <= int(match["minor"])]
    return f"{match['arch']}-manylinux_2_{max(fitting)}" if fitting else platform


def is_newer_platform(platform: str, other: str) -> bool:
    """Whether a platform may have wheels that the other cannot load: of a newer C library, or another machine."""
    one, two = _PLATFORM.fullmatch(platform), _PLATFORM.fullmatch(other)
    if one is None or two is None:
        return platform != other
    return one["arch"] != two["arch"] or int(one["minor"] or 17) > int(two["minor"] or 17)


def best_wheel(files: Iterable[str], ranks: Mapping["Tag", int]) -> str | None:
    """The wheel file name that pip prefers (best tag, then highest build number), None if none fits."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    found: list[tuple[int, tuple[int, str], str]] = []
    for file in files:
        try:
            _, _, build, tags = parse_wheel_filename(file)
        except InvalidWheelFilename:
            continue
        if fitting := [ranks[tag] for tag in tags if tag in ranks]:
            found.append((-min(fitting), build if build else (-1, ""), file))
    return max(found)[2] if found else None
