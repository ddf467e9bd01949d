"""A kind that nobody has heard of works as soon as its two models and its module are in the tables: nothing else is
told of it, from the recipe's text to the files of a layer."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel

from portside.adopt.prove import Arrived, prove
from portside.build.render import render
from portside.common.canonical import sha256_hex
from portside.common.tree import Content, Tree, file_entry
from portside.common.values import Sha256
from portside.config import Config
from portside.doctor.lacking import take_inventory
from portside.errors import InputError, RecipeError
from portside.fetch.fetcher import Fetcher, fetch
from portside.inputs import kinds
from portside.inputs.bringer import Moved
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.lock import models
from portside.lock.agree import contradictions
from portside.lock.bases import ArchiveLayer
from portside.lock.comparison import Found, same
from portside.lock.file import check_lock, dump_lock, read_lock, write_lock
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import LockModel
from portside.lock.record import LockedInput
from portside.plan.parts import plan
from portside.recipe import asked, load_recipe
from portside.recipe import models as recipes
from portside.recipe.models import RecipeModel
from portside.reference.recipe import reference_text, schema
from portside.resolve.resolver import make_lock
from portside.runtime.datasets import data_mounts, pin_data, unpack_data
from portside.store import Store
from portside.store.layout import Blob
from portside.trees.parts import part_layer, weights_tree

RECIPE = """\
description: a port of a thing from the moon
base: {moon: {rock: basalt}}
accelerator: {name: mlu370}
sources: {code: {rover: lunokhod}}
weights: {w: {crater: tycho}}
data: {d: {orbit: low, to: data}}
run: {targets: {t: {description: d, command: 'true', data: [d]}}}
"""
BYTES = {name: f"the bytes of {name}\n".encode() for name in ("basalt", "lunokhod", "tycho", "low")}


def digest(data: bytes) -> Sha256:
    return sha256_hex(data)


def put(name: str, store: Store) -> None:
    with store.inputs.receive(name, digest(BYTES[name]), len(BYTES[name])) as receiver:
        receiver.write(BYTES[name])


class Moon(asked.Downloaded):
    """A base made of moon rock."""

    kind: ClassVar[str] = "moon"
    takes_packages: ClassVar[bool] = False
    architecture: ClassVar[str] = "amd64"
    rock: str


class Rover(asked.Downloaded):
    """What a rover brought back."""

    kind: ClassVar[str] = "rover"
    rover: str


class Crater(asked.Downloaded):
    """Weights out of a crater."""

    kind: ClassVar[str] = "crater"
    crater: str
    to: ClassVar[None] = None
    of_source: ClassVar[None] = None


class Orbit(asked.Downloaded):
    """Data seen from an orbit."""

    kind: ClassVar[str] = "orbit"
    orbit: str
    to: str


class LockedMoon(LockModel):
    kind: Literal["moon"] = "moon"
    rock: str
    architecture: Literal["amd64"] = "amd64"
    epoch: int = 5
    layers: tuple[ArchiveLayer, ...]
    env: ClassVar[dict[str, str]] = {"GRAVITY": "1.62"}
    debs: ClassVar[tuple[()]] = ()
    distribution: ClassVar[None] = None
    made_here: ClassVar[bool] = False

    def parts(self) -> list[tuple[int | None, dict[str, Any]]]:
        return [(None, {"diff_id": self.layers[0].diff_id})]

    def bytes_for(self, diff_id: str | None) -> int:
        return self.layers[0].size

    def inputs(self, at: str) -> Iterator[LockedInput]:
        layer = self.layers[0]
        yield LockedInput(at, "archive", self.rock, "1", self.rock, layer.size, layer.diff_id)

    def otherwise(self, request: str, asked: Moon) -> Found:
        return same(request, "base.moon.rock", asked.rock, self.rock)


class LockedRover(LockModel):
    kind: Literal["rover"] = "rover"
    epoch: int = 6
    rover: str
    commit_of: ClassVar[None] = None

    def changed(self, root: Path) -> bool:
        return False

    @property
    def identity(self) -> dict[str, str]:
        return {"rover": self.rover, "sha256": digest(BYTES[self.rover])}

    def inputs(self, at: str) -> Iterator[LockedInput]:
        data = BYTES[self.rover]
        yield LockedInput(at, "source", "code", self.rover, self.rover, len(data), digest(data))

    def otherwise(self, request: str, asked: Rover) -> Found:
        return same(request, f"{request}.rover", asked.rover, self.rover)


class LockedCrater(LockedWeights):
    kind: ClassVar[str] = "crater"
    crater: str

    def otherwise(self, request: str, asked: Crater) -> Found:  # type: ignore[override]
        return same(request, f"{request}.crater", asked.crater, self.crater)


class LockedOrbit(LockModel):
    kind: Literal["orbit"] = "orbit"
    orbit: str

    @property
    def identity(self) -> str:
        return digest(BYTES[self.orbit])

    def inputs(self, at: str) -> Iterator[LockedInput]:
        yield LockedInput(at, "data", "d", self.orbit, self.orbit, len(BYTES[self.orbit]), digest(BYTES[self.orbit]))

    def otherwise(self, request: str, asked: Orbit) -> Found:
        return same(request, f"{request}.orbit", asked.orbit, self.orbit)


def bring_moon(base: LockedMoon, bringer: Any) -> None:
    layer = data_layer(Tree([file_entry("rock", BYTES[base.rock])]), base.epoch)
    with bringer.store.layout.new_blob() as blob:
        made = write_layer(layer, blob.stream)
        blob.commit(made.diff_id)


def moon_layer(rock: str) -> ArchiveLayer:
    made = write_layer(data_layer(Tree([file_entry("rock", BYTES[rock])]), 5), None)
    return ArchiveLayer(diff_id=made.diff_id, size=made.size)


def crater(asked: Crater) -> LockedCrater:
    data = BYTES[asked.crater]
    return LockedCrater(
        epoch=7, crater=asked.crater, files=(LockedWeightFile(path="w", size=len(data), sha256=digest(data)),)
    )


def content(weights: LockedCrater, file: LockedWeightFile, store: Store) -> Content:
    assert file.sha256 is not None
    return store.inputs.require(file.sha256, file.path)


def in_layer(source: LockedRover, tree: Tree) -> Tree:
    return tree


def proof(source: LockedRover, tree: Tree) -> str | None:
    found = [entry.sha256 for entry in tree]
    if found != [digest(BYTES[source.rover])]:
        raise InputError("holds what no rover has brought")
    return None


def one_file(name: str, store: Store) -> Tree:
    place = store.inputs.require(digest(BYTES[name]), name)
    with place.open() as stream:
        return Tree([file_entry(name, stream.read())])


MODULES: dict[str, tuple[Any, type[BaseModel], type[BaseModel], Any]] = {
    "moon": (
        "BASES",
        Moon,
        LockedMoon,
        SimpleNamespace(
            resolve=lambda asked, *_: LockedMoon(rock=asked.rock, layers=(moon_layer(asked.rock),)),
            bring=bring_moon,
            read=None,
            plain=None,
        ),
    ),
    "rover": (
        "SOURCES",
        Rover,
        LockedRover,
        SimpleNamespace(
            resolve=lambda asked, bringer: LockedRover(rover=asked.rover),
            bring=lambda source, bringer: put(source.rover, bringer.store),
            moved=lambda asked, source, bringer: Moved("orbit", "1", "2"),
            tree=lambda source, store, spool: one_file(source.rover, store),
            is_here=lambda source, store: store.inputs.locate(digest(BYTES[source.rover])) is not None,
            in_layer=in_layer,
            out_of_layer=lambda tree: tree,
            proof=proof,
        ),
    ),
    "crater": (
        "WEIGHTS",
        Crater,
        LockedCrater,
        SimpleNamespace(
            resolve=lambda asked, bringer, look, sources: crater(asked),
            bring=lambda weights, bringer: put(weights.crater, bringer.store),
            content=content,
            places=None,
            page=None,
            closed=None,
            moved=None,
        ),
    ),
    "orbit": (
        "DATA",
        Orbit,
        LockedOrbit,
        SimpleNamespace(
            resolve=lambda asked, bringer, look: LockedOrbit(orbit=asked.orbit),
            bring=lambda data, bringer: put(data.orbit, bringer.store),
            tree=lambda data, store, spool: one_file(data.orbit, store),
        ),
    ),
}


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The kinds in the tables; the models that have a table in them are built again, as a program's start does."""
    with monkeypatch.context() as patch:
        for kind, (table, asked, locked, module) in MODULES.items():
            patch.setitem(getattr(recipes, table), kind, asked)
            patch.setitem(getattr(models, table), kind, locked)
            patch.setitem(getattr(kinds, table), kind, module)
        RecipeModel.model_rebuild(force=True)
        Lock.model_rebuild(force=True)
        yield
    RecipeModel.model_rebuild(force=True)
    Lock.model_rebuild(force=True)


