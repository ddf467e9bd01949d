"""What an accelerator's file is made of, and who says so: the parts of `accelerators/*.yaml`."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from portside.accelerators.node_names import names_in
from portside.common.fields import Absolute, Matching, Name, OneLine, Plain, Variable, VersionRange

UNLIMITED = -1

_SIZE = re.compile(r"([0-9]+) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def _device(value: str) -> str:
    if not re.fullmatch(r"/dev/[A-Za-z0-9_][A-Za-z0-9_./*-]*", value) or ".." in value:
        raise ValueError("expected the path of a device node below /dev")
    return value


def _device_pattern(value: str) -> str:
    names_in(value)
    _device(re.sub(r"\{[^}]*\}", "0", value))
    return value


def _pattern_of_card(value: str) -> str:
    if not names_in(value):
        raise ValueError("expected a path below /dev with one {index} where the card's number stands")
    return _device_pattern(value)


def _template(value: str) -> str:
    names_in(value)
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


def expression(value: str) -> str:
    """A regular expression for one line of a file. Raises ValueError."""
    try:
        re.compile(value, re.MULTILINE)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    return value


def _version_pattern(value: str) -> str:
    if "version" not in re.compile(expression(value), re.MULTILINE).groupindex:
        raise ValueError("expected a regular expression with a group (?P<version>…)")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


NodePath = Annotated[str, AfterValidator(_device)]
NodePattern = Annotated[str, AfterValidator(_device_pattern)]
CardPattern = Annotated[str, AfterValidator(_pattern_of_card)]
PathPattern = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$"), AfterValidator(_template)]
ValuePattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:{}+-]+$"), AfterValidator(_template)]
Expression = Annotated[str, AfterValidator(expression)]
SizeInBytes = Annotated[int, Field(strict=True, gt=0), BeforeValidator(_bytes)]
Limit = Annotated[int, Field(strict=True, ge=UNLIMITED), BeforeValidator(_limit)]
Day = Annotated[str, Matching(r"^20[0-9]{2}-[01][0-9]-[0-3][0-9]$", 'a day such as "2026-08-22", in quotes')]
Capability = Annotated[str, Matching(r"^[A-Z_]+$", "a capability of Linux without CAP_, such as 'SYS_NICE'")]


class AcceleratorModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class FactSource(AcceleratorModel):
    """Where facts of this file were read. Two facts are independent where `by` differs."""

    by: OneLine = Field(description="who wrote it: the vendor, or a project that uses the cards")
    of: OneLine = Field(description="what was read: repository:path@commit, or a document's title")
    date: Day = Field(description="the day of that version; of what has none, the day on which it was read")


class Fact(AcceleratorModel):
    """One thing that is known of a card."""

    source: Annotated[tuple[Name, ...], BeforeValidator(_one_or_more)] = Field(
        (), description="who says so: names from `sources`, one or several"
    )


class CardNode(Fact):
    """A further node of each card, passed where the host has it; short: its path."""

    path: CardPattern = Field(examples=["/dev/cambricon_ipcm{index}"])
    inside: NodePattern | None = Field(None, description="its name in the container; default: the same")
    find: PathPattern | None = Field(
        None,
        description="a file of the host whose name tells a number that is not known yet",
        examples=["/sys/module/amdgpu/drivers/pci:amdgpu/{pci}/drm/card{card}"],
    )
    required: bool = Field(False, strict=True, description="without it the card cannot be used")

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class CardPart(Fact):
    """The node of a part of a card (MIM, sMLU), passed beside the card's own: `--devices 0.1`."""

    node: CardPattern = Field(examples=["/dev/cambricon-caps/cap_dev{index}_mi{part}"])


class Lookup(Fact):
    """A file of the host that tells further numbers of a card."""

    file: PathPattern = Field(examples=["/proc/driver/nvidia/gpus/{pci}/information"])
    pattern: Expression = Field(
        description="regular expression for a line of that file; its groups are the numbers' names",
        examples=[r"^Device Minor:\s*(?P<index>[0-9]+)"],
    )
    must: bool = Field(False, strict=True, description="what has no such line is no card of this accelerator")
    example: OneLine | None = Field(None, description="such a line, for hosts that are made up, if it has no number")


class Cards(Fact):
    """The nodes that exist once for every card, and how a card's numbers are found."""

    node: CardPattern = Field(
        description="the card's own node; `{index}` is the card's number, `{128+index}` adds to it",
        examples=["/dev/cambricon_dev{index}"],
    )
    inside: NodePattern | None = Field(
        None, description="its name in the container; `{position}` counts there from 0; default: the same"
    )
    find: PathPattern | None = Field(
        None,
        description="the files of the host that stand for the cards, where not every such node is a card; "
        "`{pci}` is an address, every other name a number",
        examples=["/sys/module/amdgpu/drivers/pci:amdgpu/{pci}/drm/renderD{render}"],
    )
    look: tuple[Lookup, ...] = Field((), description="further numbers of a card, from files")
    number: ValuePattern = Field(
        "{index}",
        description="the number by which people name a card; `{logical}` counts the cards by their PCI addresses, "
        "or by their numbers where no address is known",
    )
    like: dict[Annotated[str, Field(pattern=r"^[a-z]+$")], Annotated[int, Field(strict=True, ge=0)]] = Field(
        {}, description="for hosts that are made up: the first card's value of a number that is not 0 there"
    )
    beside: tuple[CardNode, ...] = Field((), description="further nodes of a card")
    parts: CardPart | None = None


