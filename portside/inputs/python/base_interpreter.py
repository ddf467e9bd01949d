"""The Python that an image has: what a recipe names as interpreter, read out of the image's files.

Where an interpreter finds its library follows CPython (Modules/getpath.py, and PEP 405 for virtual environments), where
it finds packages the module `site`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from portside.errors import RecipeError
from portside.inputs.python.installed import Distribution, in_folders
from portside.layers.image_files import ImageFiles

KEY = "env.python.interpreter"

_NAME = re.compile(r"python(3\.[0-9]+)[a-z]*")
_VERSION = re.compile(r"\s*(3\.[0-9]+)(?![0-9])")
_GLIBC = re.compile(rb"GNU C Library [^\n]{0,200}? version ([0-9]+)\.([0-9]+)")
_LIBRARIES = (*("lib/{machine}-linux-gnu", "usr/lib/{machine}-linux-gnu", "lib64", "usr/lib64", "lib", "usr/lib"),)
_LARGEST_LIBRARY = 64 << 20


@dataclass(frozen=True)
class BaseInterpreter:
    """path: as the recipe names it. version: '3.10'. platform: the newest whose wheels it can load. site: the folder
    that pip installs into. packages: what is installed, the one that it imports of each name (PEP 503)."""

    path: str
    version: str
    platform: str
    site: str
    packages: Mapping[str, Distribution]


@dataclass(frozen=True)
class _Home:
    """prefix: the interpreter's own, or that of the virtual environment. base: of the installation behind it.
    system: whether packages of that are seen."""

    prefix: str
    base: str
    version: str
    system: bool


def read_interpreter(files: ImageFiles, path: str, environment: Mapping[str, str], machine: str) -> BaseInterpreter:
    """What the files of an image say of one of its interpreters.

    path: absolute. environment: the image's variables. machine: `x86_64` or `aarch64`. Raises RecipeError where there
    is no such interpreter, or one that wheels cannot be chosen for.
    """
    _check_program(files, path)
    home = _home(files, path)
    folders = _folders(files, home)
    site = folders[0]
    search = [folder for folder in environment.get("PYTHONPATH", "").split(":") if folder.startswith("/")]
    packages = in_folders(files, [*search, *folders])
    return BaseInterpreter(path, home.version, f"{machine}-manylinux_{_glibc(files, machine)}", site, packages)


def _check_program(files: ImageFiles, path: str) -> None:
    if files.is_program(path):
        entry = files.entry(path)
        if entry is not None and entry.content is not None and entry.content.size > 2:
            with entry.content.open() as stream:
                start = stream.read(2)
            if start == b"#!":
                raise RecipeError(
                    f"{KEY}: {path} in the base is a script, and what it starts only an engine could tell",
                    "Name the interpreter itself.",
                )
        return
    folder = path if files.is_folder(path) else None
    found = [f"{path}/bin/{n}" for n in files.names(f"{path}/bin") if n in ("python", "python3")] if folder else []
    others = found or sorted(_interpreters(files))
    there = f"It has {', '.join(others[:8])}." if others else "It has none in the usual places."
    what = "a folder" if folder else "no program" if files.entry(path) is not None else "not there"
    raise RecipeError(f"{KEY}: {path} is {what} in the base", f"Name an interpreter of the base. {there}")


def _interpreters(files: ImageFiles) -> set[str]:
    """Interpreters in the folders where people put them."""
    folders = ["/usr/bin", "/usr/local/bin", "/opt/conda/bin", "/root/miniconda3/bin", "/opt/venv/bin", "/venv/bin"]
    for parent in ("/opt", "/torch/venv3", "/usr/local", "/opt/conda/envs", "/root/miniconda3/envs"):
        folders += [f"{parent}/{child}/bin" for child in files.names(parent)]
    return {f"{folder}/python3" for folder in folders if files.is_program(f"{folder}/python3")}


def _home(files: ImageFiles, path: str) -> _Home:
    folder = _parent(path)
    for place in (folder, _parent(folder)):
        text = files.text(f"{place}/pyvenv.cfg", 1 << 20)
        if text is not None:
            return _venv(files, path, place, text)
    prefix, version = _installation(files, path)
    return _Home(prefix, prefix, version, system=True)


def _venv(files: ImageFiles, path: str, prefix: str, text: str) -> _Home:
    """PEP 405: `key = value` lines; the keys are case-insensitive for the interpreter."""
    rows = [line.partition("=") for line in text.splitlines()]
    settings = {key.strip().lower(): value.strip() for key, equals, value in rows if equals}
    versions = [match[1] for key in ("version", "version_info") if (match := _VERSION.match(settings.get(key, "")))]
    home = settings.get("home", "")
    behind = [f"{home}/{program}" for program in _programs(files, home)]
    real = files.resolve(path)
    found = next((place for place in (real, *behind) if place and files.is_program(place)), None)
    base, version = _installation(files, found) if found else ("", versions[0] if versions else "")
    version = versions[0] if versions else version
    if not version:
        raise RecipeError(
            f"{KEY}: {prefix}/pyvenv.cfg in the base says neither its version nor where its Python is",
            "Name another interpreter of the base, or mend its virtual environment.",
        )
    system = settings.get("include-system-site-packages", "").lower() == "true"
    return _Home(prefix, base, version, system)


def _programs(files: ImageFiles, folder: str) -> list[str]:
    return [name for name in files.names(folder) if name in ("python3", "python") or _NAME.fullmatch(name)]


def _installation(files: ImageFiles, path: str) -> tuple[str, str]:
    """Prefix and version of the installation that a program belongs to: by its name, and the library beside it."""
    real = files.resolve(path) or path
    named = _NAME.fullmatch(real.rpartition("/")[2])
    folder = _parent(real)
    while True:
        found = [
            version
            for library in ("lib", "lib64")
            for child in files.names(f"{folder}/{library}")
            if (match := _NAME.fullmatch(child))
            and files.is_file(f"{folder}/{library}/{child}/os.py")
            and (version := match[1])
        ]
        if named is not None and named[1] in found:
            return folder or "/", named[1]
        if named is None and len(set(found)) == 1:
            return folder or "/", found[0]
        if not folder or (named is None and found):
            break
        folder = _parent(folder)
    raise RecipeError(
        f"{KEY}: no standard library belongs to {path} in the base"
        + (f": {real} could be of Python {' or '.join(sorted(set(found)))}" if found else ""),
        "Name the interpreter by its version, such as /usr/bin/python3.10.",
    )


def _folders(files: ImageFiles, home: _Home) -> list[str]:
    """Where packages are looked for, first that where pip puts them: `site.getsitepackages`, with Debian's additions
    (/usr/lib/python3/dist-packages/README.Debian of python3)."""
    own = _installed(files, home.prefix, home.version)
    if home.prefix == home.base:
        return own
    own = [f"{home.prefix}/lib/python{home.version}/site-packages", *own]
    return list(dict.fromkeys([*own, *(_installed(files, home.base, home.version) if home.system else ())]))


def _installed(files: ImageFiles, prefix: str, version: str) -> list[str]:
    prefix = prefix.rstrip("/")
    if prefix == "/usr" and files.is_folder("/usr/lib/python3/dist-packages"):
        return [f"/usr/local/lib/python{version}/dist-packages", "/usr/lib/python3/dist-packages"]
    folders = [f"{prefix}/{library}/python{version}/site-packages" for library in ("lib", "lib64")]
    if prefix == "/usr":
        # As Fedora and openEuler have it since Python 3.9: pip puts its packages below /usr/local.
        local = [f"/usr/local/{library}/python{version}/site-packages" for library in ("lib", "lib64")]
        folders = [*local, *folders] if any(map(files.is_folder, local)) else folders
    there: list[str] = []
    for folder in folders:
        # lib64 is often a link to lib.
        if files.is_folder(folder) and files.resolve(folder) not in map(files.resolve, there):
            there.append(folder)
    return there or folders[:1]


def _glibc(files: ImageFiles, machine: str) -> str:
    """`2_35`: what the image's libc says of itself; since 2.34 its file's name does not."""
    for folder in _LIBRARIES:
        data = files.data(f"/{folder.format(machine=machine)}/libc.so.6", _LARGEST_LIBRARY)
        match = _GLIBC.search(data) if data is not None else None
        if match is not None:
            return f"{int(match[1])}_{int(match[2])}"
    raise RecipeError(
        f"{KEY}: the base has no GNU C library that says its version: no wheels can be chosen for it",
        "Only wheels for it (manylinux) are known, none for musl. Name a base that has it.",
    )


def _parent(path: str) -> str:
    return path.rpartition("/")[0]
