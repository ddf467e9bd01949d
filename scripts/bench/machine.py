"""On what a run was made: a figure without its machine says nothing."""

import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any


def facts(folder: Path) -> dict[str, Any]:
    """Of this machine, and of the disk of `folder`."""
    return {
        "cpu": _after(Path("/proc/cpuinfo"), "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": int((_after(Path("/proc/meminfo"), "MemTotal") or "0").split()[0]) * 1024,
        "disk": disk(folder),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def load() -> list[float]:
    """Processes that wanted to run, on average of one, five and fifteen minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def free(folder: Path) -> int:
    """Bytes that may still be written."""
    return shutil.disk_usage(folder).free


def disk(folder: Path) -> str:
    """File system, and whether it stands on a disk that turns, as far as the kernel says."""
    found = subprocess.run(
        ["findmnt", "--noheadings", "--output", "SOURCE,FSTYPE", "--target", folder],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    if len(found) < 2:
        return "unknown"
    source, kind = found[:2]
    device = Path(source).name
    for name in (device, device.rstrip("0123456789"), device.rstrip("0123456789").removesuffix("p")):
        block = Path("/sys/block") / name
        if name and block.is_dir():
            turns = (block / "queue/rotational").read_text().strip() == "1"
            # A virtual machine's disk says that it turns, whatever it is made of.
            virtual = name.startswith(("vd", "xvd"))
            return f"{kind} on {'a virtual disk' if virtual else 'a hard disk' if turns else 'flash'}"
    return kind


def _after(file: Path, name: str) -> str | None:
    for line in file.read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None
