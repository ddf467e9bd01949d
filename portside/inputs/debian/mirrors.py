"""Where this machine gets Debian packages from: its configuration and what its own apt knows. No host is named here."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from portside.common.url import SecretUrl
from portside.config import Config
from portside.errors import InputError
from portside.inputs.debian.control import check_deb, stanzas
from portside.inputs.debian.releases import distribution_of
from portside.inputs.debian.repositories import NOWHERE, Roots
from portside.lock.packages import Deb, DebOrigin

_TIMESTAMP = re.compile(r"(https?://\S+?)/\d{8}T\d{6}Z/?")
"""A root of a snapshot service at one time."""


@dataclass(frozen=True, slots=True)
class AptSource:
    """A repository in the machine's apt sources.

    suites: as written. signed_by: paths, fingerprints or a whole key, as written; "" without any.
    comments: the comment lines above and in it, without their `#`.
    """

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    signed_by: str
    comments: tuple[str, ...]


def mirrors(config: Config, suite: str) -> list[SecretUrl]:
    """Roots of mirrors that may have `suite`, in the order to ask them, without a slash at the end.

    First portside.toml's, then those of the machine's apt that have the suite, then its other mirrors of the main
    archive of the suite's distribution.
    Raises InputError where nothing names a mirror.
    """
    if roots := _roots(config, suite):
        return roots
    known = "this machine has no apt" if shutil.which("apt-get") is None else "this machine's apt knows none"
    name = distribution_of(suite).title
    raise InputError(f"no {name} mirror for {suite}: portside.toml names none and {known}", _remedy(suite))


def deb_locations(deb: Deb, origin: DebOrigin, config: Config, archives: Roots = NOWHERE) -> list[str]:
    """URLs that may have the bytes of a .deb, in the order to try them.

    The folders of portside.toml that hold a file of its name, the mirrors, the distribution's snapshot service.
    archives: the roots of those that the recipe names; what comes from one of them is looked for nowhere else.
    Raises InputError where there is none, or for a path that leaves a mirror.
    """
    check_deb(deb)
    path = quote(deb.path, safe="/~")
    names = dict.fromkeys([deb.path.rpartition("/")[2], _cache_name(deb)])
    found = [folder / name for folder in config.folder_paths for name in names]
    urls = [file.as_uri() for file in found if file.is_file()]
    if deb.archive is not None:
        urls += [f"{root.full}/{path}" for root in archives.get(deb.archive, ())]
        if not urls:
            raise InputError(
                f"nothing says where the archive {deb.archive} is, which has {deb.name} {deb.version}",
                f'Name its root in portside.toml: [archives] {deb.archive} = "URL"',
            )
        return list(dict.fromkeys(urls))
    urls += [f"{root.full}/{path}" for suite in origin.suites for root in _roots(config, suite)]
    if snapshot := snapshot_root(config, origin.suites[0]):
        urls.append(f"{snapshot.full}/{origin.snapshot}/{path}")
    urls = list(dict.fromkeys(urls))
    if not urls:
        raise InputError(
            f"nothing says where {deb.name} {deb.version} ({deb.path}) can be had", _remedy(origin.suites[0])
        )
    return urls


def snapshot_root(config: Config, suite: str) -> SecretUrl | None:
    """The root of the snapshot service of `suite`, without a slash at the end, or None where nothing names it.

    portside.toml's mirrors.debian_snapshot; apt's `Acquire::Snapshots::URI` (apt.conf(5), apt 2.7 and newer); a
    snapshot that the machine's apt sources use, or name in a comment as Debian's container images do.
    """
    if config.mirrors.debian_snapshot:
        return SecretUrl(config.mirrors.debian_snapshot.full.rstrip("/"))
    root = _apt_snapshot_root(suite)
    return None if root is None else SecretUrl(root)


def signed_by(suite: str) -> str:
    """What the machine's apt sources say about the keys of `suite`: paths or a whole key; "" without any."""
    return next((s.signed_by for s in _machine_sources() if suite in s.suites and s.signed_by), "")


def apt_settings(prefix: str) -> Iterator[tuple[str, str]]:
    """The machine's apt configuration below `prefix` (`Acquire::`): names and values; nothing without apt."""
    for line in _output("apt-config", "dump", "--no-empty").splitlines():
        if match := re.fullmatch(r'(\S+) "(.*)";', line):
            name, value = match.groups()
            if name.lower().startswith(prefix.lower()):
                yield name, value


def apt_paths(*settings: str) -> Iterator[tuple[str, str]]:
    """The absolute paths of settings of the machine's apt, such as `Dir::Etc::sourceparts/d` (apt-config(8))."""
    pairs = [word for number, setting in enumerate(settings) for word in (f"P{number}", setting)]
    for number, path in re.findall(r"^P(\d+)='(.*)'$", _output("apt-config", "shell", *pairs), re.MULTILINE):
        yield settings[int(number)].rpartition("/")[0], path


