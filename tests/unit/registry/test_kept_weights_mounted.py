"""Mounts are of the files that a store keeps or leaves in place, and cost no copy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from left_in_place import change, config_of, large
from small_project import Machine, sha

from portside.config import Config, KeptFolder
from portside.errors import InputError
from portside.fetch.fetcher import Fetcher
from portside.plan.states import blob_of
from portside.runtime.auto import is_mounted
from portside.runtime.known import known_image
from portside.runtime.weights import bring_weights, weight_mounts
from portside.store import Store


def test_mounts_are_of_the_files_themselves(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = here.plan
    mounts = weight_mounts(plan.recipe, plan.lock, here.store)
    assert mounts == weight_mounts(plan.recipe, plan.lock, here.store, bring=False)
    at = f"{plan.recipe.workspace}/weights/model"
    downloads = here.small.downloads
    assert [(m.source, m.target) for m in mounts[1:]] == [
        (str(downloads / name), f"{at}/{name}") for name in ("big.bin", "other.bin")
    ]
    assert mounts[0].target == at and all(mount.read_only for mount in mounts)
    folder = Path(mounts[0].source)
    assert sorted((path.name, path.stat().st_size) for path in folder.iterdir()) == [
        ("big.bin", 0),
        ("other.bin", 0),
        ("vocab.txt", 5000),
    ]
    change(downloads / "other.bin")
    with pytest.raises(
        InputError, match=f"other.bin: {downloads / 'other.bin'}, which the store uses in place"
    ) as told:
        weight_mounts(plan.recipe, plan.lock, here.store)
    assert "--update" in (told.value.solution or "")


def test_kept_files_are_mounted_themselves_too(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("portside.store.inputs", "portside.runtime.weights"):
        monkeypatch.setattr(f"{name}.SEEN_FROM", 1 << 20)
    made = machine("here")
    made.build()
    bring_weights(made.plan.recipe, made.plan.lock, made.store, Config(home=made.home))
    monkeypatch.setattr("portside.store.seen.Seen.read", lambda *args: pytest.fail("it is known"))
    mounts = weight_mounts(made.plan.recipe, made.plan.lock, Store(made.home))
    paths = {made.store.inputs.path(sha(made.small.weights[name])) for name in ("big.bin", "other.bin")}
    assert {Path(mount.source) for mount in mounts[1:]} == paths
    monkeypatch.undo()
    path = min(paths)
    path.chmod(0o644)
    change(path)
    with pytest.raises(InputError, match="is not in the store"):
        weight_mounts(made.plan.recipe, made.plan.lock, Store(made.home))


def test_a_mount_before_any_build_copies_nothing(machine: Callable[..., Machine]) -> None:
    """Also where the configuration says copy: that is what a build does."""
    made = machine("here")
    plan, downloads = made.plan, made.small.downloads
    config = Config(home=made.home, folders=(downloads,))
    bring_weights(plan.recipe, plan.lock, made.store, config)
    assert made.store.record("keys", large(made)[0].key) is None, "no layer is made for a mount"
    mounts = weight_mounts(plan.recipe, plan.lock, made.store)
    assert [mount.source for mount in mounts[1:]] == [str(downloads / name) for name in ("big.bin", "other.bin")]
    made.build()
    for name in ("big.bin", "other.bin"):
        (downloads / name).unlink()
        assert made.store.inputs.require(sha(made.small.weights[name]), name).path.is_relative_to(made.home)
    for part in large(made):
        made.store.layout.check(blob_of(part, made.store) or pytest.fail())


def test_a_file_that_was_only_mounted_counts_as_one_to_copy(machine: Callable[..., Machine]) -> None:
    made = machine("here")
    copying = Config(home=made.home, folders=(KeptFolder(path=made.small.downloads, keep="copy"),))
    bring_weights(made.plan.recipe, made.plan.lock, made.store, copying)
    weights = large(made)
    assert [Fetcher(made.store, copying, offline=True).has_file(part, made.plan) for part in weights] == [False, False]
    in_place = Fetcher(made.store, config_of(made), offline=True)
    assert [in_place.has_file(part, made.plan) for part in weights] == [True, True]
    made.build()
    assert [Fetcher(made.store, copying, offline=True).has_file(part, made.plan) for part in weights] == [True, True]


def test_weights_are_mounted_unless_the_engine_has_the_finished_image(here: Machine) -> None:
    store, plan = here.store, here.plan
    engine: Any = here.engine
    assert not is_mounted("small", engine, store, lambda: plan)
    here.engine.loaded.clear()
    assert is_mounted("small", engine, store, lambda: plan)
    known_image("small", "migrated", store, lambda: plan).bring(store, engine)
    assert list(here.engine.loaded) == ["portside/small:migrated"]
    assert is_mounted("small", engine, store, lambda: plan)
    here.engine.loaded["portside/small:weights"] = "0" * 64
    assert is_mounted("small", engine, store, lambda: plan), "that of an older build is not taken"
    empty = Store(here.home.parent / "empty")
    assert not is_mounted("small", engine, empty, lambda: plan), "nothing says that it is another"
    here.engine.loaded.clear()
    assert not is_mounted("small", engine, empty, lambda: plan), "there is nothing to mount them into"
