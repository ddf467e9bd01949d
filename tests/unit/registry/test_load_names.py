"""Which names an archive's image gets: a recipe's only if it is that recipe's image, and nothing changes if not."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from small_project import Machine, Small, sha

from portside.adopt.archive_images import Loaded, load_archive
from portside.adopt.names import recipe_meant, usable
from portside.common.tree import Entry, Tree, encode_path, file_entry
from portside.errors import InputError, LockError, RecipeError
from portside.layers.canonical import data_layer
from portside.layers.writer import member_head, padding, write_layer
from portside.plan.model import Plan

OURS = ("portside/small:weights", "portside/small:latest")


@dataclass
class Row:
    """An image of an archive."""

    config: bytes
    layers: list[bytes]
    names: Sequence[str]


def honest(machine: Machine, layer: str = "weights", names: Sequence[str] = OURS) -> Row:
    machine.build()
    image = machine.store.layout.image(f"small:{layer}")
    assert image is not None
    return Row(
        image.config, [machine.store.layout.tar(blob.digest).content.open().read() for blob in image.layers], names
    )


def foreign(names: Sequence[str], **config: Any) -> Row:
    layer = b"".join(archive({"f": b"evil"}))
    value = {"os": "linux", "config": config, "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}"]}}
    return Row(json.dumps(value).encode(), [layer], names)


def swapped(row: Row, number: int, layer: bytes) -> Row:
    """Another layer, and the config that goes with it: all digests are right."""
    config = row.config.replace(sha(row.layers[number]).encode(), sha(layer).encode())
    return Row(config, [*row.layers[:number], layer, *row.layers[number + 1 :]], row.names)


def archive(files: dict[str, bytes]) -> list[bytes]:
    pieces = []
    for name, data in files.items():
        pieces += [member_head(encode_path(name), Entry(name, "file", 0o644, size=len(data))), data, padding(len(data))]
    return [*pieces, bytes(1024)]


def write(path: Path, *rows: Row) -> Path:
    files: dict[str, bytes] = {}
    manifest = []
    for row in rows:
        layers = [f"{sha(layer)}.tar" for layer in row.layers]
        files |= {f"{sha(row.config)}.json": row.config, **dict(zip(layers, row.layers, strict=True))}
        manifest.append({"Config": f"{sha(row.config)}.json", "RepoTags": list(row.names), "Layers": layers})
    path.write_bytes(b"".join(archive({**files, "manifest.json": json.dumps(manifest).encode()})))
    return path


def everything(machine: Machine) -> dict[str, bytes]:
    """The store's files; locks are no content."""
    kept = (path for path in sorted(machine.home.rglob("*")) if path.is_file() and "locks" not in path.parts)
    return {str(path): path.read_bytes() for path in kept}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., list[Loaded]]:
    def run(there: Machine, *rows: Row, recipes: Sequence[str] = ("small",), plan: Any = None) -> list[Loaded]:
        return load_archive(write(tmp_path / "a.tar", *rows), there.store, plan or (lambda name: there.plan), recipes)

    return run


@pytest.fixture
def refused(load: Callable[..., list[Loaded]]) -> Callable[..., str]:
    """Loads what must be refused and change nothing; gives the error."""

    def run(there: Machine, *rows: Row, **options: Any) -> str:
        before = everything(there)
        with pytest.raises(InputError) as caught:
            load(there, *rows, **options)
        assert everything(there) == before
        assert caught.value.solution is not None and "Nothing of it is used" in caught.value.solution
        return caught.value.problem

    return run


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("portside/small:weights", "small"),
        ("portside/small:latest", "small"),
        ("portside/small:mine", "small"),
        ("portside/small", "small"),
        ("localhost/portside/small:env", "small"),
        ("docker.io/portside/small:env", "small"),
        ("index.docker.io/portside/small", "small"),
        ("Portside/SMALL:Weights", "small"),
        (f"portside/small@sha256:{'0' * 64}", "small"),
        (f"portside/small:env@sha256:{'0' * 64}", "small"),
        ("small:weights", "small"),
        ("small:latest", None),
        ("small", None),
        ("portside/small/other:1", None),
        ("registry.example:5000/portside/small:weights", None),
        ("localhost:5000/portside/small:weights", None),
        ("portside", None),
        ("my/portside/small:env", None),
    ],
)
def test_which_recipe_a_name_means(name: str, recipe: str | None) -> None:
    assert recipe_meant(name) == recipe


