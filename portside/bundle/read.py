"""Unpacking a bundle: nothing of it is believed that the lock inside does not say, and nothing is used unverified."""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from portside.bundle.contents import NAME, Contents, Member, chain, input_members, own_files, pack_path, pack_paths
from portside.bundle.pack import read_pack
from portside.check.trust import note_bundle
from portside.common.canonical import CHUNK, copy_and_hash
from portside.common.explain import explain
from portside.common.outputs import write_bytes
from portside.common.progress import Advance, live, say, transfer
from portside.common.tree import Entry, FileRange, Tree
from portside.common.values import Size
from portside.config import FILE_NAME, Config, overridden
from portside.errors import InputError, PortsideError, RecipeError
from portside.layers.engine_layer import read
from portside.layers.raw import TarLayer
from portside.lock.file import check_request, read_lock
from portside.lock.inputs import git_sources
from portside.lock.written import same_images
from portside.net.sink import Sink
from portside.plan.model import Part, Plan
from portside.plan.parts import plan
from portside.plan.states import frame_layer
from portside.recipe import load_recipe
from portside.store import Store, files, frame

_TEXTS = ("accelerators/", "recipes/", "rulesets/")
"""Folders of a project that a bundle brings files for."""
_LIST_SIZE = 64 << 20
_RECIPE_SIZE = 256 << 20
"""Bytes that all files of the recipes may have together."""


@dataclass(frozen=True)
class Unbundled:
    """recipe: its name. inputs: how many there are. size: their bytes. same_keys: whether this Portside computes the
    keys that the one which wrote the bundle did, and makes the images of the one which wrote the lock; if not, a build
    may give another image ID. written_by: the version that wrote the bundle, None where it notes none."""

    recipe: str
    inputs: int
    size: int
    same_keys: bool
    written_by: str | None


def unbundle(archive: Path, root: Path, store: Store, config: Config, *, force: bool = False) -> Unbundled:
    """Put a bundle's inputs into the store and its recipe into `root`/recipes, with the rulesets and accelerators that
    it brings.

    Every byte is checked against the lock inside. A run that was interrupted is continued by the next one. force:
    replace a recipe of that name that is another. Raises InputError for a file that is no bundle or is damaged,
    RecipeError where a recipe would be replaced.
    """
    if not archive.is_file():
        raise InputError(f"{archive} is no file", "Name the file that `invoke bundle` wrote.")
    try:
        members = _members(archive)
        contents = _contents(members)
        with store.workspace() as folder:
            wanted = _write_recipes(members, contents, folder)
            _allow_overrides(folder, root)
            made = _plan(folder, contents.recipe)
            _check_members(made, contents)
            _check_existing(wanted, folder, root, force)
            with live():
                _bring(made, members, contents, archive, store, config)
            note_bundle(made.recipe, store, archive.name)
            for path in wanted:
                _install(folder / path, root / path)
            # Its folder may have had more files before.
            note_bundle(load_recipe(root, contents.recipe), store, archive.name)
    except InputError as error:
        raise error.told_of(str(archive), "Bundle it again, or copy it again.") from None
    return Unbundled(
        contents.recipe,
        len(contents.members) - len(wanted),
        sum(member.size for member in contents.members),
        {layer.name: layer.key for layer in made.layers} == contents.keys and same_images(made.lock),
        contents.portside,
    )


@dataclass(frozen=True)
class _Packed:
    """A member as it lies in the archive."""

    content: FileRange
    mode: int


_Members = Mapping[str, _Packed]


def _members(archive: Path) -> _Members:
    """All members; raises InputError for a tar that holds anything but files."""
    raw = read(TarLayer(archive))
    found: dict[str, _Packed] = {}
    for path, entry in raw.entries.items():
        if entry.kind != "file" or not isinstance(entry.content, FileRange):
            raise InputError(f"it holds {path}, a {entry.kind}: this is no bundle")
        found[path] = _Packed(entry.content, 0o755 if entry.mode & 0o100 else 0o644)
    if NAME not in found:
        raise InputError(f"it has no {NAME}: this is no bundle")
    if raw.whiteouts or raw.opaque:
        raise InputError("it holds whiteouts: this is no bundle")
    return found


def _contents(members: _Members) -> Contents:
    if members[NAME].content.size > _LIST_SIZE:
        raise InputError(f"its {NAME} is too large: this is no bundle")
    with members[NAME].content.open() as stream:
        data = stream.read()
    try:
        contents = Contents.model_validate_json(data)
    except ValidationError as error:
        first = explain(error, Contents, {})[0]
        raise InputError(f"its {NAME} cannot be used: {first}", "It may need a newer Portside.") from None
    listed = {member.path: member for member in contents.members}
    if len(listed) != len(contents.members) or listed.keys() | {NAME} != members.keys():
        raise InputError(f"its members are not those that its {NAME} lists")
    for path, member in listed.items():
        if (size := members[path].content.size) != member.size:
            raise InputError(f"{path} has {size} bytes, its {NAME} says {member.size}")
    return contents


def _write_recipes(members: _Members, contents: Contents, folder: Path) -> list[Path]:
    """Write the recipes' files below `folder`; gives their paths in the order to install them, the lock last."""
    chosen = [member for member in contents.members if member.path.startswith(_TEXTS)]
    if sum(member.size for member in chosen) > _RECIPE_SIZE:
        raise InputError("its recipes are too large: this is no bundle")
    tree = Tree()
    for m in chosen:
        packed = members[m.path]
        tree.put(Entry(m.path, "file", packed.mode, size=m.size, sha256=m.sha256, content=packed.content))
    for entry in tree:
        with members[entry.path].content.open() as stream:
            _check_hash(entry.path, copy_and_hash(stream)[0], entry.sha256)
    tree.write_to(folder)
    # First what a recipe needs, then the recipe, then its lock: a kill leaves nothing that looks finished.
    return sorted(
        (Path(entry.path) for entry in tree),
        key=lambda path: (path.parts[0] == "recipes" and len(path.parts) == 2, path.suffix != ".yaml"),
    )


