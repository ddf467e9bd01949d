"""A build with `podman build`, which leaves nothing behind but the image.

Without Podman's own cache (`--layers=false`): Portside has the layers it needs by their keys, and the cache would be
an image without a name for every step. All steps are one new layer then, which is committed once.
"""

import re
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from portside.engines.command import LAST_LINES, build_failed, indented, lines
from portside.engines.podman_cli import Podman, runtime_options
from portside.engines.podman_names import full_name, listed
from portside.errors import EngineError

_STEP = re.compile(r"^STEP \d+/\d+: (.+)$")
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build; fields as in `Engine.build`."""

    context: Path
    dockerfile: Path
    target: str | None
    tag: str

    def arguments(self, id_file: Path) -> list[str]:
        out = ["build", *runtime_options(), "--network", "none", "--layers=false", "--pull=never", "--http-proxy=false"]
        out += ["--iidfile", str(id_file), "--tag", self.tag, "--file", str(self.dockerfile)]
        if self.target is not None:
            out += ["--target", self.target]
        return [*out, str(self.context)]

    def parents(self) -> set[str]:
        """The images that the Dockerfile names, as Podman writes them."""
        return {full_name(name) for name in _FROM.findall(self.dockerfile.read_text(encoding="utf-8"))}


def build(podman: Podman, request: BuildRequest, log: Callable[[str], None]) -> str:
    """Run `podman build`; gives the image's ID (`sha256:…`). Raises BuildError or EngineError.

    An interruption stops the command, and with it the build, and goes on to the caller.
    """
    parents = request.parents()
    _remove_working(podman, parents)
    try:
        with tempfile.TemporaryDirectory() as scratch:
            id_file = Path(scratch, "id")
            last: deque[str] = deque(maxlen=LAST_LINES)
            step: str | None = None
            with closing(lines(["podman", *request.arguments(id_file)], podman.environment, umask=0o022)) as output:
                for line in output:
                    last.append(line)
                    log(line)
                    if found := _STEP.match(line):
                        step = found[1]
            if id_file.exists():
                return "sha256:" + id_file.read_text().strip().removeprefix("sha256:")
        if step is None:
            raise EngineError(f"Podman did not begin to build {request.tag}:\n{indented(list(last))}")
        raise build_failed(request.tag, step, list(last))
    except BaseException:
        _remove_working(podman, parents)
        raise


def _remove_working(podman: Podman, parents: set[str]) -> None:
    """Remove what builds on these images were interrupted in: `podman build` cannot clean up when it is killed."""
    left = [
        str(row["Id"])
        for row in listed(podman, "ps", "--all", "--external")
        if row.get("Command") == ["buildah"] and row.get("Image") in parents
    ]
    if left:
        podman.call("removing what an interrupted build left", "rm", "--force", "--time", "0", *left)
