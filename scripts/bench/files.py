"""What lies in the folders of a run."""

import shutil
import subprocess
from pathlib import Path

from bench.processes import BenchError


def remove_large(folder: Path, size: int) -> None:
    """Remove what a store has of weights that nobody asks for any more: large files whose recipe is gone."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size >= size:
            path.unlink()


def allocated(folder: Path) -> int:
    """Bytes that a folder takes on its disk; a file with several names counts once."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        found = path.lstat()
        seen[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(seen.values())


def remove_tree(root: Path) -> None:
    """Remove the run's folder, with what Podman has mounted below it."""
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        points = [line.split()[1] for line in mounts]
    for point in sorted((p for p in points if p.startswith(f"{root}/")), reverse=True):
        subprocess.run(["umount", point], check=False, capture_output=True)
    shutil.rmtree(root, ignore_errors=True)
    if root.exists():
        raise BenchError(f"{root} could not be removed whole")
