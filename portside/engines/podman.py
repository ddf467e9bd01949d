"""Podman, from 4.3 on, through its own command: docs/decisions.md says why not through its service.

Podman's image ID is the config digest, whatever the manifest's type. Short names get `localhost/` in front there, which
nobody outside this module sees.
"""

import json
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from portside.common.values import DiffID, ImageID
from portside.engines import archive, docker_layers, docker_owned, docker_run, podman_build, podman_layers
from portside.engines.base import (
    ATTEMPTS,
    PROCESS_LABEL,
    RECIPE_LABEL,
    Container,
    EngineImage,
    ImageLayer,
    ImageToBuild,
    ImageToLoad,
    Output,
    RunSpec,
    Transfer,
)
from portside.engines.emulators import emulated
from portside.engines.layout_folder import look_for_damage, write_folder
from portside.engines.podman_cli import as_command, as_program, failed, find_podman, runtime_options, with_limits
from portside.engines.podman_names import LOCAL, full_name, listed
from portside.errors import EngineError, InputError
from portside.layers.raw import LayerSource

_NEVER_STARTED = ("created", "configured", "initialized")


class PodmanEngine:
    """The podman command on PATH and this user's storage. Raises EngineError at once if there is none that works."""

    name = "podman"

    def __init__(self) -> None:
        self._podman = find_podman(os.environ)

    @cached_property
    def _info(self) -> dict[str, Any]:
        return dict(json.loads(self._podman.call("describing itself", "info", "--format", "json")))

    def describe(self) -> str:
        host, store = self._info["host"], self._info["store"]
        runtime = (runtime_options() or [host["ociRuntime"]["name"]])[-1]
        rootless = ", rootless" if host["security"]["rootless"] else ""
        return f"Podman {self._podman.version}, {self.storage()} at {store['graphRoot']}, {runtime}{rootless}"

    def storage(self) -> str:
        return str(self._info["store"]["graphDriverName"])

    def identity(self) -> str:
        return f"podman {self._info['store']['graphRoot']}"

    @property
    def _architecture(self) -> str:
        return str(self._info["host"]["arch"])

    def runs(self, architecture: str) -> bool:
        return architecture == self._architecture or architecture in emulated()

    def free_bytes(self) -> int | None:
        try:
            return shutil.disk_usage(self._info["store"]["graphRoot"]).free
        except OSError:
            return None

    def room(self, size: int) -> int:
        return size  # and for a while as much as the largest layer in /var/tmp, which may be another disk

    def clock(self) -> int:
        return int(time.time())  # it is this machine's

    def _inspect(self, ref: str, template: str) -> str | None:
        """A Go template about a local image, filled in; None if there is no such image."""
        name = full_name(ref)
        done = self._podman.result("image", "inspect", "--format", template, name)
        if done.returncode == 0:
            return done.stdout.decode().strip()
        if self._podman.there("image", name):
            raise failed(f"looking at the image {ref}", done.stderr)
        return None

    def image_id(self, ref: str) -> ImageID | None:
        said = self._inspect(ref, "{{.Id}}")
        return None if said is None else docker_layers.image_id(said)

    def _known_layers(self) -> list[list[str]]:
        """The diff IDs of every local image. An image that goes meanwhile makes it empty: then nothing is known."""
        names = sorted({str(row["Id"]) for row in listed(self._podman, "images", "--all")})
        if not names:
            return []
        done = self._podman.result("image", "inspect", "--format", "{{json .RootFS.Layers}}", *names)
        rows = done.stdout.decode().splitlines() if done.returncode == 0 else []
        return [[layer.removeprefix("sha256:") for layer in json.loads(row) or ()] for row in rows]

    @property
    def cache(self) -> None:
        """podman_build never uses one, and leaves none."""
        return None

    def lacks(self, diff_ids: Sequence[DiffID | None]) -> list[bool]:
        known = {diff_id for layers in self._known_layers() for diff_id in layers}
        return [diff_id not in known for diff_id in diff_ids]

    def load(self, image: ImageToLoad, progress: Transfer) -> int:
        sent = 0
        before = {found for ref in image.tags if (found := self.image_id(ref)) is not None}
        for _ in range(ATTEMPTS):
            if self.image_id(image.image_id) is None:
                sent += self._pull(image, progress)
            elif image.tags:
                self._tag(image.image_id, image.tags)
            if all(self.image_id(ref) == image.image_id for ref in image.tags or (image.image_id,)):
                for replaced in sorted(before - {image.image_id}):
                    self._remove_replaced(replaced)
                return sent
            # Its last name went just now, and the image with it: another process has removed what it had needed.
        raise EngineError(f"Podman says that {image.title()} is not the image that was just loaded", "Load it again.")

    def _remove_replaced(self, image_id: str) -> None:
        said = self._inspect(image_id, '{"Names":{{json .RepoTags}},"Labels":{{json .Labels}}}')
        found = json.loads(said) if said else {}
        if not found.get("Names") and RECIPE_LABEL in (found.get("Labels") or {}):
            self._podman.result("image", "rm", image_id)  # refused where a container needs it

    def _pull(self, image: ImageToLoad, progress: Transfer) -> int:
        """Let Podman copy the image; gives the bytes that it has read.

        A layer that an image of its storage has, above whichever others, it takes from there (containers/image,
        storage_dest.go: TryReusingBlob goes by the diff ID), so its blob is not asked for.
        """
        layers = archive.layers_to_send(image, self.lacks([layer.diff_id for layer in image.layers]))
        try:
            return self._copy(image, layers, progress)
        except EngineError:
            everything = archive.layers_to_send(image)
            if len(layers) == len(everything):
                raise
            # An image that was there a moment ago may be gone.
            return self._copy(image, everything, progress)

    def _copy(self, image: ImageToLoad, layers: Sequence[ImageLayer], progress: Transfer) -> int:
        """Let Podman copy the image out of an OCI layout that stands on our blobs of these layers."""
        total = sum(layer.size for layer in layers)
        title = image.title(12)
        with (
            tempfile.TemporaryDirectory(prefix="portside-load-") as folder,
            progress(image.on_its_way("Podman", total), total) as advance,
        ):
            # Podman names what it pulls from a folder after the folder as it was told, so this one needs a name
            # that nobody else has, and no upper-case letters of the path to it.
            layout = Path(folder, f"portside-load-{os.urandom(8).hex()}")
            write_folder(image, layers, layout)
            try:
                done = self._podman.result("pull", "--quiet", f"oci:{layout.name}", cwd=layout.parent)
                # Before that name goes: an image without a name is removed with those that stand on it.
                if done.returncode == 0 and image.tags and self.image_id(image.image_id) is not None:
                    self._tag(image.image_id, image.tags)
            finally:
                self._podman.result("untag", image.image_id, full_name(layout.name))
            if done.returncode:
                look_for_damage(layers)
                remedy = "Look at the free space where Podman keeps its data, and in /var/tmp."
                raise failed(f"loading {title}", done.stderr, remedy)
            if self.image_id(image.image_id) is None:
                raise EngineError(f"Podman loaded {title} as {done.stdout.decode().strip()}, not as {image.image_id}")
            advance(total)
        return total

    def build(self, image: ImageToBuild, log: Callable[[str], None]) -> str:
        """As if no_cache were always true: podman_build says why."""
        if image.architecture == self._architecture:
            image = replace(image, architecture=None)
        return podman_build.build(self._podman, image, log)

    def remove_interrupted(self, parent: str) -> None:
        podman_build.remove_interrupted(self._podman, parent)

    def diff_ids(self, ref: str, shown: str | None = None) -> list[DiffID]:
        said = self._inspect(ref, '{"RootFS":{{json .RootFS}}}')
        if said is None:
            raise EngineError(f"Podman has no image {shown or ref}", "Build it again.")
        return docker_layers.layer_ids(json.loads(said))

    @contextmanager
    def new_layers(self, image: str, parent_layers: int, shown: str | None = None) -> Iterator[list[LayerSource]]:
        said = self._inspect(image, '{"GraphDriver":{{json .GraphDriver}},"RootFS":{{json .RootFS}}}')
        if said is None:
            raise EngineError(f"Podman has no image {shown or image}", "Build it again.")
        found = json.loads(said)
        diff_ids = docker_layers.layer_ids(found)
        folders = podman_layers.overlay_folders(self._info["store"], found, diff_ids, parent_layers)
        if folders is not None:
            yield list(folders)
            return
        with tempfile.TemporaryDirectory(prefix="portside-layers-") as spool:
            layers: list[LayerSource] = []
            if parent_layers < len(diff_ids):
                try:
                    with podman_layers.saved(self._podman, image, shown or image) as stream:
                        layers += docker_layers.spool_saved(stream, diff_ids, parent_layers, Path(spool))
                except (tarfile.TarError, InputError) as error:
                    text = f"what Podman saves of {shown or image} cannot be read: {error}"
                    raise EngineError(text, "Try again.") from error
            yield layers

    def _create(self, spec: RunSpec) -> str:
        words = [*as_program("create")[1:], *docker_run.arguments(with_limits(spec))]
        return self._podman.call(f"making a container of {spec.image}", *words)

    def run(self, spec: RunSpec, output: Output) -> int:
        container = self._create(spec)
        try:
            more = ["--interactive"] if spec.stdin else []
            words = ["start", "--attach", *more, "--sig-proxy=false", container]
            _, said = self._podman.stream(*words, output=output, stdin=spec.stdin)
            status = self._podman.call(
                "looking at a container", "container", "inspect", "--format", "{{.State.Status}}", container
            )
            if status in _NEVER_STARTED:
                raise failed(f"starting a container of {spec.image}", said)
            return int(self._podman.call("waiting for a container", "wait", container))
        finally:
            self.remove_container(container)

    def start(self, spec: RunSpec) -> str:
        container = self._create(spec)
        try:
            self._podman.call(f"starting a container of {spec.image}", "start", container)
        except BaseException:
            self.remove_container(container)
            raise
        return container

    def as_command(self, spec: RunSpec) -> list[str]:
        return as_command(spec)

    def find_container(self, name: str) -> Container | None:
        done = self._podman.result("container", "inspect", name)
        if done.returncode:
            if self._podman.there("container", name):
                raise failed(f"looking at the container {name}", done.stderr)
            return None
        found = json.loads(done.stdout)[0]
        labels = found["Config"].get("Labels") or {}
        return Container(found["Id"], found["State"]["Running"], self.image_id(found["Image"]), labels)

    def resume(self, container: str) -> None:
        self._podman.call("starting a container again", "start", container)

    def enter_command(
        self, container: str, command: Sequence[str], *, terminal: bool, env: Mapping[str, str], workdir: str | None
    ) -> list[str]:
        return docker_run.enter_command(
            container, command, terminal=terminal, env=env, workdir=workdir, program="podman"
        )

    def _tag(self, image: str, refs: Sequence[str]) -> None:
        self._podman.call(f"tagging {', '.join(refs)}", "tag", full_name(image), *map(full_name, refs))

    def images(self) -> list[EngineImage]:
        found = listed(self._podman, "images", "--all", "--filter", f"label={RECIPE_LABEL}")
        rows = {str(row["Id"]): row for row in found}
        return [image for name, row in sorted(rows.items()) if (image := self._owned(name, row)) is not None]

    def _owned(self, name: str, row: Mapping[str, Any]) -> EngineImage | None:
        """row: what `podman images` says of the image. None if it is gone meanwhile."""
        said = self._inspect(name, '{"RootFS":{{json .RootFS}},"History":{{json .History}}}')
        if said is None:
            return None
        image = json.loads(said)
        lines = [str(step.get("created_by", "")) for step in image["History"] or ()]
        sizes = [int(step["size"]) for step in reversed(listed(self._podman, "history", name))]
        names = tuple(tag.removeprefix(LOCAL) for tag in row.get("Names") or ())
        steps = list(zip(lines, sizes, strict=False))
        return docker_owned.owned(name, names, row.get("Labels") or {}, docker_layers.layer_ids(image), steps)

    def signal(self, container: str, number: int) -> bool:
        return self._podman.result("kill", "--signal", str(number), container).returncode == 0

    def containers(self, label: str = PROCESS_LABEL) -> list[Container]:
        rows = listed(self._podman, "ps", "--all", "--filter", f"label={label}")
        return [
            Container(str(row["Id"]), row["State"] == "running", self.image_id(row["ImageID"]), row["Labels"] or {})
            for row in rows
        ]

    def remove_image(self, ref: str) -> None:
        if self._podman.there("image", full_name(ref)):
            self._podman.call(f"removing the image {ref}", "image", "rm", full_name(ref))

    def remove_container(self, container: str) -> None:
        self._podman.call("removing a container", "rm", "--force", "--ignore", "--time", "0", "--volumes", container)
