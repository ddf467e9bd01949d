"""Credentials for registries, where Docker and Podman keep them: config.json, auth.json and credential helpers."""

import base64
import binascii
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portside.common.home import home_folder
from portside.errors import RegistryError
from portside.registry.hub import hub

HELPER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Login:
    """A user and password, or a token that is exchanged for others (identity token)."""

    user: str = ""
    password: str = field(default="", repr=False)
    token: str | None = field(default=None, repr=False)


def login_for(host: str, name: str = "") -> Login | None:
    """What this machine's user has stored for the registry `HOST[:PORT]`, and `name` in it; None where nothing is.

    In this order: REGISTRY_AUTH_FILE, Docker's config.json (DOCKER_CONFIG or ~/.docker), Podman's auth.json. In each
    of them a helper for this registry counts before a stored password, and that before the helper for all. What is
    stored for a part of the registry (`podman login HOST/NAMESPACE`) counts there, the longest part first
    (containers-auth.json(5)).
    Raises RegistryError for a helper that cannot be run.
    """
    for path in _files():
        found = _from_file(_read(path), host, name)
        if found is not None:
            return found
    return None


def _files() -> list[Path]:
    environment = os.environ
    paths = []
    if named := environment.get("REGISTRY_AUTH_FILE"):
        paths.append(Path(named))
    paths.append(Path(environment.get("DOCKER_CONFIG") or home_folder() / ".docker") / "config.json")
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        paths.append(Path(runtime) / "containers" / "auth.json")
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home_folder() / ".config")
    return [*paths, configuration / "containers" / "auth.json"]


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return _mapping(value)


def _from_file(config: dict[str, Any], host: str, name: str) -> Login | None:
    hosts = _called(host)
    helpers, stored = (_mapping(config.get(key)) for key in ("credHelpers", "auths"))
    for called in hosts:
        if isinstance(helpers.get(called), str):
            return _from_helper(helpers[called], called)
    for key in _keys(hosts, name):
        entry = stored.get(key)
        if isinstance(entry, dict) and (login := _from_entry(entry)):
            return login
    if isinstance(config.get("credsStore"), str) and config["credsStore"]:
        return _from_helper(config["credsStore"], hosts[0])
    return None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _called(host: str) -> list[str]:
    """What a registry is called in these files, as its own engine calls it first."""
    known = hub()
    return [known.login, *known.names, known.host] if known.called(host) else [host]


def _keys(hosts: Sequence[str], name: str) -> Iterator[str]:
    """Under what a login may be stored, the nearest first."""
    parts = name.split("/") if name else []
    for length in range(len(parts), 0, -1):
        yield from (f"{host}/{'/'.join(parts[:length])}" for host in hosts)
    for host in hosts:
        yield from (host, f"https://{host}", f"http://{host}", f"https://{host}/v2/", f"https://{host}/v1/")


def _from_entry(entry: dict[str, Any]) -> Login | None:
    if isinstance(token := entry.get("identitytoken"), str) and token:
        return Login(token=token)
    if isinstance(both := entry.get("auth"), str) and both:
        try:
            user, colon, password = base64.b64decode(both, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        return Login(user, password.rstrip("\0")) if colon else None
    if isinstance(entry.get("username"), str) and isinstance(entry.get("password"), str):
        return Login(entry["username"], entry["password"])
    return None


def _from_helper(name: str, host: str) -> Login | None:
    """docker-credential-NAME: the host on stdin, JSON on stdout; another exit code means that it knows none."""
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run([program, "get"], input=host.encode(), capture_output=True, timeout=HELPER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RegistryError(
            f"the credential helper {program} for {host} cannot be used: {error}",
            "Install it, or remove it from Docker's config.json.",
        ) from None
    if done.returncode != 0:
        return None
    try:
        answer = json.loads(done.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise RegistryError(
            f"the credential helper {program} gave no JSON with a user and a secret for {host}"
        ) from None
    return Login(token=secret) if user == "<token>" else Login(user, secret)
