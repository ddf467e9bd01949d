"""Weights lie on disk once: kept as files or left in place, and every reader of blobs gets the same bytes."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from left_in_place import Reading, build_in_place, change, config_of, large
from registry_server import RegistryServer
from small_project import Machine, sha, small_project

from portside.archive.read import read_layout
from portside.archive.write import write_archive
from portside.archive.write_layout import check_folder, is_folder, write_layout
from portside.build.many import build
from portside.bundle import bundle
from portside.clean import find_garbage, remove
from portside.config import Config, KeptFolder
from portside.diff import open_side
from portside.diff.compare import diff
from portside.errors import BuildError, DamagedError, InputError, RecipeError
from portside.fetch.fetcher import Fetcher
from portside.image.built import stored_image, to_load
from portside.layers.writer import single_file_frame
from portside.lock.file import dump_lock
from portside.plan.states import blob_of, frame_layer, states
from portside.project import Project
from portside.registry.reference import parse_reference
from portside.runtime.weights import weight_mounts
from portside.share.pull import pull
from portside.share.push import push
from portside.store.layout import Blob
from portside.verify.scratch import scratch_store


def disk(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def test_the_store_grows_by_less_than_a_hundredth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = small_project(tmp_path / "project", monkeypatch, {"model.bin": 64 << 20})
    made = Machine(small, tmp_path / "here")
    before = disk(made.home)
    build_in_place(made)
    mounts = weight_mounts(made.plan.recipe, made.plan.lock, made.store)
    assert disk(made.home) - before < (64 << 20) // 100
    assert [mount.source for mount in mounts[1:]] == [str(small.downloads / "model.bin")]


def test_every_reader_gets_the_same_bytes(here: Machine, machine: Callable[..., Machine], tmp_path: Path) -> None:
    other = machine("other")
    other.engine = Reading()
    other.build()
    assert here.image_id() == other.image_id()
    assert isinstance(here.engine, Reading) and isinstance(other.engine, Reading)
    assert here.engine.got == other.engine.got == {digest: digest for digest in here.engine.got}
    plan, image = here.plan, stored_image(here.plan, here.store, "weights")
    for made in (here, other):
        write_archive(image, ["a:b"], made.store, tmp_path / f"{made.home.name}.tar")
        plan.recipe.lock_path.write_text(dump_lock(plan.lock))
        bundle(plan, made.store, Fetcher(made.store, config_of(here)), tmp_path / f"{made.home.name}.bundle")
    for kind in ("tar", "bundle"):
        assert (tmp_path / f"here.{kind}").read_bytes() == (tmp_path / f"other.{kind}").read_bytes()
    digest = here.store.record("keys", large(here)[0].key)["diff_id"]
    with ExitStack() as stack:
        sides = [open_side(name, here.store, stack) for name in ("small", digest[:20])]
        assert sides[1].id in [layer.digest for layer in sides[0].layers]
        assert diff(sides[1], open_side(digest, other.store, stack)).same


def test_push_and_pull(here: Machine, machine: Callable[..., Machine], registry: RegistryServer) -> None:
    there = machine("there", has_base=False)
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    pulled = pull(there.plan, there.store, reference)
    assert pulled.image.image_id == here.image_id()
    there.check_blobs()
    again = pull(here.plan, here.store, reference)
    assert again.received == ()
    assert [here.store.layout.file(blob_of(part, here.store).digest) for part in large(here)] == [None, None]  # type: ignore[union-attr]


def test_what_changed_is_not_pushed(here: Machine, registry: RegistryServer) -> None:
    path = here.small.downloads / "big.bin"
    change(path)
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    with pytest.raises(
        BuildError, match=f"weights/model/big.bin cannot be used: {path}, which the store uses in place"
    ):
        push(here.plan, here.store, reference)
    assert not registry.tags("team/models")


def test_what_changed_is_not_built_with(here: Machine) -> None:
    path = here.small.downloads / "big.bin"
    change(path)
    [reason] = [s.reasons for s in states(here.plan, here.store) if s.blob is None]
    assert reason == (f"{path}, which the store uses in place, was changed or replaced since it was read",)
    here.engine = Reading()
    with pytest.raises(InputError, match=f"{path}: its sha256 is ") as caught:
        build_in_place(here)
    assert "--update model" in (caught.value.solution or "")
    assert here.engine.loaded == {}
    path.write_bytes(here.small.weights["big.bin"])
    build_in_place(here)
    assert here.engine.loaded["portside/small:latest"] == here.image_id()


def test_what_changes_while_an_engine_reads_it(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = here.small.downloads / "big.bin"

    class Slow(Reading):
        def load(self, image: Any, transfer: Any) -> None:
            change(path)
            super().load(image, transfer)

    image = stored_image(here.plan, here.store, "weights")
    engine = Slow()
    with pytest.raises(DamagedError, match=str(path)):
        engine.load(to_load(image, here.store, ["x"]), None)
    assert engine.loaded == {}


def test_two_entries_with_the_same_file_keep_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = small_project(tmp_path / "project", monkeypatch, {"a.bin": 2 << 20, "b.bin": 2 << 20})
    data = small.weights["a.bin"]
    (small.downloads / "b.bin").write_bytes(data)
    text = (small.root / "recipes" / "small.yaml").read_text().replace(sha(small.weights["b.bin"]), sha(data))
    (small.root / "recipes" / "small.yaml").write_text(text)
    small.weights["b.bin"] = data
    for number, folders in enumerate([(small.downloads,), (KeptFolder(path=small.downloads, keep="in place"),)]):
        made = Machine(small, tmp_path / f"home{number}")
        engine: Any = made.engine
        config = Config(home=made.home, folders=folders)
        build(made.plan, made.store, Fetcher(made.store, config, offline=True), engine)
        kept = [path for path in (made.home / "inputs" / "sha256").iterdir() if path.stat().st_size >= 2 << 20]
        assert kept == [[made.store.inputs.path(sha(data))], []][number]
        digests = {made.store.record("keys", part.key)["diff_id"] for part in large(made)}  # type: ignore[index]
        assert len(digests) == 2
        for part in large(made):
            made.store.layout.check(blob_of(part, made.store) or pytest.fail())


def test_a_store_whose_blobs_are_files_is_used_as_it_is(machine: Callable[..., Machine]) -> None:
    """As Portside wrote it before: the blob, and where in it the input's bytes stand."""
    old, plain = machine("old"), machine("plain")
    plain.build()
    for part in large(old):
        sha256 = part.manifest["sha256"]
        data = old.small.weights[part.of.file]
        head, tail = single_file_frame(frame_layer(part, sha256, len(data)))
        digest = old.store.layout.put_blob(head + data + tail)
        old.store.keep("keys", part.key, part.record(digest, len(head + data + tail)))
        old.store.inputs.note_in_blob(sha256, digest, len(head), len(data))
    built = old.build()
    assert built[-1].fresh == ("model",)
    assert old.image_id() == plain.image_id()
    assert not (old.home / "frames").exists()
    mounts = weight_mounts(old.plan.recipe, old.plan.lock, old.store)
    assert (Path(mounts[0].source) / "big.bin").read_bytes() == old.small.weights["big.bin"]


