"""Images to and from a real registry: what travels, what does not, and what is refused."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from registry_server import RegistryServer
from small_project import Machine, Small, sha

from portside.cli.report.image import image_report
from portside.errors import InputError, RegistryError
from portside.registry.blob import RegistryBlob
from portside.registry.reference import Reference, parse_reference, parse_repository
from portside.share.manifests import image_manifest, layer_tag
from portside.share.pull import pull
from portside.share.push import Pushed, push

REPO = "team/models"


def reference(registry: RegistryServer, tag: str = "small", repository: str = REPO) -> Reference:
    return parse_reference(f"{registry.host}/{repository}:{tag}", None)


def push_from(machine: Machine, registry: RegistryServer, **options: object) -> Pushed:
    return push(machine.plan, machine.store, reference(registry), **options)  # type: ignore[arg-type]


def test_an_image_goes_to_an_empty_registry_and_comes_back_the_same(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    pushed = push_from(here, registry)
    engines = image_report(here.plan, here.store)["manifest"]
    assert pushed.digest == engines == f"sha256:{sha(here.build()[-1].image.manifest())}"
    pulled = pull(there.plan, there.store, reference(registry))
    assert pulled.image.image_id == here.image_id() == there.image_id()
    assert pushed.image_id == f"sha256:{here.image_id()}"
    assert pulled.received_bytes == sum(layer.size for layer in pulled.image.layers)
    there.check_blobs()
    assert there.scratch() == []
    assert [row.fresh for row in there.build(folders=False)] == [(), (), (), ()]


def test_pulled_weights_are_inputs_too(machine: Callable[..., Machine], registry: RegistryServer, small: Small) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    pull(there.plan, there.store, reference(registry))
    data = small.weights["big.bin"]
    assert there.store.inputs.require(sha(data), "big.bin").open().read() == data


def test_a_code_edit_pushes_its_layer_config_and_manifests_only(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    here = machine("here")
    here.build()
    push_from(here, registry)
    weights = [blob.digest for blob in here.build()[-1].image.layers[2:5]]
    small.edit("print('two')\n")
    [migrated] = [row for row in here.build() if row.fresh]
    registry.forget_requests()
    pushed = push_from(here, registry)
    code = migrated.image.layers[-1]
    assert sorted(pushed.sent) == sorted([code.digest, here.image_id()])
    image = here.store.layout.image("small:weights")
    assert image is not None
    assert pushed.sent_bytes == code.size + len(image.config)
    requests = registry.requests()
    assert not [path for _, path in requests if any(digest in path for digest in weights)]
    put = [path.rpartition("/")[2] for method, path in requests if method == "PUT" and "/manifests/" in path]
    assert put == [layer_tag(here.plan.layer("migrated")), "small"]


def test_nothing_new_sends_nothing(machine: Callable[..., Machine], registry: RegistryServer) -> None:
    here = machine("here")
    here.build()
    push_from(here, registry)
    again = push_from(here, registry)
    assert (again.sent, again.sent_bytes) == ((), 0)


def test_only_missing_layers_are_pulled(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    pull(there.plan, there.store, reference(registry))
    small.edit("print('two')\n")
    here.build()
    push_from(here, registry)
    assert pull(there.plan, there.store, reference(registry)).received == ("migrated/files",)
    assert there.image_id() == here.image_id()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_compression_changes_what_travels_and_no_id(
    machine: Callable[..., Machine], registry: RegistryServer, compression: str
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    pushed = push_from(here, registry, compression=compression)
    rows = json.loads(json.dumps(registry.manifest(REPO, "small")["layers"]))
    kinds = [row["mediaType"].rpartition(".tar")[2] for row in rows]
    assert kinds == [f"+{compression}"] * 2 + [""] * 3 + [f"+{compression}"]
    assert pushed.sent_bytes < sum(blob.size for blob in here.build()[-1].image.layers)
    pull(there.plan, there.store, reference(registry))
    assert there.image_id() == here.image_id()
    there.check_blobs()
    # What is there stays as it is, however it came.
    assert push_from(here, registry).sent == ()


def test_a_repository_of_the_same_registry_gives_its_blobs_over(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    here = machine("here")
    here.build()
    push_from(here, registry)
    others = [parse_repository(f"{registry.host}/{REPO}")]
    there = reference(registry, repository="elsewhere/x")
    pushed = push(here.plan, here.store, there, others=others)
    assert set(pushed.sent) <= {here.image_id(), sha(b"{}")}
    second = machine("second", has_base=False)
    pull(second.plan, second.store, there)
    assert second.image_id() == here.image_id()


def test_blobs_that_the_registry_lost_are_sent_again(machine: Callable[..., Machine], registry: RegistryServer) -> None:
    here = machine("here")
    here.build()
    push_from(here, registry)
    digest = here.build()[-1].image.layers[4].digest
    registry.kill()
    registry.blob(digest).unlink()
    link = registry.folder / f"storage/docker/registry/v2/repositories/{REPO}/_layers/sha256/{digest}/link"
    link.unlink()
    registry.start()
    assert push_from(here, registry).sent == (digest,)


def test_a_tag_that_is_not_there(machine: Callable[..., Machine], registry: RegistryServer) -> None:
    here = machine("here")
    with pytest.raises(RegistryError, match="has no tag nothing"):
        pull(here.plan, here.store, reference(registry, "nothing"))


def test_an_image_of_another_lock_is_refused_before_anything_travels(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    small.edit("print('other')\n")
    with pytest.raises(InputError, match=r"is refused: .*portside\.key\.migrated: changed"):
        pull(there.plan, there.store, reference(registry))
    assert there.blobs() == set()


def test_a_corrupted_blob_is_refused_and_named(machine: Callable[..., Machine], registry: RegistryServer) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    digest = here.build()[-1].image.layers[4].digest
    spoil(registry, digest)
    with pytest.raises(RegistryError, match=f"blob sha256:{digest} has other bytes"):
        pull(there.plan, there.store, reference(registry))
    assert digest not in there.blobs()
    assert there.store.layout.image("small:weights") is None
    there.check_blobs()


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_a_pull_makes_blobs_whole_that_were_cut_off(
    machine: Callable[..., Machine], registry: RegistryServer, compression: str
) -> None:
    here, there = machine("here"), machine("there")
    here.build()
    there.build()
    push_from(here, registry, compression=compression)
    image = there.store.layout.image("small:weights")
    assert image is not None
    for layer in image.layers:
        path = there.store.layout.tar(layer.digest).path
        path.chmod(0o644)
        os.truncate(path, path.stat().st_size - 512)
    pulled = pull(there.plan, there.store, reference(registry))
    assert pulled.image == image
    assert len(pulled.received) == len(image.layers)
    there.check_blobs()
    assert [row.fresh for row in there.build(folders=False)] == [(), (), (), ()]


def test_a_layer_with_fewer_bytes_than_its_manifest_says_is_refused(
    machine: Callable[..., Machine], registry: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lying(config: bytes, blobs: Sequence[RegistryBlob]) -> bytes:
        return image_manifest(config, [replace(b, size=b.size + 512 * (b.compression != "none")) for b in blobs])

    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    monkeypatch.setattr("portside.share.push.image_manifest", lying)
    push_from(here, registry, compression="gzip")
    with pytest.raises(RegistryError, match="its manifest says"):
        pull(there.plan, there.store, reference(registry))


def test_layers_that_are_no_locked_weights_are_refused(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    """Somebody pushes other bytes under our key, all digests right: the lock knows the file's hash."""
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    part = next(part for part in here.plan.build_order() if part.name == "model/big.bin")
    digest = here.store.record("keys", part.key)["diff_id"]
    data = bytearray(here.store.layout.tar(digest).content.open().read())
    data[1 << 20] ^= 1
    here.store.keep("keys", part.key, {"diff_id": here.store.layout.put_blob(bytes(data))})
    push_from(here, registry)
    with pytest.raises(InputError, match=r"weights/model/big\.bin there is not the file that the lock says"):
        pull(there.plan, there.store, reference(registry))
    assert there.store.record("keys", part.key) is None
    assert there.store.inputs.locate(sha(small.weights["big.bin"])) is None


