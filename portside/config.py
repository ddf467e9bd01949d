"""Where things are on this machine. Nothing of it enters a lock, a key or an image.

Sources, the first that says something wins: the environment (PORTSIDE_HOME, PORTSIDE_ENGINE), `portside.toml`
in the project's root, `portside.toml` in the user's configuration folder, defaults by platformdirs.
"""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
)

from portside.common.explain import explain
from portside.common.fields import Matching, Name, RegistryMirror, RegistryPrefix, Repository
from portside.common.home import NOWHERE, own_folder
from portside.common.url import SecretUrl
from portside.common.version import __version__
from portside.common.yaml_file import FileLine, Location
from portside.errors import RecipeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "portside.toml"
HELP = "docs/configuration.md describes every key."


def _folder(value: object) -> object:
    if not isinstance(value, str | Path):
        return value
    path = Path(os.path.expanduser(value))
    if not path.is_absolute():
        raise ValueError("expected an absolute path, or one that begins with ~")
    return path


def _versions(value: str) -> str:
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        raise ValueError("expected versions as pip writes them, like '>=0.1' or '>=0.1, <2'") from None
    return value


Versions = Annotated[str, AfterValidator(_versions)]
Folder = Annotated[Path, BeforeValidator(_folder)]


class KeptFolder(BaseModel):
    """A folder, and what becomes of the large files that are found there."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    path: Folder
    keep: Literal["copy", "in place"] = Field(
        "copy",
        description="copy: into the store, sharing blocks where the file system can; in place: left where they are",
    )


def _form_of(table: type[BaseModel]) -> Discriminator:
    """Tells a name from a table, where settings take either."""
    return Discriminator(lambda value: "table" if isinstance(value, dict | table) else "name")


AnyFolder = Annotated[
    Annotated[Folder, Tag("name")] | Annotated[KeptFolder, Tag("table")],
    _form_of(KeptFolder),
]


class IndexPage(BaseModel):
    """A page or folder that names files of packages, as pip's --find-links."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, populate_by_name=True)

    place: SecretUrl = Field(alias="find-links")


def _index_form(value: object) -> str:
    return "table" if isinstance(value, dict | IndexPage) else "url"


AnyIndex = Annotated[
    Annotated[SecretUrl, Tag("url")] | Annotated[IndexPage, Tag("table")],
    Discriminator(_index_form),
]


class Mirrors(BaseModel):
    """Places that have the bytes; asked before the places the machine's own package tools know."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    debian: tuple[SecretUrl, ...] = Field(
        (), description="roots of Debian mirrors (the folder that has dists/ and pool/)"
    )
    ubuntu: tuple[SecretUrl, ...] = Field(
        (), description="roots of Ubuntu mirrors; that of its ports too, which has the suites of arm64"
    )
    debian_snapshot: SecretUrl | None = Field(
        None, description="root of the distribution's snapshot service: ROOT/TIMESTAMP/ has dists/ and pool/"
    )
    pypi: tuple[SecretUrl, ...] = Field((), description="simple indexes; without any, pip's own configuration counts")
    registries: dict[RegistryPrefix, RegistryMirror] = Field(
        {},
        description="HOST[:PORT][/PATH] of an image -> the same of where to ask instead; http:// in front: without TLS",
    )
    huggingface: tuple[SecretUrl, ...] = Field((), description="endpoints that answer as Hugging Face's hub does")
    modelscope: tuple[SecretUrl, ...] = Field((), description="endpoints that answer as ModelScope does")
    git: dict[str, SecretUrl] = Field({}, description="URL prefix -> the prefix to use instead, as git's insteadOf")


BuilderName = Annotated[
    str, Matching(r"^[A-Za-z][A-Za-z0-9._-]*$", "the name of a builder, as `docker buildx ls` shows it")
]


class BuilderSettings(BaseModel):
    """A builder of docker's buildx that may execute run parts."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: BuilderName = Field(description="what `docker buildx ls` calls it")
    architectures: tuple[Literal["amd64", "arm64"], ...] = Field(
        (), description="that it is used for, such as arm64; default: all that it says it executes"
    )
    registry: Repository | None = Field(
        None,
        description="HOST[:PORT]/REPOSITORY that it reaches too, and that images go through; default: they are sent",
    )


AnyBuilder = Annotated[
    Annotated[BuilderName, Tag("name")] | Annotated[BuilderSettings, Tag("table")],
    _form_of(BuilderSettings),
]


