"""What Portside asks of an engine, and the values that go to and fro.

A Builder executes `RUN`, a Runner runs containers, and an Engine is both. Everything else (which layers exist, what
they are called, what their tars look like) is ours, so these interfaces stay small.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from portside.common import oci
from portside.common.canonical import sha256_hex
from portside.common.progress import Advance, human_bytes
from portside.common.values import DiffID, ImageID
from portside.layers.raw import LayerSource

ATTEMPTS = 3
"""How often an image is loaded that another process removes meanwhile."""

RECIPE_LABEL = "portside.recipe"
"""The label that every image of a recipe has, and what is built on one."""
BUILD_LABEL = "portside.build"
"""The label of images that only a build needs, with the build's token."""
PROCESS_LABEL = "portside.process"
"""The label of what is not to outlive the process that it names (`portside.common.process`)."""

RUN_LABEL = "portside.run"
"""The label of a person's container in the foreground, with the process that waits for its end."""

_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)

Transfer = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Shows bytes on their way: (text, total bytes); `portside.common.progress.transfer` is one."""


@dataclass(frozen=True, slots=True)
class ImageLayer:
    """One uncompressed layer tar. diff_id: sha256 hex of the tar. size: its bytes. open: the tar from its start.

    path: the file that is this tar, where there is one: some engines read it themselves.
    """

    diff_id: DiffID
    size: int
    open: Callable[[], BinaryIO] = field(compare=False, repr=False)
    path: Path | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ImageToLoad:
    """An image as the store holds it. config: the config's exact bytes; layers from the bottom up.

    tags: references (`portside/minilm:env`) that shall point to it. shown: what errors call it; default: its first tag.
    """

    config: bytes
    layers: tuple[ImageLayer, ...]
    tags: tuple[str, ...]
    shown: str | None = None

    @property
    def image_id(self) -> ImageID:
        """The config's sha256, 64 hex digits."""
        return ImageID(sha256_hex(self.config))

    def title(self, digits: int = 64) -> str:
        """What a person is told of it as. digits: how many of its image ID, where it has no name."""
        return self.shown or next(iter(self.tags), self.image_id[:digits])

    def on_its_way(self, place: str, sent: int) -> str:
        """What a person is told while `sent` bytes of it go to a place: what that place has need not go."""
        there = sum({layer.diff_id: layer.size for layer in self.layers}.values()) - sent
        has = f", which has {human_bytes(there)} of it" if there else ""
        return f"loading {self.title(12)} into {place}{has}"

    def manifest(self) -> bytes:
        """The OCI manifest (OCI image-spec, manifest.md), the same bytes everywhere."""
        return oci.manifest(self.config, ((layer.diff_id, layer.size) for layer in self.layers))