def test_what_an_engine_can_call_an_image() -> None:
    digest = f"sha256:{'0' * 64}"
    names = ["a/b:c", "reg.example:5000/A", "a:1", f"a:1@{digest}", f"a@{digest}", "UPPER", "a//b", "x y", "a:", "a"]
    assert usable(names) == ["a/b:c", "a:1", "a"]


@pytest.mark.parametrize(
    "name",
    [
        "portside/small:weights",
        "portside/small:latest",
        "portside/small:something",
        "localhost/portside/small:env",
        "docker.io/portside/small:migrated",
        "PORTSIDE/Small:weights",
        f"portside/small:env@sha256:{'0' * 64}",
        "small:weights",
    ],
)
def test_a_foreign_image_with_a_recipes_name_is_refused(
    machine: Callable[..., Machine], refused: Callable[..., str], name: str
) -> None:
    problem = refused(machine("there"), foreign(["own/name:1", name]))
    assert f"an image called {name}, which is not the recipe's" in problem


@pytest.mark.parametrize("labels", [None, {}, {"portside.recipe": "small", "portside.layer": "weights"}, ["x"]])
def test_whatever_its_labels_say_and_the_store_has(
    machine: Callable[..., Machine], refused: Callable[..., str], labels: Any
) -> None:
    there = machine("there")
    there.build()
    assert "an image called portside/small:env" in refused(there, foreign(["portside/small:env"], Labels=labels))


def test_one_refused_image_stops_the_whole_archive(
    machine: Callable[..., Machine], refused: Callable[..., str]
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    refused(there, honest(here), foreign(["own/name:1"]), foreign(["portside/small:env"]))


def test_labels_alone_are_no_name(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]], capsys: pytest.CaptureFixture[str]
) -> None:
    there = machine("there")
    labels = {"portside.recipe": "small", "portside.layer": "weights"}
    [loaded, unnamed] = load(there, foreign(["own/name:1"], Labels=labels), foreign([], Labels={**labels, "x": "y"}))
    assert (loaded.names, loaded.built) == (("own/name:1",), ())
    assert unnamed.names == (f"loaded:{unnamed.image.image_id[:12]}",)
    assert "the image of small does not count as built here: it has 1 layers" in capsys.readouterr().err


def test_an_image_that_fits_counts_whatever_it_is_called(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]]
) -> None:
    here = machine("here")
    for number, names in enumerate(([], ["localhost/portside/small:weights"], ["reg.example/x:1", "small:weights"])):
        there = machine(f"there{number}", has_base=False)
        [loaded] = load(there, honest(here, names=names))
        assert loaded.names == OURS and len(loaded.built) == 4
        assert there.image_id() == here.image_id()


def test_several_layers_of_a_recipe_in_one_archive(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]]
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    env, weights = load(there, honest(here, "env", ["portside/small:env"]), honest(here))
    assert (env.names, weights.names) == (("portside/small:env",), OURS)


