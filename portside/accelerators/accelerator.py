"""What an accelerator is to a host and to a container. This model is the definition of `accelerators/*.yaml`."""

import re
from collections.abc import Collection, Iterator
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from portside.accelerators.facts import (
    AcceleratorModel,
    AddedCapability,
    Cards,
    CdiNames,
    ControlNode,
    DocumentedLine,
    Driver,
    Expression,
    Fact,
    FactSource,
    Framework,
    HostFile,
    Limit,
    NodeGroup,
    Seccomp,
    SharedIpc,
    SizeInBytes,
    Toolkit,
    VerifyCommand,
    Visible,
)
from portside.accelerators.node_names import INDEX, LOGICAL, PART, names_in
from portside.common.fields import Name, OneLine, Plain, Variable, WrongAtError

SINGLE = 2
"""Fewer independent sources than this, and a fact is only reported."""


class Memory(Fact):
    """The limit of /dev/shm, which every container has for itself; short: `shm_size: 16GiB`."""

    size: SizeInBytes = Field(description="bytes, or with KiB, MiB, GiB", examples=["16GiB"])
    why: OneLine | None = Field(None, description="where no source says it")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"size": value}


class ProcessLimit(Fact):
    """A limit (soft and hard) of a container with a card; short: `memlock: unlimited`."""

    limit: Limit = Field(description="a number, or `unlimited`")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"limit": value}


class SetVariable(Fact):
    """The value of a variable that a container with a card gets; short: `NAME: value`."""

    value: Plain

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return value if isinstance(value, dict) else {"value": value}


class Variant(Fact):
    """What is otherwise with some of the chips."""

    description: OneLine
    match: Expression | None = Field(
        None, description="regular expression for the name of the chip, which `chip` finds on the host"
    )
    cards: Cards | None = Field(None, description="in place of the family's")
    control: tuple[ControlNode, ...] = Field((), description="further ones")
    files: tuple[HostFile, ...] = Field((), description="further ones")
    building: dict[Variable, SetVariable] = Field({}, description="further variables for building without a card")
    without: tuple[OneLine, ...] = Field((), description="nodes and files of the family that these chips do not have")


class Chip(Fact):
    """How to find out which chip the host has."""

    file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$")] = Field(description="glob of the files that tell")
    pattern: Expression = Field(description="regular expression for a line of that file, with a group `chip`")

    @field_validator("pattern")
    @classmethod
    def _names_the_chip(cls, value: str) -> str:
        if "(?P<chip>" not in value:
            raise ValueError("expected a regular expression with a group (?P<chip>…)")
        return value


