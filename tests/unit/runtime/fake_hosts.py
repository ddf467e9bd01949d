"""Hosts made of plain files: /dev, /proc and tools in the shapes that real ones have."""

from collections.abc import Iterable
from pathlib import Path

from portside.accelerators import Host

# The lines that the Cambricon driver's proc/cndrv_proc.c writes for one card.
MLU_INFORMATION = """\
Device name: MLU370-X8
Device inode path: /dev/cambricon_dev{index}
Device Major: 233
Device Minor: {index}
Driver Version: v{version}
MCU Version: v1.1.4
Board Serial Number: SN/5021170311{index:02d}
MLU Firmware Version: 1.1.4
Board CV: 1
IPU Freq: 1000MHz
"""
NVIDIA_VERSION = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023
GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
"""
NVIDIA_OPEN_VERSION = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build  (dvs-builder)  Tue Mar  5 2024
"""
ASCEND_VERSION = "Version=24.1.rc1\nascendhal_version=7.35.19\naicpu_version=1.0\npackage_version=24.1.rc1\n"


def put(root: Path, absolute: str, text: str = "") -> None:
    path = root / absolute.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def fake_host(root: Path, *, user: str = "li", terminal: bool = False) -> Host:
    """A Debian host without cards. Below its root every plain file in /dev counts as a device node."""
    put(root, "/dev/null")
    put(root, "/etc/os-release", 'NAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    put(root, "/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
    put(root, "/proc/meminfo", "MemTotal:       131072000 kB\nMemFree: 1 kB\nMemAvailable:   98304000 kB\n")
    return Host(root=root, is_node=Path.is_file, user=user, terminal=terminal)


def add_mlu(root: Path, cards: Iterable[int], *, version: str | None = "5.10.10", control: bool = True) -> None:
    """MLU370 cards: their nodes, and what the loaded driver says about each of them (nothing if version is None)."""
    for index in cards:
        put(root, f"/dev/cambricon_dev{index}")
        put(root, f"/dev/cambricon_ipcm{index}")
    if control:
        put(root, "/dev/cambricon_ctl")
    if version is not None:
        add_mlu_driver(root, version)


def add_mlu_driver(root: Path, version: str) -> None:
    for index in range(2):
        text = MLU_INFORMATION.format(index=index, version=version)
        put(root, f"/proc/driver/cambricon/mlus/0000:{0x3B + index:02x}:00.0/information", text)
    put(root, "/usr/bin/cnmon", "#!/bin/sh\n")


def sixteen(root: Path) -> Host:
    """The tutorial's machine: sixteen MLU370 with the tutorial's driver."""
    host = fake_host(root)
    add_mlu(root, range(16))
    # What else such a host has below /dev and is no card: a virtual function, a folder of capabilities.
    put(root, "/dev/cambricon_dev0mi1")
    put(root, "/dev/cambricon-caps/cap_dev0_mi1")
    return host
