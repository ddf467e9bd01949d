"""An image of a registry as base: what is locked, what is asked for, and images that cannot be one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from image_site import Site
from made_up_registry import (
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LAYERS,
    MadeUpRegistry,
    sha,
    tar,
)
from registry_server import free_port

from portside.build.render import dockerfile
from portside.bundle.read import unbundle
from portside.bundle.write import bundle
from portside.common import oci
from portside.errors import InputError, LockError, MissingInputError, PortsideError, RegistryError
from portside.fetch.fetcher import fetch
from portside.lock.file import dump_lock, write_lock
from portside.recipe import load_recipe
from portside.registry.answer import LARGEST_MANIFEST
from portside.verify.scratch import scratch_store

ARM = {"os": "linux", "architecture": "arm64", "variant": "v8"}
AMD = {"os": "linux", "architecture": "amd64"}


@pytest.fixture
def registry() -> Iterator[MadeUpRegistry]:
    made = MadeUpRegistry()
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    return lambda image, name="here", **config: Site(tmp_path / name, image, **config)


def both(registry: MadeUpRegistry, **options: Any) -> dict[str, Any]:
    """An index of two architectures, with an attestation for each and one of Windows."""
    amd = registry.image(**options) | {"platform": AMD}
    other = (tar({"opt/arm": b"x"}),)
    arm = registry.image(other, (f"{oci.LAYER}+zstd",), architecture="arm64") | {"platform": ARM}
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    proof = registry.document({"schemaVersion": 2}, oci.MANIFEST, platform=unknown, annotations=note)
    windows = registry.document({"schemaVersion": 2}, oci.MANIFEST, platform=AMD | {"os": "windows"})
    return registry.index(proof, windows, arm, amd)


def test_what_is_locked_without_reading_a_layer(
    registry: MadeUpRegistry, site: Callable[..., Site], capsys: pytest.CaptureFixture[str]
) -> None:
    index = both(registry)
    here = site(registry.tag("1", index))
    base = here.lock()
    manifest = json.loads(registry.documents[base.manifest.sha256][1])
    assert [document.sha256 for document in base.indexes] == [index["digest"][7:]]
    assert base.manifest.size == len(registry.documents[base.manifest.sha256][1])
    assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS]
    assert [(f"sha256:{layer.packed}", layer.packed_size) for layer in base.layers] == [
        (row["digest"], row["size"]) for row in manifest["layers"]
    ]
    assert (base.epoch, base.env) == (1677654550, {"PATH": "/opt/venv/bin:/bin", "A": "b=c"})
    wanted = {layer.packed for layer in base.layers}
    assert [path for digest in wanted for path in registry.asked(digest)] == []
    # A tag, the manifest, the config; nothing else is asked for, and first whether TLS is spoken.
    assert len(registry.asked("/manifests/")) == 2 and len(registry.asked("/blobs/")) == 1
    size = sum(layer.packed_size for layer in base.layers)
    assert f"2 of them, {size} B, are brought when they are needed" in capsys.readouterr().err
    # The documents stay, so that anybody can follow the tag's digest to the diff IDs.
    for document in base.documents.values():
        assert here.store.inputs.path(document.sha256).stat().st_size == document.size


def test_the_lock_is_the_same_with_and_without_content(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    address = registry.tag("1", both(registry))
    one, other = site(address), site(address, "other")
    one.lock()
    one.build()
    one.lock("base")
    other.lock()
    assert dump_lock(one.locked()) == dump_lock(other.locked())


def test_a_build_brings_each_layer_once_and_then_needs_nobody(
    registry: MadeUpRegistry, site: Callable[..., Site], tmp_path: Path
) -> None:
    address = registry.tag("1", both(registry))
    here = site(address)
    base = here.lock()
    first = here.build()
    for layer in base.layers:
        assert len(registry.asked(layer.packed)) == 1
        assert here.store.layout.blob(layer.diff_id).read_bytes() in LAYERS
    registry.tag("1", registry.image((tar({"moved": b""}),), (oci.LAYER,)))
    assert here.lock() == base  # a tag that moves changes no lock
    asked = len(registry.requests)
    assert here.build(offline=True).image.image_id == first.image.image_id
    assert [name for built in here.build_all(offline=True) for name in built.fresh] == []
    assert len(registry.requests) == asked
    # To a machine without a network, after the registry has forgotten everything.
    registry.documents.clear()
    registry.blobs.clear()
    bundle(here.plan(), here.store, here.fetcher(), tmp_path / "r.bundle")
    there = Site(tmp_path / "there", address)
    unbundle(tmp_path / "r.bundle", there.root, there.store, there.config, force=True)
    assert there.build(offline=True).image.image_id == first.image.image_id
    for document in base.documents.values():
        assert there.store.inputs.verified(document.sha256) is not None


def test_update_asks_for_the_tag_anew(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    here = site(registry.tag("1", both(registry)))
    before = here.lock()
    registry.tag("1", registry.image((tar({"moved": b""}),), (oci.LAYER,)))
    asked = len(registry.requests)
    assert here.lock() == before and len(registry.requests) == asked
    after = here.lock("base")
    assert after.indexes == () and [layer.diff_id for layer in after.layers] == [sha(tar({"moved": b""}))]
    assert after.layers[0].size == after.layers[0].packed_size


@pytest.mark.parametrize("tag", ["", ":1"])
def test_a_digest_is_never_asked_for_by_its_tag(registry: MadeUpRegistry, site: Callable[..., Site], tag: str) -> None:
    index = both(registry)
    registry.tag("1", registry.image((tar({"moved": b""}),), (oci.LAYER,)))
    here = site(f"{registry.name}{tag}@{index['digest']}")
    base = here.lock()
    assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS]
    assert registry.asked("/manifests/1") == []
    before = here.locked()
    registry.documents.clear()
    assert here.lock("base") == before.base  # a digest that is known needs nobody
    edited = before.model_copy(update={"base": base.model_copy(update={"indexes": ()})})
    with pytest.raises(LockError, match=f"base.image: the recipe says '{index['digest']}'"):
        write_lock(load_recipe(here.root, "r"), edited)


def test_another_architecture(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    address = registry.tag("1", both(registry))
    here = site(f"{{image: '{address}', architecture: arm64}}")
    base = here.lock()
    assert [layer.diff_id for layer in base.layers] == [sha(tar({"opt/arm": b"x"}))]
    assert base.layers[0].media_type.endswith("+zstd")
    here.build()
    assert here.store.layout.blob(base.layers[0].diff_id).read_bytes() == tar({"opt/arm": b"x"})
    assert f"FROM ${{BASE}} AS env" in dockerfile(here.plan())  # noqa: F541
    assert f"ARG BASE={registry.name}@sha256:{base.manifest.sha256}\n" in dockerfile(here.plan())


@pytest.mark.parametrize(
    "variants",
    [["v8"], [None], ["v9", "v8"], ["v9", None], ["v9"], ["v8.2", "v8.1", "v8"], [None, "v8"]],
)
def test_the_variant_that_every_machine_runs(
    registry: MadeUpRegistry, site: Callable[..., Site], variants: list[str | None]
) -> None:
    """The plain one comes last in these lists, or first where several are; v9 is taken where nothing else is."""
    rows = []
    for variant in variants:
        image = registry.image((tar({f"opt/{variant}": b""}),), (oci.LAYER,), architecture="arm64")
        platform = {key: value for key, value in (ARM | {"variant": variant}).items() if value is not None}
        rows.append(image | {"platform": platform})
    here = site(f"{{image: '{registry.tag('1', registry.index(*rows))}', architecture: arm64}}")
    usual = [variant for variant in variants if variant in (None, "v8")]
    expected = usual[0] if usual else variants[0]
    assert [layer.diff_id for layer in here.lock().layers] == [sha(tar({f"opt/{expected}": b""}))]


def test_media_types_of_docker_and_documents_that_do_not_say_theirs(
    registry: MadeUpRegistry, site: Callable[..., Site]
) -> None:
    docker = registry.image(kinds=(DOCKER_LAYER,) * 2, media_type=DOCKER_MANIFEST) | {"platform": AMD}
    ways = [
        registry.index(docker, media_type=DOCKER_INDEX),
        docker,
        registry.image(change={"mediaType": None}),
        registry.image(kinds=(f"{oci.LAYER}+zstd", oci.LAYER)),
        registry.index(registry.index(docker)),
        registry.index(registry.index(docker) | {"platform": AMD}),
        registry.index({key: value for key, value in docker.items() if key != "platform"}),
    ]
    for number, descriptor in enumerate(ways):
        here = site(registry.tag(f"t{number}", descriptor), f"site-{number}")
        base = here.lock()
        assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS], number
        here.build()


@pytest.mark.parametrize("real", ["gzip", "zstd", "none"])
def test_layers_that_are_packed_otherwise_than_their_types_say(
    registry: MadeUpRegistry, site: Callable[..., Site], real: str
) -> None:
    from made_up_registry import pack

    digests = [registry.blob(pack(data, real)) for data in LAYERS]
    rows = [
        oci.descriptor(f"{oci.LAYER}+gzip", digest, len(registry.blobs[digest]))  # type: ignore[arg-type]
        for digest in digests
    ]
    here = site(registry.tag("1", registry.image(change={"layers": rows})))
    here.lock()
    here.build()
    assert here.store.layout.has(sha(LAYERS[0]), len(LAYERS[0]))  # type: ignore[arg-type]


SCHEMA_1 = json.dumps({"schemaVersion": 1, "name": "x", "fsLayers": [], "history": []}).encode()


def refusals() -> list[tuple[str, Callable[[MadeUpRegistry], dict[str, Any]], str]]:
    rows = {"mediaType": f"{oci.LAYER}+gzip", "digest": "sha256:" + "a" * 64, "size": 5}
    foreign = f"{oci.DOCKER}.image.rootfs.foreign.diff.tar.gzip"
    inside = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    far: Callable[[MadeUpRegistry], dict[str, Any]] = lambda r: r.index(  # noqa: E731
        r.index(r.index(r.index(r.image() | {"platform": AMD})))
    )
    return [
        ("riscv", lambda r: r.index(r.image() | {"platform": ARM | {"architecture": "riscv64"}}), "no image for amd64"),
        ("has", lambda r: r.index(r.image() | {"platform": ARM}), "it has: arm64/v8"),
        ("empty", lambda r: r.index(), "it has: none at all"),
        ("one", lambda r: r.image(architecture="arm64"), "is for linux/arm64, the recipe says linux/amd64"),
        ("schema 1", lambda r: r.document(SCHEMA_1, oci.SCHEMA_1[1]), "schema 1"),
        ("foreign", lambda r: r.image(kinds=(foreign, oci.LAYER)), "its layer 1 is kept elsewhere"),
        ("inside", lambda r: r.image(kinds=(oci.LAYER, inside)), "its layer 2 is kept elsewhere"),
        ("odd layer", lambda r: r.image(kinds=(f"{oci.LAYER}+encrypted", oci.LAYER)), "cannot unpack"),
        ("chart", lambda r: r.image(change={"config": rows | {"mediaType": "x/y"}}), "it is no image: its config"),
        ("fewer", lambda r: r.image(change={"layers": []}), "no layers"),
        ("other", lambda r: r.image(change={"layers": [rows]}), "lists 1 layers, its config 2"),
        (
            "not its own",
            lambda r: r.image(
                config={"rootfs": {"diff_ids": [f"sha256:{c * 64}" for c in "ab"]}}, kinds=(oci.LAYER,) * 2
            ),
            "which is something else",
        ),
        ("one for two", lambda r: r.image(change={"layers": [rows, rows]}), "which is something else"),
        ("sha512", lambda r: r.image(change={"layers": [rows | {"digest": "sha512:" + "a" * 128}]}), "no sha256"),
        ("size", lambda r: r.image(change={"layers": [rows | {"size": -1}]}), "the size -1"),
        ("date", lambda r: r.image(config={"created": "9999-01-01T00:00:00Z"}), "no proper date"),
        ("no config", lambda r: r.image(config={"rootfs": 5}), "no image config"),
        ("two", lambda r: r.image(change={"manifests": []}), "an index and a manifest at once"),
        ("text", lambda r: r.document(b"hello", oci.MANIFEST), "no JSON"),
        ("list", lambda r: r.document(b"[" * 9000, oci.MANIFEST), "no JSON"),
        ("thing", lambda r: r.document({"mediaType": "a/b"}, "a/b"), "no image and no index"),
        ("far", far, "too many indexes inside"),
        ("many", lambda r: r.index(*(r.index() | {"size": n} for n in range(9))), "too many indexes inside"),
        ("fat", lambda r: r.index(rows | {"mediaType": oci.MANIFEST, "size": LARGEST_MANIFEST + 1}), "more than"),
    ]


@pytest.mark.parametrize(("make", "expected"), [row[1:] for row in refusals()], ids=[row[0] for row in refusals()])
def test_images_that_cannot_be_a_base(
    registry: MadeUpRegistry, site: Callable[..., Site], make: Callable[[MadeUpRegistry], Any], expected: str
) -> None:
    here = site(registry.tag("1", make(registry)))
    with pytest.raises(InputError) as caught:
        here.lock()
    assert expected in caught.value.problem and registry.name in caught.value.problem
    assert not (here.root / "recipes/r.lock").exists()
    layers = {sha(data) for data in registry.blobs.values() if data[:2] == b"\x1f\x8b"}
    assert [path for digest in layers for path in registry.asked(digest)] == []


def wrong_bytes(registry: MadeUpRegistry, digest: str, data: bytes) -> None:
    if digest in registry.documents:
        registry.documents[digest] = (registry.documents[digest][0], data)
    else:
        registry.blobs[digest] = data


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
@pytest.mark.parametrize("damage", ["cut", "other", "gone", "fat"])
def test_bytes_that_are_not_what_their_digest_says(
    registry: MadeUpRegistry, site: Callable[..., Site], which: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.registry.client.time.sleep", lambda seconds: None)
    good = site(registry.tag("1", both(registry))).lock()
    digest = {"manifest": good.manifest.sha256, "config": good.config.sha256, "layer": good.layers[0].packed}[which]
    there = registry.documents[digest][1] if digest in registry.documents else registry.blobs[digest]
    here = site(f"{registry.name}:1", "there")
    if which == "layer":
        here.lock()
    if damage == "gone":
        registry.documents.pop(digest, None)
        registry.blobs.pop(digest, None)
    else:
        changed = {"cut": there[:-1], "other": there[:-1] + b"?", "fat": there + b"\0" * (LARGEST_MANIFEST + 1)}
        wrong_bytes(registry, digest, changed[damage])
    with pytest.raises(RegistryError) as caught:
        here.build() if which == "layer" else here.lock()
    if damage == "gone":
        caught.value.name_recipe("r")
        assert "invoke lock --recipe r --update base" in (caught.value.solution or "")
    assert here.store.inputs.locate(digest) is None
    assert not here.store.layout.has(good.layers[0].diff_id, None)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("which", ["manifest", "config"])
def test_a_size_that_a_document_does_not_have(
    registry: MadeUpRegistry, site: Callable[..., Site], which: str, known: bool
) -> None:
    """Whether the document is here already makes no difference: one lock on all machines, or one error."""
    here = site(registry.tag("1", both(registry)))
    good = here.lock() if known else site(f"{registry.name}:1", "other").lock()
    manifest = json.loads(registry.documents[good.manifest.sha256][1])
    row: dict[str, Any] = {"mediaType": oci.MANIFEST, "digest": f"sha256:{good.manifest.sha256}"}
    if which == "manifest":
        registry.tag("1", registry.index(row | {"size": good.manifest.size + 1, "platform": AMD}))
    else:
        manifest["config"]["size"] += 1
        registry.tag("1", registry.document(manifest, oci.MANIFEST))
    with pytest.raises(RegistryError, match="are said of it"):
        here.lock("base") if known else here.lock()


def test_a_registry_that_says_no_digests(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    registry.says_digests = False
    good = site(registry.tag("1", both(registry))).lock()
    kind, data = registry.documents[good.manifest.sha256]
    registry.documents[good.manifest.sha256] = (kind, data[:-1] + b" ")
    with pytest.raises(RegistryError, match="is damaged"):
        site(f"{registry.name}:1", "there").lock()


def test_a_layer_that_unpacks_to_another(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    """The digest of what travels is right, and the config promises something else."""
    lie = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(LAYERS[0])}", "sha256:" + "0" * 64]}}
    here = site(registry.tag("1", registry.image(config=lie)))
    here.lock()
    with pytest.raises(RegistryError, match="holds layer sha256"):
        here.build()


def test_a_tag_that_is_not_there(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    with pytest.raises(RegistryError, match="has no tag nope") as caught:
        site(f"{registry.name}:nope").lock()
    assert "is the tag?" in (caught.value.solution or "")


def test_a_registry_that_this_machine_cannot_reach(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.registry.client.time.sleep", lambda seconds: None)
    with pytest.raises(RegistryError, match="Connection refused") as caught:
        site(f"127.0.0.1:{free_port()}/x:1").lock()
    assert "[mirrors] registries" in (caught.value.solution or "")


def test_tokens_redirects_and_limits(
    registry: MadeUpRegistry, site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("portside.registry.client.time.sleep", waited.append)
    registry.token, registry.elsewhere, registry.busy = "secret", True, 1
    here = site(registry.tag("1", both(registry)))
    base = here.lock()
    here.build()
    assert waited.count(7.0) == 1  # what an earlier test has left may wait too, and for less
    told = [authorization for _, path, authorization in registry.requests if path.startswith("/elsewhere/")]
    assert told == [""] * (1 + len(base.layers))
    registry.busy = 99
    with pytest.raises(RegistryError, match="status 429, 5 times") as caught:
        here.lock("base")
    assert f"docker login {registry.host}" in (caught.value.solution or "")
    assert "[mirrors] registries" in (caught.value.solution or "")


def test_a_mirror_is_asked_instead(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    """What is locked is the image that the recipe names, wherever its bytes came from."""
    both_ways = both(registry)
    registry.tag("1", both_ways)
    direct = site(f"{registry.name}:1").lock()
    mirrors = {"registries": {"registry.invalid/sub": f"http://{registry.host}/team"}}
    here = site("registry.invalid/sub/vendor:1", "there", mirrors=mirrors)
    base = here.lock()
    assert base == direct.model_copy(update={"image": "registry.invalid/sub/vendor:1"})
    here.build()
    assert f"ARG BASE=registry.invalid/sub/vendor@sha256:{base.manifest.sha256}\n" in dockerfile(here.plan())


def test_offline(registry: MadeUpRegistry, site: Callable[..., Site]) -> None:
    here = site(registry.tag("1", both(registry)))
    here.lock()
    asked = len(registry.requests)
    with pytest.raises(MissingInputError, match=r"2 layer.* --offline forbids") as caught:
        fetch(here.plan(), here.fetcher(offline=True))
    caught.value.name_recipe("r")
    assert "invoke bundle --recipe r" in (caught.value.solution or "")
    assert len(registry.requests) == asked


def test_layers_without_what_proves_them(
    registry: MadeUpRegistry, site: Callable[..., Site], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build needs the layers alone; a bundle without the documents would prove less than it says."""
    address = registry.tag("1", both(registry))
    here = site(address)
    base = here.lock()
    here.build()
    for document in base.documents.values():
        here.store.inputs.path(document.sha256).unlink()
    registry.documents.clear()
    fetch(here.plan(), here.fetcher())
    said = capsys.readouterr().err
    assert said.count("its layers are here, and what proves that they are its own is not") == 1
    here.build(offline=True)
    scratch, _ = scratch_store(
        here.locked(), here.store, tmp_path / "scratch", [layer.diff_id for layer in base.layers]
    )
    assert all(scratch.layout.has(layer.diff_id, None) for layer in base.layers)  # what `verify` builds on
    with pytest.raises(PortsideError, match="is not in the store"):
        bundle(here.plan(), here.store, here.fetcher(), tmp_path / "r.bundle")
