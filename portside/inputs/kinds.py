"""What every kind of base, source, weights and data set can do: a module for each, by the name of its kind.

A new kind is a model of what a recipe asks for, one of what a lock says, its module here, and its line in a table.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from portside.common.tree import Content, Tree
from portside.config import Config
from portside.inputs import (
    archive_base,
    archive_source,
    debian_base,
    file_data,
    file_weights,
    folder_source,
    git_source,
    huggingface_weights,
    image_base,
    lfs_weights,
    modelscope_weights,
    sdist_source,
    wheel_weights,
)
from portside.inputs.bringer import Bringer, Look, Moved, PlainBase, Sources
from portside.inputs.spool import Spool
from portside.lock.models import LockedWeightFile, LockedWeights
from portside.lock.packages import Deb
from portside.store import Store

# A module takes the models of its own kind alone, which the table's key vouches for.


class BaseKind(Protocol):
    """bring: the locked base's layers into the store; None where a person brings it, as a file or a folder.

    read: the layers out of what a person brought into the store; gives the base as the lock should have it; None where
    `bring` is there. plain: how an engine has it that builds a Dockerfile by itself; None where its layers are written
    beside the Dockerfile.
    """

    @property
    def bring(self) -> Callable[[Any, Bringer], None] | None: ...

    @property
    def read(self) -> "ReadBase | None": ...

    @property
    def plain(self) -> Callable[[Any, str], PlainBase] | None: ...

    @property
    def resolve(self) -> "ResolveBase": ...


class ResolveBase(Protocol):
    def __call__(
        self, asked: Any, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
    ) -> Any:
        """The locked base. keep: .debs of the lock before. update: names of what is resolved anew."""


class ReadBase(Protocol):
    def __call__(self, path: Path, base: Any, store: Store, pinned: bool) -> Any:
        """pinned: whether the recipe says which file it is. Raises InputError for what is not the locked base."""


class SourceKind(Protocol):
    """resolve: recipe to lock. bring: the locked source into the store; None where its file is looked for in folders.
    tree: its files, relative to it. is_here: whether the store has it whole. moved: asks upstream whether what the
    recipe asks for is another commit by now; None for kinds of which nobody can say that.

    For a layer that somebody else made: in_layer: files as the layer of such a source has them; raises InputError for
    what no such source has. out_of_layer: the other way round. proof: None where files show that they are the locked
    source, else why they cannot; raises InputError where they are another.
    """

    @property
    def resolve(self) -> Callable[[Any, Bringer], Any]: ...

    @property
    def bring(self) -> Callable[[Any, Bringer], None] | None: ...

    @property
    def moved(self) -> Callable[[Any, Any, Bringer], Moved | None] | None: ...

    @property
    def tree(self) -> Callable[[Any, Store, Spool], Tree]: ...

    @property
    def is_here(self) -> Callable[[Any, Store], bool]: ...

    @property
    def in_layer(self) -> Callable[[Any, Tree], Tree]: ...

    @property
    def out_of_layer(self) -> Callable[[Tree], Tree]: ...

    @property
    def proof(self) -> Callable[[Any, Tree], str | None]: ...


class WeightsKind(Protocol):
    """resolve, bring: as of sources; bring is None where files are looked for in folders. content: a file's bytes.

    places: for files that the lock names and the recipe does not: where each may be had besides folders; None for other
    kinds. page: where that is, for people. closed: what to do where it
    wants a login, for kinds that need more than git's or ~/.netrc. moved: as of sources.
    """

    @property
    def resolve(self) -> Callable[[Any, Bringer, Look, Sources], LockedWeights]: ...

    @property
    def bring(self) -> Callable[[Any, Bringer], None] | None: ...

    @property
    def content(self) -> Callable[[Any, LockedWeightFile, Store], Content]: ...

    @property
    def places(self) -> Callable[[Any, LockedWeightFile, Bringer, Sources], list[str]] | None: ...

    @property
    def page(self) -> Callable[[Any], str] | None: ...

    @property
    def closed(self) -> Callable[[Any, Config], str] | None: ...

    @property
    def moved(self) -> Callable[[Any, Any, Bringer], Moved | None] | None: ...


class DataKind(Protocol):
    """resolve, bring, tree: as of sources; bring is None where its file is looked for in folders."""

    @property
    def resolve(self) -> Callable[[Any, Bringer, Look], Any]: ...

    @property
    def bring(self) -> Callable[[Any, Bringer], None] | None: ...

    @property
    def tree(self) -> Callable[[Any, Store, Spool], Tree]: ...


BASES: Mapping[str, BaseKind] = {"debian": debian_base, "archive": archive_base, "image": image_base}
SOURCES: Mapping[str, SourceKind] = {
    "sdist": sdist_source,
    "git": git_source,
    "archive": archive_source,
    "folder": folder_source,
}
WEIGHTS: Mapping[str, WeightsKind] = {
    "wheel": wheel_weights,
    "files": file_weights,
    "huggingface": huggingface_weights,
    "modelscope": modelscope_weights,
    "lfs": lfs_weights,
}
DATA: Mapping[str, DataKind] = {"file": file_data}
