"""A bundle is not trusted: whatever is wrong with it is told, and neither recipe nor wrong bytes are kept."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundle_project import unbuilt_project
from hostile import Canary, dump, mutations
from hypothesis import given, settings

from portside.bundle import bundle, unbundle
from portside.config import Config
from portside.errors import InputError, PortsideError
from portside.fetch.fetcher import Fetcher
from portside.lock.file import read_lock
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.store import Store

Members = dict[str, bytes]
RULES = "name: r\ntitle: none\nsuffix: _r\nframework: '1'\nframeworks: {'1': one}\nwords: []\nrules: []\n"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Members:
    """The members of a good bundle."""
    project = unbuilt_project(tmp_path_factory.mktemp("hostile"))
    root = project.machine.checkout
    for path, text in (("rulesets/r.yaml", RULES), ("accelerators/a.yaml", "name: a\ndescription: a test\n")):
        (root / path).parent.mkdir()
        (root / path).write_text(text)
    name = project.add(
        "t",
        accelerator={"name": "a"},
        migration={"ruleset": "r", "sources": ["lib"]},
        files={"a.py": b"a\n"},
        sdists={"lib": {"x": b"x\n"}},
        repositories={"r": {"f": b"f\n"}},
        weights={"w": b"ww"},
    )
    recipe = load_recipe(project.machine.checkout, name)
    lock = read_lock(recipe.lock_path)
    assert lock is not None
    path = tmp_path_factory.mktemp("bundle") / "good"
    bundle(
        plan(recipe, lock), project.store, Fetcher(project.store, Config(home=project.store.home), offline=True), path
    )
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]


def write(path: Path, members: Members, *special: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in special:
            tar.addfile(info)
    return path


def listed(members: Members, change: Callable[[dict[str, Any]], object] = lambda value: None) -> Members:
    """The members with a bundle.json that lists them as they are, changed by `change`."""
    value = json.loads(members["bundle.json"])
    value["members"] = [
        {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for path, data in members.items()
        if path != "bundle.json"
    ]
    change(value)
    return {**members, "bundle.json": json.dumps(value).encode()}


def refuse(path: Path, tmp_path: Path, match: str) -> None:
    """The bundle is refused; no recipe is there and the store has no input that its name does not fit."""
    root, home = tmp_path / "root", tmp_path / "home"
    root.mkdir(exist_ok=True)
    with pytest.raises(InputError, match=match) as caught:
        unbundle(path, root, Store(home), Config(home=home))
    assert str(path) in caught.value.problem and caught.value.solution
    assert list(root.iterdir()) == []
    for kept in [*home.glob("inputs/sha256/*"), *home.glob("oci/blobs/sha256/*")]:
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    assert not (tmp_path / "escaped").exists()


def test_the_good_one_is_good(members: Members, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    path = write(tmp_path / "b", listed(members))
    assert unbundle(path, root, Store(tmp_path / "home"), Config(home=tmp_path / "home")).same_keys


def test_one_that_notes_no_version_is_good_too(members: Members, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    path = write(tmp_path / "b", listed(members, lambda value: value.pop("portside")))
    done = unbundle(path, tmp_path / "root", Store(tmp_path / "home"), Config(home=tmp_path / "home"))
    assert (done.same_keys, done.written_by) == (True, None)


def _kinds(members: Members) -> list[str]:
    return [*sorted(name for name in members if name != "bundle.json")]


def test_one_wrong_byte_in_any_member_is_noticed(members: Members, tmp_path: Path) -> None:
    for number, name in enumerate(_kinds(members)):
        data = bytearray(members[name])
        data[len(data) // 2] ^= 1
        place = tmp_path / str(number)
        place.mkdir()
        refuse(write(place / "b", {**members, name: bytes(data)}), place, "sha256|cannot be used here|exactly")


def test_bytes_that_fit_the_list_but_not_the_lock_are_refused(members: Members, tmp_path: Path) -> None:
    """Whoever changes an input can change bundle.json, too; the lock counts."""
    for number, name in enumerate(name for name in members if name.startswith(("inputs/", "layers/", "git/"))):
        data = bytearray(members[name])
        data[-1] ^= 1
        place = tmp_path / str(number)
        place.mkdir()
        refuse(write(place / "b", listed({**members, name: bytes(data)})), place, "lock says|exactly|git index-pack")


def test_a_lock_that_contradicts_its_recipe_is_refused(members: Members, tmp_path: Path) -> None:
    """Whoever changes the lock, too, does not change what the recipe asks for."""
    path = next(name for name in members if name.endswith(".lock"))
    for number, (key, value, match) in enumerate(
        [
            ("commit", "0" * 40, r"sources\.r\.commit: the recipe says"),
            ("url", "https://evil.example/x", r"sources\.r\.git"),
        ]
    ):
        lock = json.loads(members[path])
        lock["sources"]["r"][key] = value
        place = tmp_path / str(number)
        place.mkdir()
        refuse(write(place / "b", listed({**members, path: json.dumps(lock).encode()})), place, match)


def test_members_that_lack_or_are_too_many(members: Members, tmp_path: Path) -> None:
    for number, name in enumerate(name for name in _kinds(members) if not name.endswith("a.py")):
        place = tmp_path / str(number)
        place.mkdir()
        fewer = {path: data for path, data in members.items() if path != name}
        refuse(write(place / "b", fewer), place, "not those that its bundle.json lists")
        refuse(write(place / "c", listed(fewer)), place, "lacks|cannot be used here|has no lock")
    extra = {**members, "inputs/" + "0" * 64: b"x"}
    refuse(write(tmp_path / "d", extra), tmp_path, "not those that")
    refuse(write(tmp_path / "e", listed(extra)), tmp_path, "nothing that .* needs")
    for name in ("recipes/other.yaml", "rulesets/other.yaml", "accelerators/a/b.yaml", "portside.toml", "tasks.py"):
        refuse(write(tmp_path / "f", listed({**members, name: b"x: 1"})), tmp_path, "nothing that")


@pytest.mark.parametrize("name", ["../escaped", "/escaped", "recipes/../../escaped", "recipes/x/../../../escaped"])
def test_names_that_lead_elsewhere(members: Members, tmp_path: Path, name: str) -> None:
    refuse(write(tmp_path / "b", listed({**members, name: b"x"})), tmp_path, "below the root|points out")


def test_members_that_are_no_files(members: Members, tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo("recipes/x")
        info.type, info.linkname = kind, "/etc/passwd"
        refuse(write(tmp_path / "b", members, info), tmp_path, "this is no bundle")
    info = tarfile.TarInfo("recipes/.wh.x")
    refuse(write(tmp_path / "b", members, info), tmp_path, "this is no bundle")
    info = tarfile.TarInfo("recipes/x")
    info.type, info.linkname = tarfile.LNKTYPE, "../escaped"
    refuse(write(tmp_path / "b", members, info), tmp_path, "points out|hard link")


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda value: value.update(format="portside bundle 2"), "may need a newer Portside|format"),
        (lambda value: value.update(recipe="../x"), "recipe's name|cannot be used"),
        (lambda value: value.update(recipe="other"), "cannot be used here"),
        (lambda value: value["members"].append(value["members"][0]), "not those"),
        (lambda value: value["members"][0].update(size=1), "bytes, its bundle.json says 1"),
        (lambda value: value["members"][0].update(size=-1), "cannot be used"),
        (lambda value: value["members"][0].update(sha256="xyz"), "cannot be used"),
        (lambda value: value.update(more=1), "cannot be used"),
    ],
)
def test_lists_that_lie(
    members: Members, tmp_path: Path, change: Callable[[dict[str, Any]], object], match: str
) -> None:
    refuse(write(tmp_path / "b", listed(members, change)), tmp_path, match)


def test_files_that_are_no_bundles(members: Members, tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", members).read_bytes()
    for data in (b"", b"no tar", gzip.compress(whole, 1), whole[: len(whole) // 2], whole[:700], whole[512:]):
        path = tmp_path / "b"
        path.write_bytes(data)
        refuse(path, tmp_path, "bundle|tar|damaged|ends")
    refuse(write(tmp_path / "c", {**members, "bundle.json": b"not json"}), tmp_path, "cannot be used")
    refuse(
        write(tmp_path / "d", {name: data for name, data in members.items() if name != "bundle.json"}), tmp_path, "no"
    )
    refuse(tmp_path / "absent", tmp_path, "is no file")


@pytest.fixture
def canary(tmp_path: Path) -> Canary:
    return Canary(tmp_path / "outside")


def attempt_to_unbundle(path: Path, folder: Path, canary: Canary) -> None:
    """It is refused in words, or what it brings is right; outside of the checkout and the store nothing happens."""
    root, home = folder / "root", folder / "home"
    root.mkdir(exist_ok=True)
    try:
        unbundle(path, root, Store(home), Config(home=home), force=True)
    except PortsideError as error:
        assert str(path) in error.problem and error.solution
    for kept in [*home.glob("inputs/sha256/*"), *home.glob("oci/blobs/sha256/*")]:
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.name
    assert {item.name for item in folder.iterdir()} <= {"root", "home", "outside", path.name}
    assert {item.name for item in root.iterdir()} <= {"recipes", "rulesets", "accelerators"}
    canary.check()


def test_any_list_of_members(members: Members, tmp_path: Path, canary: Canary) -> None:
    good = json.loads(listed(members)["bundle.json"])

    @settings(max_examples=60)
    @given(mutations(good, canary.path))
    def attempt(value: Any) -> None:
        path = write(tmp_path / "b", {**members, "bundle.json": dump(value)})
        attempt_to_unbundle(path, tmp_path, canary)

    attempt()


def test_any_inputs_in_the_lock(members: Members, tmp_path: Path, canary: Canary) -> None:
    """Who makes a bundle makes its lock as well, and bundle.json fits it."""
    [name] = [name for name in members if name.endswith(".lock")]
    good = json.loads(members[name])
    asked = {"requests", "recipe", "format"}
    inputs = {key: value for key, value in good.items() if key not in asked}
    for key in ("sources", "weights"):  # which of them there are is the recipe's to say
        assert inputs[key]

    @settings(max_examples=60)
    @given(mutations([*inputs["sources"].values(), *inputs["weights"].values(), inputs["base"]], canary.path))
    def attempt(values: Any) -> None:
        count = len(inputs["sources"])
        sources = dict(zip(inputs["sources"], values[:count], strict=True))
        weights = dict(zip(inputs["weights"], values[count:-1], strict=True))
        lock = {**good, "sources": sources, "weights": weights, "base": values[-1]}
        path = write(tmp_path / "b", listed({**members, name: dump(lock)}))
        attempt_to_unbundle(path, tmp_path, canary)

    attempt()
