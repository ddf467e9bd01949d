"""A bundle holds a recipe and all its inputs, in the same bytes everywhere; an empty store gets exactly them."""

import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bundle_project import unbuilt_project
from tiny_project import TinyProject

import portside.bundle.read
import portside.migrate.rulesets
from portside.bundle import Unbundled, bundle, unbundle
from portside.check.trust import brought_by, is_trusted, own_checks
from portside.common.version import __version__
from portside.config import Config
from portside.errors import InputError, RecipeError
from portside.fetch.fetcher import Fetcher, fetch
from portside.inputs import git
from portside.inputs.spool import Spool
from portside.layers.writer import Written
from portside.lock.file import read_lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.plan.states import blob_of
from portside.recipe import load_recipe
from portside.store import Store

BIG = bytes(range(251)) * 40
SMALL = b"small weights\n"


@dataclass
class Place:
    """A project's root and a store, with no network."""

    root: Path
    store: Store

    def plan(self, name: str) -> Plan:
        recipe = load_recipe(self.root, name)
        lock = read_lock(recipe.lock_path)
        assert lock is not None
        return plan(recipe, lock)

    @property
    def config(self) -> Config:
        return Config(home=self.store.home)

    @property
    def fetcher(self) -> Fetcher:
        return Fetcher(self.store, self.config, offline=True)

    def bundle(self, name: str, output: Path) -> Written:
        return bundle(self.plan(name), self.store, self.fetcher, output)

    def unbundle(self, archive: Path, force: bool = False) -> Unbundled:
        return unbundle(archive, self.root, self.store, self.config, force=force)


