"""What pip and apt installed in the container of a working folder, beyond its image."""

import json
import re
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from portside.develop.container import asked_in
from portside.develop.work_folder import WorkFolder
from portside.engines import Engine, RunSpec
from portside.errors import EngineError, PortsideError

_PYTHON = r"""
import json, os, re, sys
found = {}
for folder in sys.path:
    names = os.listdir(folder or ".") if os.path.isdir(folder or ".") else []
    for name in sorted(names):
        info = os.path.join(folder, name)
        if not re.search(r"\.(dist|egg)-info$", name) or not os.path.isdir(info):
            continue
        head = {}
        for file in ("METADATA", "PKG-INFO"):
            try:
                with open(os.path.join(info, file), "rb") as stream:
                    for line in stream.read().decode("utf-8", "replace").splitlines():
                        if not line.strip():
                            break
                        key, _, value = line.partition(":")
                        head.setdefault(key.lower(), value.strip())
            except OSError:
                pass
        if "name" in head and "version" in head and head["name"] not in found:
            direct = None
            try:
                with open(os.path.join(info, "direct_url.json")) as stream:
                    direct = json.load(stream).get("url")
            except (OSError, ValueError):
                pass
            asked = os.path.exists(os.path.join(info, "REQUESTED"))
            found[head["name"]] = [head["version"], asked, direct]
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "packages": found}))
"""
_SCRIPT = """
echo '# packages'
dpkg-query -W -f '${db:Status-Abbrev} ${Package} ${Version}\\n' 2>/dev/null || [ ! -f /var/lib/dpkg/status ] ||
    while IFS= read -r line; do case $line in
        Package:*) name=${line#Package: } ;;
        Version:*) echo "ii  $name ${line#Version: }" ;;
    esac; done </var/lib/dpkg/status
echo '# manual'
apt-mark showmanual 2>/dev/null
echo '# python'
for program in python3 python; do
    if command -v "$program" >/dev/null 2>&1; then "$program" -c "$0" 2>/dev/null && break; fi
done
:
"""


@dataclass(frozen=True)
class PackageListing:
    """debs: name -> version. manual: the debs that somebody asked for. python: version of the interpreter in PATH.
    dists: Python packages, by the names that they give themselves: version, whether somebody asked pip for them, and
    where from, if that was no index."""

    debs: Mapping[str, str] = field(default_factory=dict)
    manual: frozenset[str] = frozenset()
    python: str | None = None
    dists: Mapping[str, tuple[str, bool, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class NewPackages:
    """debian, requirements: lines for `env`. python: of the interpreter that has the latter. unsaid: what no such line
    can say, with why."""

    debian: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    python: str | None = None
    unsaid: Mapping[str, str] = field(default_factory=dict)


def read_listing(data: bytes) -> PackageListing:
    """What the program in a container wrote."""
    parts: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in data.decode("utf-8", "replace").splitlines():
        if line in ("# packages", "# manual", "# python"):
            lines = parts.setdefault(line[2:], [])
        else:
            lines.append(line)
    debs = {}
    for line in parts.get("packages", []):
        state, _, rest = line.partition(" ")
        words = rest.split()
        if state.startswith("ii") and len(words) == 2:
            debs[words[0]] = words[1]
    python: Mapping[str, Any] = {}
    with suppress(ValueError, IndexError):
        python = json.loads(parts.get("python", [])[-1])
    dists = {name: (row[0], bool(row[1]), row[2]) for name, row in python.get("packages", {}).items()}
    return PackageListing(debs, frozenset(parts.get("manual", [])), python.get("python"), dists)


def beyond(image: PackageListing, now: PackageListing) -> NewPackages:
    """What somebody installed: what they asked for, in its version, without what came along."""
    fresh = [name for name, version in now.debs.items() if image.debs.get(name) != version]
    asked = [name for name in fresh if name in now.manual] if now.manual else fresh
    before = {normal(name): version for name, (version, _, _) in image.dists.items()}
    dists = {n: row for n, row in now.dists.items() if before.get(normal(n)) != row[0] and normal(n) not in _TOOLS}
    wanted = {name: row for name, row in dists.items() if row[1]} or dists
    unsaid = {
        name: f"pip installed it from {url}: name that under `sources`, and install it"
        for name, (_, _, url) in wanted.items()
        if url is not None
    }
    # What Debian's packages bring of Python comes with them.
    by_debs = {normal(name.removeprefix("python3-")) for name in fresh}
    rows = sorted(
        f"{normal(name)}=={version}"
        for name, (version, _, url) in wanted.items()
        if url is None and normal(name) not in by_debs
    )
    debs = tuple(f"{name}={now.debs[name]}" for name in sorted(asked))
    return NewPackages(debs, tuple(rows), now.python, unsaid)


_TOOLS = {"pip", "setuptools", "wheel"}
"""What installs, and is upgraded on the way, as pip itself advises."""


def normal(name: str) -> str:
    """The name of a Python package as pip compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(engine: Engine, work: WorkFolder) -> NewPackages:
    """What is in the container of a working folder and not in its image; nothing where there is no container.

    Raises EngineError.
    """
    name = work.state().container
    found = engine.find_container(name) if name is not None else None
    if found is None or name is None:
        return NewPackages()
    image = work.state().image
    if image is None or engine.image_id(image) != found.image:
        raise EngineError(
            f"the container {name} is of an older {image}, so nobody knows what was installed in it beyond that",
            "Look there (invoke develop), and write it down under `env`; --recreate then begins a new one.",
        )
    with work.session():
        if not found.running:
            engine.resume(found.id)
        code, data = asked_in(engine, found.id, ("/bin/sh", "-c", _SCRIPT, _PYTHON))
    if not found.running and not work.in_use():
        with suppress(PortsideError):
            engine.signal(found.id, signal.SIGKILL)
    if code:
        raise EngineError(f"the container {name} cannot say what is installed in it", "Look at it: invoke develop")
    return beyond(read_listing(_of_image(engine, image)), read_listing(data))


def _of_image(engine: Engine, image: str) -> bytes:
    out: list[bytes] = []
    spec = RunSpec(image, ("/bin/sh", "-c", _SCRIPT, _PYTHON), network="none", cap_drop=("ALL",))
    engine.run(spec, lambda stdout, stderr: out.append(stdout))
    return b"".join(out)
