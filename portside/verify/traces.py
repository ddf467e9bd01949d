"""What gives a build away although two builds agree: the day both ran on, the name of the host both ran on."""

import datetime
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from portside.common.tree import Entry
from portside.layers.engine_layer import read
from portside.layers.raw import TarLayer
from portside.verify.cause import Cause, Window
from portside.verify.causes import writing_step
from portside.verify.verdict import Evidence

HOST_NAME = b"buildkitsandbox"
"""The host name in every RUN of BuildKit; other engines have others."""

LIMIT = 32 << 20
"""Bytes: larger files are searched in their beginning only."""


def traces(blob: Path, instructions: str, builds: Window, epoch: int) -> Iterator[Evidence]:
    """Files of a run layer that hold the day of the build or the name of its host.

    builds: when the second build ran. epoch: the newest date of all inputs; a day that they know is no trace.
    Files that are as a Debian package brought them are left alone: they are inputs.
    """
    entries = read(TarLayer(blob)).entries
    delivered = _delivered(entries)
    days = _days(builds, epoch)
    for path in sorted(entries):
        entry = entries[path]
        if entry.kind != "file" or entry.content is None:
            continue
        with entry.content.open() as stream:
            data = stream.read(min(LIMIT, entry.size))
        cause = _cause(data, days, builds)
        if cause is not None and delivered.get(path) != hashlib.md5(data, usedforsecurity=False).hexdigest():
            yield Evidence(path, None, (cause,), writing_step(path, instructions))


def _cause(data: bytes, days: Mapping[bytes, str], builds: Window) -> Cause | None:
    for needle, day in days.items():
        if needle in data:
            return Cause("time", f"it holds {needle.decode()!r}, the day of this build ({day}): both ran on one day")
    if seconds := _seconds(data, builds):
        return Cause("time", f"it holds {seconds}, the time of this build in seconds since 1970")
    if HOST_NAME in data:
        return Cause("host", f"it holds {HOST_NAME.decode()!r}, the host name that this engine gives to its builds")
    return None


def _days(builds: Window, epoch: int) -> dict[bytes, str]:
    """How programs write the days of the builds -> the day."""
    found: dict[bytes, str] = {}
    last_known = _date(epoch)
    day = _date(builds.first)
    while day <= _date(builds.last):
        if day > last_known:
            month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[day.month - 1]
            d, y = day.day, day.year
            spellings = {day.isoformat(), f"{day:%m/%d/%Y}", f"{day:%m/%d/%y}", f"{day:%d.%m.%Y}", f"{day:%Y/%m/%d}"}
            spellings |= {f"{d:02} {month} {y}", f"{d:2} {month} {y}", f"{month} {d:2} {y}", f"{month} {d}, {y}"}
            found |= {spelling.encode(): day.isoformat() for spelling in sorted(spellings)}
        day += datetime.timedelta(days=1)
    return found


def _date(seconds: int) -> datetime.date:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).date()


def _seconds(data: bytes, builds: Window) -> str | None:
    """A time within the builds, as ten decimal digits."""
    common = str(builds.first)
    while not str(builds.last).startswith(common):
        common = common[:-1]
    if common.encode() not in data:
        return None
    for match in re.finditer(rb"(?<!\d)\d{10}(?!\d)", data):
        if int(match[0]) in builds:
            return match[0].decode()
    return None


def _delivered(entries: Mapping[str, Entry]) -> dict[str, str]:
    """path -> MD5 of the files that packages of this layer brought, as dpkg's lists say."""
    found = {}
    for path, entry in entries.items():
        if path.startswith("var/lib/dpkg/info/") and path.endswith(".md5sums") and entry.kind == "file":
            for line in entry.read().decode("utf-8", "surrogateescape").splitlines():
                digest, _, name = line.partition("  ")
                found[name] = digest
    return found
