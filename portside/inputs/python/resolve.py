"""The wheels of an environment: uv resolves, the file is the one that pip would choose on the target."""

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urldefrag, urlsplit

from portside.common.url import holds_secret, redact, secrets_of, shown, split_login, with_login
from portside.config import Config
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs.python.asking import KEY, Asking
from portside.inputs.python.exact import artefact_of
from portside.inputs.python.index import Offer, indexes_and_links, is_remote, offer_of
from portside.inputs.python.tags import best_wheel, tag_ranks, uv_platform
from portside.lock.packages import Artefact
from portside.net.pip_settings import PipSettings, read_pip_settings
from portside.net.transfer import path_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from packaging.tags import Tag

    from portside.store import Store

_LONGEST_EXPLANATION = 14


def resolve_wheels(
    of: Asking,
    *,
    keep: Sequence[Artefact],
    update: Collection[str] | Literal["all"],
    installed: Mapping[str, str],
    config: Config,
    store: "Store",
    fixed: Collection[str] = (),
    built: Collection[str] = (),
    replaceable: bool = False,
) -> list[Artefact]:
    """The wheels that satisfy what is asked for and everything they need, sorted by name.

    keep: the wheels of the lock so far; they
    stay unless `update` names them or the requirements no longer allow them. installed: name and version of what the
    base already has; it satisfies requirements, and neither it nor what only it needs is in the result (a version
    that is not PEP 440 satisfies every requirement). fixed: those of them that came with .debs; built: that the recipe
    has built; both for what errors say. replaceable: as of `Uv`. Raises RecipeError with uv's explanation if nothing
    satisfies the requirements, InputError for a package that has no wheel and for places that cannot be asked.
    """
    from packaging.utils import canonicalize_name

    ranks = tag_ranks(of.version, of.platform)
    base = {str(canonicalize_name(name)): number for name, number in installed.items()}
    updated = {str(canonicalize_name(name)) for name in update} if update != "all" else set()
    kept = {wheel.name: wheel for wheel in keep if update != "all" and wheel.name not in updated}
    with tempfile.TemporaryDirectory(prefix="portside-uv-") as folder:
        limits = tuple(of.constraints)
        uv = Uv(
            Path(folder),
            config,
            of.version,
            of.platform,
            base,
            frozenset(fixed),
            frozenset(built),
            limits=limits,
            replaceable=replaceable,
        )
        packages = _compile(uv, of.requirements, kept)
    places = [place for kind in indexes_and_links(read_pip_settings(), config) for place in kind]
    elsewhere = places[0].full if places and all(is_remote(place.full) for place in places) else ""
    artefacts = [
        _choose(package, kept.get(package["name"]), ranks, elsewhere, of, store)
        for package in packages
        if package["name"] not in base
    ]
    return sorted(artefacts, key=lambda artefact: artefact.name)


def _compile(uv: "Uv", wanted: Sequence[str], kept: Mapping[str, Artefact]) -> list[dict[str, Any]]:
    """The resolved packages, at the versions of `kept` wherever nothing else has to change for it.

    uv only prefers those versions, and turns one down where the first index that has the version lacks a wheel for the
    target. So each that moved is asked for by itself, and stays if everything else is as it was or as it was kept.
    """
    pins = {name: wheel.version for name, wheel in kept.items()}
    packages = uv.compile(wanted, pins, {})
    fixed: dict[str, str] = {}
    for package in packages:
        name = package["name"]
        if pins.get(name, package["version"]) == package["version"]:
            continue
        trial = {**fixed, name: pins[name]}
        try:
            found = uv.compile(wanted, pins, trial)
        except PortsideError:
            continue  # what is wanted now does not allow it
        before = {row["name"]: row["version"] for row in packages}
        if all(row["version"] in (pins.get(row["name"]), before.get(row["name"])) for row in found):
            packages, fixed = found, trial
    return packages


