"""A build with `podman build`, which leaves nothing behind but the image.

Every step becomes a layer, as in Docker: what a step does to hard links of earlier ones depends on it. Podman's cache
is never used, because it takes a step for the same if its text is, whatever lies in the context that the step mounts.
Of each step an image without a name stays; those go with the last one, or here when a build does not get so far.
"""

import re
import signal
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from portside.engines.base import ImageToBuild, RunSpec
from portside.engines.command import LAST_LINES, build_failed, indented, lines
from portside.engines.podman_cli import Podman, limits, runtime_options
from portside.engines.podman_names import full_name, listed
from portside.errors import EngineError

_AS_DOCKER = ("--cap-add=CAP_AUDIT_WRITE,CAP_MKNOD,CAP_NET_RAW", "--env=HOSTNAME=buildkitsandbox")
"""The capabilities that steps have in Docker and not in Podman (containers/common, DefaultCapabilities, and moby's
oci/caps); and in HOSTNAME, which Podman sets and nothing takes away, BuildKit's word, not another in each step."""
_STEPS = RunSpec("")
"""Steps ask for no limits; Podman has to be told those of a machine where it may not raise any."""
_STEP = re.compile(r"^STEP \d+/\d+: (.+)$")


def build(podman: Podman, image: ImageToBuild, log: Callable[[str], None]) -> str:
    """Run `podman build`; gives the image's ID (`sha256:…`). Raises BuildError or EngineError.

    An interruption stops the command, and with it the build, and goes on to the caller.
    """
    parents = {full_name(name) for name in image.parents()}
    before = {str(row["Id"]) for row in listed(podman, "images", "--all")}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            id_file = Path(scratch, "id")
            last: deque[str] = deque(maxlen=LAST_LINES)
            step: str | None = None
            command = ["podman", *_arguments(image, id_file)]
            # On SIGINT it would leave the step's processes running.
            output = lines(command, podman.environment, umask=0o022, polite=signal.SIGTERM, held=image.held)
            with closing(output):
                for line in output:
                    last.append(line)
                    log(line)
                    if found := _STEP.match(line):
                        step = found[1]
            if id_file.exists():
                return "sha256:" + id_file.read_text().strip().removeprefix("sha256:")
        if step is None:
            said = indented(map(image.in_words, last))
            raise EngineError(f"Podman did not begin to build {image.title}:\n{said}")
        raise build_failed(image, step, list(last))
    except BaseException:
        _remove_left(podman, parents, before)
        raise


def _arguments(image: ImageToBuild, id_file: Path) -> list[str]:
    return [
        "build",
        *runtime_options(),
        "--network=none",
        "--layers",
        "--no-cache",
        "--pull=never",
        "--http-proxy=false",
        *_AS_DOCKER,
        *(f"--ulimit={name}={soft}:{hard}" for name, (soft, hard) in sorted(limits(_STEPS).items())),
        *((f"--platform=linux/{image.architecture}",) if image.architecture else ()),
        *("--iidfile", str(id_file), "--tag", image.tag, "--file", str(image.dockerfile)),
        str(image.context),
    ]


def remove_interrupted(podman: Podman, parent: str) -> None:
    """Remove what builds on this image left that were killed: their working containers and images of single steps."""
    _remove_left(podman, {full_name(parent)}, set())


def _remove_left(podman: Podman, parents: set[str], before: set[str]) -> None:
    """Remove what builds on these images left, but for what has a name: `podman build` cannot when it is killed.

    First the working containers, of which every step has one, then the images of single steps that were not there
    `before`.
    """
    rows = listed(podman, "images", "--all")
    below = {str(row["Id"]) for row in rows if parents & set(row.get("Names") or ())}
    steps: list[str] = []
    while found := [
        str(row["Id"])
        for row in rows
        if row["ParentId"] in below and not row.get("Names") and row["Id"] not in before.union(steps)
    ]:
        steps += found
        below = set(found)
    working = [
        str(row["Id"])
        for row in listed(podman, "ps", "--all", "--external")
        if row.get("Command") == ["buildah"] and (row.get("Image") in parents or row.get("ImageID") in steps)
    ]
    if working:
        podman.call("removing what an interrupted build left", "rm", "--force", "--time", "0", *working)
    for step in reversed(steps):  # the topmost first, which takes those below it along
        podman.result("image", "rm", step)
