"""A base made from .debs: recipe to lock, lock to store."""

from collections.abc import Collection, Sequence
from typing import Literal

from portside.inputs.bringer import Bringer, debs_date
from portside.inputs.debian.base_layer import bring_base, make_base
from portside.inputs.debian.resolve import resolve_base
from portside.lock.bases import DebianBase
from portside.lock.packages import Deb
from portside.recipe.bases import Debian

read = None
plain = None


def resolve(
    asked: Debian, keep: Sequence[Deb], update: Collection[str] | Literal["all"], bringer: Bringer
) -> DebianBase:
    store = bringer.store
    debs, snapshot = resolve_base(asked.suite, asked.architecture, asked.include, keep, update, bringer.config, store)
    draft = DebianBase(
        suite=asked.suite,
        architecture=asked.architecture,
        snapshot=snapshot,
        epoch=0,
        debs=tuple(debs),
        diff_id="0" * 64,
        size=0,
    )
    epoch = debs_date(debs, draft, bringer)
    blob = make_base(asked.suite, asked.architecture, epoch, debs, store)
    return draft.model_copy(update={"epoch": epoch, "diff_id": blob.digest, "size": blob.size})


def bring(base: DebianBase, bringer: Bringer) -> None:
    """The base layer; its .debs only where it has to be made."""
    if not bringer.store.layout.has(base.diff_id, base.size):
        bringer.debs(base.debs, base)
        bring_base(base, bringer.store)