def _choose(
    package: Mapping[str, Any],
    kept: Artefact | None,
    ranks: "Mapping[Tag, int]",
    elsewhere: str,
    of: Asking,
    store: "Store",
) -> Artefact:
    """The wheel of one resolved package: the kept one if it is of this version and fits, else what pip would take."""
    name, version = package["name"], package["version"]
    hashes = of.hashes.get(name)
    is_allowed = kept is not None and (hashes is None or kept.sha256 in hashes)
    if kept is not None and is_allowed and kept.version == version and best_wheel([kept.file], ranks):
        return kept
    rows = (_offer(wheel, elsewhere) for wheel in package.get("wheels", ()))
    offers: dict[str, Offer] = {offer.file: offer for offer in rows if offer is not None}
    any_fits = best_wheel(offers, ranks) is not None
    while (file := best_wheel(offers, ranks)) is not None:
        offer = offers.pop(file)
        if hashes is None or offer.sha256 is None or offer.sha256 in hashes:
            artefact = artefact_of(name, version, offer, store)
            if hashes is None or artefact.sha256 in hashes:
                return artefact
    if any_fits:
        raise InputError(
            f"{KEY}: no wheel of {name} {version} for the target has a hash that is asked for by {of.origins(name)}",
            f"Allow another version, or leave {name} out there and name it in the recipe.",
        )
    raise InputError(
        f"{KEY}: {name} {version} has no wheel for the target", "Allow another version of it in the recipe."
    )


