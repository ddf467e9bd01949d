"""Calls of uv, which resolves; what it says as our errors."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portside.common.url import holds_secret, redact, secrets_of, shown, split_login, with_login
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.inputs.python.asking import KEY
from portside.inputs.python.bindings import Bound
from portside.inputs.python.index import indexes_and_links
from portside.inputs.python.tags import uv_platform
from portside.net.pip_settings import PipSettings, read_pip_settings
from portside.net.transfer import path_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    pass

_LONGEST_EXPLANATION = 14


@dataclass(frozen=True, slots=True)
class Uv:
    """Calls of `uv pip compile`, with pip's idea of where packages come from and nothing of uv's own settings.

    folder: for its files, empty at first. version, platform: of the target. installed: what the base already has.
    fixed: those of them that came with .debs. built: that the recipe has built. limits: constraints of every call.
    offline: ask no place, use what is known from before. replaceable: whether a recipe may name what of the base goes.
    bound: by name, what comes from one place alone, which nothing else comes from.
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
    bound: Mapping[str, Bound] = field(default_factory=dict)

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
        source = self._source([*requirements, *present])
        excluded = self.folder / "excludes.txt"
        excluded.write_text("".join(f"{name}\n" for name in anything), encoding="utf-8")
        arguments = [str(source), "--output-file", str(output), "--excludes", str(excluded)]
        arguments += ["--constraints", str(constraints), "--python", sys.executable]
        arguments += ["--python-version", self.version, "--python-platform", uv_platform(self.platform)]
        arguments += ["--offline"] if self.offline else []
        settings = read_pip_settings()
        indexes, pages = ([url.full for url in urls] for urls in indexes_and_links(settings, self.config))
        pages += [str(links)] if links is not None else []
        own = {kind: [b.place.full for b in self.bound.values() if b.page == kind] for kind in (False, True)}
        run = self._run([*arguments, "--format", "pylock.toml", "--only-binary", ":all:"], settings, indexes, pages)
        if run.returncode != 0:
            raise _failure(
                redact(run.stderr, secrets_of([*indexes, *pages, *own[False], *own[True]])),
                self.installed,
                self.fixed,
                self.built,
                replaceable=self.replaceable,
            )
        packages: list[dict[str, Any]] = tomllib.loads(output.read_text(encoding="utf-8")).get("packages", [])
        return check_places(packages, [*indexes, *own[False]], [*pages, *own[True]])

    def _source(self, requirements: Sequence[str]) -> Path:
        """The file with the requirements. uv knows the index of a package from who asks for it by its name: those that
        have one of their own are named here, whether or not anything needs them."""
        own = {name: bound for name, bound in self.bound.items() if name not in self.installed}
        if not own:
            source = self.folder / "requirements.in"
            source.write_text("\n".join(requirements) + "\n", encoding="utf-8")
            return source
        quoted = ", ".join(json.dumps(text) for text in (*requirements, *own))
        lines = ["[project]", 'name = "portside-asks-for-this"', 'version = "0"', f"dependencies = [{quoted}]"]
        places = sorted({(bound.place.full, bound.page) for bound in own.values()})
        numbers = {place: f"place-{number}" for number, place in enumerate(places)}
        lines += ["[tool.uv.sources]"]
        lines += [f'{name} = {{index = "{numbers[bound.place.full, bound.page]}"}}' for name, bound in own.items()]
        for (place, page), name in numbers.items():
            url = json.dumps(_link(place) if page else place)
            lines += ["[[tool.uv.index]]", f'name = "{name}"', f"url = {url}", "explicit = true"]
            lines += ['format = "flat"'] if page else []
        source = self.folder / "pyproject.toml"
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return source

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
        if not indexes and self.bound:
            empty = self.folder / "no-index"  # without any, uv asks none of their own either
            empty.mkdir(exist_ok=True)
            indexes = [empty.as_uri()]
        if indexes:
            # uv's default is the last one that it asks.
            environment |= {"UV_DEFAULT_INDEX": indexes[-1], "UV_INDEX": " ".join(indexes[:-1])}
        if links:
            environment["UV_FIND_LINKS"] = ",".join(map(_link, links))
        if settings.cert is not None:
            environment["SSL_CERT_FILE"] = settings.cert
        options = ["--no-config", "--quiet", "--color", "never", "--no-header", "--no-python-downloads"]
        own = [bound.place.full for bound in self.bound.values()]
        # uv's cache keeps the URLs of pages without their userinfo, and with their query.
        signed = any(holds_secret(split_login(place)[0]) for place in (*indexes, *links, *own))
        cache = self.folder / "cache" if signed else self.config.home / "uv"
        options += ["--cache-dir", str(cache), "--system-certs"]
        # Of several the first that has the name, never the best of all: no other can slip in a newer release.
        options += ["--index-strategy", "first-index"] if indexes else ["--no-index"]
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


class UnsatisfiedError(RecipeError):
    """Nothing satisfies the requirements. explanation: why, in uv's words."""

    def __init__(self, explanation: str, problem: str, solution: str) -> None:
        super().__init__(problem, solution)
        self._explanation = explanation

    def names(self, packages: Iterable[str]) -> list[str]:
        """Those of these packages (normalised) that the reason is about, the ones that have no file for the target
        first."""
        named = [name for name in packages if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", self._explanation)]
        lacking = r"(?:{name}\S* (?:has|have) no (?:usable )?wheels|no versions? of {name}\b|{name} was not found)"
        return sorted(named, key=lambda name: not re.search(lacking.format(name=re.escape(name)), self._explanation))

    def unknown(self, packages: Iterable[str]) -> list[str]:
        """Those of these packages that no place has."""
        return [
            name for name in packages if re.search(rf"(?<![\w.-]){re.escape(name)} was not found", self._explanation)
        ]


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
    return UnsatisfiedError(
        " ".join(explanation.split()),
        f"{KEY}: nothing satisfies the requirements:\n{shown}",
        f"Change {KEY} in the recipe.{hint}",
    )


_NO_WHEELS = r"(?:all versions of {name} have|\b{name}[=<>]\S+ has) no usable wheels"
