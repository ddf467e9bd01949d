"""BuildKit's cache in a Docker daemon, through its API: `/system/df` lists it, `/build/prune` removes records of it."""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from portside.engines.base import CacheRecord
from portside.engines.docker_sdk import explained

AT_ONCE = 500
"""How many IDs one request names; they are in its URL."""
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_ID = re.compile(r"[0-9a-z]+")


class DockerCache:
    """read: a JSON answer of the API. api: gives the SDK's client. version: of the API, such as `1.41`."""

    def __init__(self, read: Callable[[str], Any], api: Callable[[], Any], version: str) -> None:
        self._read = read
        self._api = api
        # Since 1.42 the daemon need not measure images and volumes too.
        major, minor = map(int, version.split("."))
        self._list = "/system/df?type=build-cache" if (major, minor) >= (1, 42) else "/system/df"

    def now(self) -> int | None:
        return nanoseconds(self._read("/info").get("SystemTime"))

    def records(self) -> list[CacheRecord]:
        return [_record(row) for row in self._read(self._list).get("BuildCache") or ()]

    def remove(self, ids: Collection[str]) -> set[str]:
        """A filter by ID is a regular expression of BuildKit's, which takes one of them."""
        wanted = sorted(name for name in ids if _ID.fullmatch(name))
        gone: set[str] = set()
        for start in range(0, len(wanted), AT_ONCE):
            names = "|".join(wanted[start : start + AT_ONCE])
            with explained("removing records of its build cache"):
                # all: those too that an image shares its layers with; the image keeps them.
                answer = self._api().prune_builds(filters={"id": [f'"^({names})$"']}, all=True)
            gone.update(answer.get("CachesDeleted") or ())
        return gone


def _record(row: Mapping[str, Any]) -> CacheRecord:
    row = {key.strip(): value for key, value in row.items()}  # Docker 28 calls a field " Parents"
    parents = row.get("Parents") or ([row["Parent"]] if row.get("Parent") else [])
    return CacheRecord(
        str(row["ID"]),
        str(row["Type"]),
        str(row["Description"]),
        tuple(parents),
        int(row["Size"]),
        nanoseconds(row.get("CreatedAt")) or 0,
        nanoseconds(row.get("LastUsedAt")) or 0,
        bool(row["InUse"]),
    )


def nanoseconds(text: Any) -> int | None:
    """A time of RFC 3339 as nanoseconds since 1970, None for anything else; Python 3.10 reads few fractions."""
    found = _TIME.fullmatch(str(text))
    if found is None:
        return None
    seconds = int(datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00")).timestamp())
    return seconds * 10**9 + int((found[2] or "").ljust(9, "0"))
