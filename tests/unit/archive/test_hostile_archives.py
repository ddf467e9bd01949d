"""Archives whose manifests, indexes and configs say anything: refused in words, or taken under right names."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from archives import CONFIG, LAYERS, docker_files, oci_files, sha, write_tar
from hostile import Canary, dump, mutations
from hypothesis import given, settings

from portside.adopt.archive_images import load_archive
from portside.archive.read import read_archive
from portside.common.values import DiffID, ImageName
from portside.errors import InputError, PortsideError, RecipeError
from portside.inputs.vendor_image import read_vendor_image
from portside.lock.bases import ArchiveBase
from portside.plan.model import Plan
from portside.store import Store

GOOD_CONFIG = json.loads(CONFIG) | {
    "architecture": "amd64",
    "created": "2024-05-01T00:00:00Z",
    "config": {"Env": ["PATH=/bin"], "Labels": {"portside.recipe": "x", "portside.layer": "env"}},
}


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "outside")


def no_plan(name: str) -> Plan:
    raise RecipeError(f"no recipe {name!r}")


def take(path: Path, store: Store) -> None:
    """All that reads archives of other people; both go through `read_archive`."""
    base = ArchiveBase(file="a.tar", architecture="amd64")
    for read in (
        lambda: load_archive(path, store, no_plan, ()),
        lambda: read_vendor_image(path, base, store),
    ):
        try:
            read()
        except PortsideError:
            continue


def check_store(store: Store) -> None:
    for ref in store.layout.refs():
        image = store.layout.image(ref)
        assert image is not None and type(ImageName(ref)) is ImageName
        assert all(type(blob.digest) is DiffID for blob in image.layers)
    for blob in (store.home / "oci" / "blobs" / "sha256").glob("*"):
        assert blob.name == sha(blob.read_bytes())
    assert set(os.listdir(store.home)) <= {"oci", "work", "partial", "locks"}


def test_any_docker_archive(tmp_path: Path, canary: Canary) -> None:
    good = json.loads(docker_files()["manifest.json"])

    @settings(max_examples=60)
    @given(mutations(good, canary.path), mutations(GOOD_CONFIG, canary.path))
    def attempt(manifest: Any, config: Any) -> None:
        files = {**docker_files(), "manifest.json": dump(manifest)}
        take(write_tar(tmp_path / "a.tar", files), Store(tmp_path / "home"))
        take(write_tar(tmp_path / "a.tar", docker_files(config=dump(config))), Store(tmp_path / "home"))
        check_store(Store(tmp_path / "home"))
        canary.check()

    attempt()


def test_any_oci_archive(tmp_path: Path, canary: Canary) -> None:
    layers = [(layer, "") for layer in LAYERS]
    files = oci_files(layers)
    index = json.loads(files["index.json"])
    name = index["manifests"][0]["digest"].removeprefix("sha256:")
    manifest = json.loads(files[f"blobs/sha256/{name}"])

    @settings(max_examples=60)
    @given(mutations(index, canary.path), mutations(manifest, canary.path))
    def attempt(changed: Any, inner: Any) -> None:
        take(write_tar(tmp_path / "a.tar", {**files, "index.json": dump(changed)}), Store(tmp_path / "home"))
        data = dump(inner)
        row = {**index["manifests"][0], "digest": f"sha256:{sha(data)}", "size": len(data)}
        new = {**files, f"blobs/sha256/{sha(data)}": data, "index.json": dump({**index, "manifests": [row]})}
        take(write_tar(tmp_path / "a.tar", new), Store(tmp_path / "home"))
        check_store(Store(tmp_path / "home"))
        canary.check()

    attempt()


def test_layers_in_a_config_that_lead_elsewhere(tmp_path: Path, canary: Canary) -> None:
    """As long as a diff ID, and none."""
    path = f"sha256:{'../' * 30}{canary.path}"
    config = json.dumps({"os": "linux", "rootfs": {"diff_ids": [path[:71], path[:71]]}}).encode()
    with pytest.raises(InputError, match="something other than sha256"):
        read_archive(write_tar(tmp_path / "a.tar", docker_files(config=config)), Store(tmp_path / "home"))


def test_names_that_are_one_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no config and layers"):
        read_archive(write_tar(tmp_path / "a.tar", docker_files(names="abc")), Store(tmp_path / "home"))


def test_what_an_archive_holds_is_diffed_without_a_traceback(tmp_path: Path) -> None:
    """A config that looks like a manifest lies among the blobs of the layout afterwards."""
    from contextlib import ExitStack

    from portside.diff.sides import open_side

    store = Store(tmp_path / "home")
    config = dump({**GOOD_CONFIG, "layers": [5], "config": {"digest": "../x"}})
    load_archive(write_tar(tmp_path / "a.tar", docker_files(config=config)), store, no_plan, ())
    digest = hashlib.sha256(LAYERS[0]).hexdigest()
    with ExitStack() as stack:
        assert open_side(digest[:12], store, stack).id == digest
