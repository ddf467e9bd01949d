"""Hubs of models: where each answers, with which token, and what of a repository is taken by default (hubs.yaml)."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from portside.common.globs import matches
from portside.common.url import shown, with_login
from portside.common.values import BearerToken
from portside.common.yaml_file import read_yaml
from portside.config import Config
from portside.errors import RecipeError
from portside.net.client import PrivateUrl


@dataclass(frozen=True, slots=True)
class HubEndpoint:
    """Where a hub, or a mirror of it, answers. url: without a slash at its end; it may hold a login. headers: what it
    alone may get. page: what a person opens in a browser."""

    url: str
    headers: dict[str, str]
    page: str

    def at(self, path: str) -> str:
        """The URL of what lies at a path of this endpoint, which begins with a slash."""
        return self.also(self.url + path)

    def also(self, url: str) -> str:
        """A URL of the same scheme, host and port, with what it may get."""
        return PrivateUrl(with_login(url, [self.url]), self.headers) if self.headers else with_login(url, [self.url])


def endpoints(kind: str, config: Config) -> list[HubEndpoint]:
    """The mirrors of portside.toml, then the endpoint that the hub's own client would ask. A token goes to that alone.

    Raises RecipeError for an endpoint of the environment, or a token, that is none.
    """
    hub = _facts()["hubs"][kind]
    mirrors = [url.full for url in getattr(config.mirrors, kind)]
    variable = hub["endpoint_variable"]
    own = os.environ.get(variable, "").strip() or hub["endpoint"]
    if "://" not in own:
        own = f"https://{own}"
    if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", own):
        raise RecipeError(f"{variable} is no URL of an endpoint: {shown(own)}", "Say it as https://HOST.")
    token = _token(kind, hub["token_variables"])
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if token is not None and kind == "modelscope":
        # Its older interfaces know a session alone, whose cookie is the token (modelscope, hub/api.py, get_cookies).
        headers["Cookie"] = f"m_session_id={token}"
    found: list[tuple[str, dict[str, str]]] = [*((url, {}) for url in mirrors), (own, headers)]
    return [HubEndpoint(url.rstrip("/"), private, shown(url).rstrip("/")) for url, private in found]


def token_hint(kind: str) -> str:
    """Where a person puts the token."""
    hub = _facts()["hubs"][kind]
    file = f", or into {_token_path()}" if kind == "huggingface" else ""
    return f"put a token of that account into {hub['token_variables'][0]}{file}"


def title(kind: str) -> str:
    return str(_facts()["hubs"][kind]["title"])


def _token_path() -> Path:
    """Where Hugging Face's own client keeps the token (huggingface_hub, constants.py)."""
    cache_home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache_home}/huggingface"
    path = os.environ.get("HF_TOKEN_PATH") or f"{home}/token"
    return Path(os.path.expandvars(path)).expanduser()


def _token(kind: str, variables: Sequence[str]) -> str | None:
    for name in variables:
        if text := os.environ.get(name, "").strip():
            return _checked(text, name)
    if kind != "huggingface":
        return None
    path = _token_path()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError):
        raise RecipeError(f"{path}, which holds the token, cannot be read", "Look at its rights: ls -l") from None
    return _checked(text, str(path)) if text else None


def _checked(text: str, where: str) -> str:
    try:
        return BearerToken(text)
    except ValueError:
        raise RecipeError(f"{where} holds no token, but blanks or other signs", "Put the token alone there.") from None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files that are not taken, since others have the same weights. use: the glob that the others match."""

    use: str
    paths: tuple[str, ...]


def chosen(paths: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> tuple[list[str], list[LeftOut]]:
    """The paths that are taken, sorted, and what is left out for the sake of others."""
    wanted = taken(paths, include, exclude)
    if include:
        return wanted, []
    facts = _facts()
    wanted = [path for path in wanted if path.rpartition("/")[2] not in facts["not_taken"]]
    out = list(_left_out(wanted, facts["formats"]))
    gone = {path for row in out for path in row.paths}
    return [path for path in wanted if path not in gone], out


def taken(paths: Sequence[str], include: Sequence[str], exclude: Sequence[str]) -> list[str]:
    """The paths that globs choose, sorted; all of them where nothing is to be included."""
    wanted = sorted(path for path in paths if not matches(exclude, path))
    return [path for path in wanted if matches(include, path)] if include else wanted


def _left_out(paths: Sequence[str], formats: Sequence[dict[str, Any]]) -> Iterator[LeftOut]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    for folder, inside in sorted(folders.items()):
        above = f"{folder}/" if folder else ""
        for row in formats:
            others = [above + glob for glob in row["instead_of"]]
            gone = tuple(path for path in inside if matches(others, path))
            if gone and any(matches([above + row["use"]], path) for path in inside):
                yield LeftOut(above + row["use"], gone)


@cache
def _facts() -> dict[str, Any]:
    value, _ = read_yaml(Path(__file__).with_name("hubs.yaml"))
    assert isinstance(value, dict)
    return value
