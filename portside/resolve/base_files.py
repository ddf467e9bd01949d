"""The files of a base, when a lock says what only they tell: its layers are brought for it."""

from collections.abc import Mapping

from portside.common.progress import human_bytes, say, step
from portside.config import Config
from portside.errors import MissingInputError
from portside.fetch.fetcher import Fetcher
from portside.fetch.folders import ManualInput
from portside.fetch.manual import missing_text, remedy
from portside.inputs.kinds import BASES
from portside.layers.image_files import ImageFiles
from portside.lock.bases import LockedBase
from portside.recipe import Recipe

Wanted = Mapping[tuple[str, str], ManualInput]
"""What the recipe looks for in folders, by kind and place."""


def unseen_base(base: LockedBase, wanted: Wanted, fetcher: Fetcher, recipe: Recipe, config: Config) -> LockedBase:
    """A base that a person brings, as the lock should have it, when nobody has seen it so far. Raises
    MissingInputError that says where to put it."""
    [file] = [file for file in wanted.values() if file.kind == "base"]
    try:
        return fetcher.archive(base, file)
    except MissingInputError:
        text = missing_text(recipe, [file])
        raise MissingInputError(
            f"{text}\nThe lock says what only the base tells: its interpreter and what that has installed, or what "
            "its scripts set.",
            remedy(recipe, config, f"then invoke lock --recipe {recipe.name}"),
        ) from None


def base_files(base: LockedBase, wanted: Wanted, fetcher: Fetcher) -> ImageFiles:
    """The files of the base; layers that the store lacks are brought first."""
    lacking = [layer for layer in base.layers if not fetcher.store.layout.has(layer.diff_id, layer.size)]
    bring = BASES[base.kind].bring
    if lacking and bring is not None:
        size = sum(base.bytes_for(layer.diff_id) for layer in lacking)
        say(f"The lock says what only the base's files tell: {len(lacking)} layer(s) are brought, {human_bytes(size)}")
        bring(base, fetcher)
    elif lacking:
        [file] = [file for file in wanted.values() if file.kind == "base"]
        fetcher.archive(base, file)
    with step("Reading the base's files"):
        return ImageFiles.of(fetcher.store.layout.tar(layer.diff_id) for layer in base.layers)
