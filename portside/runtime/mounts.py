"""What a person asks for on the command line: mounts, ports, variables; checked before any work."""

import posixpath
import re
from collections.abc import Mapping, Sequence

from portside.accelerators import Host
from portside.engines import Mount
from portside.errors import RecipeError
from portside.runtime.lacking import Lacking, refuse

LOOPBACK = "127.0.0.1"
_ENGINES_OWN = ("/proc", "/sys", "/dev")
SELINUX = "/sys/fs/selinux/enforce"
"""There where SELinux is on; elsewhere `z` and `Z` ask for nothing."""
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]")
_ADDRESS = re.compile(r"(?:([0-9.]+|\[[0-9A-Fa-f:]+\]):)?([0-9]+)")


def parse_mounts(texts: Sequence[str], host: Host, lacking: Lacking = refuse) -> tuple[Mount, ...]:
    """`HOST:CONTAINER[:OPTIONS]`, each; options: ro, rw, z and Z, with commas. Raises RecipeError; lacking: called with
    one for a path that the host lacks."""
    mounts: list[Mount] = []
    for text in texts:
        mount = _mount(text, host, lacking)
        if any(mount.target == other.target for other in mounts):
            raise RecipeError(f"two mounts go to {mount.target}", "Keep one of the two.")
        mounts.append(mount)
    return tuple(mounts)


def _mount(text: str, host: Host, lacking: Lacking) -> Mount:
    expected = "Expected HOST:CONTAINER or HOST:CONTAINER:ro, for example /data/models:/models:ro."
    if _WINDOWS.match(text):
        raise RecipeError(
            f"mount {text!r}: a path of Windows",
            "Say where the machine of the engine sees that folder, for example /mnt/c/data:/data in WSL.",
        )
    parts = text.split(":")
    options = set(parts.pop().split(",")) if len(parts) == 3 else set()
    if unknown := sorted(options - {"ro", "rw", "z", "Z", ""}):
        raise RecipeError(f"not a mount: {text!r} (no option {unknown[0]!r})", expected)
    if options & {"z", "Z"} and host.exists(SELINUX):
        raise RecipeError(
            f"mount {text!r}: Portside does not change the labels of your files",
            f"Do it once, chcon --recursive --type container_file_t {parts[0]}, and leave the option out.",
        )
    mode = "ro" if "ro" in options else "rw"
    if len(parts) != 2 or not all(parts):
        raise RecipeError(f"not a mount: {text!r}", expected)
    source, target = parts
    if not source.startswith("/"):
        raise RecipeError(f"mount {text!r}: the host's path must be absolute, not {source!r}", expected)
    if not host.exists(source):
        lacking(RecipeError(f"mount {text!r}: the host has no {source}", f"Make it first: mkdir -p {source}"))
    if not target.startswith("/") or target != posixpath.normpath(target) or target == "/":
        raise RecipeError(f"mount {text!r}: the container's path must be absolute and clean, not {target!r}", expected)
    if any(target == own or target.startswith(f"{own}/") for own in _ENGINES_OWN):
        raise RecipeError(f"mount {text!r}: {target} belongs to the engine", "Devices are passed with --devices.")
    return Mount(source, target, mode == "ro")


def parse_ports(texts: Sequence[str], named: Mapping[str, int]) -> dict[str, str]:
    """`[ADDRESS:]PORT` on the host -> port in the container, as `RunSpec.ports` has it.

    texts: `NAME=[ADDRESS:]PORT` moves a named port of the target, `[ADDRESS:]PORT:CONTAINER` adds one. Without an
    address the host's loopback is meant; every named port that nobody moves keeps its number there.
    Raises RecipeError.
    """
    places = {name: f"{LOOPBACK}:{port}" for name, port in named.items()}
    added: list[tuple[str, str]] = []
    for text in texts:
        name, equals, place = text.partition("=")
        if equals:
            if name not in named:
                known = (
                    f"The target's ports: {', '.join(sorted(named))}." if named else "The target has no named ports."
                )
                raise RecipeError(f"no port '{name}'", known)
            places[name] = _place(place, text)
        else:
            place, _, inside = text.rpartition(":")
            added.append((_place(place, text), _number(inside, text)))
    result: dict[str, str] = {}
    for place, inside in [*((places[name], str(port)) for name, port in sorted(named.items())), *added]:
        if place in result:
            raise RecipeError(f"two ports go to {place} on the host", "Move one: --port NAME=PORT.")
        result[place] = inside
    return result


def _place(text: str, whole: str) -> str:
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise _no_port(whole)
    return f"{match[1] or LOOPBACK}:{_number(match[2], whole)}"


def _number(text: str, whole: str) -> str:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise _no_port(whole)
    return str(int(text))


def _no_port(text: str) -> RecipeError:
    return RecipeError(
        f"not a port: {text!r}", "Expected NAME=PORT, NAME=ADDRESS:PORT, or PORT:CONTAINER, for example web=8080."
    )


def parse_variables(texts: Sequence[str]) -> dict[str, str]:
    """`NAME=VALUE`, each. Raises RecipeError."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) or "\0" in value:
            raise RecipeError(f"not a variable: {text!r}", "Expected NAME=VALUE.")
        values[name] = value
    return values