def _allow_overrides(folder: Path, root: Path) -> None:
    """The recipe is read in `folder` by what the project at `root` says about names that Portside has as well."""
    rows = [f"{kind} = {json.dumps(overridden(root, kind))}\n" for kind in ("accelerators", "rulesets")]
    (folder / FILE_NAME).write_text("".join(["[override]\n", *rows]), encoding="utf-8")


def _check_hash(path: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise InputError(f"{path} is damaged: its sha256 is {found}, it should be {wanted}")


def _plan(folder: Path, name: str) -> Plan:
    try:
        recipe = load_recipe(folder, name)
        lock = read_lock(recipe.lock_path)
        if lock is None:
            raise InputError(f"it has no lock of {name}")
        check_request(recipe, lock)
        return plan(recipe, lock)
    except PortsideError as error:
        text = str(error).replace(f"{folder}/", "")
        raise InputError(f"its recipe cannot be used here: {text}") from None


def _check_members(made: Plan, contents: Contents) -> None:
    """The bundle holds exactly what the lock asks for, with the lock's sizes and hashes."""
    said = {member.path: member.size for member in contents.members}
    members = input_members(made, lambda diff_id: said.get(f"layers/{diff_id}", Size(0)))
    wanted: dict[str, Member | None] = {member.path: member for member in members}
    wanted |= dict.fromkeys(pack_paths(made))
    names = chain(made.recipe)
    wanted |= dict.fromkeys([*(f"recipes/{name}.yaml" for name in names), f"recipes/{made.recipe.name}.lock"])
    wanted |= dict.fromkeys(own_files(made.recipe))
    below = tuple(f"recipes/{name}/" for name in names)
    for member in contents.members:
        if member.path not in wanted and not member.path.startswith(below):
            raise InputError(f"{member.path} is nothing that {made.recipe.name} needs")
        if (locked := wanted.pop(member.path, None)) is not None and locked != member:
            raise InputError(f"{member.path} is not what the lock says: {member.size} bytes, sha256 {member.sha256}")
    if wanted:
        raise InputError(f"it lacks {min(wanted)}, which {made.recipe.name} needs")


def _check_existing(wanted: list[Path], folder: Path, root: Path, force: bool) -> None:
    for path in wanted:
        here = root / path
        if here.is_symlink() or (here.exists() and not here.is_file()):
            raise RecipeError(f"{here} is in the way: it is no plain file", "Move it away.")
        if here.exists() and not force and here.read_bytes() != (folder / path).read_bytes():
            raise RecipeError(
                f"{here} exists and is another than the bundle's",
                "Move it away, or replace it and what else is another: --force",
            )


def _bring(made: Plan, members: _Members, contents: Contents, archive: Path, store: Store, config: Config) -> None:
    frames = _frames(made)
    total = sum(member.size for member in contents.members)
    files.need_space(store.home, sum(m.size for m in contents.members if not _is_here(m, store)))
    with transfer(f"unpacking {archive.name}", total) as advance:
        for member in contents.members:
            kind = member.path.partition("/")[0]
            content = members[member.path].content
            if kind == "layers":
                _layer(content, member, store)
            elif kind == "inputs" and store.inputs.locate(member.sha256) is None:
                with _sink(member, frames, store) as sink:
                    _copy(content, sink, advance)
                continue
            advance(member.size)
        listed = {member.path: member for member in contents.members}
        for source in git_sources(made.lock):
            path = pack_path(source)
            with members[path].content.open() as stream:
                _check_hash(path, copy_and_hash(stream)[0], listed[path].sha256)
            read_pack(source, members[path].content, listed[path].sha256, store, config)


def _is_here(member: Member, store: Store) -> bool:
    return store.inputs.locate(member.sha256) is not None or store.layout.has(member.sha256, member.size)


def _frames(made: Plan) -> dict[str, Part]:
    """The parts whose only file goes straight into their blob, by the file's sha256; see store/frame.py."""
    return {part.manifest["sha256"]: part for part in made.stack() if part.kind == "frame"}


def _sink(member: Member, frames: Mapping[str, Part], store: Store) -> AbstractContextManager[Sink]:
    """Where an input's bytes go: among the inputs, or straight into the blob of its weights layer."""
    if (part := frames.get(member.sha256)) is not None:
        return frame.receive(store, part.key, frame_layer(part, member.sha256, member.size))
    return store.inputs.receive(member.path, member.sha256, member.size)


def _copy(content: FileRange, sink: Sink, advance: Advance) -> None:
    """Send what the sink does not have yet."""
    advance(content.size if sink.done else sink.offset)
    if sink.done:
        return
    rest = replace(content, offset=content.offset + sink.offset, size=content.size - sink.offset)
    with rest.open() as stream:
        while chunk := stream.read(CHUNK):
            sink.write(chunk)
            advance(len(chunk))


def _layer(content: FileRange, member: Member, store: Store) -> None:
    if store.layout.has(member.sha256, member.size):
        return
    with store.layout.new_blob() as blob, content.open() as stream:
        _check_hash(member.path, copy_and_hash(stream, blob.stream.write)[0], member.sha256)
        blob.commit(member.sha256)


def _install(source: Path, target: Path) -> None:
    """Put a recipe's file to its place, unless the same is there: at once, so that a reader sees a whole file."""
    if target.exists() and target.read_bytes() == source.read_bytes():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, source.read_bytes(), source.stat().st_mode & 0o777)
    say(f"  {target}")
