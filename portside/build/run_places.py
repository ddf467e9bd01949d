"""Where run parts are executed: in the engine, or on a builder elsewhere. What comes back is the same everywhere."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from portside.common.values import DiffID, Key
from portside.errors import BuildError
from portside.image.config import parent_image
from portside.layers.raw import LayerSource
from portside.plan.model import Part, Plan
from portside.store import Store
from portside.store.layout import Blob, Image


@dataclass(frozen=True, slots=True)
class Steps:
    """What is executed for one run part.

    blobs: of the parts below it, by key. context: the folder that its instructions see, complete. folder: a scratch
    folder beside it, which goes afterwards. no_cache: execute every step anew.
    """

    plan: Plan
    part: Part
    blobs: Mapping[Key, Blob]
    store: Store
    context: Path
    folder: Path
    no_cache: bool = False

    @property
    def name(self) -> str:
        """For people, without the recipe: `env/packages`."""
        return f"{self.part.layer}/{self.part.name}"

    @property
    def architecture(self) -> str:
        """In Go's words: `arm64`."""
        return self.plan.lock.base.architecture

    def parent(self, token: str | None = None) -> Image:
        """The image that they are executed on. token: as `parent_image` has it."""
        return parent_image(self.plan, self.part, self.blobs, token)

    def dockerfile(self, parent: str) -> str:
        """The instructions, above the image that is called `parent`."""
        return f"FROM {parent}\n{self.part.manifest['instructions']}"

    def check_parent(self, diff_ids: Sequence[DiffID], parent: Image) -> None:
        """Raise BuildError unless what was built stands on exactly the image that it was to be built on."""
        expected = [blob.digest for blob in parent.layers]
        if list(diff_ids[: len(expected)]) != expected:
            raise BuildError(
                f"what was built as {self.name} does not stand on the layers below it: its first layers are "
                f"{', '.join(diff_ids[: len(expected)]) or 'none'} instead of {', '.join(expected)}",
                "Nothing of it is kept. Build again; if it stays so, look at what builds there.",
            )


class RunPlace(Protocol):
    """One place that executes run parts. Every method raises EngineError where it does not answer."""

    @property
    def name(self) -> str:
        """What a person calls it: the engine's command, or a builder's name."""

    def describe(self) -> str:
        """One line for a person."""

    def runs(self, architecture: str) -> bool:
        """Whether programs of that architecture, in Go's words (`arm64`), are known to run there."""

    def executed(self, steps: Steps, log: Callable[[str], None]) -> AbstractContextManager[Sequence[LayerSource]]:
        """Execute the steps with the network off; gives the new layers, bottom first, readable inside the `with`.

        log: called with every line of the output. Raises StepError when a step fails, BuildError where the result
        stands on something else than the parent.
        """