class AcceleratorProfile(AcceleratorModel):
    """What `run-container` passes to a container and what `doctor` looks at."""

    name: Name
    description: OneLine
    extends: Name | None = Field(
        None, description="another accelerator: its keys count where this file has none of that name"
    )
    reported: bool = Field(
        False, strict=True, description="say that it is only reported, whatever the number of sources"
    )
    sources: dict[Name, FactSource] = Field({}, description="what was read for this file; facts name them in `source`")
    cards: Cards | None = Field(None, description="none: nothing of the host is passed")
    control: tuple[ControlNode, ...] = ()
    rdma: tuple[ControlNode, ...] = Field(
        (), description="nodes for RDMA, passed with `--rdma` where the host has them"
    )
    visible: Visible | None = None
    variables: dict[Variable, SetVariable] = Field({}, description="variables that a container with a card gets")
    building: dict[Variable, SetVariable] = Field(
        {},
        description="variables for building and checking where no card is: no part of the image, but of the keys of "
        "what is executed; what the image sets under the same name counts instead",
    )
    files: tuple[HostFile, ...] = ()
    groups: tuple[NodeGroup, ...] = ()
    capabilities: tuple[AddedCapability, ...] = ()
    seccomp: Seccomp | None = None
    ipc: SharedIpc | None = None
    shm_size: Memory | None = None
    ulimits: dict[Annotated[str, Field(pattern=r"^[a-z]+$")], ProcessLimit] = Field(
        {}, description="limits of a container with a card, by their names"
    )
    toolkit: Toolkit | None = None
    cdi: CdiNames | None = None
    verify: VerifyCommand | None = None
    framework: Framework | None = None
    driver: Driver | None = None
    chip: Chip | None = None
    variants: dict[Name, Variant] = Field({}, description="chips of the family that need something else")
    documented: tuple[DocumentedLine, ...] = Field(
        (), description="the vendor's own lines, compared with ours by a test"
    )

    @model_validator(mode="after")
    def _cards_decide(self) -> "AcceleratorProfile":
        if self.cards is None and (self.control or self.visible or self.driver or self.toolkit or self.cdi):
            raise ValueError("control, visible, driver, toolkit and cdi belong to cards, and there are none")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> "AcceleratorProfile":
        for at, fact in self.facts():
            if unknown := [name for name in fact.source if name not in self.sources]:
                raise WrongAtError(f"no source '{unknown[0]}' in `sources`", *at, "source")
        if self.cards is not None:
            _check_numbers(self.cards, "cards")
        for name, variant in self.variants.items():
            if variant.cards is not None:
                _check_numbers(variant.cards, "variants", name, "cards")
            if variant.match is not None and self.chip is None:
                raise WrongAtError("there is no `chip` that finds its name", "variants", name, "match")
        for number, line in enumerate(self.documented):
            if line.variant is not None and line.variant not in self.variants:
                raise WrongAtError(f"no variant '{line.variant}'", "documented", number, "variant")
        return self

    @model_validator(mode="after")
    def _one_way_at_a_time(self) -> "AcceleratorProfile":
        """Raw nodes and a toolkit's variable would pass cards twice, under other numbers."""
        if self.toolkit is None:
            return self
        if self.toolkit.variable in self.variables:
            raise WrongAtError(
                "this is the toolkit's own variable: say `void` there", "variables", self.toolkit.variable
            )
        if self.visible is not None and self.toolkit.variable == self.visible.variable:
            raise WrongAtError(
                "the toolkit and the programs read one variable: it cannot have both numberings", "toolkit"
            )
        return self

    def facts(self) -> Iterator[tuple[tuple[str | int, ...], Fact]]:
        """Every fact, with the keys that lead to it."""
        yield from _facts(self, ())

    def publishers(self, fact: Fact) -> set[str]:
        """Who says so, each once."""
        return {self.sources[name].by for name in fact.source}

    @property
    def is_reported(self) -> bool:
        """Whether something that a container cannot do without is known from one source alone.

        A file without sources is its writer's own, who needs no word of it.
        """
        return self.reported or (
            bool(self.sources) and any(len(self.publishers(fact)) < SINGLE for fact in self._needed())
        )

    def _needed(self) -> Iterator[Fact]:
        if self.cards is None:
            return
        yield self.cards
        yield from (node for node in self.cards.beside if node.required)
        yield from (node for node in self.control if node.required)
        yield from (file for file in self.files if file.required)
        yield from self.groups


def _facts(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Fact]]:
    if isinstance(value, AcceleratorModel):
        if isinstance(value, Fact):
            yield at, value
        for name in type(value).model_fields:
            yield from _facts(getattr(value, name), (*at, name))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _facts(item, (*at, number))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _facts(item, (*at, key))


def _check_numbers(cards: Cards, *at: str | int) -> None:
    """Every number that a pattern uses must come from somewhere."""
    if cards.find is None and cards.number == f"{{{INDEX}}}" and INDEX not in names_in(cards.node):
        raise WrongAtError("expected {index} where the card's number stands, or `number`", *at, "node")
    known = set(names_in(cards.find or cards.node))
    known |= {name for look in cards.look for name in re.compile(look.pattern).groupindex}
    _check_known(cards.number, known | {LOGICAL}, *at, "number")
    known |= {INDEX, LOGICAL}  # `number` gives the index
    _check_known(cards.node, known, *at, "node")
    for number, look in enumerate(cards.look):
        _check_known(look.file, known, *at, "look", number, "file")
    for number, node in enumerate(cards.beside):
        found = set(names_in(node.find)) if node.find else set()
        if node.find and not found & known:
            raise WrongAtError("expected a number of the card in it, such as {pci}", *at, "beside", number, "find")
        _check_known(node.path, known | found, *at, "beside", number, "path")
    if cards.parts is not None:
        _check_known(cards.parts.node, known | {PART}, *at, "parts", "node")


def _check_known(template: str, known: Collection[str], *at: str | int) -> None:
    if unknown := [name for name in names_in(template) if name not in known]:
        raise WrongAtError(f"nothing tells the number {{{unknown[0]}}}", *at)
