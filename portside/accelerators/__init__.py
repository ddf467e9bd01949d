"""Accelerators as data: which devices a container gets, and how to tell what a host has.

In: the data of an accelerator and a look at this host.
Out: the devices, mounts and rights that a container needs.
"""

from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.host import Host
from portside.accelerators.load import accelerator_names, load_accelerator
from portside.accelerators.probe import (
    Card,
    assumed_card,
    control_nodes,
    driver_version,
    find_cards,
    for_host,
    part_node,
    version_fits,
)

__all__ = [
    "AcceleratorProfile",
    "Card",
    "Host",
    "accelerator_names",
    "assumed_card",
    "control_nodes",
    "driver_version",
    "find_cards",
    "for_host",
    "load_accelerator",
    "part_node",
    "version_fits",
]