class Override(BaseModel):
    """Names that are in the project's folder as well as in Portside, where the project's file counts."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    rulesets: tuple[Name, ...] = Field((), description="of files in the project's rulesets/")
    accelerators: tuple[Name, ...] = Field((), description="of files in the project's accelerators/")


_JOINED = ("mirrors", "archives", "indexes")
"""Keys of which a project's file says some and the person's own file others."""


class Config(BaseModel):
    """The machine's configuration: the keys of portside.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    requires: Versions | None = Field(None, description="the versions of Portside that may be used, as pip writes them")
    home: Folder = Field(description="the store (PORTSIDE_HOME)")
    engine: Literal["docker", "podman"] | None = Field(
        None, description="docker or podman (PORTSIDE_ENGINE); default: docker, or podman where no Docker answers"
    )
    builders: tuple[AnyBuilder, ...] = Field(
        (), description="builders of docker buildx for run parts, the preferred one first; or {name, architectures, …}"
    )
    folders: tuple[AnyFolder, ...] = Field(
        (), description="folders with files already downloaded, at their names or at SET/PATH; or {path, keep}"
    )
    registries: tuple[Repository, ...] = Field(
        (), description="HOST[:PORT]/REPOSITORY: asked for layers before they are built; http:// in front: without TLS"
    )
    mirrors: Mirrors = Field(default_factory=Mirrors)
    keyrings: dict[Name, Folder] = Field(
        {}, description="code name of a suite -> the keyring whose keys sign its archive and its updates"
    )
    archives: dict[Name, SecretUrl] = Field(
        {}, description="names of env.archives -> the roots of these archives, before the URLs of recipes"
    )
    indexes: dict[Name, AnyIndex] = Field(
        {},
        description='names for env.python.indexes: NAME = "URL" of a simple index, or {find-links = "URL"}',
    )
    override: Override = Field(
        default_factory=Override, description="only in a project's file: it is about what the project is"
    )

    @property
    def builder_settings(self) -> tuple[BuilderSettings, ...]:
        """The builders, in the order of their preference."""
        return tuple(
            item if isinstance(item, BuilderSettings) else BuilderSettings(name=item) for item in self.builders
        )

    @property
    def folder_paths(self) -> tuple[Path, ...]:
        """The folders, in the order in which they are looked into."""
        return tuple(folder.path if isinstance(folder, KeptFolder) else folder for folder in self.folders)

    def is_in_place(self, path: Path) -> bool:
        """Whether a file lies in a folder whose large files are left where they are."""
        kept = (folder.path for folder in self.folders if isinstance(folder, KeptFolder) and folder.keep == "in place")
        return any(path.is_relative_to(folder) for folder in kept)


def load_config(root: Path | None) -> Config:
    """Read the configuration that counts for the project at `root`, or without a project (None).

    A key that the project's file has counts for it, whatever the person's own file says. Raises RecipeError that names
    the file, the line and the key.
    """
    import platformdirs

    values: dict[str, Any] = {"home": own_folder(lambda: platformdirs.user_data_dir("portside"))}
    places = [own_folder(lambda: platformdirs.user_config_dir("portside")), *([root] if root else [])]
    for path in (place / FILE_NAME for place in places):
        if path.is_file():
            read = _read(path)
            if "override" in read and path.parent != root:
                place = _places(path, path.read_text(encoding="utf-8"), read)[("override",)]
                raise RecipeError(f"{place}: override: this is for the portside.toml of a project", HELP)
            values |= read | {key: values.get(key, {}) | read[key] for key in _JOINED if key in read}
    found = Config.model_validate(values)
    overrides: dict[str, object] = {}
    if home := os.environ.get("PORTSIDE_HOME"):
        path = Path(os.path.expanduser(home))
        if home.startswith("~") and not path.is_absolute():
            raise RecipeError(f"PORTSIDE_HOME is {home}, and nobody knows that home", "Write the whole path.")
        overrides["home"] = path.absolute()
    elif found.home.is_relative_to(NOWHERE):
        raise RecipeError(
            "this user has no home (no HOME, and no entry in /etc/passwd), so there is no place for the store",
            "Set PORTSIDE_HOME to a folder you may write to.",
        )
    if engine := os.environ.get("PORTSIDE_ENGINE"):
        overrides["engine"] = engine
    return found.model_copy(update=overrides)


def overridden(root: Path, kind: str) -> tuple[str, ...]:
    """The names for which the files of the project at `root` count before Portside's own. kind: a key of `override`.

    Raises RecipeError as `load_config` does.
    """
    path = root / FILE_NAME
    return tuple(_read(path).get("override", {}).get(kind, ())) if path.is_file() else ()


def _read(path: Path) -> dict[str, Any]:
    """The keys of one file; all of them must be right, whatever the environment or another file replaces."""

    try:
        text = path.read_text(encoding="utf-8")
        values: dict[str, Any] = tomllib.loads(text)
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", "Look at its rights: ls -l") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: expected text in UTF-8", "Save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"{path}: not valid TOML: {error}", HELP) from None
    _check_version(path, values.get("requires"))
    try:
        Config.model_validate({"home": NOWHERE} | values)
    except ValidationError as error:
        lines = explain(error, Config, _places(path, text, values), FileLine(path, 1))
        raise RecipeError("\n".join(lines), HELP) from None
    return values


def _check_version(path: Path, requires: object) -> None:
    """Before anything else is looked at: what another version reads, this one may take for a mistake."""
    if not isinstance(requires, str):
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    with suppress(InvalidSpecifier):
        if not SpecifierSet(requires).contains(__version__, prereleases=True):
            raise RecipeError(
                f"{path} requires Portside {requires}, this is Portside {__version__}",
                "Use a version that it names, or change `requires`.",
            )


def _places(path: Path, text: str, values: Mapping[str, Any]) -> dict[Location, FileLine]:
    """Where the keys stand. TOML's parser does not tell; a key of a table is looked for from the table's head on."""
    rows = text.splitlines()

    def line(key: str, first: int = 1) -> int:
        name = re.escape(key)
        pattern = re.compile(rf"^\s*(\[\s*(\w+\.)?{name}\s*\]|(\w+\.)?\"?{name}\"?\s*=)")
        return next((number for number, row in enumerate(rows, 1) if number >= first and pattern.match(row)), first)

    found: dict[Location, FileLine] = {}
    for key, value in values.items():
        found[(key,)] = FileLine(path, line(key))
        for inner in value if isinstance(value, dict) else ():
            found[(key, inner)] = FileLine(path, line(inner, line(key)))
    return found
