"""Docker, from 20.10 on, through its SDK; only builds go through the docker command (see docker_cli).

What names an image: with graph drivers (the default until 28) Docker's image ID is the config digest. The containerd
image store (default since 29) calls the manifest's digest the ID and does not tell the config's. There an image that
`load` sent carries its config digest as an annotation, which Docker 28 and newer show; for others, and on Docker
23 to 27, where that store is an experiment, `docker save` is read until the manifest comes by: right, but slow for
large images. (Builds on those experiments also ask the registry for FROM before they look at local images.)
"""

import json
import os
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from portside.common.canonical import CHUNK, sha256_hex
from portside.common.values import DiffID, ImageID
from portside.engines import archive, docker_cli, docker_layers, docker_owned, docker_run
from portside.engines.base import (
    ATTEMPTS,
    PROCESS_LABEL,
    RECIPE_LABEL,
    BuildCache,
    Container,
    EngineImage,
    ImageLayer,
    ImageToBuild,
    ImageToLoad,
    Output,
    RunSpec,
    Transfer,
)
from portside.engines.docker_cache import DockerCache, nanoseconds
from portside.engines.docker_held import Held, annotated, is_broken
from portside.engines.docker_sdk import connect, explained
from portside.engines.emulators import MACHINES, emulated
from portside.engines.endpoint import find_endpoint
from portside.errors import EngineError, InputError
from portside.layers.raw import LayerSource


