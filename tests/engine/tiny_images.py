"""Tiny images out of this machine's own programs, for tests with a real engine and no network."""

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from portside.common.canonical import canonical_json
from portside.engines import Engine, ImageLayer, ImageToLoad
from portside.engines.base import RECIPE_LABEL

PROGRAMS = ("sh", "cat", "chmod", "ln", "mkdir", "mkfifo", "mv", "rm", "sleep")
LABEL = {"portside-test": "yes"}


@dataclass(frozen=True)
class Sandbox:
    """The engine, the prefix of every name that a test may give to an image, and the names that were asked for."""

    engine: Engine
    prefix: str
    refs: set[str] = field(default_factory=set)

    def ref(self, name: str) -> str:
        self.refs.add(f"{self.prefix}/{name}")
        return f"{self.prefix}/{name}"


class Counted:
    """A Transfer that notes the total it was told and the bytes that were reported."""

    def __init__(self) -> None:
        self.totals: list[int | None] = []
        self.done = 0

    @contextmanager
    def __call__(self, text: str, total: int | None) -> Iterator[Callable[[int], None]]:
        self.totals.append(total)
        yield self._advance

    def _advance(self, count: int) -> None:
        self.done += count


def layer(files: Mapping[str, bytes], mode: int = 0o644) -> ImageLayer:
    """A layer with these files, all of one mode."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    data = out.getvalue()
    return ImageLayer(hashlib.sha256(data).hexdigest(), len(data), lambda: io.BytesIO(data))


def image(layers: Sequence[ImageLayer], tags: Sequence[str], note: str = "", recipe: str | None = None) -> ImageToLoad:
    """An image of these layers; another note makes it another image. recipe: as if it were of this one."""
    labels = {**LABEL, "note": note} | ({RECIPE_LABEL: recipe} if recipe else {})
    config = {
        "architecture": "amd64",
        "os": "linux",
        "created": "2020-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"], "Labels": labels},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{item.diff_id}" for item in layers]},
        "history": [{"created": "2020-01-01T00:00:00Z", "created_by": "a test"} for _ in layers],
    }
    return ImageToLoad(canonical_json(config), tuple(layers), tuple(tags))


def programs(names: Sequence[str] = PROGRAMS) -> dict[str, bytes]:
    """This machine's programs at /bin, and the libraries they are linked with at their own places."""
    found: dict[str, bytes] = {}
    for name in names:
        path = shutil.which(name, path="/bin:/usr/bin")
        assert path is not None, f"this machine has no {name}"
        found[f"bin/{name}"] = Path(path).read_bytes()
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", linked):
            found[library.lstrip("/")] = Path(library).read_bytes()
    return found


class Collected:
    """An Output that keeps what a container said."""

    def __init__(self) -> None:
        self.stdout = b""
        self.stderr = b""

    def __call__(self, stdout: bytes, stderr: bytes) -> None:
        self.stdout += stdout
        self.stderr += stderr