def parse_one_line(text: str) -> Iterator[AptSource]:
    """The repositories of a one-line style file (sources.list(5))."""
    comments: list[str] = []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("#"):
            comments.append(line.lstrip("# "))
        elif match := re.match(r"deb\s+(?:\[([^]]*)]\s+)?(\S+)\s+(\S+)", line):
            options, uri, suite = match.groups()
            key = re.search(r"signed-by\s*=\s*(\S+)", options or "", re.IGNORECASE)
            yield AptSource((uri,), (suite,), key[1].replace(",", " ") if key else "", tuple(comments))
            comments = []


def parse_deb822(text: str) -> Iterator[AptSource]:
    """The repositories of a deb822 style file (sources.list(5))."""
    for part in re.split(r"\n[ \t]*\n", text):
        comments = tuple(line.lstrip("# ") for line in part.splitlines() if line.startswith("#"))
        for stanza in stanzas(part):
            fields = {name.lower(): value for name, value in stanza.items()}
            if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes").lower() != "no":
                uris, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
                yield AptSource(tuple(uris), tuple(suites), fields.get("signed-by", ""), comments)


def find_snapshot(sources: Iterable[AptSource], suite: str) -> str | None:
    """The root of a snapshot service that apt sources use or name in a comment, without a slash at the end.

    One that is named for `suite`, else one of Debian's main archive, whose last folder is by convention called debian.
    """
    others: list[str] = []
    for source in sources:
        # A comment in a deb822 file is the URL alone; in a one-line file it is a whole line, which names its suite.
        named = [comment.removeprefix("deb ").split() for comment in source.comments]
        for words in [[uri] for uri in source.uris] + named:
            match = _TIMESTAMP.fullmatch(words[0]) if words else None
            if match is None:
                continue
            if suite in (words[1:2] or source.suites):
                return match[1]
            if match[1].endswith("/debian"):
                others.append(match[1])
    return others[0] if others else None


def _remedy(suite: str) -> str:
    name = distribution_of(suite).name
    return (
        f"Name the root of a mirror (the folder that has dists/ and pool/) as mirrors.{name} in portside.toml, or add "
        f"{distribution_of(suite).title} to this machine's apt sources."
    )


def _roots(config: Config, suite: str) -> list[SecretUrl]:
    configured = [root.full.rstrip("/") for root in getattr(config.mirrors, distribution_of(suite).name)]
    return [SecretUrl(root) for root in dict.fromkeys([*configured, *_apt_roots(suite)])]


@lru_cache
def _apt_roots(suite: str) -> tuple[str, ...]:
    return tuple(find_roots(_output("apt-get", "update", "--print-uris"), suite))


def find_roots(uris: str, suite: str) -> Iterator[str]:
    """The mirrors among what `apt-get update --print-uris` prints, which knows every form of apt's sources.

    Those that have the suite come first, then those that have another suite of the main archive: by convention their
    last folder is called as releases.yaml says. Only what anything but apt can read: http, https and local files.
    """
    found = re.findall(r"^'(.*)/dists/(.+?)/InRelease'", uris, re.MULTILINE)
    having = [root for root, name in found if name == suite]
    family = distribution_of(suite)
    folders = (*family.folders, *(family.security if suite.endswith("-security") else ()))
    ends = tuple(f"/{folder}" for folder in folders)
    others = [root for root, name in found if name != suite and root.endswith(ends)]
    for root in dict.fromkeys(having + others):
        if re.match(r"https?://", root):
            yield root
        elif local := re.fullmatch(r"(?:file|copy):/*(/.*)", root):
            yield "file://" + quote(local[1])


@lru_cache
def _apt_snapshot_root(suite: str) -> str | None:
    settings = {name.lower(): value for name, value in apt_settings("Acquire::Snapshots::URI::")}
    for kind in ("override::label", "override::origin", "label", "origin"):
        value = settings.get(f"acquire::snapshots::uri::{kind}::debian", "")
        root, marker, _ = value.partition("/@SNAPSHOTID@")
        if marker:
            return root
    return find_snapshot(_machine_sources(), suite)


def _machine_sources() -> list[AptSource]:
    found: list[AptSource] = []
    for _, place in apt_paths("Dir::Etc::sourcelist/f", "Dir::Etc::sourceparts/d"):
        path = Path(place)
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        for file in files:
            if not file.is_file():
                continue
            text = file.read_text(encoding="utf-8", errors="replace")
            if file.suffix == ".list":
                found += parse_one_line(text)
            elif file.suffix == ".sources":
                found += parse_deb822(text)
    return found


def _output(*command: str) -> str:
    """What a command of the machine's apt prints; "" where it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def _cache_name(deb: Deb) -> str:
    """The file name that apt gives a .deb it downloads."""
    return f"{deb.name}_{deb.version.replace(':', '%3a')}_{deb.architecture}.deb"
