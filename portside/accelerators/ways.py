"""The ways to pass cards that a host has: their nodes, the vendor's toolkit, the Container Device Interface."""

import json
import re
from typing import Final

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.facts import Toolkit
from portside.accelerators.host import Host

RAW: Final = "raw"
TOOLKIT: Final = "toolkit"
CDI: Final = "cdi"
AUTO: Final = "auto"
WAYS: Final = (RAW, TOOLKIT, CDI, AUTO)

DAEMON = "/etc/docker/daemon.json"
SPECIFICATIONS = ("/etc/cdi/*", "/var/run/cdi/*")
"""Where engines look for specifications (CDI specification 0.5 and newer, "CDI JSON Specification")."""
_KIND = re.compile(r"""^[\s{]*["']?kind["']?\s*:\s*["']?(?P<kind>[^"',\s]+)""", re.MULTILINE)


def runtimes(host: Host) -> list[str]:
    """The names of the runtimes that Docker's settings of a host have, sorted."""
    try:
        found = json.loads(host.read(DAEMON) or "{}")
    except (ValueError, RecursionError):
        return []
    names = found.get("runtimes") if isinstance(found, dict) else None
    return sorted(names) if isinstance(names, dict) else []


def has_toolkit(toolkit: Toolkit, host: Host) -> bool:
    """Whether the vendor's toolkit is installed, as far as files tell."""
    known = toolkit.runtime is not None and toolkit.runtime in runtimes(host)
    return known or any(host.exists(path) for path in toolkit.files)


def specifications(host: Host) -> dict[str, list[str]]:
    """kind -> the paths of the CDI specifications of that kind which a host has."""
    found: dict[str, list[str]] = {}
    for pattern in SPECIFICATIONS:
        for path in host.glob(pattern):
            if path.endswith((".json", ".yaml", ".yml")) and (match := _KIND.search(host.read(path) or "")):
                found.setdefault(match["kind"], []).append(path)
    return found


def ways_of(accelerator: AcceleratorProfile, host: Host) -> list[str]:
    """The ways in which this host can pass these cards, raw first."""
    found = [RAW]
    if accelerator.toolkit is not None and has_toolkit(accelerator.toolkit, host):
        found.append(TOOLKIT)
    if accelerator.cdi is not None and accelerator.cdi.kind in specifications(host):
        found.append(CDI)
    return found


def chosen_way(accelerator: AcceleratorProfile, host: Host, asked: str) -> str:
    """The way that `auto` means on a host: CDI, then the toolkit, then nodes. asked: one of WAYS."""
    return ways_of(accelerator, host)[-1] if asked == AUTO else asked
