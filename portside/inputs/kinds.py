"""What every kind of base, source and weights can do: a module for each, by the name that recipe and lock give it.

A new kind is a model in recipe/models.py, one in lock/models.py, its module here, and what lock/agree.py compares.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from portside.common.tree import Content, Tree
from portside.inputs import archive_base, debian_base, file_weights, git_source, sdist_source, wheel_weights
from portside.inputs.bringer import Bringer
from portside.inputs.spool import Spool
from portside.lock.models import Deb, LockedWeightFile, LockedWeights
from portside.store import Store

# A module takes the models of its own kind alone, which the table's key vouches for.


class BaseKind(Protocol):
    """bring: the locked base's layers into the store; None where a person brings it as a file."""

    @property
    def bring(self) -> Callable[[Any, Bringer], None] | None: ...

    @property
    def resolve(self) -> "ResolveBase": ...


class ResolveBase(Protocol):
    def __call__(
        self, asked: Any, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
    ) -> Any:
        """The locked base. keep: .debs of the lock before. update: names of what is resolved anew."""


class SourceKind(Protocol):
    """resolve: recipe to lock. bring: the locked source into the store. tree: its files, relative to it. is_here:
    whether the store has it whole."""

    @property
    def resolve(self) -> Callable[[Any, Bringer], Any]: ...

    @property
    def bring(self) -> Callable[[Any, Bringer], None]: ...

    @property
    def tree(self) -> Callable[[Any, Store, Spool], Tree]: ...

    @property
    def is_here(self) -> Callable[[Any, Store], bool]: ...


class WeightsKind(Protocol):
    """resolve, bring: as of sources; None where each file is looked for in folders. content: a file's bytes."""

    @property
    def resolve(self) -> Callable[[Any, Bringer], LockedWeights] | None: ...

    @property
    def bring(self) -> Callable[[LockedWeights, Bringer], None] | None: ...

    @property
    def content(self) -> Callable[[LockedWeights, LockedWeightFile, Store], Content]: ...


BASES: Mapping[str, BaseKind] = {"debian": debian_base, "archive": archive_base}
SOURCES: Mapping[str, SourceKind] = {"sdist": sdist_source, "git": git_source}
WEIGHTS: Mapping[str, WeightsKind] = {"wheel": wheel_weights, "files": file_weights}
