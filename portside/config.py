"""Where things are on this machine. Nothing of it enters a lock, a key or an image.

Sources, the first that says something wins: the environment (PORTSIDE_HOME, PORTSIDE_ENGINE), `portside.toml`
beside tasks.py, `portside.toml` in the user's configuration folder, defaults by platformdirs.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from portside.errors import RecipeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FILE_NAME = "portside.toml"


def _folder(value: object) -> Path:
    path = Path(str(value)).expanduser()
    if not path.is_absolute():
        raise ValueError("expected an absolute path")
    return path


Folder = Annotated[Path, BeforeValidator(_folder)]


class Mirrors(BaseModel):
    """Places that have the bytes; asked before the places the machine's own package tools know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    debian: tuple[str, ...] = Field((), description="roots of Debian mirrors (the folder that has dists/ and pool/)")
    debian_snapshot: str | None = Field(
        None, description="root of the distribution's snapshot service: ROOT/TIMESTAMP/ has dists/ and pool/"
    )
    pypi: tuple[str, ...] = Field((), description="simple indexes; without any, pip's own configuration counts")
    git: dict[str, str] = Field({}, description="URL prefix -> the prefix to use instead, as git's insteadOf")


class Config(BaseModel):
    """The machine's configuration: the keys of portside.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Folder = Field(description="the store (PORTSIDE_HOME)")
    engine: str | None = Field(None, description="the engine to use (PORTSIDE_ENGINE); docker if nothing is said")
    folders: tuple[Folder, ...] = Field((), description="folders with files already downloaded, looked into by name")
    registries: tuple[str, ...] = Field(
        (), description="HOST[:PORT]/REPOSITORY: asked for layers before they are built; http:// in front: without TLS"
    )
    mirrors: Mirrors = Mirrors()


def load_config(root: Path) -> Config:
    """Read the configuration that counts for the project at `root`.

    Raises RecipeError that names the file and the key.
    """
    import platformdirs

    places = [root / FILE_NAME, Path(platformdirs.user_config_dir("portside")) / FILE_NAME]
    found = next((path for path in places if path.is_file()), None)
    values: dict[str, object] = {}
    if found is not None:
        try:
            values = tomllib.loads(found.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RecipeError(f"{found}: not valid TOML: {error}") from None
    values.setdefault("home", platformdirs.user_data_dir("portside"))
    for key in ("home", "engine"):
        if value := os.environ.get(f"PORTSIDE_{key.upper()}"):
            values[key] = str(Path(value).absolute()) if key == "home" else value
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        lines = [f"  {'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise RecipeError("\n".join([f"{found or 'the environment'}: bad configuration", *lines])) from None
