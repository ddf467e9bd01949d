"""What a host has of an accelerator: its cards, its control nodes, its driver, its chip."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from portside.accelerators.accelerator import AcceleratorProfile, Variant
from portside.accelerators.facts import Cards, ControlNode
from portside.accelerators.host import Host
from portside.accelerators.node_names import INDEX, LOGICAL, PART, PCI, as_glob, can_fill, fill, names_in, read
from portside.errors import RecipeError, did_you_mean


@dataclass(frozen=True, slots=True)
class Card:
    """index: the number by which people name it. beside: its further nodes that the host has.

    inside: where a node is in the container, if not at its own path; `{position}` may stand in it. values: all numbers
    that are known of it, by their names. part: the number of a part of it, None for all of it.
    """

    index: int
    node: str
    beside: tuple[str, ...]
    inside: Mapping[str, str] = field(default_factory=dict, compare=False)
    values: Mapping[str, str] = field(default_factory=dict, compare=False)
    part: int | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        return (self.node, *self.beside)


def find_cards(accelerator: AcceleratorProfile, host: Host) -> list[Card]:
    """The host's cards by number."""
    cards = accelerator.cards
    if cards is None:
        return []
    template = cards.find or cards.node
    known = [values for path in host.glob(as_glob(template)) if (values := read(template, path)) is not None]
    looked = [(values, _looked(cards, host, values)) for values in known]
    rows = [{**values, **more} for values, more in looked if more is not None]
    found: list[Card] = []
    for position, values in enumerate(sorted(rows, key=_order)):
        values[LOGICAL] = str(position)
        if not can_fill(cards.number, values):
            continue
        values[INDEX] = fill(cards.number, values)
        card = _card(cards, values, host)
        # Virtual functions have nodes of their own, as in cambricon_dev0mi1: only a plain number is a card.
        if card is not None and host.has_node(card.node):
            found.append(card)
    return sorted(found, key=lambda card: card.index)


def assumed_card(accelerator: AcceleratorProfile, index: int) -> Card:
    """The card of that number as a host would have it that has it: with its own node, and those that it needs."""
    cards = accelerator.cards
    assert cards is not None
    return _assumed(cards, index, required_only=True)


def made_up_card(accelerator: AcceleratorProfile, index: int) -> Card:
    """The card of that number on a host that is made up: with every node that the data know."""
    assert accelerator.cards is not None
    return _assumed(accelerator.cards, index, required_only=False)


def _assumed(cards: Cards, index: int, *, required_only: bool) -> Card:
    names = {name for text in _patterns(cards) for name in names_in(text)}
    names |= {name for look in cards.look for name in re.compile(look.pattern).groupindex}
    values = {name: str(cards.like.get(name, 0) + index) for name in names - {PART}}
    values |= {PCI: f"0000:{0x10 + index:02x}:00.0", INDEX: str(index), LOGICAL: str(index)}
    values |= read(cards.number, str(index)) or {}
    values[INDEX] = str(index)
    node = fill(cards.node, values)
    beside = [one for one in cards.beside if one.required or not required_only]
    inside = {fill(one.path, values): one.inside for one in beside if one.inside}
    inside |= {node: cards.inside} if cards.inside else {}
    return Card(index, node, tuple(fill(one.path, values) for one in beside), inside, values)


def _patterns(cards: Cards) -> Iterator[str]:
    yield from filter(None, (cards.node, cards.find, cards.number, *(look.file for look in cards.look)))
    yield from (text for one in cards.beside for text in (one.path, one.find) if text)


def _order(values: Mapping[str, str]) -> tuple[str, list[tuple[str, int]]]:
    """By the addresses, where they are known, else by the numbers."""
    return values.get(PCI, ""), sorted((name, int(value)) for name, value in values.items() if name != PCI)


def _looked(cards: Cards, host: Host, values: Mapping[str, str]) -> dict[str, str] | None:
    """The further numbers that files tell; None for what one of them says is no card."""
    found: dict[str, str] = {}
    for look in cards.look:
        known = {**values, **found}
        for path in host.glob(fill(look.file, known)) if can_fill(look.file, known) else ():
            match = re.search(look.pattern, host.read(path) or "", re.MULTILINE)
            if match is not None:
                found |= {name: value for name, value in match.groupdict().items() if value is not None}
                break
        else:
            if look.must:
                return None
    return found


