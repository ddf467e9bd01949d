"""Layers that somebody has pushed are found by their keys, proven, and pulled instead of built."""

import json
from collections.abc import Callable

import httpx
import pytest
from registry_server import RegistryServer, free_port
from small_project import Machine, Small
from test_push_pull import REPO, exchange, push_from, spoil

from portside.adopt.adopt import confirm
from portside.cli.report.plan import plan_lines, plan_report
from portside.plan.states import taken_from
from portside.share.layers import Registries
from portside.share.manifests import layer_tag


def repository(registry: RegistryServer) -> str:
    return f"{registry.host}/{REPO}"


def test_an_empty_store_pulls_all_layers_and_builds_none(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    built = there.build(repository(registry), folders=False)
    assert [row.fresh for row in built] == [(), (), (), ()]
    assert [len(row.pulled) for row in built] == [2, 0, 1, 3]
    assert there.image_id() == here.image_id()
    assert there.engine.loaded["portside/small:latest"] == here.image_id()
    there.check_blobs()


def test_a_build_with_nothing_to_do_asks_no_registry(machine: Callable[..., Machine], registry: RegistryServer) -> None:
    here = machine("here")
    here.build()
    here.build(repository(registry))
    assert registry.requests() == []


def test_a_layer_is_reused_on_top_of_other_layers(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    here, there = machine("here"), machine("there")
    here.build()
    push_from(here, registry)
    small.edit("print('two')\n")
    built = {row.plan.name: row for row in there.build(repository(registry), folders=True)}
    assert built["migrated"].fresh == ("files",)
    assert (built["weights"].fresh, len(built["weights"].pulled)) == ((), 3)


def test_a_corrupted_blob_is_refused_named_and_built_here(
    machine: Callable[..., Machine], registry: RegistryServer, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    code = here.store.record("keys", here.plan.layer("migrated").parts[0].key)["diff_id"]
    spoil(registry, code)
    built = {row.plan.name: row for row in there.build(repository(registry))}
    assert built["migrated"].fresh == ("files",)
    assert built["env"].fresh == built["weights"].fresh == ()
    assert there.image_id() == here.image_id()
    there.check_blobs()
    told = capsys.readouterr().err
    assert "migrated/files is refused and will be built here" in told
    assert f"sha256:{code}" in told
    assert registry.host in told


@pytest.mark.parametrize(("layer", "name"), [("env", "files"), ("migrated", "files"), ("weights", "model")])
def test_a_part_that_fails_its_proof_is_built_here(
    machine: Callable[..., Machine],
    registry: RegistryServer,
    capsys: pytest.CaptureFixture[str],
    layer: str,
    name: str,
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    image_id = here.build()[-1].image.image_id
    exchange(here, layer, name)
    push_from(here, registry)
    built = {row.plan.name: row.fresh for row in there.build(repository(registry))}
    assert built[layer] == (name,)
    assert there.image_id() == image_id
    assert f"{layer}/{name} is refused and will be built here: {layer}/{name} there " in capsys.readouterr().err


def test_what_only_a_build_could_prove_is_named(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small, capsys: pytest.CaptureFixture[str]
) -> None:
    path = small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text() + 'install: ["true"]\n')
    here, there = machine("here"), machine("there", has_base=False)
    [install, _] = here.plan.layer("migrated").parts
    here.store.keep("keys", install.key, install.record(here.store.layout.put_blob(bytes(1024)), 1024))
    here.build()
    push_from(here, registry)
    there.build(repository(registry), folders=False)
    assert f"the word of {repository(registry)}:\n  migrated/install: only a build" in capsys.readouterr().err
    assert taken_from(install, there.store) == repository(registry)
    report = plan_report(there.plan, there.store)
    assert {part["from"] for layer in report["layers"] for part in layer["parts"]} == {None, repository(registry)}
    confirm(install, there.store)
    assert taken_from(install, there.store) is None
    assert there.build()[2].fresh == ()


def test_a_plan_says_from_where_a_layer_comes(
    machine: Callable[..., Machine], registry: RegistryServer, small: Small
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, registry)
    small.edit("print('two')\n")
    report = plan_report(there.plan, there.store, [repository(registry)])
    states = {layer["name"]: (layer["state"], layer["from"]) for layer in report["layers"]}
    assert states == {
        "env": ("pull", repository(registry)),
        "sources": ("cached", None),
        "migrated": ("build", None),
        "weights": ("pull", repository(registry)),
    }
    assert f"pull from {repository(registry)}" in "\n".join(plan_lines(report))
    assert plan_report(there.plan, there.store)["layers"][0]["state"] == "build"
    assert there.blobs() == set()


def change_manifest(registry: RegistryServer, tag: str, change: Callable[[dict[str, object]], object]) -> None:
    """Put another manifest under a tag, as anybody with the right to push can."""
    value = json.loads(json.dumps(registry.manifest(REPO, tag)))
    change(value)
    url = f"http://{registry.host}/v2/{REPO}/manifests/{tag}"
    response = httpx.put(url, json=value, headers={"Content-Type": value["mediaType"]}, trust_env=False)
    assert response.status_code == 201, response.text


def other_key(manifest: dict[str, object]) -> None:
    annotations = manifest["annotations"]
    assert isinstance(annotations, dict)
    annotations["portside.key"] = annotations["portside.key"][:12] + "0" * 52


def other_parts(manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    layers.reverse()


def other_base(manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    base, files = layers
    base["digest"] = base["annotations"]["portside.diff-id"] = files["digest"]
    base["size"] = files["size"]
    base["annotations"]["portside.size"] = files["annotations"]["portside.size"]


def no_diff_ids(manifest: dict[str, object]) -> None:
    layers = manifest["layers"]
    assert isinstance(layers, list)
    del layers[0]["annotations"]["portside.diff-id"]


def no_annotations(manifest: dict[str, object]) -> None:
    del manifest["annotations"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_key, "its key is"),
        (other_parts, "its parts are not those of its key"),
        (other_base, "its base is"),
        (no_diff_ids, "is no sha256 digest"),
        (no_annotations, "it is no layer 'env'"),
    ],
)
def test_a_candidate_that_is_not_the_layer_is_refused_and_the_plan_says_why(
    machine: Callable[..., Machine],
    registry: RegistryServer,
    change: Callable[[dict[str, object]], object],
    reason: str,
) -> None:
    here, there = machine("here"), machine("there")
    here.build()
    push_from(here, registry)
    tag = layer_tag(here.plan.layer("env"))
    change_manifest(registry, tag, change)
    env = plan_report(there.plan, there.store, [repository(registry)])["layers"][0]
    assert (env["state"], env["from"]) == ("build", None)
    [refused] = env["refused"]
    assert refused.startswith(f"{repository(registry)}:{tag}: ") and reason in refused
    assert there.build(repository(registry))[0].fresh == ("files",)
    assert there.image_id() == here.image_id()


def test_the_first_registry_that_has_a_layer_gives_it(
    machine: Callable[..., Machine], start: Callable[..., RegistryServer]
) -> None:
    empty, full = start("empty"), start("full")
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    push_from(here, full)
    built = there.build(repository(empty), repository(full), folders=False)
    assert {place for row in built for _, place in row.pulled} == {repository(full)}


def test_a_registry_that_is_away_is_asked_once_and_layers_are_built(
    machine: Callable[..., Machine], capsys: pytest.CaptureFixture[str]
) -> None:
    there = machine("there")
    away = f"127.0.0.1:{free_port()}/{REPO}"
    with Registries([away]) as registries:
        offers = [registries.offer(layer) for layer in there.plan.layers if layer.parts]
    assert [offer.source for offer in offers] == [None, None, None]
    assert len({offer.refused for offer in offers}) == 1 and "refused" in offers[0].refused[0]
    assert there.build(away)[-1].fresh
    assert "is not pulled" in capsys.readouterr().err