def test_clean_keeps_what_frames_are_made_of(here: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.clean.YOUNG", -1)
    monkeypatch.setenv("PORTSIDE_HOME", str(here.home))
    lock_path = here.plan.recipe.lock_path
    lock_path.write_text(dump_lock(here.plan.lock))
    weight_mounts(here.plan.recipe, here.plan.lock, here.store)
    project = Project(here.small.root)
    assert find_garbage(project)[0] == []
    lock_path.unlink()
    # The image of the last build stays: its blobs are made of these inputs.
    remove(here.store, *find_garbage(project))
    for layer in (here.store.layout.image("small:weights") or pytest.fail()).layers:
        here.store.layout.check(layer)
    (here.small.root / "recipes" / "small.yaml").unlink()
    found, names = find_garbage(project)
    assert {item.kind for item in found} >= {"record", "layer", "input"}
    remove(here.store, found, names)
    assert not [*(here.home / "frames").iterdir(), *(here.home / "mounts").iterdir()]
    assert not list((here.home / "inputs" / "sha256").iterdir())
    for name, data in here.small.weights.items():
        assert (here.small.downloads / name).read_bytes() == data


def test_clean_counts_a_file_with_two_names_once(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machine("here")
    made.build()
    monkeypatch.setattr("portside.clean.YOUNG", -1)
    monkeypatch.setenv("PORTSIDE_HOME", str(made.home))
    mounts = weight_mounts(made.plan.recipe, made.plan.lock, made.store)
    assert (Path(mounts[0].source) / "big.bin").stat().st_nlink == 2
    path = made.plan.recipe.lock_path
    path.write_text(dump_lock(made.plan.lock.model_copy(update={"weights": {}})))
    project = Project(made.small.root)
    found = {item.kind: item.size for item in find_garbage(project)[0]}
    assert found["mount"] == 0, "the last build needs the inputs, which are the same files"
    (made.small.root / "recipes" / "small.yaml").unlink()
    total = sum(item.size for item in find_garbage(project)[0])
    assert sum(map(len, made.small.weights.values())) < total < disk(made.home) + (1 << 20)


def test_a_second_store_borrows_large_files(here: Machine, tmp_path: Path) -> None:
    base = [here.base.digest]
    scratch, _ = scratch_store(here.plan.lock, here.store, tmp_path / "scratch", base)
    for name in ("big.bin", "other.bin"):
        sha256 = sha(here.small.weights[name])
        assert scratch.inputs.require(sha256, name).path == here.small.downloads / name
        assert not scratch.inputs.path(sha256).exists()


def test_save_as_a_layout(here: Machine, machine: Callable[..., Machine], tmp_path: Path) -> None:
    image = stored_image(here.plan, here.store, "weights")
    folder = tmp_path / "layout"
    folder.mkdir()
    check_folder(folder, force=False)
    write_layout(image, ["portside/small:weights"], here.store, folder)
    for digest in [layer.digest for layer in image.layers] + [image.image_id, sha(image.manifest())]:
        assert sha((folder / "blobs" / "sha256" / digest).read_bytes()) == digest
    index = json.loads((folder / "index.json").read_bytes())
    assert [row["annotations"] for row in index["manifests"]] == [
        {"org.opencontainers.image.ref.name": "portside/small:weights"}
    ]
    [read] = read_layout(folder, machine("there", has_base=False).store).images
    assert read.image == image
    with pytest.raises(RecipeError, match="is not an empty folder"):
        check_folder(folder, force=False)
    check_folder(folder, force=True)
    write_layout(image, ["a:b"], here.store, folder)
    change(here.small.downloads / "big.bin")
    with pytest.raises(DamagedError):
        write_layout(image, ["c:d"], here.store, folder)
    assert b'"a:b"' in (folder / "index.json").read_bytes(), "what was there stays"
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".portside")) == []
    (folder / "oci-layout").unlink()
    with pytest.raises(RecipeError, match="is not an empty folder"):
        check_folder(folder, force=True)


@pytest.mark.parametrize(
    ("output", "folder"), [("minilm", True), ("a.b/", True), ("a.tar", False), ("a.zip", False), ("x/minilm-oci", True)]
)
def test_which_outputs_are_folders(output: str, folder: bool) -> None:
    assert is_folder(output) == folder


def test_no_load_leaves_the_images_in_the_store(machine: Callable[..., Machine]) -> None:
    made = machine("here")
    build_in_place(made, load=False)
    assert made.engine.loaded == {}
    assert made.store.layout.image("small:weights") is not None


def test_enough_space_for_what_is_left_in_place(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = machine("here")
    asked: list[int] = []
    monkeypatch.setattr("portside.store.files.need_space", lambda path, size: asked.append(size))
    build_in_place(made)
    assert max(asked) < 1 << 20
    assert isinstance(blob_of(large(made)[0], made.store), Blob)
