"""Wheels of this repository, built from a copy of what they are made of."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PARTS = ("LICENSE", "README.md", "docs", "images", "portside", "pyproject.toml", "recipes", "scripts")
JUNK = shutil.ignore_patterns("__pycache__", ".pytest_cache")


def copy_of_checkout(target: Path) -> Path:
    """What a wheel is made of, copied to `target`: links as links, as git has them."""
    target.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, symlinks=True, ignore=JUNK)
        else:
            shutil.copy2(ROOT / part, target / part)
    shutil.copy2(ROOT / ".gitignore", target)
    return target


def build_wheel(checkout: Path, prefix: Sequence[str] = (), umask: int = 0o022, **environment: str) -> Path:
    """The wheel of a checkout, in its folder dist. prefix: put before the command."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | environment,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (checkout / "dist").iterdir()
    return wheel


def contents(wheel: Path) -> dict[str, bytes]:
    """Name -> bytes of all files of a wheel; none of them is a link."""
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            assert info.external_attr >> 28 in (0, 0o10), f"{info.filename} is no file"
        return {name: archive.read(name) for name in archive.namelist()}
