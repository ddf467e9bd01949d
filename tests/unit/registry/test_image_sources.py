"""One image by a registry and by an archive is one base; and Debian's docker-registry as where it comes from."""

import base64
import hashlib
import json
import os
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_site import Site
from made_up_registry import LAYERS, MadeUpRegistry, tar
from registry_server import PASSWORD, USER, RegistryServer
from small_project import NoEngine

from portside.build.many import build
from portside.clean import find_garbage
from portside.common import oci
from portside.config import Config
from portside.doctor.lacking import examine_inputs, take_inventory
from portside.errors import RegistryError
from portside.fetch.fetcher import Fetcher
from portside.lock.file import read_lock, write_lock
from portside.plan.parts import plan
from portside.project import Project
from portside.recipe import load_recipe
from portside.resolve.resolver import make_lock
from portside.store import Store


def docker_save(made_up: MadeUpRegistry, descriptor: dict[str, Any]) -> bytes:
    """The image of `made_up.image()` as `docker save` writes it."""
    manifest = json.loads(made_up.documents[descriptor["digest"][7:]][1])
    digest = manifest["config"]["digest"][7:]
    names = [f"{number}/layer.tar" for number in range(len(LAYERS))]
    entry = {"Config": f"{digest}.json", "RepoTags": ["vendor.example/x:1"], "Layers": names}
    members = dict(zip(names, LAYERS, strict=True)) | {f"{digest}.json": made_up.blobs[digest]}
    return tar({**members, "manifest.json": json.dumps([entry]).encode()})


def test_by_archive_and_by_registry_it_is_one_base(made_up: MadeUpRegistry, tmp_path: Path) -> None:
    descriptor = made_up.image()
    by_registry = Site(tmp_path / "registry", made_up.tag("1", descriptor))
    by_registry.lock()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "vendor.tar").write_bytes(docker_save(made_up, descriptor))
    by_archive = Site(tmp_path / "archive", "x:1", folders=(folder,))
    text = (by_archive.root / "recipes/r.yaml").read_text()
    text = text.replace("image: x:1", "archive: {file: vendor.tar, origin: a vendor}")
    (by_archive.root / "recipes/r.yaml").write_text(text)
    recipe = load_recipe(by_archive.root, "r")
    write_lock(recipe, make_lock(recipe, None, (), by_archive.store, by_archive.config))
    one, other = by_registry.plan(), by_archive.plan()
    assert one.lock.base.kind == "image" and other.lock.base.kind == "archive"
    assert [part.key for part in one.stack()] == [part.key for part in other.stack()]
    assert by_registry.build().image.image_id == by_archive.build().image.image_id
    # Who has the layers of the archive needs none of the registry.
    there = Site(tmp_path / "there", f"{made_up.name}:1")
    there.lock()
    asked = len(made_up.asked("/blobs/"))
    shelf = Config(home=there.config.home)
    moved = plan(load_recipe(by_archive.root, "r"), other.lock)
    build(moved, Store(shelf.home), Fetcher(Store(shelf.home), by_archive.config), NoEngine())  # type: ignore[arg-type]
    there.build()
    assert len(made_up.asked("/blobs/")) == asked


def test_what_the_doctor_misses(made_up: MadeUpRegistry, tmp_path: Path) -> None:
    here = Site(tmp_path / "here", made_up.tag("1", made_up.image()))
    base = here.lock()
    recipe, lock = load_recipe(here.root, "r"), here.locked()
    inventory = take_inventory(recipe, lock, here.config)
    size = sum(layer.packed_size for layer in base.layers)
    assert sum(file.size or 0 for file in inventory.missing) == size
    [finding] = examine_inputs(inventory, recipe, lock, here.config)
    assert finding.text == f"not in the store yet: 2 file(s), {size} B"
    here.build()
    inventory = take_inventory(recipe, lock, here.config)
    assert inventory.missing == ()


def test_clean_keeps_what_proves_the_base(
    made_up: MadeUpRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Site(tmp_path / "here", made_up.tag("1", made_up.image()))
    before = here.lock()
    here.build()
    monkeypatch.setenv("PORTSIDE_HOME", str(here.config.home))
    for path in here.config.home.rglob("*"):
        os.utime(path, (0, 0), follow_symlinks=False)
    assert find_garbage(Project(here.root)) == ([], [])
    # Another image takes its place: nobody needs the first one any more.
    made_up.tag("1", made_up.image((tar({"moved": b""}),), (oci.LAYER,)))
    here.lock("base")
    found = {item.path.name for item in find_garbage(Project(here.root))[0]}
    assert {document.sha256 for document in before.documents.values()} <= found


class Pushed:
    """The made-up registry's image 1 in a real one."""

    def __init__(self, made_up: MadeUpRegistry, server: RegistryServer, **client: Any) -> None:
        self.name = f"{server.host}/team/vendor"
        base = f"{'https' if server.tls else 'http'}://{server.host}/v2/team/vendor"
        with httpx.Client(base_url=base, trust_env=False, **client) as http:
            for digest, data in made_up.blobs.items():
                place = http.post("/blobs/uploads/").raise_for_status().headers["Location"]
                http.put(f"{place}&digest=sha256:{digest}", content=data).raise_for_status()
            for digest, (kind, data) in made_up.documents.items():
                wanted = f"sha256:{digest}" if made_up.tags["1"] != digest else "1"
                http.put(f"/manifests/{wanted}", content=data, headers={"Content-Type": kind}).raise_for_status()


def test_debians_registry_with_a_password(
    made_up: MadeUpRegistry, start: Callable[..., RegistryServer], tmp_path: Path
) -> None:
    amd = made_up.image() | {"platform": {"os": "linux", "architecture": "amd64"}}
    made_up.tag("1", made_up.index(amd))
    server = start(password=True)
    pushed = Pushed(made_up, server, auth=(USER, PASSWORD))
    here = Site(tmp_path / "here", f"{pushed.name}:1")
    with pytest.raises(RegistryError, match="refuses") as caught:
        here.lock()
    assert f"docker login {server.host}" in (caught.value.solution or "")
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    logins = Path.home() / ".config/containers/auth.json"
    logins.parent.mkdir(parents=True)
    logins.write_text(json.dumps({"auths": {f"{server.host}/team": {"auth": auth}}}))
    server.forget_requests()
    base = here.lock()
    asked = [path for _, path in server.requests()]
    assert [path for layer in base.layers for path in asked if layer.packed in path] == []
    image = here.build().image
    assert [blob.digest for blob in image.layers][:2] == [hashlib.sha256(data).hexdigest() for data in LAYERS]
    # The tag moves, the registry goes away: what is here is enough.
    server.kill()
    assert here.build(offline=True).image.image_id == image.image_id
    lock = read_lock(load_recipe(here.root, "r").lock_path)
    assert lock is not None and lock.base == base


def test_an_authority_of_our_own(
    made_up: MadeUpRegistry, start: Callable[..., RegistryServer], authority: dict[str, Path], tmp_path: Path
) -> None:
    made_up.tag("1", made_up.image())
    server = start(certificate=(authority["host.crt"], authority["host.key"]))
    pushed = Pushed(made_up, server, verify=ssl.create_default_context(cafile=authority["ca.crt"]))
    here = Site(tmp_path / "here", f"{pushed.name}:1")
    with pytest.raises(RegistryError, match="certificate") as caught:
        here.lock()
    assert f"certs.d/{server.host}/ca.crt" in (caught.value.solution or "")
    folder = Path.home() / ".config/containers/certs.d" / server.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority["ca.crt"].read_bytes())
    here.lock()
    here.build()
