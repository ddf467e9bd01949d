"""`clean` finds what no lock needs, and nothing else."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from small_project import Machine, Small, sha

from portside.clean import find_garbage, remove
from portside.errors import StoreError
from portside.inputs import git_mirror
from portside.lock.file import dump_lock
from portside.lock.sources import LockedGitSource
from portside.project import Project
from portside.recipe import load_recipe
from portside.store.layout import Image

WEEKS_AGO = time.time() - 30 * 86400


@pytest.fixture
def built(machine: Callable[..., Machine], small: Small, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A machine that has built the recipe, long ago, and knows its project."""
    made = machine("here")
    monkeypatch.setenv("PORTSIDE_HOME", str(made.home))
    write_lock(made)
    made.build()
    age(made.home)
    return made


def write_lock(machine: Machine) -> None:
    plan = machine.plan
    load_recipe(machine.small.root, "small").lock_path.write_text(dump_lock(plan.lock))


def age(folder: Path, when: float = WEEKS_AGO) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (when, when), follow_symlinks=False)


def garbage(machine: Machine, days: int = 7) -> tuple[list[str], list[str]]:
    found, names = find_garbage(Project(machine.small.root), days)
    return sorted(str(item.path.relative_to(machine.home)) for item in found), names


def clean(machine: Machine) -> None:
    project = Project(machine.small.root)
    remove(machine.store, *find_garbage(project))


def test_a_store_in_use_holds_no_garbage(built: Machine) -> None:
    assert garbage(built) == ([], [])


def test_what_an_edit_left_behind(built: Machine, small: Small) -> None:
    code = built.store.record("keys", built.plan.layer("migrated").parts[0].key)["diff_id"]
    old = built.image_id()
    small.edit("print('two')\n")
    write_lock(built)
    built.build()
    age(built.home)
    found, names = garbage(built)
    assert f"oci/blobs/sha256/{code}" in found and f"oci/blobs/sha256/{old}" in found
    assert names == []
    new = built.image_id()
    clean(built)
    assert garbage(built) == ([], [])
    assert code not in built.blobs()
    assert built.image_id() == new
    assert [row.fresh for row in built.build(folders=False)] == [(), (), (), ()]


def test_what_is_young_may_be_in_use(built: Machine) -> None:
    digest = built.store.layout.put_blob(b"just written")
    assert garbage(built) == ([], [])
    age(built.store.layout.blob(digest))
    assert garbage(built) == ([f"oci/blobs/sha256/{digest}"], [])


def test_images_that_no_recipe_has(built: Machine) -> None:
    digest = built.store.layout.put_blob(b"a layer")
    image = Image(b'{"a": 1}', (built.store.layout.image("small:env") or pytest.fail()).layers[:1])
    built.store.layout.put_image("vendor/image:v1", image)
    age(built.home)
    found, names = garbage(built)
    assert names == ["vendor/image:v1"]
    kept = {sha(image.config), sha(image.manifest()), digest}
    assert {path.rpartition("/")[2] for path in found} == kept
    clean(built)
    assert "vendor/image:v1" not in built.store.layout.refs()
    assert built.store.layout.image("small:weights") is not None


def test_inputs_records_sources_and_indexes(built: Machine) -> None:
    other = sha(b"other")
    for path in (
        f"inputs/sha256/{other}",
        f"inputs/sha256/{other}.json",
        f"keys/{other}.json",
        f"index/{other}",
        f"clear/{other}-{other[:16]}.json",
        f"packed/{other}-gzip.json",
        "built/gone.json",
    ):
        (built.home / path).parent.mkdir(exist_ok=True)
        (built.home / path).write_text("{}")
        age(built.home / path)
    (built.home / f"git/{other}.git/objects").mkdir(parents=True)
    age(built.home / "git")
    found, _ = garbage(built)
    assert found == sorted(
        [
            f"inputs/sha256/{other}",
            f"inputs/sha256/{other}.json",
            f"keys/{other}.json",
            f"index/{other}",
            f"clear/{other}-{other[:16]}.json",
            f"packed/{other}-gzip.json",
            "built/gone.json",
            f"git/{other}.git",
        ]
    )
    clean(built)
    assert garbage(built) == ([], [])


