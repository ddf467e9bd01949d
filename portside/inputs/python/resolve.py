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

from portside.config import Config
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs.pip_settings import read_pip_settings
from portside.inputs.python.exact import artefact_of, parse_requirement
from portside.inputs.python.index import Offer, indexes_and_links, is_remote, offer_of
from portside.inputs.python.tags import best_wheel, tag_ranks
from portside.inputs.transfer import path_of
from portside.lock.models import Artefact

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from packaging.tags import Tag

    from portside.store import Store

KEY = "env.python"
"""The recipe's key that messages name."""

_LONGEST_EXPLANATION = 14


def resolve_wheels(
    requirements: Sequence[str],
    *,
    version: str,
    platform: str,
    keep: Sequence[Artefact],
    update: Collection[str] | Literal["all"],
    installed: Mapping[str, str],
    config: Config,
    store: "Store",
) -> list[Artefact]:
    """The wheels that satisfy the requirements and everything they need, sorted by name.

    version, platform: of the target, '3.11' and 'x86_64-manylinux_2_28'. keep: the wheels of the lock so far; they
    stay unless `update` names them or the requirements no longer allow them. installed: name and version of what the
    base already has; it satisfies requirements, and neither it nor what only it needs is in the result (a version
    that is not PEP 440 satisfies every requirement).
    Raises RecipeError with uv's explanation if nothing satisfies the requirements, InputError for a package that has
    no wheel and for places that cannot be asked.
    """
    from packaging.utils import canonicalize_name

    ranks = tag_ranks(version, platform)
    base = {str(canonicalize_name(name)): number for name, number in installed.items()}
    updated = {str(canonicalize_name(name)) for name in update} if update != "all" else set()
    kept = {wheel.name: wheel for wheel in keep if update != "all" and wheel.name not in updated}
    wanted = [str(parse_requirement(text, KEY)) for text in requirements]
    with tempfile.TemporaryDirectory(prefix="portside-uv-") as folder:
        uv = _Uv(Path(folder), config, version, platform, base)
        packages = _compile(uv, wanted, kept)
    places = [place for kind in indexes_and_links(read_pip_settings(), config) for place in kind]
    elsewhere = places[0] if places and all(is_remote(place) for place in places) else ""
    artefacts = [
        _choose(package, kept.get(package["name"]), ranks, elsewhere, store)
        for package in packages
        if package["name"] not in base
    ]
    return sorted(artefacts, key=lambda artefact: artefact.name)


def _compile(uv: "_Uv", wanted: Sequence[str], kept: Mapping[str, Artefact]) -> list[dict[str, Any]]:
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
    store: "Store",
) -> Artefact:
    """The wheel of one resolved package: the kept one if it is of this version and fits, else what pip would take."""
    name, version = package["name"], package["version"]
    if kept is not None and kept.version == version and best_wheel([kept.file], ranks):
        return kept
    rows = (_offer(wheel, elsewhere) for wheel in package.get("wheels", ()))
    offers: dict[str, Offer] = {offer.file: offer for offer in rows if offer is not None}
    file = best_wheel(offers, ranks)
    if file is None:
        raise InputError(
            f"{KEY}: {name} {version} has no wheel for the target", "Allow another version of it in the recipe."
        )
    return artefact_of(name, version, offers[file], store)


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
class _Uv:
    """One call of `uv pip compile`, with pip's idea of where packages come from and nothing of uv's own settings."""

    folder: Path
    config: Config
    version: str
    platform: str
    installed: Mapping[str, str]

    def compile(
        self, requirements: Sequence[str], preferred: Mapping[str, str], fixed: Mapping[str, str]
    ) -> list[dict[str, Any]]:
        """The `packages` of the pylock.toml that uv writes. preferred, fixed: versions of packages, by name."""
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
        constraints.write_text("".join(f"{name}==={version}\n" for name, version in fixed.items()), encoding="utf-8")
        present, anything = self._stand_ins()
        source = self.folder / "requirements.in"
        source.write_text("\n".join([*requirements, *present]) + "\n", encoding="utf-8")
        excluded = self.folder / "excludes.txt"
        excluded.write_text("".join(f"{name}\n" for name in anything), encoding="utf-8")
        arguments = [str(source), "--output-file", str(output), "--excludes", str(excluded)]
        arguments += ["--constraints", str(constraints), "--python", sys.executable]
        arguments += ["--python-version", self.version, "--python-platform", self.platform]
        run = self._run([*arguments, "--format", "pylock.toml", "--only-binary", ":all:"])
        if run.returncode != 0:
            raise _failure(run.stderr, self.installed)
        packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8")).get("packages", [])
        return packages

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
            stem = f"{name.replace('-', '_')}-{version}"
            path = self.folder / f"{stem}-py3-none-any.whl"
            with zipfile.ZipFile(path, "w") as wheel:
                metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
                wheel.writestr(f"{stem}.dist-info/METADATA", metadata)
                wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
                wheel.writestr(f"{stem}.dist-info/RECORD", "")
            requirements.append(f"{name} @ {path.as_uri()}")
        return requirements, anything

    def _run(self, arguments: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        from uv import find_uv_bin

        settings = read_pip_settings()
        indexes, links = indexes_and_links(settings, self.config)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
        environment["UV_NO_WRAP"] = "1"  # what it says is read below, and COLUMNS would break its lines
        # Through the environment: an index's URL may hold a password, and arguments are visible to everyone.
        if indexes:
            environment |= {"UV_DEFAULT_INDEX": indexes[0], "UV_INDEX": " ".join(indexes[1:])}
        if settings.cert is not None:
            environment["SSL_CERT_FILE"] = settings.cert
        options = ["--no-config", "--quiet", "--color", "never", "--no-header", "--no-python-downloads"]
        options += ["--cache-dir", str(self.config.home / "uv"), "--system-certs"]
        # pip looks at all indexes alike.
        options += ["--index-strategy", "unsafe-best-match"] if indexes else ["--no-index"]
        options += [part for link in links for part in ("--find-links", link)]
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


def _failure(stderr: str, installed: Mapping[str, str]) -> Exception:
    """uv's error as ours. See `explanation` for its text."""
    text = re.sub(r"://[^/@\s]+@", "://", stderr)
    explanation, _, hints = text.partition("\nhint:")
    lines = [line.strip() for line in explanation.strip().splitlines() if line.strip()]
    lines = [line.removeprefix("error: ").removeprefix("cause: ") for line in lines]
    if len(lines) > _LONGEST_EXPLANATION:
        half = _LONGEST_EXPLANATION // 2
        lines = [*lines[:half], "…", *lines[-half:]]
    shown = "\n".join(f"  {line}" for line in lines)
    if "No solution found" not in explanation:
        return InputError(f"{KEY}: uv could not resolve the requirements:\n{shown}", "Check the network and the index.")
    built = re.findall(r"Wheels are required for `([^`]+)`", hints)
    only_source = [name for name in built if re.search(_NO_WHEELS.format(name=re.escape(name)), explanation)]
    if only_source:
        return InputError(
            f"{KEY}: {', '.join(only_source)} is only to be had as a source distribution:\n{shown}",
            "Allow a version that has a wheel, or build a wheel and put it into a folder that pip's find-links names.",
        )
    from_base = ", ".join(f"{name} {version}" for name, version in sorted(installed.items()) if name in explanation)
    hint = f" The base already has {from_base}, which stays." if from_base else ""
    return RecipeError(f"{KEY}: nothing satisfies the requirements:\n{shown}", f"Change {KEY} in the recipe.{hint}")


_NO_WHEELS = r"(?:all versions of {name} have|\b{name}==\S+ has) no usable wheels"