@dataclass(frozen=True, slots=True)
class ImageToBuild:
    """A Dockerfile to execute. context: the folder it sees. tag: of the result. no_cache: execute every step anew.

    architecture: of the images, in Go's words (`arm64`); None: the engine's own. held: file descriptors that the
    engine's command keeps open as long as it works. shown: what errors call the result; default: the tag.
    """

    context: Path
    dockerfile: Path
    tag: str
    no_cache: bool = False
    architecture: str | None = None
    held: tuple[int, ...] = ()
    shown: str | None = None

    @property
    def title(self) -> str:
        return self.shown or self.tag

    def in_words(self, line: str) -> str:
        """A line of the build's output as a person should see it."""
        return line.replace(self.tag, self.title)

    def parents(self) -> list[str]:
        """The images that the Dockerfile names."""
        return _FROM.findall(self.dockerfile.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the engine's machine, seen at `target` in the container."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A container to run.

    command: argv after the image, empty for the image's own. entrypoint: argv that replaces the image's, None keeps
    it, empty removes it. devices: `/dev/x` or `HOST:CONTAINER[:rwm]`. network: `none`, `host`, `bridge` or a name.
    cdi: names of devices in the Container Device Interface (`vendor.com/class=name`). runtime: the OCI runtime, by its
    name in the engine; None for its own. groups: further groups of the user, numbers or names of the image. seccomp: a
    profile's name, None for the engine's own. ipc: `host`, None for its own.
    ulimits: name -> (soft, hard). shm_size: bytes. ports: `[ADDRESS:]HOST` on the machine -> port in the container,
    (`8000` or `53/udp`). terminal: attach the person's terminal (only `as_command` can).
    keep: leave the container there when its command has ended (only `as_command` can).
    cap_drop, cap_add: Linux capabilities without `CAP_`, or `ALL`; what is dropped first may be added back.
    no_new_privileges: setuid programs and file capabilities give nothing.
    stdin: what comes on this process's stdin reaches the command. init: a first process that passes signals on and
    reaps what others leave, where the engine has one. stop_seconds: between the engine's asking a container to end and
    its killing it; None: the engine's own.
    """

    image: str
    command: tuple[str, ...] = ()
    name: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    devices: tuple[str, ...] = ()
    network: str = "none"
    workdir: str | None = None
    user: str | None = None
    terminal: bool = False
    detach: bool = False
    ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    shm_size: int | None = None
    ports: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] | None = None
    keep: bool = False
    cap_drop: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    no_new_privileges: bool = False
    stdin: bool = False
    init: bool = False
    stop_seconds: int | None = None
    cdi: tuple[str, ...] = ()
    runtime: str | None = None
    groups: tuple[str, ...] = ()
    seccomp: str | None = None
    ipc: str | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A container that exists. image: the config digest (64 hex digits) of its image, None if that image is gone."""

    id: str
    running: bool
    image: ImageID | None
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EngineImage:
    """An image that a recipe's label is on. id: the engine's own. names: without those of registries' digests.

    layers: the chain IDs, lowest first, and the bytes of each. is_recipes: it was loaded as it is; a person may have
    built another one on it, which has its labels too.
    """

    id: str
    names: tuple[str, ...]
    labels: Mapping[str, str]
    layers: tuple[tuple[str, int], ...]
    is_recipes: bool


@dataclass(frozen=True, slots=True)
class CacheRecord:
    """One record of a builder's cache. kind: `regular`, `source.local` and others. text: what the builder says of it.

    parents: the IDs of the records below it. size: bytes. created, used: nanoseconds since 1970 by the engine's clock.
    in_use: a build needs it at this moment, so that it cannot be removed.
    """

    id: str
    kind: str
    text: str
    parents: tuple[str, ...] = ()
    size: int = 0
    created: int = 0
    used: int = 0
    in_use: bool = False


class BuildCache(Protocol):
    """What a builder keeps of builds that are over. Every method raises EngineError."""

    def now(self) -> int | None:
        """Nanoseconds since 1970 by the clock that records have their times of; None if the engine does not tell."""

    def records(self) -> list[CacheRecord]:
        """All records, other people's too."""

    def remove(self, ids: Collection[str]) -> set[str]:
        """Remove records; gives the IDs of those that are gone. One that a build or another record needs stays."""


Output = Callable[[bytes, bytes], None]
"""Called with each piece of a container's output: (stdout, stderr), one of them empty."""


class ImagePlace(Protocol):
    """A place that has images, which is what a Builder and a Runner have in common.

    Every method of these three raises EngineError (with a solution) when the place does not answer or fails.
    """

    @property
    def name(self) -> str:
        """The engine's command, which is also what ENGINES calls it: `docker`."""

    def image_id(self, ref: str) -> ImageID | None:
        """The config digest (64 hex digits) of a local image, None if there is no such image."""


class Builder(ImagePlace, Protocol):
    """Executes a Dockerfile on images that it was given, and gives the layers back: all that a build needs."""

    def describe(self) -> str:
        """One line for a person: engine, version, storage, how it builds."""

    def storage(self) -> str:
        """What the engine calls its storage driver: `overlay2`."""

    def identity(self) -> str:
        """What tells the place where this engine keeps its images from every other one."""

    def runs(self, architecture: str) -> bool:
        """Whether programs of that architecture, in Go's words (`arm64`), are known to run: those of the engine's
        machine, and those that an emulator is registered for."""

    def free_bytes(self) -> int | None:
        """Free bytes where the engine keeps its data; None if that is another machine."""

    def room(self, size: int) -> int:
        """The bytes that it needs, where `free_bytes` are, to load layers of that size in bytes."""

    def clock(self) -> int | None:
        """What the clock of the engine's machine says, seconds since 1970; None if the engine does not tell."""

    @property
    def cache(self) -> BuildCache | None:
        """What it keeps of builds; None where that is nothing but images."""

    def lacks(self, diff_ids: Sequence[DiffID | None]) -> list[bool]:
        """For each layer of an image, lowest first, whether a `load` of it would have to send it. None: a layer that is
        not made yet."""

    def load(self, image: ImageToLoad, progress: Transfer) -> int:
        """Make the image and its tags exist, sending only layers the engine lacks; gives the bytes sent.

        Afterwards the engine's image is verified to be exactly this one. The image of a recipe that had one of these
        names before goes, if it has no other name and no container.
        """

    def build(self, image: ImageToBuild, log: Callable[[str], None]) -> str:
        """Build with the network off; gives the engine's own ID of the image (`sha256:…`).

        The images that the Dockerfile names must be there: none is looked for anywhere else.
        log: called with every line of the build's output. Raises BuildError when a step of the Dockerfile fails.
        """

    def remove_interrupted(self, parent: str) -> None:
        """Remove what builds on this image left that were killed, but for names; nobody may build on it now."""

    def diff_ids(self, ref: str, shown: str | None = None) -> list[DiffID]:
        """The diff IDs (64 hex digits) of a local image's layers, bottom first. shown: what errors call the image."""

    def new_layers(
        self, image: str, parent_layers: int, shown: str | None = None
    ) -> AbstractContextManager[list[LayerSource]]:
        """The layers of a local image above its lowest `parent_layers`, bottom first; readable inside the `with`.

        shown: what errors call the image.
        """

    def images(self) -> list[EngineImage]:
        """The images with a recipe's label, those without a name too, and what is built on them."""

    def remove_image(self, ref: str) -> None:
        """Remove a reference, and the image with its last one; absent is fine."""


class Runner(ImagePlace, Protocol):
    """Runs containers of images that it has, and finds those that it has begun."""

    def run(self, spec: RunSpec, output: Output) -> int:
        """Run a container to its end, remove it, give its exit code (128 + the signal's number if killed)."""

    def start(self, spec: RunSpec) -> str:
        """Start a container that stays; gives its ID."""

    def as_command(self, spec: RunSpec) -> list[str]:
        """The command line that does the same as `run` or `start`; the way to a container with a terminal."""

    def find_container(self, name: str) -> Container | None:
        """The container of that name, running or not."""

    def signal(self, container: str, number: int) -> bool:
        """Give a container's first process a signal; False where there is no such container, or it does not run."""

    def containers(self, label: str = PROCESS_LABEL) -> list[Container]:
        """The containers with the label of a process."""

    def resume(self, container: str) -> None:
        """Start a container that has stopped; running is fine."""

    def enter_command(
        self, container: str, command: Sequence[str], *, terminal: bool, env: Mapping[str, str], workdir: str | None
    ) -> list[str]:
        """The command line that runs a further command in a running container, its streams passed through."""

    def remove_container(self, container: str) -> None:
        """Stop and remove a container; absent is fine."""


class Engine(Builder, Runner, Protocol):
    """A Builder and a Runner of the same images: what was built is loaded where it is to run."""