@dataclass(frozen=True)
class Made:
    """A project in a folder, its recipe's name, and the bundle of that."""

    root: Path
    name: str
    archive: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """For reading: a test that changes something has `project`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portside.lock.models.LARGE", 5000)  # bytes: a layer of its own needs no 64 MiB here
        root = tmp_path_factory.mktemp("made")
        project = unbuilt_project(root)
        parent = project.add("parent", files={"shared.txt": b"shared\n"})
        name = project.add(
            "child",
            extends="parent",
            files={"run.py": b"print(1)\n", "sub/tool.sh": b"#!/bin/sh\n"},
            sdists={"lib": {"x.py": b"import y\n"}},
            repositories={"repo": {"README": b"read me\n", "empty": b"", "deep/er/data": BIG * 20}},
            weights={"big.bin": BIG, "small.txt": SMALL},
        )
        folder = project.machine.checkout / "recipes"
        (folder / name / "sub" / "tool.sh").chmod(0o755)
        (folder / name / "__pycache__").mkdir()
        (folder / name / "__pycache__" / "x.pyc").write_bytes(os.urandom(10))
        assert (folder / f"{parent}.lock").exists()
        Place(project.machine.checkout, project.store).bundle(name, root / "child.bundle")
        yield Made(root, name, root / "child.bundle")


@pytest.fixture
def project(made: Made, tmp_path: Path) -> TinyProject:
    """A copy of the project and its store; its git source stays where it was."""
    for folder in ("checkout", "home"):
        shutil.copytree(made.root / folder, tmp_path / "first" / folder, symlinks=True)
    return unbuilt_project(tmp_path / "first")


@pytest.fixture
def name(made: Made) -> str:
    return made.name


@pytest.fixture
def here(project: TinyProject) -> Place:
    return Place(project.machine.checkout, project.store)


@pytest.fixture
def there(tmp_path: Path) -> Place:
    (tmp_path / "second").mkdir()
    return Place(tmp_path / "second", Store(tmp_path / "second-home"))


@pytest.fixture
def archive(made: Made) -> Path:
    return made.archive


def recipe_files(root: Path) -> dict[str, tuple[bytes, bool]]:
    """What is in the files of the recipes, and which are programs: all else of a mode is the umask's."""
    found = {}
    for path in sorted((root / "recipes").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            found[str(path.relative_to(root))] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def test_an_empty_store_gets_everything(here: Place, there: Place, name: str, archive: Path) -> None:
    done = there.unbundle(archive)
    assert (done.recipe, done.inputs, done.same_keys) == (name, 5, True)
    mine, theirs = recipe_files(here.root), recipe_files(there.root)
    parent_lock = next(path for path in mine if path.endswith(".lock") and name not in path)
    assert theirs == {path: value for path, value in mine.items() if path != parent_lock}
    assert theirs[f"recipes/{name}/sub/tool.sh"][1]

    made = there.plan(name)
    fetch(made, there.fetcher)  # finds all it needs, offline
    source = made.lock.sources["repo"]
    assert source.kind == "git"
    with there.store.workspace() as folder, Spool(folder) as spool:
        tree = git.tree(source, there.store, spool)
        assert {entry.path: entry.read() for entry in tree} == {
            "README": b"read me\n",
            "deep/er/data": BIG * 20,
            "empty": b"",
        }
    assert list((there.store.home / "partial").iterdir()) == []


def test_a_large_weight_file_is_kept_once(here: Place, there: Place, name: str, archive: Path) -> None:
    there.unbundle(archive)
    (part,) = (part for part in there.plan(name).build_order() if part.kind == "frame")
    blob = blob_of(part, there.store)
    assert blob is not None and blob == blob_of(part, here.store)
    place = there.store.inputs.require(part.manifest["sha256"], "big.bin")
    assert place.path == there.store.inputs.path(part.manifest["sha256"]) and place.open().read() == BIG
    assert there.store.layout.file(blob.digest) is None
    there.store.layout.check(blob)


def test_the_same_lock_gives_the_same_bytes(
    here: Place, there: Place, name: str, archive: Path, tmp_path: Path
) -> None:
    """Out of a store that got its inputs in another way, of another place, with another umask."""
    there.unbundle(archive)
    fetch(there.plan(name), there.fetcher)
    old = os.umask(0o077)
    try:
        written = there.bundle(name, tmp_path / "again")
    finally:
        os.umask(old)
    assert (tmp_path / "again").read_bytes() == archive.read_bytes()
    assert written.size == archive.stat().st_size and (tmp_path / "again").stat().st_mode & 0o777 == 0o644


def test_every_byte_is_there_once(archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        listed = json.loads(tar.extractfile("bundle.json").read())  # type: ignore[union-attr]
    assert names == sorted(set(names)) and names[0] == "bundle.json"
    assert [member["path"] for member in listed["members"]] == names[1:]
    assert len({member["sha256"] for member in listed["members"]}) == len(names) - 1


def test_another_run_does_nothing_twice(there: Place, archive: Path) -> None:
    there.unbundle(archive)
    before = {path: path.stat().st_mtime_ns for path in there.root.rglob("*") if path.is_file()}
    inputs = {path: path.stat().st_mtime_ns for path in there.store.home.rglob("inputs/sha256/*")}
    there.unbundle(archive)
    assert before == {path: path.stat().st_mtime_ns for path in there.root.rglob("*") if path.is_file()}
    assert inputs == {path: path.stat().st_mtime_ns for path in there.store.home.rglob("inputs/sha256/*")}


def test_a_base_that_was_cut_off_is_made_whole(there: Place, name: str, archive: Path) -> None:
    there.unbundle(archive)
    base = there.plan(name).lock.base
    assert base.kind == "debian"
    blob = there.store.layout.blob(base.diff_id)
    blob.chmod(0o644)
    os.truncate(blob, base.size - 512)
    there.unbundle(archive)
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == base.diff_id


@pytest.mark.parametrize("after", [0, 1, 200_000, 1_100_000])
def test_an_interrupted_unbundle_is_continued(
    there: Place, archive: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    @contextmanager
    def interrupting(text: str, total: int) -> Iterator[object]:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            if done > after:
                raise KeyboardInterrupt

        yield advance

    with monkeypatch.context() as patch:
        patch.setattr(portside.bundle.read, "transfer", interrupting)
        with pytest.raises(KeyboardInterrupt):
            there.unbundle(archive)
    assert not (there.root / "recipes").exists()
    assert there.unbundle(archive).same_keys
    assert list((there.store.home / "partial").iterdir()) == []


def test_a_recipe_that_is_another_is_not_replaced(there: Place, name: str, archive: Path) -> None:
    there.unbundle(archive)
    script = there.root / "recipes" / name / "run.py"
    script.write_text("print(2)\n")
    with pytest.raises(RecipeError, match=r"run\.py exists and is another"):
        there.unbundle(archive)
    assert script.read_text() == "print(2)\n"
    there.unbundle(archive, force=True)
    assert script.read_text() == "print(1)\n"
    script.unlink()
    script.symlink_to("/etc/passwd")
    with pytest.raises(RecipeError, match="no plain file"):
        there.unbundle(archive, force=True)


def test_a_damaged_input_is_noticed_and_nothing_is_left(here: Place, name: str, tmp_path: Path) -> None:
    wheel = next(file for file in sorted((here.store.home / "inputs" / "sha256").iterdir()) if file.suffix == "")
    wheel.chmod(0o644)
    wheel.write_bytes(bytes(len(wheel.read_bytes())))
    with pytest.raises(InputError, match="is not in the store"):
        here.bundle(name, tmp_path / "b")
    assert not wheel.exists(), "bytes that changed are put aside, and never used"
    assert not (tmp_path / "b").exists() and list(tmp_path.glob(".b*")) == []


def test_nothing_is_overwritten(here: Place, name: str, archive: Path, tmp_path: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(RecipeError, match="exists already"):
        here.bundle(name, archive)
    assert archive.read_bytes() == before
    with pytest.raises(RecipeError, match="in no folder"):
        here.bundle(name, tmp_path / "none" / "b")


def test_a_link_in_the_recipes_folder_is_refused(here: Place, name: str, tmp_path: Path) -> None:
    (here.root / "recipes" / name / "link").symlink_to("run.py")
    with pytest.raises(RecipeError, match="link is a symlink"):
        here.bundle(name, tmp_path / "b")


def test_other_keys_are_told(there: Place, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.plan.parts.FORMAT", "canonical layer 99")
    done = there.unbundle(archive)
    assert (done.same_keys, done.written_by) == (False, __version__)


def test_another_image_format_is_told_and_the_inputs_come(
    there: Place, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.lock.written.IMAGE_FORMAT", 99)
    done = there.unbundle(archive)
    assert (done.same_keys, done.inputs) == (False, 5)


def test_the_source_may_vanish(made: Made, there: Place) -> None:
    upstream = (made.root / "upstream").rename(made.root / "vanished")
    try:
        there.unbundle(made.archive)
        fetch(there.plan(made.name), there.fetcher)
    finally:
        upstream.rename(made.root / "upstream")


@pytest.fixture
def own(project: TinyProject) -> str:
    """A recipe with a ruleset and an accelerator of the project's own, beside others that it does not use."""
    root = project.machine.checkout
    rules = (Path(portside.migrate.rulesets.__file__).parent / "mlu.yaml").read_text()
    for kind, name, text in (
        ("rulesets", "ours", rules.replace("name: mlu", "name: ours", 1)),
        ("rulesets", "unused", rules.replace("name: mlu", "name: unused", 1)),
        ("accelerators", "card", "name: card\ndescription: none\n"),
    ):
        (root / kind).mkdir(exist_ok=True)
        (root / kind / f"{name}.yaml").write_text(text)
    return project.add(
        "own",
        sdists={"lib": {"x.py": b"import torch\n"}},
        migration={"ruleset": "ours", "sources": ["lib"]},
        accelerator={"name": "card"},
    )


def test_a_projects_own_files_travel_with_the_recipe(here: Place, there: Place, own: str, tmp_path: Path) -> None:
    here.bundle(own, tmp_path / "own.bundle")
    done = there.unbundle(tmp_path / "own.bundle")
    assert (done.inputs, done.same_keys) == (2, True)
    for path in ("rulesets/ours.yaml", "accelerators/card.yaml"):
        assert (there.root / path).read_bytes() == (here.root / path).read_bytes()
    assert not (there.root / "rulesets" / "unused.yaml").exists()
    assert not (there.root / "portside.toml").exists()
    assert load_recipe(there.root, own).ruleset.name == "ours"


def test_another_file_of_that_name_is_only_replaced_by_force(
    here: Place, there: Place, own: str, tmp_path: Path
) -> None:
    here.bundle(own, tmp_path / "own.bundle")
    (there.root / "rulesets").mkdir()
    (there.root / "rulesets" / "ours.yaml").write_text("theirs")
    with pytest.raises(RecipeError, match=r"rulesets/ours\.yaml exists and is another than the bundle's"):
        there.unbundle(tmp_path / "own.bundle")
    assert sorted(there.root.rglob("*.yaml")) == [there.root / "rulesets" / "ours.yaml"]
    there.unbundle(tmp_path / "own.bundle", force=True)
    assert load_recipe(there.root, own).ruleset.name == "ours"


def test_a_name_that_portside_has_is_taken_where_the_project_allows_it(
    project: TinyProject, here: Place, there: Place, tmp_path: Path
) -> None:
    folder = here.root / "accelerators"
    folder.mkdir()
    (folder / "cpu.yaml").write_text("name: cpu\ndescription: ours\n")
    (here.root / "portside.toml").write_text('[override]\naccelerators = ["cpu"]\n')
    name = project.add("over")
    here.bundle(name, tmp_path / "over.bundle")
    with pytest.raises(InputError, match=r"cpu is also one of the accelerators that come with Portside") as caught:
        there.unbundle(tmp_path / "over.bundle")
    assert '[override] accelerators = ["cpu"]' in str(caught.value)
    assert list(there.root.iterdir()) == []
    (there.root / "portside.toml").write_text('[override]\naccelerators = ["cpu"]\n')
    there.unbundle(tmp_path / "over.bundle")
    assert (there.root / "accelerators" / "cpu.yaml").read_bytes() == (folder / "cpu.yaml").read_bytes()


def test_checks_of_somebody_else_are_noted(here: Place, there: Place, name: str, tmp_path: Path) -> None:
    recipe = here.root / "recipes" / f"{name}.yaml"
    recipe.write_text(recipe.read_text().rstrip().removesuffix("}") + ', "checks": ["test_own.py"]}')
    (here.root / "recipes" / name / "test_own.py").write_text("def test_it(): pass\n")
    here.bundle(name, tmp_path / "theirs.bundle")
    there.unbundle(tmp_path / "theirs.bundle")
    checks = own_checks(load_recipe(there.root, name))
    assert checks is not None and is_trusted(checks, there.store) is False
    assert brought_by(checks, there.store) == "theirs.bundle"
