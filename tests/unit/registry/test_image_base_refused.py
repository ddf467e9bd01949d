"""Images of a registry that cannot be a base, and registries that do not give what they promise."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from image_site import Site
from made_up_registry import (
    AMD,
    ARM,
    LAYERS,
    MadeUpRegistry,
    both,
    sha,
)
from registry_server import free_port

from portside.common import oci
from portside.errors import InputError, RegistryError
from portside.registry.answer import LARGEST_MANIFEST

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
    made_up: MadeUpRegistry, site: Callable[..., Site], make: Callable[[MadeUpRegistry], Any], expected: str
) -> None:
    here = site(made_up.tag("1", make(made_up)))
    with pytest.raises(InputError) as caught:
        here.lock()
    assert expected in caught.value.problem and made_up.name in caught.value.problem
    assert not (here.root / "recipes/r.lock").exists()
    layers = {sha(data) for data in made_up.blobs.values() if data[:2] == b"\x1f\x8b"}
    assert [path for digest in layers for path in made_up.asked(digest)] == []


def wrong_bytes(made_up: MadeUpRegistry, digest: str, data: bytes) -> None:
    if digest in made_up.documents:
        made_up.documents[digest] = (made_up.documents[digest][0], data)
    else:
        made_up.blobs[digest] = data


@pytest.mark.parametrize("which", ["manifest", "config", "layer"])
@pytest.mark.parametrize("damage", ["cut", "other", "gone", "fat"])
def test_bytes_that_are_not_what_their_digest_says(
    made_up: MadeUpRegistry, site: Callable[..., Site], which: str, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portside.registry.client.time.sleep", lambda seconds: None)
    good = site(made_up.tag("1", both(made_up))).lock()
    digest = {"manifest": good.manifest.sha256, "config": good.config.sha256, "layer": good.layers[0].packed}[which]
    there = made_up.documents[digest][1] if digest in made_up.documents else made_up.blobs[digest]
    here = site(f"{made_up.name}:1", "there")
    if which == "layer":
        here.lock()
    if damage == "gone":
        made_up.documents.pop(digest, None)
        made_up.blobs.pop(digest, None)
    else:
        changed = {"cut": there[:-1], "other": there[:-1] + b"?", "fat": there + b"\0" * (LARGEST_MANIFEST + 1)}
        wrong_bytes(made_up, digest, changed[damage])
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
    made_up: MadeUpRegistry, site: Callable[..., Site], which: str, known: bool
) -> None:
    """Whether the document is here already makes no difference: one lock on all machines, or one error."""
    here = site(made_up.tag("1", both(made_up)))
    good = here.lock() if known else site(f"{made_up.name}:1", "other").lock()
    manifest = json.loads(made_up.documents[good.manifest.sha256][1])
    row: dict[str, Any] = {"mediaType": oci.MANIFEST, "digest": f"sha256:{good.manifest.sha256}"}
    if which == "manifest":
        made_up.tag("1", made_up.index(row | {"size": good.manifest.size + 1, "platform": AMD}))
    else:
        manifest["config"]["size"] += 1
        made_up.tag("1", made_up.document(manifest, oci.MANIFEST))
    with pytest.raises(RegistryError, match="are said of it"):
        here.lock("base") if known else here.lock()


def test_a_registry_that_says_no_digests(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    made_up.says_digests = False
    good = site(made_up.tag("1", both(made_up))).lock()
    kind, data = made_up.documents[good.manifest.sha256]
    made_up.documents[good.manifest.sha256] = (kind, data[:-1] + b" ")
    with pytest.raises(RegistryError, match="is damaged"):
        site(f"{made_up.name}:1", "there").lock()


def test_a_layer_that_unpacks_to_another(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    """The digest of what travels is right, and the config promises something else."""
    lie = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(LAYERS[0])}", "sha256:" + "0" * 64]}}
    here = site(made_up.tag("1", made_up.image(config=lie)))
    here.lock()
    with pytest.raises(RegistryError, match="holds layer sha256"):
        here.build()


def test_a_tag_that_is_not_there(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    with pytest.raises(RegistryError, match="has no tag nope") as caught:
        site(f"{made_up.name}:nope").lock()
    assert "is the tag?" in (caught.value.solution or "")


def test_a_registry_that_this_machine_cannot_reach(site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.registry.client.time.sleep", lambda seconds: None)
    with pytest.raises(RegistryError, match="Connection refused") as caught:
        site(f"127.0.0.1:{free_port()}/x:1").lock()
    assert "[mirrors] registries" in (caught.value.solution or "")
