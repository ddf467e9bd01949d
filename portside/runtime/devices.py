"""Which cards a container gets."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from portside.accelerators import (
    AcceleratorProfile,
    Card,
    Host,
    assumed_card,
    driver_version,
    find_cards,
    part_node,
    version_fits,
)
from portside.errors import EngineError, RecipeError
from portside.recipe import Recipe
from portside.runtime.lacking import Lacking, refuse

ALL = "all"
NONE = "none"


@dataclass(frozen=True, slots=True, order=True)
class WantedCard:
    """index: the card's number on the host. part: the number of a part of it, None for all of it."""

    index: int
    part: int | None = None


def parse_devices(text: str) -> Sequence[WantedCard] | str:
    """`0,1` or `0-3,8` as cards, `0.1` as part 1 of card 0; `all` and `none` as they are. Raises RecipeError."""
    if text in (ALL, NONE):
        return text
    wanted: list[WantedCard] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4})|\.([0-9]{1,4}))?", part.strip())
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise RecipeError(
                f"not a list of devices: {text!r}", "Expected 0,1 or 0-3, or 0.1 for a part of a card, or all, or none."
            )
        if match[3]:
            wanted.append(WantedCard(int(match[1]), int(match[3])))
        else:
            wanted += (WantedCard(index) for index in range(int(match[1]), int(match[2] or match[1]) + 1))
    return wanted


def as_wanted(numbers: Iterable[int]) -> tuple[WantedCard, ...]:
    return tuple(WantedCard(number) for number in numbers)


def choose_cards(
    accelerator: AcceleratorProfile,
    host: Host,
    asked: Sequence[WantedCard] | str | None,
    needed: int | None,
    warn: Callable[[str], None],
    lacking: Lacking = refuse,
) -> list[Card]:
    """The cards for one container, by number.

    asked: by the person. needed: as the target says. If neither says anything it is the first card, where there is
    one. lacking: called with RecipeError for cards that do not exist, with EngineError for too few; cards that are
    taken as there have their own nodes and those that they need.
    """
    if accelerator.cards is None:
        if asked not in (None, NONE, ALL) and len(asked or ()):
            raise RecipeError(
                f"the accelerator '{accelerator.name}' has no devices", "Leave --devices out, or say --devices none."
            )
        return []
    if asked == NONE or (asked is None and needed == 0):
        return []
    cards = find_cards(accelerator, host)
    if asked is None:
        if needed is None and not cards:
            warn(f"no {accelerator.name} card on this host: the container starts without one (see invoke doctor)")
        if needed is not None and len(cards) < needed:
            lacking(
                EngineError(
                    f"{needed} {accelerator.name} card(s) are needed, this host has {_numbers(cards)}",
                    "invoke doctor says what is missing; --devices says which cards to take.",
                )
            )
            there = {card.index for card in cards}
            more = [index for index in range(needed) if index not in there][: needed - len(cards)]
            cards = sorted([*cards, *_assumed(accelerator, more)], key=lambda card: card.index)
        return cards[: needed or 1]
    if asked == ALL:
        if not cards:
            lacking(EngineError(f"this host has no {accelerator.name} card", "invoke doctor says what is missing."))
        return cards or _assumed(accelerator, range(needed or 1))
    assert not isinstance(asked, str)
    return _named(accelerator, host, asked, cards, needed, lacking)


def _named(
    accelerator: AcceleratorProfile,
    host: Host,
    wanted: Sequence[WantedCard],
    cards: Sequence[Card],
    needed: int | None,
    lacking: Lacking,
) -> list[Card]:
    by_index = {card.index: card for card in cards}
    if missing := list(dict.fromkeys(one.index for one in wanted if one.index not in by_index)):
        lacking(
            RecipeError(
                f"no {accelerator.name} card {', '.join(map(str, missing))} on this host",
                f"It has {_numbers(cards)}. invoke doctor says more.",
            )
        )
        by_index |= {card.index: card for card in _assumed(accelerator, missing)}
    whole = {one.index for one in wanted if one.part is None}
    if len(set(wanted)) != len(wanted) or any(one.part is not None and one.index in whole for one in wanted):
        raise RecipeError("a device is named twice", "Name each once; a whole card has all of its parts.")
    if needed is not None and len(wanted) < needed:
        raise RecipeError(f"the target needs {needed} cards, --devices names {len(wanted)}", "Name more.")
    return [_part(accelerator, host, by_index[one.index], one, lacking) for one in sorted(wanted, key=_number)]


def _number(one: WantedCard) -> tuple[int, int]:
    return one.index, -1 if one.part is None else one.part


def _part(accelerator: AcceleratorProfile, host: Host, card: Card, wanted: WantedCard, lacking: Lacking) -> Card:
    if wanted.part is None:
        return card
    node = part_node(accelerator, card, wanted.part)
    if not host.has_node(node):
        lacking(
            RecipeError(
                f"card {card.index} has no part {wanted.part}: no {node} on this host",
                "Make it with the vendor's tool, or name a whole card.",
            )
        )
    return replace(card, beside=(*card.beside, node), part=wanted.part)


def _assumed(accelerator: AcceleratorProfile, indexes: Iterable[int]) -> list[Card]:
    return [assumed_card(accelerator, index) for index in indexes]


def _numbers(cards: Sequence[Card]) -> str:
    return ", ".join(str(card.index) for card in cards) if cards else "none"


def driver_range(recipe: Recipe, accelerator: AcceleratorProfile) -> str | None:
    """The range of the host's driver that counts for a recipe: its own, else the accelerator's."""
    own = recipe.model.accelerator.driver
    return own or (accelerator.driver.versions if accelerator.driver else None)


def warn_of_driver(recipe: Recipe, accelerator: AcceleratorProfile, host: Host, warn: Callable[[str], None]) -> None:
    """Say it if the host's driver is known not to fit."""
    versions = driver_range(recipe, accelerator)
    version = driver_version(accelerator, host)
    if versions and version and version_fits(version, versions) is False:
        warn(f"the host's {accelerator.name} driver is {version}, {recipe.name} wants {versions} (see invoke doctor)")


def warn_of_source(accelerator: AcceleratorProfile, warn: Callable[[str], None]) -> None:
    """Say it if what is passed is known from one source alone."""
    if accelerator.is_reported:
        warn(f"{accelerator.name} is only reported: what is passed is known from one source, and was never tried")