@pytest.mark.usefixtures("made_up")
def test_from_the_recipe_to_the_files(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/m.yaml").write_text(RECIPE)
    config = Config(home=tmp_path / "home")
    store = Store(config.home)
    recipe = load_recipe(tmp_path, "m")
    write_lock(recipe, make_lock(recipe, None, (), store, config))
    lock = read_lock(recipe.lock_path)
    assert lock is not None
    check_lock(recipe, lock)
    assert make_lock(recipe, lock, (), store, config) == lock
    assert dump_lock(lock) == recipe.lock_path.read_text()

    made = plan(recipe, lock)
    assert [part.layer for part in made.stack()] == ["env", "weights", "sources"]
    # A data set is no part of the image, and neither is it missing for one.
    missing = {file.name for file in take_inventory(recipe, lock, config).missing}
    assert missing == {"basalt", "lunokhod", "w"}
    fetch(made, Fetcher(store, config))
    assert take_inventory(recipe, lock, config).missing == ()

    parts = {part.layer: part for part in made.stack()}
    with store.workspace() as folder, Spool(folder) as spool:
        source = part_layer(made, parts["sources"], store, spool, {})
        assert source.entries[-1].path == "workspace/m/code/lunokhod"
        assert [entry.path for entry in weights_tree(lock.weights["w"], store)] == ["w"]
        # Whoever has no rover takes the layer of somebody else, and it proves itself.
        with store.layout.new_blob() as blob:
            written = write_layer(source, blob.stream)
            blob.commit(written.diff_id)
    elsewhere = Store(tmp_path / "elsewhere")
    blob_here = store.layout.blob(written.diff_id)
    arrived = Arrived(made, elsewhere, {parts["sources"].key: Blob(written.diff_id, written.size)}, lambda _: blob_here)
    assert prove(parts["sources"], arrived, {}) is None

    render(made, store, tmp_path / "rendered")
    assert (tmp_path / "rendered/base.tar").stat().st_size == lock.base.layers[0].size
    assert (tmp_path / "rendered/sources/code/lunokhod").read_bytes() == BYTES["lunokhod"]

    assert pin_data(recipe, lock, ["d"], store, config) == lock
    unpack_data(lock, ["d"], store)
    [mount] = data_mounts(recipe, lock, ["d"], store)
    assert (Path(mount.source) / "low").read_bytes() == BYTES["low"]
    assert mount.target == "/workspace/m/data"


@pytest.mark.usefixtures("made_up")
def test_mistakes_and_documents_know_it(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    path = tmp_path / "recipes/m.yaml"
    for old, new, line in [
        ("rock: basalt", "rok: basalt", "base.moon.rok: no such key here; did you mean 'rock'?"),
        ("moon: {rock: basalt}", "", "base: expected either debian or archive or image or moon"),
        ("rover: lunokhod", "rover: 5", "sources.code.rover: expected text, found the number 5"),
        ("rover: lunokhod", "", "expected a mapping with either sdist, or git, or archive, or folder, or rover"),
        (
            "crater: tycho",
            "kraater: x",
            "or files, or huggingface, or modelscope, or lfs, or crater",
        ),
        ("orbit: low, ", "", "expected a mapping with either file and origin and to, or orbit and to"),
    ]:
        path.write_text(RECIPE.replace(old, new))
        with pytest.raises(RecipeError) as caught:
            load_recipe(tmp_path, "m")
        assert line in caught.value.problem
    assert {"Moon", "Rover", "Crater", "Orbit"} <= schema()["$defs"].keys()
    text = reference_text()
    assert "[sdist source](#sdist-source) or [git source](#git-source) or [" in text
    assert "[folder source](#folder-source) or [rover](#rover)" in text


@pytest.mark.usefixtures("made_up")
def test_an_edited_lock_contradicts_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes/m.yaml").write_text(RECIPE)
    config = Config(home=tmp_path / "home")
    recipe = load_recipe(tmp_path, "m")
    lock = make_lock(recipe, None, (), Store(config.home), config)
    edited = lock.model_copy(
        update={
            "base": lock.base.model_copy(update={"rock": "regolith"}),  # type: ignore[attr-defined]
            "sources": {"code": LockedRover(rover="tycho")},
            "data": {"d": models.ManualFile(file="low.tar")},
        }
    )
    assert contradictions(recipe, edited) == [
        "base.moon.rock: the recipe says 'basalt', the lock 'regolith'",
        "sources.code.rover: the recipe says 'lunokhod', the lock 'tycho'",
        "data.d: the recipe says 'orbit', the lock 'file'",
    ]
