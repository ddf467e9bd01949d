"""Writing a bundle: streamed, and under its name only when it is complete."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from portside.bundle.contents import NAME, Contents, Member, chain, input_members, pack_path, recipe_tree
from portside.bundle.pack import write_pack
from portside.common import outputs
from portside.common.canonical import canonical_json
from portside.common.progress import Advance, live, transfer
from portside.common.tree import Content, Entry, FileRange, encode_path, file_entry
from portside.common.values import Sha256, Size
from portside.common.version import __version__
from portside.errors import RecipeError, StoreError
from portside.fetch.fetcher import Fetcher, fetch
from portside.layers.layer import Layer
from portside.layers.writer import Written, layer_size, write_layer
from portside.lock.inputs import git_sources
from portside.plan.model import Plan
from portside.store import Store
from portside.store.checked import Checked
from portside.store.files import need_space


def bundle(plan: Plan, store: Store, fetcher: Fetcher, output: Path) -> Written:
    """Write the recipe and all its inputs to `output`, a new file; gives the sha256 (`diff_id`) and size of the file.

    What the store does not have is fetched first. The same recipe, lock and Portside give the same bytes everywhere.
    Raises RecipeError for an `output` that exists, StoreError for an input whose bytes are damaged.
    """
    if output.exists() or not output.absolute().parent.is_dir():
        what = "exists already" if output.exists() else "is in no folder that exists"
        raise RecipeError(f"{output} {what}", "Name a new file in an existing folder: nothing is overwritten.")
    with live(), ExitStack() as stack:
        fetch(plan, fetcher)
        folder = stack.enter_context(store.workspace())
        entries = [*_packs(plan, store, folder), *_inputs(plan, store), *recipe_tree(plan.recipe)]
        members = [Member(path=entry.path, size=entry.size, sha256=entry.sha256) for entry in entries]
        members.sort(key=lambda member: encode_path(member.path))
        keys = {layer.name: layer.key for layer in plan.layers}
        contents = Contents(portside=__version__, recipe=plan.recipe.name, keys=keys, members=tuple(members))
        entries.append(file_entry(NAME, canonical_json(contents.model_dump(mode="json"))))
        checked = (
            replace(
                entry,
                mtime=plan.lock.epoch,
                uid=0,
                gid=0,
                content=_Checked(entry.path, Sha256(entry.sha256), _content(entry), store),
            )
            for entry in entries
        )
        layer = Layer(tuple(sorted(checked, key=lambda entry: encode_path(entry.path))))
        return _write(layer, output, chain(plan.recipe)[0])


def _content(entry: Entry) -> Content:
    assert entry.content is not None, entry.path
    return entry.content


def _packs(plan: Plan, store: Store, folder: Path) -> Iterator[Entry]:
    known = set()
    for source in git_sources(plan.lock):
        if (name := pack_path(source)) in known:
            continue
        known.add(name)
        path = folder / f"{source.commit}.pack"
        with path.open("wb") as out:
            sha256, size = write_pack(source, store, out)
        yield Entry(name, "file", 0o644, size=size, sha256=sha256, content=FileRange(path, 0, size))


def _inputs(plan: Plan, store: Store) -> Iterator[Entry]:
    def size_of(diff_id: Sha256) -> Size:
        size = store.layout.size(diff_id)
        return store.layout.gone(diff_id) if size is None else size

    for member in input_members(plan, size_of):
        if member.path.startswith("layers/"):
            content = FileRange(store.layout.blob(member.sha256), 0, member.size)
        else:
            content = store.inputs.require(member.sha256, member.path)
        yield Entry(member.path, "file", 0o644, size=member.size, sha256=member.sha256, content=content)


def _write(layer: Layer, output: Path, name: str) -> Written:
    size = layer_size(layer)
    need_space(output.absolute().parent, size)
    with outputs.output(output, 0o644) as stream, transfer(f"bundling {name}", size) as advance:
        return write_layer(layer, cast(BinaryIO, _Counting(stream, advance)))


class _Counting:
    """Tells how many bytes went into a stream."""

    def __init__(self, stream: BinaryIO, advance: Advance) -> None:
        self._stream = stream
        self._advance = advance

    def write(self, data: bytes) -> None:
        self._stream.write(data)
        self._advance(len(data))


@dataclass(frozen=True, slots=True)
class _Checked:
    """Content that is compared with its sha256 while it is read: a bundle of damaged bytes would help nobody."""

    name: str
    sha256: Sha256
    content: Content
    store: Store

    @property
    def size(self) -> int:
        return self.content.size

    def open(self) -> BinaryIO:
        return cast(BinaryIO, Checked(self.content.open(), self.sha256, self.size, self._damaged))

    def _damaged(self, found: Sha256) -> NoReturn:
        place = self.content
        if isinstance(place, FileRange) and (blob := self.store.layout.digest_of(place.path)) is not None:
            self.store.layout.damaged(blob, found)
        raise StoreError(f"{self.name} changed while the bundle was written: its sha256 is {found}", "Bundle it again.")
