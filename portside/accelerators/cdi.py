"""A specification of the Container Device Interface for the cards of a host, where the vendor's tools write none.

The models are the CDI specification's (cncf-tags/container-device-interface, SPEC.md 1.1.0) as far as it is used here;
engines refuse a specification with a field that they do not know, so nothing newer than needed stands in it.
"""

import json
import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.host import Host
from portside.accelerators.node_names import POSITION, fill, names_in
from portside.accelerators.probe import Card, control_nodes, find_cards, inside_of
from portside.common.fields import Matching
from portside.errors import EngineError, RecipeError

ALL = "all"
_READ_ONLY = ("ro", "nosuid", "nodev", "rbind")

DeviceName = Annotated[
    str, Matching(r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$", "letters, digits, '_', '.' and '-', 63 at most")
]


class CdiModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CdiNode(CdiModel):
    """A device node. path: in the container. hostPath: on the host, if it is another (0.5.0)."""

    path: str = Field(pattern="^/")
    host_path: str | None = Field(None, alias="hostPath", pattern="^/")
    permissions: str = Field("rw", pattern="^[rwm]+$")


class CdiMount(CdiModel):
    host_path: str = Field(alias="hostPath", pattern="^/")
    container_path: str = Field(alias="containerPath", pattern="^/")
    options: tuple[str, ...] = _READ_ONLY


class CdiEdits(CdiModel):
    """What is done to a container."""

    env: tuple[Annotated[str, Field(pattern=r"^[^=\x00]+=[^\x00]*$")], ...] = ()
    device_nodes: tuple[CdiNode, ...] = Field((), alias="deviceNodes")
    mounts: tuple[CdiMount, ...] = ()


class CdiDevice(CdiModel):
    name: DeviceName
    container_edits: CdiEdits = Field(alias="containerEdits")


class CdiSpecification(CdiModel):
    """The whole document. kind: VENDOR/CLASS."""

    cdi_version: str = Field(alias="cdiVersion", pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    kind: str = Field(pattern=r"^[A-Za-z]([A-Za-z0-9.-]*[A-Za-z0-9])?/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?$")
    devices: tuple[CdiDevice, ...] = Field(min_length=1)
    container_edits: CdiEdits = Field(default_factory=CdiEdits, alias="containerEdits")

    @model_validator(mode="after")
    def _names_differ(self) -> "CdiSpecification":
        names = [device.name for device in self.devices]
        if len(set(names)) != len(names):
            raise ValueError("two devices have one name")
        return self

    def to_json(self) -> str:
        """The file's text."""
        values = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        for edits in (values["containerEdits"], *(device["containerEdits"] for device in values["devices"])):
            for key in [key for key, value in edits.items() if not value]:
                del edits[key]
        if not values["containerEdits"]:
            del values["containerEdits"]
        return json.dumps(values, indent=2) + "\n"


def specification(accelerator: AcceleratorProfile, host: Host) -> CdiSpecification:
    """A device for each card of a host, by its number, and `all`; with every one the control nodes and files.

    Raises RecipeError for an accelerator without CDI names, EngineError for a host that lacks cards or what they need.
    """
    cdi = accelerator.cdi
    if cdi is None or accelerator.cards is None:
        raise RecipeError(
            f"Portside knows no CDI names for {accelerator.name}",
            "Give its file some, in the project's accelerators/: cdi: {kind: VENDOR/CLASS}",
        )
    patterns = [accelerator.cards.inside, *(one.inside for one in accelerator.cards.beside)]
    if any(POSITION in names_in(pattern) for pattern in patterns if pattern):
        raise RecipeError(
            f"a card of {accelerator.name} has another name in each container, which CDI cannot say",
            "Say --access raw.",
        )
    cards = find_cards(accelerator, host)
    if not cards:
        raise EngineError(f"this host has no {accelerator.name} card", "invoke doctor says what is missing.")
    control, missing = control_nodes(accelerator, host)
    files = {file.target or file.paths[0]: _there(file.paths, host) for file in accelerator.files}
    absent = [file.paths[0] for file in accelerator.files if file.required and _there(file.paths, host) is None]
    if missing or absent:
        raise EngineError(
            f"this host has {accelerator.name} cards, but no {' and no '.join([*missing, *absent])}",
            "The driver is not installed or loaded whole; invoke doctor says more.",
        )
    inside = inside_of(accelerator.control)
    toolkit = accelerator.toolkit
    common = CdiEdits(
        env=(f"{toolkit.variable}={toolkit.void}",) if toolkit and toolkit.void else (),
        device_nodes=tuple(_node(path, inside.get(path, path)) for path in control),
        mounts=tuple(
            CdiMount(host_path=source, container_path=target) for target, source in files.items() if source is not None
        ),
    )
    devices = [_device(fill(cdi.device, card.values), [card]) for card in cards]
    found = (*devices, _device(ALL, cards))
    return CdiSpecification(cdi_version=_least(found, common), kind=cdi.kind, devices=found, container_edits=common)


def _there(paths: Sequence[str], host: Host) -> str | None:
    return next((path for path in paths if host.exists(path)), None)


def _device(name: str, cards: Sequence[Card]) -> CdiDevice:
    nodes = [_node(path, fill(card.inside.get(path, path), card.values)) for card in cards for path in card.nodes]
    return CdiDevice(name=name, container_edits=CdiEdits(device_nodes=tuple(nodes)))


def _node(path: str, inside: str) -> CdiNode:
    return CdiNode(path=inside, host_path=None if inside == path else path)


def _least(devices: Sequence[CdiDevice], common: CdiEdits) -> str:
    """The lowest version that has all of it: names that begin with a digit, and hostPath, are of 0.5.0."""
    edits = (common, *(device.container_edits for device in devices))
    renamed = any(node.host_path for edit in edits for node in edit.device_nodes)
    digits = any(re.match("[0-9]", device.name) for device in devices)
    return "0.5.0" if renamed or digits else "0.3.0"