def _card(cards: Cards, values: dict[str, str], host: Host) -> Card | None:
    if not can_fill(cards.node, values):
        return None
    node = fill(cards.node, values)
    inside = {node: cards.inside} if cards.inside else {}
    beside: list[str] = []
    for one in cards.beside:
        if one.find is not None:
            values |= _found(one.find, values, host)
        if can_fill(one.path, values) and (host.has_node(path := fill(one.path, values)) or one.required):
            beside.append(path)
            inside |= {path: one.inside} if one.inside else {}
    return Card(int(values[INDEX]), node, tuple(beside), inside, dict(values))


def _found(template: str, values: Mapping[str, str], host: Host) -> dict[str, str]:
    """The numbers that the name of a file tells, some of which are known."""
    for path in host.glob(as_glob(template)):
        found = read(template, path)
        if found is not None and all(values.get(name, value) == value for name, value in found.items()):
            return found
    return {}


def part_node(accelerator: AcceleratorProfile, card: Card, part: int) -> str:
    """The node of a part of a card. Raises RecipeError where its cards have no parts."""
    parts = accelerator.cards.parts if accelerator.cards else None
    if parts is None:
        raise RecipeError(f"cards of {accelerator.name} have no parts that Portside knows", "Name a whole card.")
    return fill(parts.node, {**card.values, PART: str(part)})


def control_nodes(accelerator: AcceleratorProfile, host: Host) -> tuple[list[str], list[str]]:
    """(the control nodes that the host has, the required ones that it lacks)."""
    there: list[str] = []
    missing: list[str] = []
    for node in accelerator.control:
        found = nodes_of(node, host)
        there += found
        if node.required and not found:
            missing.append(node.path)
    return there, missing


def nodes_of(node: ControlNode, host: Host) -> list[str]:
    """The paths of a control node that the host has: one, or those that a `*` stands for."""
    for path in node.paths:
        if found := [one for one in host.glob(path) if host.has_node(one)] if "*" in path else []:
            return found
        if "*" not in path and (host.has_node(path) or (host.exists(path) and host.is_folder(path))):
            return [path]
    return []


def inside_of(nodes: Iterable[ControlNode]) -> dict[str, str]:
    """Where control nodes are in the container, if not at their own paths."""
    return {path: node.inside for node in nodes if node.inside for path in node.paths}


def driver_version(accelerator: AcceleratorProfile, host: Host) -> str | None:
    """The version that the host's driver says it has, None where no driver is found."""
    driver = accelerator.driver
    return None if driver is None else _first(driver.file, driver.pattern, "version", host)


def chip_name(accelerator: AcceleratorProfile, host: Host) -> str | None:
    """What the host says its chip is called, None where it does not."""
    chip = accelerator.chip
    return None if chip is None else _first(chip.file, chip.pattern, "chip", host)


def _first(files: str, pattern: str, group: str, host: Host) -> str | None:
    for path in host.glob(files):
        match = re.search(pattern, host.read(path) or "", re.MULTILINE)
        if match is not None:
            return match[group]
    return None


def for_host(accelerator: AcceleratorProfile, host: Host, variant: str | None = None) -> AcceleratorProfile:
    """The accelerator as the chips of this host need it. variant: by name; default: what the host says it has.

    Raises RecipeError for a variant that there is not.
    """
    variant = variant or host.variants.get(accelerator.name)
    if variant is not None:
        if variant not in accelerator.variants:
            known = ", ".join(sorted(accelerator.variants)) or "none"
            raise RecipeError(
                f"no variant '{variant}' of {accelerator.name}",
                f"{did_you_mean(variant, accelerator.variants)}It has: {known}.",
            )
        return with_variant(accelerator, accelerator.variants[variant])
    chip = chip_name(accelerator, host)
    for one in accelerator.variants.values():
        if chip is not None and one.match is not None and re.search(one.match, chip):
            return with_variant(accelerator, one)
    return accelerator


def with_variant(accelerator: AcceleratorProfile, variant: Variant) -> AcceleratorProfile:
    """The family's data with what is otherwise for these chips."""
    without = set(variant.without)
    control = (node for node in accelerator.control if node.path not in without)
    files = (file for file in accelerator.files if not without & {*file.paths})
    return accelerator.model_copy(
        update={
            "description": variant.description,
            "cards": variant.cards or accelerator.cards,
            "control": (*control, *variant.control),
            "files": (*files, *variant.files),
            "building": {**accelerator.building, **variant.building},
        }
    )


def version_fits(version: str, versions: str) -> bool | None:
    """Whether a version lies in a range (PEP 440); None for a version that cannot be compared."""
    from packaging.specifiers import SpecifierSet
    from packaging.version import InvalidVersion, Version

    try:
        return SpecifierSet(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return None