def test_it_does_not_take_another_recipes_name_along(
    machine: Callable[..., Machine], refused: Callable[..., str]
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    row = honest(here, names=["portside/other:weights", *OURS])
    assert "portside/other:weights, which is not the recipe's: it is that of small" in refused(
        there, row, recipes=("small", "other")
    )


@pytest.mark.parametrize("number", range(6))
def test_a_layer_is_swapped(machine: Callable[..., Machine], refused: Callable[..., str], number: int) -> None:
    """Config, labels and digests say the recipe's image; its base, files and weights are proven one by one."""
    here, there = machine("here"), machine("there", has_base=False)
    row = honest(here)
    layer = bytearray(row.layers[number])
    layer[512 * 4] ^= 1
    evil = swapped(row, number, bytes(layer))
    refused(there, evil)
    evil.names = ["own/name:1"]
    if number > 0:
        assert "a.tar says it is small's image, and is not" in refused(there, evil)


def test_a_layer_that_the_store_has_otherwise_is_refused(
    machine: Callable[..., Machine], refused: Callable[..., str]
) -> None:
    here, there = machine("here"), machine("there")
    there.build()
    part = there.plan.layer("migrated").parts[0]
    there.store.keep("keys", part.key, part.record("0" * 64, 10))
    assert "migrated/files is sha256:" in refused(there, honest(here))


@pytest.mark.parametrize(
    "error", [LockError("small is not locked"), LockError("its lock is stale"), RecipeError("its YAML is broken")]
)
def test_a_recipe_without_a_lock_that_counts(
    machine: Callable[..., Machine],
    load: Callable[..., list[Loaded]],
    refused: Callable[..., str],
    error: Exception,
) -> None:
    def plan(name: str) -> Plan:
        raise error

    here, there = machine("here"), machine("there", has_base=False)
    assert str(error) in refused(there, honest(here), plan=plan)
    assert str(error) in refused(there, foreign(["portside/small:env"]), plan=plan)
    [loaded] = load(there, honest(here, names=["own/name:1"]), plan=plan)
    assert (loaded.names, loaded.built) == (("own/name:1",), ())


def test_a_recipe_that_is_not_here_is_foreign(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]]
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    [loaded] = load(there, honest(here), recipes=("other",))
    assert (loaded.names, loaded.built) == (OURS, ())


def test_a_recipe_of_another_checkout_keeps_its_names(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]], refused: Callable[..., str], small: Small
) -> None:
    """What was built into this store does not change its meaning because the recipe is not in this folder."""
    there = machine("there")
    row = honest(there)
    assert "the store has another one" in refused(there, foreign(["portside/small:weights"]), recipes=())
    assert "the store has another one" in refused(there, foreign(["small:env"]), recipes=())
    [loaded] = load(there, row, recipes=())
    assert (loaded.names, loaded.built) == (OURS, ())


def test_what_is_not_proven_is_remembered_until_it_is(
    machine: Callable[..., Machine], load: Callable[..., list[Loaded]], capsys: pytest.CaptureFixture[str]
) -> None:
    from portside.cli.report.plan import plan_lines, plan_report

    here = machine("here")
    path = here.small.root / "recipes" / "small.yaml"
    path.write_text(path.read_text() + 'install: ["true"]\n')
    [part, _] = here.plan.layer("migrated").parts
    result = data_layer(Tree([file_entry("done", b"yes")]), part.epoch)
    with here.store.layout.new_blob() as blob:
        written = write_layer(result, blob.stream)
        blob.commit(written.diff_id)
    here.store.keep("keys", part.key, part.record(written.diff_id, written.size))
    there = machine("there", has_base=False)
    row = honest(here)
    load(there, row)
    told = "Nothing here proves these parts, they are the word of a.tar:\n  migrated/install: only a build"
    assert told in capsys.readouterr().err
    report = plan_report(there.plan, there.store)
    origins = {part["name"]: part["from"] for layer in report["layers"] for part in layer["parts"]}
    assert origins.pop("install") == "a.tar"
    assert set(origins.values()) == {None}
    assert "    install: from a.tar, not proven here" in plan_lines(report)
    load(here, row)
    assert [part["from"] for layer in plan_report(here.plan, here.store)["layers"] for part in layer["parts"]] == [
        None
    ] * 7