def _offer(wheel: Mapping[str, Any], elsewhere: str) -> Offer | None:
    """A `wheels` entry of a pylock.toml (PEP 751), which says what an index said to uv; None for one of no use.

    elsewhere: one of the indexes if all are on other machines, else "".
    """
    try:
        place = str(wheel["url"])
        file = wheel.get("name") or unquote(urlsplit(place).path).rpartition("/")[2]
        size = wheel.get("size")
        if size is None and place.startswith("file://"):
            size = path_of(place).stat().st_size
        return offer_of(elsewhere, file, urldefrag(place).url, wheel.get("hashes", {}).get("sha256"), size)
    except (ValueError, KeyError, AttributeError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Uv:
    """Calls of `uv pip compile`, with pip's idea of where packages come from and nothing of uv's own settings.

    folder: for its files, empty at first. version, platform: of the target. installed: what the base already has.
    fixed: those of them that came with .debs. built: that the recipe has built. limits: constraints of every call.
    offline: ask no place, use what is known from before. replaceable: whether a recipe may name what of the base goes.
    """

    folder: Path
    config: Config
    version: str
    platform: str
    installed: Mapping[str, str]
    fixed: frozenset[str] = frozenset()
    built: frozenset[str] = frozenset()
    offline: bool = False
    limits: tuple[str, ...] = ()
    replaceable: bool = False

    def compile(
        self,
        requirements: Sequence[str],
        preferred: Mapping[str, str],
        fixed: Mapping[str, str],
        more: Sequence[str] = (),
        links: Path | None = None,
    ) -> list[dict[str, Any]]:
        """The `packages` of the pylock.toml that uv writes. preferred, fixed: versions of packages, by name.

        more: further constraints. links: a folder with wheels that are there besides. Raises RecipeError where nothing
        satisfies the requirements, OnlySourceError where that is for want of wheels, InputError otherwise.
        """
        output = self.folder / "pylock.toml"
        output.unlink(missing_ok=True)
        # What uv finds in its output file it prefers; that is how pins stay.
        pins = "".join(
            f'[[packages]]\nname = "{name}"\nversion = "{version}"\n'
            for name, version in preferred.items()
            if name not in fixed
        )
        if pins:
            output.write_text(f'lock-version = "1.0"\ncreated-by = "portside"\n{pins}', encoding="utf-8")
        constraints = self.folder / "constraints.txt"
        limits = [*(f"{name}==={version}" for name, version in fixed.items()), *self.limits, *more]
        constraints.write_text("".join(f"{limit}\n" for limit in limits), encoding="utf-8")
        present, anything = self._stand_ins()
        source = self.folder / "requirements.in"
        source.write_text("\n".join([*requirements, *present]) + "\n", encoding="utf-8")
        excluded = self.folder / "excludes.txt"
        excluded.write_text("".join(f"{name}\n" for name in anything), encoding="utf-8")
        arguments = [str(source), "--output-file", str(output), "--excludes", str(excluded)]
        arguments += ["--constraints", str(constraints), "--python", sys.executable]
        arguments += ["--python-version", self.version, "--python-platform", uv_platform(self.platform)]
        arguments += ["--offline"] if self.offline else []
        settings = read_pip_settings()
        indexes, pages = ([url.full for url in urls] for urls in indexes_and_links(settings, self.config))
        pages += [str(links)] if links is not None else []
        run = self._run([*arguments, "--format", "pylock.toml", "--only-binary", ":all:"], settings, indexes, pages)
        if run.returncode != 0:
            raise _failure(
                redact(run.stderr, secrets_of([*indexes, *pages])),
                self.installed,
                self.fixed,
                self.built,
                replaceable=self.replaceable,
            )
        packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8")).get("packages", [])
        return check_places(packages, indexes, pages)

    def _stand_ins(self) -> tuple[list[str], list[str]]:
        """Requirements on wheels without content or needs that stand for the installed packages.

        The second list: names whose versions say nothing, to be left out of every package's needs.
        """
        from packaging.version import InvalidVersion, Version

        requirements: list[str] = []
        anything: list[str] = []
        for name, number in sorted(self.installed.items()):
            try:
                version = str(Version(number))
            except InvalidVersion:
                anything.append(name)
                continue
            requirements.append(f"{name} @ {stand_in(self.folder, name, version).as_uri()}")
        return requirements, anything

    def _run(
        self, arguments: Sequence[str], settings: PipSettings, indexes: Sequence[str], links: Sequence[str]
    ) -> "subprocess.CompletedProcess[str]":
        from uv import find_uv_bin

        environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
        environment["UV_NO_WRAP"] = "1"  # what it says is read below, and COLUMNS would break its lines
        # Through the environment: these URLs may hold passwords, and arguments are visible to everyone.
        if indexes:
            environment |= {"UV_DEFAULT_INDEX": indexes[0], "UV_INDEX": " ".join(indexes[1:])}
        if links:
            environment["UV_FIND_LINKS"] = ",".join(map(_link, links))
        if settings.cert is not None:
            environment["SSL_CERT_FILE"] = settings.cert
        options = ["--no-config", "--quiet", "--color", "never", "--no-header", "--no-python-downloads"]
        # uv's cache keeps the URLs of pages without their userinfo, and with their query.
        signed = any(holds_secret(split_login(place)[0]) for place in (*indexes, *links))
        cache = self.folder / "cache" if signed else self.config.home / "uv"
        options += ["--cache-dir", str(cache), "--system-certs"]
        # pip looks at all indexes alike.
        options += ["--index-strategy", "unsafe-best-match"] if indexes else ["--no-index"]
        options += [part for host in settings.trusted_hosts for part in ("--allow-insecure-host", host)]
        return subprocess.run(
            [find_uv_bin(), "pip", "compile", *options, *arguments],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
        )


def check_places(packages: list[dict[str, Any]], indexes: Sequence[str], links: Sequence[str]) -> list[dict[str, Any]]:
    """The packages of a pylock.toml, their files' URLs with the password that a given place on the same server has.

    indexes, links: as configured. uv follows every redirect and every link, and does not say which of them a server
    sent it along, so what came out is looked at. Raises InputError for a file of this machine that no place on this
    machine can have named, for http where no place is asked by http, and for every other scheme.
    """
    any_file = any(map(_is_local, indexes))
    folders = {_path(link).resolve() for link in links if _is_local(link)}
    any_http = any(place.lower().startswith("http://") for place in (*indexes, *links))
    for package in packages:
        for file in (*package.get("wheels", ()), *filter(None, [package.get("sdist")])):
            url = str(file.get("url", ""))
            scheme = url.partition(":")[0].lower()
            if scheme == "file":
                allowed = any_file or not folders.isdisjoint(path_of(url).resolve().parents)
            else:
                allowed = scheme in ("", "https") or (scheme == "http" and any_http)
            if not allowed:
                raise InputError(
                    f"{KEY}: for {package['name']} an index leads to {shown(url)}, which is refused: no place that is "
                    f"configured here is asked {'by http' if scheme == 'http' else 'that way'}",
                    "Look at the indexes that portside.toml (mirrors.pypi) or pip's configuration names.",
                )
            if url:
                file["url"] = with_login(url, [*indexes, *links])
    return packages


def _is_local(place: str) -> bool:
    return "://" not in place or place.lower().startswith("file:")


def _path(place: str) -> Path:
    return path_of(place) if "://" in place else Path(os.path.expanduser(place)).absolute()


def _link(place: str) -> str:
    """A find-links place as uv reads it in UV_FIND_LINKS, where a comma begins the next one."""
    return place.replace(",", "%2C") if "://" in place else _path(place).as_uri()


def stand_in(folder: Path, name: str, version: str, python: str | None = None) -> Path:
    """Make a wheel without content or needs. name: normalised. python: the versions of Python that it is for."""
    stem = f"{name.replace('-', '_')}-{version}"
    path = folder / f"{stem}-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Python: {python}\n" if python else ""
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", metadata)
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")
    return path


class OnlySourceError(InputError):
    """The requirements need packages that have no wheel for the target. names: normalised."""

    def __init__(self, names: Sequence[str], problem: str, solution: str) -> None:
        super().__init__(problem, solution)
        self.names = names


def _failure(
    stderr: str,
    installed: Mapping[str, str],
    fixed: Collection[str] = (),
    built: Collection[str] = (),
    *,
    replaceable: bool,
) -> Exception:
    """uv's error as ours, without secrets already. replaceable: whether a recipe may say what of the base goes."""
    unless = " unless env.python.replace names it" if replaceable else ""
    explanation, _, hints = stderr.partition("\nhint:")
    lines = [line.strip() for line in explanation.strip().splitlines() if line.strip()]
    lines = [line.removeprefix("error: ").removeprefix("cause: ") for line in lines]
    if len(lines) > _LONGEST_EXPLANATION:
        half = _LONGEST_EXPLANATION // 2
        lines = [*lines[:half], "…", *lines[-half:]]
    shown = "\n".join(f"  {line}" for line in lines)
    if "No solution found" not in explanation:
        return InputError(f"{KEY}: uv could not resolve the requirements:\n{shown}", "Check the network and the index.")
    lacking = re.findall(r"Wheels are required for `([^`]+)`", hints)
    only_source = [name for name in lacking if re.search(_NO_WHEELS.format(name=re.escape(name)), explanation)]
    if only_source:
        return OnlySourceError(
            only_source,
            f"{KEY}: {', '.join(only_source)} is only to be had as a source distribution:\n{shown}",
            f"Allow a version that has a wheel, or have it built: {KEY}.build: [{', '.join(only_source)}].",
        )
    named = [name for name in sorted(installed) if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", explanation)]
    from_base = ", ".join(f"{name} {installed[name]}" for name in named if name not in {*fixed, *built})
    from_debian = ", ".join(f"{name} {installed[name]}" for name in named if name in fixed)
    from_sdist = ", ".join(f"{name} {installed[name]}" for name in named if name in built)
    hint = f" The base already has {from_base}, which stays{unless}." if from_base else ""
    hint += f" Debian's packages bring {from_debian}, and this Debian's pip cannot replace it." if from_debian else ""
    hint += f" {KEY}.build has {from_sdist}." if from_sdist else ""
    return RecipeError(f"{KEY}: nothing satisfies the requirements:\n{shown}", f"Change {KEY} in the recipe.{hint}")


_NO_WHEELS = r"(?:all versions of {name} have|\b{name}[=<>]\S+ has) no usable wheels"
