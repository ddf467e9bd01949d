"""What `verify` found, as values."""

from dataclasses import dataclass

from portside.common.values import DiffID, ImageID
from portside.diff.files import FileChange
from portside.verify.cause import Cause


@dataclass(frozen=True)
class Evidence:
    """One path that speaks against reproducibility. change: how the two builds differ there, None where they agree and
    only what is in the file tells. step: the RUN line that writes it, where one names it. text: a unified diff of small
    texts."""

    path: str
    change: FileChange | None
    causes: tuple[Cause, ...]
    step: str | None
    text: tuple[str, ...] = ()


@dataclass(frozen=True)
class PartVerdict:
    """One part. diff_ids: of the first and the second build (hex), None where it was not built again.

    findings: empty for a part that is reproducible. note: what else is to be said.
    """

    layer: str
    name: str
    kind: str
    diff_ids: tuple[DiffID, DiffID | None]
    findings: tuple[Evidence, ...] = ()
    note: str | None = None

    @property
    def reproducible(self) -> bool:
        return self.diff_ids[0] == self.diff_ids[1] and not self.findings


@dataclass(frozen=True)
class Verdict:
    """image_ids: of both builds (hex), None where the second one has no image. varied, not_varied: the conditions."""

    recipe: str
    parts: tuple[PartVerdict, ...]
    image_ids: tuple[ImageID, ImageID | None]
    varied: tuple[str, ...]
    not_varied: str

    @property
    def reproducible(self) -> bool:
        return self.image_ids[0] == self.image_ids[1] and all(part.reproducible for part in self.parts)
