"""What pip's own configuration says about where packages come from: pip.conf files and PIP_* variables.

The rules are pip's (its documentation, "Configuration"): files of the machine, the user and the environment in this
order, section `global` before `install`, and the PIP_* variables above all; PIP_CONFIG_FILE replaces the user's file.
"""

import configparser
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from portside.common.home import home_folder, own_folder
from portside.common.url import SecretUrl, without_secrets
from portside.errors import RecipeError

MACHINE_FILE = Path("/etc/pip.conf")
_TRUE = ("1", "y", "yes", "t", "true", "on")


@dataclass(frozen=True, slots=True)
class PipSettings:
    """index: the main simple index, None for pip's default (PyPI). cert: a PEM bundle of certificate authorities."""

    index: SecretUrl | None = None
    extra_indexes: tuple[SecretUrl, ...] = ()
    find_links: tuple[SecretUrl, ...] = ()
    no_index: bool = False
    cert: str | None = None
    trusted_hosts: tuple[str, ...] = ()


def read_pip_settings() -> PipSettings:
    """Read the configuration that `pip install` would use here.

    Raises RecipeError for a file that pip could not read either.
    """
    values = _from_files(_files()) | _from_environment(os.environ)
    environment = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    return PipSettings(
        index=SecretUrl(values["index-url"]) if "index-url" in values else None,
        extra_indexes=tuple(map(SecretUrl, values.get("extra-index-url", "").split())),
        find_links=tuple(map(SecretUrl, values.get("find-links", "").split())),
        no_index=values.get("no-index", "").lower() in _TRUE,
        cert=values.get("cert") or next(filter(None, environment), None),
        trusted_hosts=tuple(values.get("trusted-host", "").split()),
    )


def _files() -> list[Path]:
    import platformdirs

    own = os.environ.get("PIP_CONFIG_FILE")
    if own == os.devnull:
        return []
    machine = platformdirs.site_config_dir("pip", appauthor=False, multipath=True).split(os.pathsep)
    files = [*(Path(folder) / "pip.conf" for folder in machine), MACHINE_FILE]
    if not own or not Path(own).exists():
        home = home_folder()
        files += [
            home / ".pip" / "pip.conf",
            own_folder(lambda: platformdirs.user_config_dir("pip", appauthor=False)) / "pip.conf",
        ]
    files.append(Path(sys.prefix) / "pip.conf")
    return [*files, Path(own)] if own else files


def _from_files(files: Iterable[Path]) -> dict[str, str]:
    sections: dict[str, dict[str, str]] = {"global": {}, "install": {}}
    for path in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            problem = without_secrets(str(error))
            raise RecipeError(f"{path}: pip's configuration cannot be read: {problem}", "Correct that file.") from None
        for section, values in sections.items():
            if parser.has_section(section):
                values.update((_key(name), value) for name, value in parser.items(section))
    return sections["global"] | sections["install"]


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = ((_key(name[4:]), value) for name, value in environment.items() if name.startswith("PIP_"))
    return {name: value for name, value in found if value}


def _key(name: str) -> str:
    return name.lower().replace("_", "-").removeprefix("--")