def test_a_mirror_is_kept_however_mirrors_are_named(built: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_mirror, "mirror_name", lambda url: sha(b"another scheme " + url.encode()))
    url = "https://example.org/code.git"
    source = LockedGitSource(epoch=0, url=url, commit="1" * 40, tree="2" * 40)
    path = load_recipe(built.small.root, "small").lock_path
    path.write_text(dump_lock(built.plan.lock.model_copy(update={"sources": {"code": source}})))
    for name in (url, "https://example.org/other.git"):
        (git_mirror.Mirror(name, None, built.store).path / "objects").mkdir(parents=True)
    age(built.home)
    other = git_mirror.Mirror("https://example.org/other.git", None, built.store).path.name
    assert [path for path in garbage(built)[0] if path.startswith("git/")] == [f"git/{other}"]


def test_leftovers_are_kept_for_some_days(built: Machine) -> None:
    for folder in ("partial", "inputs/quarantine", "logs"):
        (built.home / folder).mkdir(exist_ok=True)
        (built.home / folder / "x").write_text("x")
    assert garbage(built) == ([], [])
    age(built.home / "partial", time.time() - 2 * 86400)
    age(built.home / "logs", time.time() - 8 * 86400)
    assert garbage(built) == (["logs/x"], [])
    assert garbage(built, days=1) == (["logs/x", "partial/x"], [])


def test_a_transfer_under_way_is_left_alone(built: Machine) -> None:
    path = built.home / "partial" / "input-x"
    path.parent.mkdir(exist_ok=True)
    path.write_text("half")
    age(path)
    with path.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        clean(built)
        assert path.exists()
    clean(built)
    assert not path.exists()


def test_a_recipe_that_is_to_be_locked_again_keeps_its_last_build(built: Machine, small: Small) -> None:
    path = small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text() + "sources: {new: {sdist: 'new==1'}}\nmigration: {ruleset: mlu, sources: [new]}\n")
    assert garbage(built) == ([], [])


def test_nothing_is_removed_as_long_as_a_lock_cannot_be_read(built: Machine) -> None:
    load_recipe(built.small.root, "small").lock_path.write_text("{")
    with pytest.raises(StoreError, match=r"what .*/recipes/small\.yaml needs cannot be known"):
        garbage(built)


@pytest.fixture
def other(built: Machine, tmp_path: Path) -> Path:
    """Another checkout that uses the same store, with a recipe and a lock of its own."""
    root = tmp_path / "other"
    shutil.copytree(built.small.root, root)
    lock = built.plan.lock.model_copy(update={"base": built.plan.lock.base.model_copy(update={"diff_id": "e" * 64})})
    (root / "recipes" / "small.lock").write_text(dump_lock(lock))
    base = built.store.layout.blob("e" * 64)
    base.write_bytes(b"the other's base")
    age(base)
    return root


def test_what_another_checkout_needs_is_kept_as_long_as_it_is_there(built: Machine, other: Path) -> None:
    base = f"oci/blobs/sha256/{'e' * 64}"
    assert garbage(built)[0] == [base], "nobody knows of the other one yet"
    assert other in Project(other).store.checkouts().values()
    assert garbage(built) == ([], [])
    shutil.rmtree(other)
    age(built.home / "checkouts")
    found, _ = garbage(built)
    assert base in found and len([path for path in found if path.startswith("checkouts/")]) == 1
    clean(built)
    assert other not in built.store.checkouts().values()


def test_another_checkout_that_cannot_be_read_stops_it(built: Machine, other: Path) -> None:
    _ = Project(other).store
    (other / "recipes" / "small.yaml").write_text("description: [")
    with pytest.raises(StoreError, match=rf"what {other}/recipes/small\.yaml needs cannot be known"):
        garbage(built)