class ControlNode(Fact):
    """A node that every container with a card gets: a path, a folder of nodes, or several by `*`."""

    path: NodePath = Field(examples=["/dev/cambricon_ctl"])
    inside: NodePath | None = Field(None, description="its name in the container; default: the same")
    instead: tuple[NodePath, ...] = Field((), description="nodes that are taken in its place where the host has them")
    required: bool = Field(True, strict=True, description="without it no container with a card is started")

    @property
    def paths(self) -> tuple[str, ...]:
        """The nodes of which the first that the host has is passed."""
        return (*self.instead, self.path)


class Visible(Fact):
    """The variable by which programs choose among the cards they could use."""

    variable: Variable = Field(examples=["MLU_VISIBLE_DEVICES"])
    numbering: Annotated[str, Matching("^(container|unset)$", "container or unset")] = Field(
        description="container: set to 0,1,… for the cards passed, in the order of their nodes; "
        "unset: never set, since every card that was passed is seen"
    )


class HostFile(Fact):
    """A tool, library or folder of the host, mounted read-only."""

    paths: tuple[Absolute, ...] = Field(min_length=1, description="the first that exists is mounted")
    target: Absolute | None = Field(None, description="where in the container; default: the first path")
    required: bool = Field(
        False,
        strict=True,
        description="without it no container with a card is started, and a dry run elsewhere has it; "
        "else: mounted where the host has it",
    )


class NodeGroup(Fact):
    """A group of the host that the container's user gets (`--group-add`).

    Groups that own a passed node which not everybody may use come by themselves.
    """

    name: Name = Field(examples=["video"])


class Privilege(Fact):
    """A right that a container with a card needs, and what for."""

    why: OneLine = Field(description="what does not work without it")


class AddedCapability(Privilege):
    """A capability (capabilities(7)) that programs in the container keep or get."""

    name: Capability = Field(examples=["SYS_NICE"])


class Seccomp(Privilege):
    """The engine's filter of system calls is not used."""

    profile: Annotated[str, Matching("^unconfined$", "unconfined")] = "unconfined"


class SharedIpc(Privilege):
    """Shared memory and semaphores of the host."""

    mode: Annotated[str, Matching("^host$", "host")] = "host"


class Toolkit(Fact):
    """The vendor's way to pass cards: a runtime, or a hook that reads a variable."""

    name: OneLine = Field(description="the vendor's package", examples=["Ascend-docker-runtime"])
    runtime: Name | None = Field(
        None, description="what `--runtime` names; none: a hook, which only reads the variable"
    )
    variable: Variable = Field(description="it names cards by the host's numbers", examples=["ASCEND_VISIBLE_DEVICES"])
    value: ValuePattern = Field("{index}", description="how it names a card; `{logical}`: as the vendor's tool counts")
    void: Plain | None = Field(
        None, description="what the variable is set to where cards are passed otherwise, so that none comes twice"
    )
    minimum: OneLine | None = Field(None, description="the lowest version that is known to work")
    files: tuple[Absolute, ...] = Field((), description="programs of the host; one of them tells that it is installed")


class CdiNames(Fact):
    """How devices are called in a specification of the Container Device Interface."""

    kind: Annotated[str, Matching(r"^[a-z0-9.-]+/[a-z0-9_.-]+$", "VENDOR/CLASS, such as 'cambricon.com/mlu'")]
    device: ValuePattern = Field("{index}", description="a card's name in it", examples=["mlu-{index}"])
    given: bool = Field(
        False, strict=True, description="the vendor's tools write such a specification; else `invoke cdi` does"
    )


class VerifyCommand(Fact):
    """A command in the container that lists the cards and fails without any."""

    command: tuple[Plain, ...] = Field(min_length=1, examples=[["npu-smi", "info"]])


class Framework(Fact):
    """PyTorch on these cards, for `invoke check --devices`."""

    module: Annotated[str, Matching(r"^[A-Za-z_][A-Za-z0-9_.]*$", "the name of a module of Python")] | None = Field(
        None, description="the plug-in to import; none: PyTorch itself knows the cards", examples=["torch_mlu"]
    )
    device: Annotated[str, Matching(r"^[a-z]+$", "what stands before `:0`")] = Field(examples=["mlu"])
    collective: Annotated[str, Matching(r"^[a-z]+$", "the name of a backend")] | None = Field(
        None, description="the backend of torch.distributed", examples=["cncl"]
    )


class Driver(Fact):
    """How to find out which driver the host has."""

    file: Annotated[str, Field(pattern=r"^/[^\x00-\x1f]+$")] = Field(
        description="glob of the files that tell; the first by name is read"
    )
    pattern: Annotated[str, AfterValidator(_version_pattern)] = Field(
        description="regular expression for a line of that file, with a group `version`"
    )
    example: OneLine | None = Field(None, description="such a line, for hosts that are made up")
    versions: VersionRange | None = Field(
        None, description="range for recipes that say nothing about the driver; a recipe's own range replaces it"
    )
    install: OneLine = Field(description="for people: how to get the driver; shown by `invoke doctor`")


class LineDifference(AcceleratorModel):
    """Options in which the vendor's line and ours differ, and the reason."""

    options: Annotated[tuple[OneLine, ...], BeforeValidator(_one_or_more), Field(min_length=1)] = Field(
        description="as the page shows them; `*` stands for any text", examples=["--privileged"]
    )
    why: OneLine


class DocumentedLine(Fact):
    """A `docker run` of the vendor's documents, word for word. A test compares it with ours."""

    line: str = Field(min_length=1, description="as it stands there")
    devices: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        description="the cards that it passes, by the host's numbers"
    )
    host: Annotated[int, Field(ge=1)] = Field(8, description="how many cards its machine has")
    access: Annotated[str, Matching("^(raw|toolkit|cdi)$", "raw, toolkit or cdi")] = "raw"
    variant: Name | None = None
    rdma: bool = Field(False, strict=True, description="compared with a container that has the RDMA nodes too")
    differences: tuple[LineDifference, ...] = ()
