"""An image of a registry as base: what is locked, what is asked for, and images that cannot be one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from image_site import Site
from made_up_registry import (
    AMD,
    ARM,
    DOCKER_INDEX,
    DOCKER_LAYER,
    DOCKER_MANIFEST,
    LAYERS,
    MadeUpRegistry,
    both,
    sha,
    tar,
)

from portside.build.render import dockerfile
from portside.bundle.read import unbundle
from portside.bundle.write import bundle
from portside.common import oci
from portside.errors import LockError, MissingInputError, PortsideError, RegistryError
from portside.fetch.fetcher import fetch
from portside.lock.file import dump_lock, write_lock
from portside.recipe import load_recipe
from portside.verify.scratch import scratch_store


def test_what_is_locked_without_reading_a_layer(
    made_up: MadeUpRegistry, site: Callable[..., Site], capsys: pytest.CaptureFixture[str]
) -> None:
    index = both(made_up)
    here = site(made_up.tag("1", index))
    base = here.lock()
    manifest = json.loads(made_up.documents[base.manifest.sha256][1])
    assert [document.sha256 for document in base.indexes] == [index["digest"][7:]]
    assert base.manifest.size == len(made_up.documents[base.manifest.sha256][1])
    assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS]
    assert [(f"sha256:{layer.packed}", layer.packed_size) for layer in base.layers] == [
        (row["digest"], row["size"]) for row in manifest["layers"]
    ]
    assert (base.epoch, base.env) == (1677654550, {"PATH": "/opt/venv/bin:/bin", "A": "b=c"})
    wanted = {layer.packed for layer in base.layers}
    assert [path for digest in wanted for path in made_up.asked(digest)] == []
    # A tag, the manifest, the config; nothing else is asked for, and first whether TLS is spoken.
    assert len(made_up.asked("/manifests/")) == 2 and len(made_up.asked("/blobs/")) == 1
    size = sum(layer.packed_size for layer in base.layers)
    assert f"2 of them, {size} B, are brought when they are needed" in capsys.readouterr().err
    # The documents stay, so that anybody can follow the tag's digest to the diff IDs.
    for document in base.documents.values():
        assert here.store.inputs.path(document.sha256).stat().st_size == document.size


def test_the_lock_is_the_same_with_and_without_content(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    address = made_up.tag("1", both(made_up))
    one, other = site(address), site(address, "other")
    one.lock()
    one.build()
    one.lock("base")
    other.lock()
    assert dump_lock(one.locked()) == dump_lock(other.locked())


def test_a_build_brings_each_layer_once_and_then_needs_nobody(
    made_up: MadeUpRegistry, site: Callable[..., Site], tmp_path: Path
) -> None:
    address = made_up.tag("1", both(made_up))
    here = site(address)
    base = here.lock()
    first = here.build()
    for layer in base.layers:
        assert len(made_up.asked(layer.packed)) == 1
        assert here.store.layout.blob(layer.diff_id).read_bytes() in LAYERS
    made_up.tag("1", made_up.image((tar({"moved": b""}),), (oci.LAYER,)))
    assert here.lock() == base  # a tag that moves changes no lock
    asked = len(made_up.requests)
    assert here.build(offline=True).image.image_id == first.image.image_id
    assert [name for built in here.build_all(offline=True) for name in built.fresh] == []
    assert len(made_up.requests) == asked
    # To a machine without a network, after the registry has forgotten everything.
    made_up.documents.clear()
    made_up.blobs.clear()
    bundle(here.plan(), here.store, here.fetcher(), tmp_path / "r.bundle")
    there = Site(tmp_path / "there", address)
    unbundle(tmp_path / "r.bundle", there.root, there.store, there.config, force=True)
    assert there.build(offline=True).image.image_id == first.image.image_id
    for document in base.documents.values():
        assert there.store.inputs.verified(document.sha256) is not None


def test_update_asks_for_the_tag_anew(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    here = site(made_up.tag("1", both(made_up)))
    before = here.lock()
    made_up.tag("1", made_up.image((tar({"moved": b""}),), (oci.LAYER,)))
    asked = len(made_up.requests)
    assert here.lock() == before and len(made_up.requests) == asked
    after = here.lock("base")
    assert after.indexes == () and [layer.diff_id for layer in after.layers] == [sha(tar({"moved": b""}))]
    assert after.layers[0].size == after.layers[0].packed_size


@pytest.mark.parametrize("tag", ["", ":1"])
def test_a_digest_is_never_asked_for_by_its_tag(made_up: MadeUpRegistry, site: Callable[..., Site], tag: str) -> None:
    index = both(made_up)
    made_up.tag("1", made_up.image((tar({"moved": b""}),), (oci.LAYER,)))
    here = site(f"{made_up.name}{tag}@{index['digest']}")
    base = here.lock()
    assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS]
    assert made_up.asked("/manifests/1") == []
    before = here.locked()
    made_up.documents.clear()
    assert here.lock("base") == before.base  # a digest that is known needs nobody
    edited = before.model_copy(update={"base": base.model_copy(update={"indexes": ()})})
    with pytest.raises(LockError, match=f"base.image: the recipe says '{index['digest']}'"):
        write_lock(load_recipe(here.root, "r"), edited)


def test_another_architecture(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    address = made_up.tag("1", both(made_up))
    here = site(f"{{image: '{address}', architecture: arm64}}")
    base = here.lock()
    assert [layer.diff_id for layer in base.layers] == [sha(tar({"opt/arm": b"x"}))]
    assert base.layers[0].media_type.endswith("+zstd")
    here.build()
    assert here.store.layout.blob(base.layers[0].diff_id).read_bytes() == tar({"opt/arm": b"x"})
    assert f"FROM ${{BASE}} AS env" in dockerfile(here.plan())  # noqa: F541
    assert f"ARG BASE={made_up.name}@sha256:{base.manifest.sha256}\n" in dockerfile(here.plan())


@pytest.mark.parametrize(
    "variants",
    [["v8"], [None], ["v9", "v8"], ["v9", None], ["v9"], ["v8.2", "v8.1", "v8"], [None, "v8"]],
)
def test_the_variant_that_every_machine_runs(
    made_up: MadeUpRegistry, site: Callable[..., Site], variants: list[str | None]
) -> None:
    """The plain one comes last in these lists, or first where several are; v9 is taken where nothing else is."""
    rows = []
    for variant in variants:
        image = made_up.image((tar({f"opt/{variant}": b""}),), (oci.LAYER,), architecture="arm64")
        platform = {key: value for key, value in (ARM | {"variant": variant}).items() if value is not None}
        rows.append(image | {"platform": platform})
    here = site(f"{{image: '{made_up.tag('1', made_up.index(*rows))}', architecture: arm64}}")
    usual = [variant for variant in variants if variant in (None, "v8")]
    expected = usual[0] if usual else variants[0]
    assert [layer.diff_id for layer in here.lock().layers] == [sha(tar({f"opt/{expected}": b""}))]


def test_media_types_of_docker_and_documents_that_do_not_say_theirs(
    made_up: MadeUpRegistry, site: Callable[..., Site]
) -> None:
    docker = made_up.image(kinds=(DOCKER_LAYER,) * 2, media_type=DOCKER_MANIFEST) | {"platform": AMD}
    ways = [
        made_up.index(docker, media_type=DOCKER_INDEX),
        docker,
        made_up.image(change={"mediaType": None}),
        made_up.image(kinds=(f"{oci.LAYER}+zstd", oci.LAYER)),
        made_up.index(made_up.index(docker)),
        made_up.index(made_up.index(docker) | {"platform": AMD}),
        made_up.index({key: value for key, value in docker.items() if key != "platform"}),
    ]
    for number, descriptor in enumerate(ways):
        here = site(made_up.tag(f"t{number}", descriptor), f"site-{number}")
        base = here.lock()
        assert [layer.diff_id for layer in base.layers] == [sha(data) for data in LAYERS], number
        here.build()


@pytest.mark.parametrize("real", ["gzip", "zstd", "none"])
def test_layers_that_are_packed_otherwise_than_their_types_say(
    made_up: MadeUpRegistry, site: Callable[..., Site], real: str
) -> None:
    from made_up_registry import pack

    digests = [made_up.blob(pack(data, real)) for data in LAYERS]
    rows = [
        oci.descriptor(f"{oci.LAYER}+gzip", digest, len(made_up.blobs[digest]))  # type: ignore[arg-type]
        for digest in digests
    ]
    here = site(made_up.tag("1", made_up.image(change={"layers": rows})))
    here.lock()
    here.build()
    assert here.store.layout.has(sha(LAYERS[0]), len(LAYERS[0]))  # type: ignore[arg-type]


def test_tokens_redirects_and_limits(
    made_up: MadeUpRegistry, site: Callable[..., Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("portside.registry.client.time.sleep", waited.append)
    made_up.token, made_up.elsewhere, made_up.busy = "secret", True, 1
    here = site(made_up.tag("1", both(made_up)))
    base = here.lock()
    here.build()
    assert waited.count(7.0) == 1  # what an earlier test has left may wait too, and for less
    told = [authorization for _, path, authorization in made_up.requests if path.startswith("/elsewhere/")]
    assert told == [""] * (1 + len(base.layers))
    made_up.busy = 99
    with pytest.raises(RegistryError, match="status 429, 5 times") as caught:
        here.lock("base")
    assert f"docker login {made_up.host}" in (caught.value.solution or "")
    assert "[mirrors] registries" in (caught.value.solution or "")


def test_a_mirror_is_asked_instead(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    """What is locked is the image that the recipe names, wherever its bytes came from."""
    both_ways = both(made_up)
    made_up.tag("1", both_ways)
    direct = site(f"{made_up.name}:1").lock()
    mirrors = {"registries": {"registry.invalid/sub": f"http://{made_up.host}/team"}}
    here = site("registry.invalid/sub/vendor:1", "there", mirrors=mirrors)
    base = here.lock()
    assert base == direct.model_copy(update={"image": "registry.invalid/sub/vendor:1"})
    here.build()
    assert f"ARG BASE=registry.invalid/sub/vendor@sha256:{base.manifest.sha256}\n" in dockerfile(here.plan())


def test_offline(made_up: MadeUpRegistry, site: Callable[..., Site]) -> None:
    here = site(made_up.tag("1", both(made_up)))
    here.lock()
    asked = len(made_up.requests)
    with pytest.raises(MissingInputError, match=r"2 layer.* --offline forbids") as caught:
        fetch(here.plan(), here.fetcher(offline=True))
    caught.value.name_recipe("r")
    assert "invoke bundle --recipe r" in (caught.value.solution or "")
    assert len(made_up.requests) == asked


def test_layers_without_what_proves_them(
    made_up: MadeUpRegistry, site: Callable[..., Site], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build needs the layers alone; a bundle without the documents would prove less than it says."""
    address = made_up.tag("1", both(made_up))
    here = site(address)
    base = here.lock()
    here.build()
    for document in base.documents.values():
        here.store.inputs.path(document.sha256).unlink()
    made_up.documents.clear()
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