class DockerEngine:
    """The daemon that DOCKER_HOST or the Docker context names. Raises EngineError at once if it does not answer."""

    name = "docker"

    def __init__(self) -> None:
        self._endpoint = find_endpoint(os.environ)
        self._version = self._endpoint.api_version()
        if self._version is None:
            self._version = self._api.api_version

    def _read(self, path: str) -> Any:
        """A JSON answer of the API, None if there is no such thing.

        A build with nothing to do needs nothing else of Docker; so it does not pay 0.13 s for importing the SDK.
        """
        path = f"/v{self._version}{path}"
        if self._endpoint.is_plain:
            answer = self._endpoint.get(path)
            status, body = answer.status, answer.body
        else:
            with explained("answering"):
                response = self._api.get(self._api.base_url + path)
            status, body = response.status_code, response.content
        if status == 404:
            return None
        value = json.loads(body)
        if status != 200:
            raise EngineError(f"Docker refuses GET {path}: {value.get('message', status)}")
        return value

    @cached_property
    def _api(self) -> Any:
        """The SDK's docker.APIClient, whose type stubs are not complete."""
        return connect(self._endpoint, self._version)

    @cached_property
    def _info(self) -> dict[str, Any]:
        return dict(self._read("/info"))

    @cached_property
    def _cli(self) -> docker_cli.Cli:
        return docker_cli.find_cli(self._endpoint, os.environ)

    @cached_property
    def _containerd_store(self) -> bool:
        return ["driver-type", "io.containerd.snapshotter.v1"] in (self._info.get("DriverStatus") or [])

    def describe(self) -> str:
        try:
            builder = f"{self._cli.how} through {self._cli.path}"
        except EngineError as error:
            builder = error.problem
        store = " (containerd image store)" if self._containerd_store else ""
        return f"Docker {self._info['ServerVersion']}, {self.storage()}{store}, {builder}"

    def storage(self) -> str:
        return str(self._info["Driver"])

    def identity(self) -> str:
        return f"docker {self._info['ID']}"

    @property
    def _architecture(self) -> str:
        machine = str(self._info["Architecture"])
        return MACHINES.get(machine, machine)

    def runs(self, architecture: str) -> bool:
        if architecture == self._architecture:
            return True
        is_here = self._endpoint.socket_path is not None and self._info.get("KernelVersion") == platform.release()
        if is_here and architecture in emulated():
            return True
        return architecture in docker_cli.platforms(self._cli, self._endpoint)

    def free_bytes(self) -> int | None:
        root = Path(self._info.get("DockerRootDir") or "")
        if self._endpoint.socket_path is None or not root.is_absolute():
            return None
        try:
            return shutil.disk_usage(root).free
        except OSError:
            return None

    def room(self, size: int) -> int:
        # A graph driver's archive is first unpacked into a folder beside; the containerd store keeps blobs and layers.
        return 2 * size

    def clock(self) -> int | None:
        return clock_of(self._info)

    def _inspect(self, name: str) -> dict[str, Any] | None:
        found = self._read(f"/images/{quote(name)}/json")
        return None if found is None else dict(found)

    def image_id(self, ref: str) -> ImageID | None:
        image = self._inspect(ref)
        return None if image is None else self._config_digest(image)

    def _config_digest(self, image: dict[str, Any]) -> ImageID | None:
        if noted := annotated(image):
            return docker_layers.image_id(noted)
        # Only graph drivers tell where they keep an image; this saves the round trip for all settings.
        if (image.get("GraphDriver") or {}).get("Data") or not self._containerd_store:
            return docker_layers.image_id(image["Id"])
        with self._saved(image["Id"]) as stream:
            return docker_layers.saved_config_digest(stream, image["Id"])

    @cached_property
    def _held(self) -> Held:
        return Held(self._read, self._containerd_store)

    @cached_property
    def cache(self) -> BuildCache:
        return DockerCache(self._read, lambda: self._api, str(self._version))

    def lacks(self, diff_ids: Sequence[DiffID | None]) -> list[bool]:
        return self._held.lacks(diff_ids)

    def load(self, image: ImageToLoad, progress: Transfer) -> int:
        sent = 0
        before = {str(found["Id"]) for ref in image.tags if (found := self._inspect(ref)) is not None}
        for _ in range(ATTEMPTS):
            engine_id, more = self._bring(image, progress)
            sent += more
            if self._tag(engine_id, image.tags) and all(self._is(ref, engine_id) for ref in image.tags or (engine_id,)):
                for replaced in sorted(before - {engine_id}):
                    self._remove_replaced(replaced)
                return sent
            # Its last name went just now, and the image with it: another process has removed what it had needed.
        raise EngineError(f"Docker says that {image.title()} is not the image that was just loaded", "Load it again.")

    def _remove_replaced(self, engine_id: str) -> None:
        found = self._inspect(engine_id)
        if found is None or found.get("RepoTags") or RECIPE_LABEL not in (found["Config"].get("Labels") or {}):
            return
        with suppress(EngineError):  # a container needs it
            self.remove_image(engine_id)

    def _is(self, ref: str, engine_id: str) -> bool:
        found = self._inspect(ref)
        return found is not None and found["Id"] == engine_id

    def _bring(self, image: ImageToLoad, progress: Transfer) -> tuple[str, int]:
        """Make the image exist; gives the engine's own ID, and the bytes sent."""
        sent = 0
        engine_id = self._find(image)
        if engine_id is None:
            layers = archive.layers_to_send(image, self.lacks([layer.diff_id for layer in image.layers]))
            everything = archive.layers_to_send(image)
            complaint, sent = self._send(image, layers, progress)
            engine_id = self._find(image)
            if (complaint or engine_id is None) and len(layers) < len(everything):
                # An image or a layer that was there a moment ago may be gone, or may not be all there.
                complaint, more = self._send(image, everything, progress)
                engine_id, sent = self._find(image), sent + more
            if complaint or engine_id is None:
                reason = complaint or f"it has no image {image.image_id}"
                raise EngineError(
                    f"Docker did not load {image.title()}: {reason}",
                    "Look at the free space where Docker keeps its data, and at its log.",
                )
        return engine_id, sent

    def _find(self, image: ImageToLoad) -> str | None:
        """The engine's own ID of exactly this image, if it has all of it. Either ID is a digest over its content."""
        if not self._containerd_store:
            found = self._inspect(f"sha256:{image.image_id}")
        else:
            found = self._read(f"/images/{quote('sha256:' + sha256_hex(image.manifest()))}/json?manifests=true")
        return None if found is None or is_broken(found) else str(found["Id"])

    def _send(self, image: ImageToLoad, layers: Sequence[ImageLayer], progress: Transfer) -> tuple[str, int]:
        """Stream the image with these layers; gives Docker's complaint ("" if none) and the bytes sent."""
        total = sum(layer.size for layer in layers)
        complaint = ""
        with (
            explained(f"loading {image.title(12)}"),
            progress(image.on_its_way("Docker", total), total) as advance,
        ):
            for message in self._api.load_image(archive.stream(image, layers, advance)):
                said = message.get("stream", "").strip()
                complaint = complaint or message.get("error", "") or (said if said.startswith("Error") else "")
        return complaint, total

    def build(self, image: ImageToBuild, log: Callable[[str], None]) -> str:
        if image.architecture == self._architecture:
            image = replace(image, architecture=None)
        return docker_cli.build(self._cli, self._endpoint, image, log)

    def remove_interrupted(self, parent: str) -> None:
        pass  # BuildKit clears up by itself

    def diff_ids(self, ref: str, shown: str | None = None) -> list[DiffID]:
        found = self._inspect(ref)
        if found is None:
            raise EngineError(f"Docker has no image {shown or ref}", "Build it again.")
        return docker_layers.layer_ids(found)

    @contextmanager
    def new_layers(self, image: str, parent_layers: int, shown: str | None = None) -> Iterator[list[LayerSource]]:
        found = self._inspect(image)
        if found is None:
            raise EngineError(f"Docker has no image {shown or image}", "Build it again.")
        diff_ids = docker_layers.layer_ids(found)
        folders = docker_layers.overlay_folders(self._info, found, parent_layers)
        if folders is not None:
            yield list(folders)
            return
        with tempfile.TemporaryDirectory(prefix="portside-layers-") as spool:
            layers: list[LayerSource] = []
            if parent_layers < len(diff_ids):
                with self._saved(image, shown) as stream:
                    layers += docker_layers.spool_saved(stream, diff_ids, parent_layers, Path(spool))
            yield layers

    @contextmanager
    def _saved(self, image: str, shown: str | None = None) -> Iterator[Iterator[bytes]]:
        """The stream of `docker save`."""
        with explained(f"saving {shown or image}"):
            try:
                with closing(self._api.get_image(image, chunk_size=CHUNK)) as stream:
                    yield stream
            except (tarfile.TarError, InputError) as error:
                text = f"what Docker saves of {shown or image} cannot be read: {error}"
                raise EngineError(text, "Try again.") from error

    def run(self, spec: RunSpec, output: Output) -> int:
        with explained(f"running a container of {spec.image}"):
            container = docker_run.create(self._api, self._possible(spec))
            try:
                with docker_run.attached(self._api, container, spec) as pieces:
                    self._api.start(container)
                    for stdout, stderr in pieces:
                        output(stdout, stderr)
                return int(self._api.wait(container)["StatusCode"])
            finally:
                self.remove_container(container)

    def start(self, spec: RunSpec) -> str:
        with explained(f"starting a container of {spec.image}"):
            container = docker_run.create(self._api, self._possible(spec))
            try:
                self._api.start(container)
            except BaseException:
                self.remove_container(container)
                raise
            return container

    def as_command(self, spec: RunSpec) -> list[str]:
        return docker_run.as_command(self._possible(spec))

    def _possible(self, spec: RunSpec) -> RunSpec:
        """The spec without an init process where this Docker was installed without one (moby, daemon/info_unix.go)."""
        missing = (self._info.get("InitCommit") or {}).get("ID") == "N/A"
        return replace(spec, init=spec.init and not missing)

    def signal(self, container: str, number: int) -> bool:
        import docker.errors

        with explained("giving a container a signal"):
            try:
                self._api.kill(container, signal=number)
            except docker.errors.APIError as error:
                if error.status_code in (404, 409):  # 409: it does not run
                    return False
                raise
        return True

    def find_container(self, name: str) -> Container | None:
        import docker.errors

        with explained(f"looking for the container {name}"):
            try:
                found = self._api.inspect_container(name)
            except docker.errors.NotFound:
                return None
        labels = found["Config"].get("Labels") or {}
        return Container(found["Id"], found["State"]["Running"], self.image_id(found["Image"]), labels)

    def resume(self, container: str) -> None:
        with explained("starting a container again"):
            self._api.start(container)

    def enter_command(
        self, container: str, command: Sequence[str], *, terminal: bool, env: Mapping[str, str], workdir: str | None
    ) -> list[str]:
        return docker_run.enter_command(container, command, terminal=terminal, env=env, workdir=workdir)

    def _tag(self, image: str, refs: Sequence[str]) -> bool:
        """Give the image these names; False if there is no such image any more."""
        import docker.errors

        for ref in refs:
            repository, name = docker_run.split_ref(ref)
            with explained(f"tagging {ref}"):
                try:
                    self._api.tag(image, repository, name)
                except docker.errors.NotFound:
                    return False
        return True

    def images(self) -> list[EngineImage]:
        return docker_owned.images(self._read)

    def containers(self, label: str = PROCESS_LABEL) -> list[Container]:
        return docker_owned.containers(self._read, self.image_id, label)

    def remove_image(self, ref: str) -> None:
        import docker.errors

        with explained(f"removing the image {ref}"):
            try:
                self._api.remove_image(ref)
            except docker.errors.NotFound:
                return

    def remove_container(self, container: str) -> None:
        import docker.errors

        with explained("removing a container"):
            try:
                self._api.remove_container(container, force=True, v=True)
            except docker.errors.NotFound:
                return


def clock_of(info: Mapping[str, Any]) -> int | None:
    """The daemon's time, seconds since 1970."""
    found = nanoseconds(info.get("SystemTime"))
    return None if found is None else found // 10**9