def exchange(machine: Machine, layer: str, name: str) -> str:
    """Let a part's key mean another blob on the machine that pushes, and no other machine's business be known.

    Gives its digest; a canonical layer with the same paths, one byte of whose content is another.
    """
    part = next(part for part in machine.plan.build_order() if (part.layer, part.name) == (layer, name))
    blob = bytearray(machine.store.layout.blob(machine.store.record("keys", part.key)["diff_id"]).read_bytes())
    at = max(at for at in range(0, len(blob), 512) if any(blob[at : at + 512]))
    blob[at] ^= 1
    digest = machine.store.layout.put_blob(bytes(blob))
    machine.store.keep("keys", part.key, part.record(digest, len(blob)))
    return digest


@pytest.mark.parametrize(("layer", "name"), [("env", "files"), ("migrated", "files"), ("weights", "model")])
def test_a_part_that_fails_its_proof_ends_a_pull(
    machine: Callable[..., Machine], registry: RegistryServer, layer: str, name: str
) -> None:
    """Somebody pushes other bytes under our keys, all digests right; nothing of it counts, not even what is right."""
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    exchange(here, layer, name)
    push_from(here, registry)
    with pytest.raises(InputError, match=rf"is refused: {layer}/{name} there "):
        pull(there.plan, there.store, reference(registry))
    assert [part.name for part in there.plan.build_order() if there.store.record("keys", part.key) is not None] == []
    assert there.store.layout.refs() == []


def test_two_builds_of_one_key_do_not_replace_each_other(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    here, there = machine("here"), machine("there")
    here.build()
    there.build()
    part = next(part for part in here.plan.build_order() if part.layer == "migrated")
    other = there.store.layout.put_blob(bytes(1024))
    there.store.keep("keys", part.key, {"diff_id": other})
    push_from(here, registry)
    with pytest.raises(RegistryError, match="of the same key"):
        push_from(there, registry)
    with pytest.raises(InputError, match="of one key"):
        pull(there.plan, there.store, reference(registry))
    assert there.store.record("keys", part.key) == {"diff_id": other}


def spoil(registry: RegistryServer, digest: str) -> None:
    """Change one bit of a blob in the registry's storage."""
    path = registry.blob(digest)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
