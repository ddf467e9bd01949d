"""What an accelerator is to a host and to a container. These models are the definition of `accelerators/*.yaml`."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from portside.common.fields import Absolute, Name, Plain, Variable, VersionRange

INDEX = "{index}"
UNLIMITED = -1

_SIZE = re.compile(r"([0-9]+) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _device(value: str) -> str:
    if not re.fullmatch(r"/dev/[A-Za-z0-9_][A-Za-z0-9_./-]*", value) or ".." in value:
        raise ValueError("expected the path of a device node below /dev")
    return value


def _indexed(value: str) -> str:
    if value.count(INDEX) != 1:
        raise ValueError(f"expected a path below /dev with one {INDEX} where the card's number stands")
    _device(value.replace(INDEX, "0"))
    return value


def _bytes(value: object) -> object:
    if isinstance(value, str):
        match = _SIZE.fullmatch(value)
        if match is None:
            raise ValueError("expected bytes, or a size such as '16GiB'")
        return int(match[1]) * _UNITS[match[2]]
    return value


def _limit(value: object) -> object:
    return UNLIMITED if value == "unlimited" else value


def _pattern(value: str) -> str:
    try:
        groups = re.compile(value, re.MULTILINE).groupindex
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if "version" not in groups:
        raise ValueError("expected a regular expression with a group (?P<version>…)")
    return value


DeviceNode = Annotated[str, AfterValidator(_device)]
IndexedNode = Annotated[str, AfterValidator(_indexed)]
Bytes = Annotated[int, Field(strict=True, gt=0), BeforeValidator(_bytes)]
Limit = Annotated[int, Field(strict=True, ge=UNLIMITED), BeforeValidator(_limit)]
Text = Annotated[str, Field(min_length=1, pattern=r"^[^\x00-\x1f\x7f]+$")]
Glob = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$")]


class AcceleratorModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Cards(AcceleratorModel):
    """The nodes that exist once for every card."""

    node: IndexedNode = Field(
        description="the card's own node; `{index}` is the card's number", examples=["/dev/cambricon_dev{index}"]
    )
    beside: tuple[IndexedNode, ...] = Field((), description="further nodes of a card, passed where the host has them")


class ControlNode(AcceleratorModel):
    """A node that every container with a card gets."""

    path: DeviceNode = Field(examples=["/dev/cambricon_ctl"])
    required: bool = Field(True, strict=True, description="without it no container with a card is started")


class Visible(AcceleratorModel):
    """The variable by which programs choose among the cards they could use."""

    variable: Variable = Field(examples=["MLU_VISIBLE_DEVICES"])
    numbering: Literal["container", "unset"] = Field(
        description="container: set to 0,1,… for the cards passed, in the order of their nodes; "
        "unset: never set, since every card that was passed is seen"
    )


class HostFile(AcceleratorModel):
    """A tool or library of the host, mounted read-only where the host has it."""

    paths: tuple[Absolute, ...] = Field(min_length=1, description="the first that exists is mounted")
    target: Absolute | None = Field(None, description="where in the container; default: the first path")


class Driver(AcceleratorModel):
    """How to find out which driver the host has."""

    file: Glob = Field(description="glob of the files that tell; the first by name is read")
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        description="regular expression for a line of that file, with a group `version`"
    )
    versions: VersionRange | None = Field(
        None, description="range for recipes that say nothing about the driver; a recipe's own range replaces it"
    )
    install: Text = Field(description="for people: how to get the driver; shown by `invoke doctor`")


class AcceleratorProfile(AcceleratorModel):
    """What `run-container` passes to a container and what `doctor` looks at."""

    name: Name
    description: Text
    cards: Cards | None = Field(None, description="none: nothing of the host is passed")
    control: tuple[ControlNode, ...] = ()
    visible: Visible | None = None
    variables: dict[Variable, Plain] = Field({}, description="variables that a container with a card gets")
    files: tuple[HostFile, ...] = ()
    shm_size: Bytes | None = Field(None, description="limit of /dev/shm: bytes, or with KiB, MiB, GiB")
    ulimits: dict[Annotated[str, Field(pattern=r"^[a-z]+$")], Limit] = Field(
        {}, description="limits (soft and hard) of a container with a card: a number, or `unlimited`"
    )
    driver: Driver | None = None

    @model_validator(mode="after")
    def _cards_decide(self) -> "AcceleratorProfile":
        if self.cards is None and (self.control or self.visible or self.driver):
            raise ValueError("control, visible and driver belong to cards, and there are none")
        return self
