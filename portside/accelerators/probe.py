"""What a host has of an accelerator: its cards, its control nodes, its driver."""

import re
from dataclasses import dataclass

from portside.accelerators.accelerator import INDEX, AcceleratorProfile
from portside.accelerators.host import Host


@dataclass(frozen=True, slots=True)
class Card:
    """index: the number in the name of the card's node. beside: its further nodes that the host has."""

    index: int
    node: str
    beside: tuple[str, ...]


def find_cards(accelerator: AcceleratorProfile, host: Host) -> list[Card]:
    """The host's cards by number."""
    if accelerator.cards is None:
        return []
    before, _, after = accelerator.cards.node.partition(INDEX)
    # Virtual functions have nodes of their own, as in cambricon_dev0mi1: only a plain number is a card.
    form = re.compile(re.escape(before) + r"(0|[1-9][0-9]*)" + re.escape(after))
    found: list[Card] = []
    for node in host.glob(f"{before}*{after}"):
        match = form.fullmatch(node)
        if match is not None and host.has_node(node):
            beside = (pattern.replace(INDEX, match[1]) for pattern in accelerator.cards.beside)
            found.append(Card(int(match[1]), node, tuple(path for path in beside if host.has_node(path))))
    return sorted(found, key=lambda card: card.index)


def control_nodes(accelerator: AcceleratorProfile, host: Host) -> tuple[list[str], list[str]]:
    """(the control nodes that the host has, the required ones that it lacks)."""
    there = [node.path for node in accelerator.control if host.has_node(node.path)]
    return there, [node.path for node in accelerator.control if node.required and node.path not in there]


def driver_version(accelerator: AcceleratorProfile, host: Host) -> str | None:
    """The version that the host's driver says it has, None where no driver is found."""
    driver = accelerator.driver
    if driver is None:
        return None
    for path in host.glob(driver.file):
        match = re.search(driver.pattern, host.read(path) or "", re.MULTILINE)
        if match is not None:
            return match["version"]
    return None


def version_fits(version: str, versions: str) -> bool | None:
    """Whether a version lies in a range (PEP 440); None for a version that cannot be compared."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return None
