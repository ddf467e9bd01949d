"""Every type that a part can have, through all that tells the types apart; no engine, no network."""

import gzip
import io
import tarfile
from pathlib import Path
from typing import get_args

import pytest

import portside.lock.models
from portside.common.canonical import sha256_hex
from portside.common.never import never
from portside.common.tree import Tree, file_entry
from portside.common.values import Sha256
from portside.config import Config
from portside.fetch.fetcher import Fetcher
from portside.fetch.folders import ManualInput
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.writer import write_layer
from portside.lock.bases import DebianBase
from portside.lock.models import Lock, LockedWeightFile, LockedWeights
from portside.lock.packages import (
    Artefact,
    Deb,
    LockedBuild,
    LockedEnv,
    LockedSdistToBuild,
    LockedVendorFile,
    PackageSet,
    PythonSet,
)
from portside.lock.record import Kind, LockedInput
from portside.lock.sources import LockedSdist
from portside.plan.model import (
    BaseLayer,
    BuiltPackages,
    Converted,
    Files,
    Install,
    InstallFiles,
    LargeWeight,
    Packages,
    Part,
    PartType,
    Plan,
    RecipeFiles,
    SmallWeights,
    Source,
    Trees,
    VendorInstall,
    WeightLinks,
)
from portside.plan.parts import plan
from portside.plan.states import expected_bytes
from portside.recipe import load_recipe
from portside.store import Store
from portside.store.layout import Blob
from portside.trees.parts import part_layer, run_context

LOWER = """\
description: what the other extends
base: {debian: {suite: bookworm}}
accelerator: {name: mlu370}
env:
  debian: [curl]
  files: [{from: motd, to: /etc/motd}]
"""
UPPER = """\
description: everything
extends: lower
env:
  debian: [jq]
  install: [{run: sh kit.run, files: [{file: kit.run, origin: a test}]}]
  files: [{from: issue, to: /etc/issue}]
sources: {lib: {sdist: lib==1.0}}
migration: {ruleset: mlu, mode: image, sources: [lib]}
files: [{from: a.sh, to: a.sh}, {from: b.py, to: d/b.py}]
install: ["true", {run: sh a.sh, files: ["*.sh"]}]
weights: {model: {to: lib_mlu/model, files: [{path: a/small.txt, origin: a test}, {path: a/big.bin, origin: a test}]}}
"""
BYTES = {
    "kit.run": b"a kit",
    "curl": b"a deb",
    "jq": b"another deb",
    "a/small.txt": b"few",
    "a/big.bin": b"more than a few",
}
LARGE = len(BYTES["a/big.bin"])

TYPES: dict[PartType, tuple[str, str]] = {
    BaseLayer(): ("env/base", "base"),
    Packages("lower", lowest=True): ("env/packages", "run"),
    Files("lower", lowest=True): ("env/files", "data"),
    Packages("upper", lowest=False): ("env/packages-upper", "run"),
    VendorInstall("upper", lowest=False): ("env/vendor-upper", "run"),
    BuiltPackages("upper", lowest=False): ("env/built-upper", "run"),
    Files("upper", lowest=False): ("env/files-upper", "data"),
    Source("lib"): ("sources/lib", "data"),
    Converted(): ("migrated/converted", "run"),
    Trees(): ("migrated/trees", "data"),
    InstallFiles(): ("migrated/install-files", "data"),
    Install(): ("migrated/install", "run"),
    RecipeFiles(): ("migrated/files", "data"),
    WeightLinks(): ("migrated/links", "data"),
    SmallWeights("model", ("a/small.txt",)): ("weights/model", "data"),
    LargeWeight("model", "a/big.bin", packed=False): ("weights/model/a/big.bin", "frame"),
}
"""By what a part is: the name that is shown for it, and its kind; lowest first."""


class Whole:
    """A recipe with a part of every type, and a store with all that they are made of."""

    def __init__(self, root: Path) -> None:
        (root / "recipes" / "upper").mkdir(parents=True)
        (root / "recipes" / "lower").mkdir()
        (root / "recipes" / "lower.yaml").write_text(LOWER)
        (root / "recipes" / "upper.yaml").write_text(UPPER)
        (root / "recipes" / "lower" / "motd").write_text("hello\n")
        (root / "recipes" / "upper" / "issue").write_text("none\n")
        (root / "recipes" / "upper" / "a.sh").write_text("true\n")
        (root / "recipes" / "upper" / "b.py").write_text("b = 1\n")
        self.store = Store(root / "store")
        sdist = _sdist()
        self._put(sdist)
        artefact = Artefact(name="lib", version="1.0", file="lib-1.0.tar.gz", size=len(sdist), sha256=sha256_hex(sdist))
        built = LockedBuild(epoch=5, sdists=(LockedSdistToBuild(**artefact.model_dump(), backend="made.up"),))
        python = PythonSet(version="3.11", platform="x86_64-manylinux_2_28", wheels=(), built=built)
        lower, upper = (
            PackageSet(recipe=r, epoch=5, debs=(self._deb(d),)) for r, d in (("lower", "curl"), ("upper", "jq"))
        )
        kit = LockedVendorFile(file="kit.run", size=len(BYTES["kit.run"]), sha256=self._put(BYTES["kit.run"]))
        sets = (lower, upper.model_copy(update={"python": python, "vendor": (kit,)}))
        files = tuple(
            LockedWeightFile(path=path, size=len(BYTES[path]), sha256=self._put(BYTES[path]))
            for path in ("a/small.txt", "a/big.bin")
        )
        recipe = load_recipe(root, "upper")
        self.sdist_bytes = len(sdist)
        self.plan: Plan = plan(
            recipe,
            Lock(
                recipe="upper",
                epoch=5,
                requests=recipe.requests(),
                base=DebianBase(
                    suite="bookworm",
                    architecture="amd64",
                    snapshot="20240101T000000Z",
                    epoch=5,
                    debs=(),
                    diff_id=sha256_hex(b"base"),
                    size=77,
                ),
                env=LockedEnv(sets=sets),
                sources={"lib": LockedSdist(epoch=5, sdist=artefact)},
                weights={"model": LockedWeights(epoch=5, files=files)},
            ),
        )

    def _put(self, data: bytes) -> Sha256:
        with self.store.inputs.receive("x", sha256_hex(data), len(data)) as receiver:
            receiver.write(data)
        return sha256_hex(data)

    def _deb(self, name: str) -> Deb:
        data = BYTES[name]
        self._put(data)
        path = f"pool/{name}_1_all.deb"
        return Deb(name=name, version="1", architecture="all", path=path, size=len(data), sha256=sha256_hex(data))

    def part(self, of: PartType) -> Part:
        return next(part for part in self.plan.build_order() if part.of == of)


def _sdist() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("lib-1.0/a.py")
        info.size, info.mtime = 4, 5
        archive.addfile(info, io.BytesIO(b"a=1\n"))
    return gzip.compress(out.getvalue(), mtime=0)


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Whole:
    monkeypatch.setattr(portside.lock.models, "LARGE", LARGE)
    return Whole(tmp_path)


def test_every_type_is_here() -> None:
    assert {type(of) for of in TYPES} == set(get_args(PartType))


def test_what_is_shown(whole: Whole) -> None:
    parts = whole.plan.build_order()
    assert [part.of for part in parts] == list(TYPES)
    assert [(f"{part.layer}/{part.name}", part.kind) for part in parts] == list(TYPES.values())


def test_a_large_file_in_a_wheel_is_unpacked_by_the_build() -> None:
    assert LargeWeight("model", "big.bin", packed=True).kind == "data"


def test_what_is_fetched(whole: Whole, tmp_path: Path) -> None:
    fetcher = Fetcher(whole.store, Config(home=tmp_path / "store"), offline=True)
    brings = {part.of: len(fetcher.jobs(part, whole.plan)) for part in whole.plan.build_order()}
    assert {of for of, count in brings.items() if count == 0} == {
        Files("lower", lowest=True),
        Files("upper", lowest=False),
        Converted(),
        InstallFiles(),
        Install(),
        RecipeFiles(),
        WeightLinks(),
    }
    assert set(brings.values()) == {0, 1}
    for of in (Packages("upper", lowest=False), Source("lib"), Trees(), SmallWeights("model", ("a/small.txt",))):
        for job in fetcher.jobs(whole.part(of), whole.plan):
            job()  # all of it is in the store


def test_who_needs_what_a_person_brings(whole: Whole) -> None:
    def needs(file: ManualInput) -> list[str]:
        return [f"{part.layer}/{part.name}" for part in whole.plan.build_order() if file.is_for(part)]

    def sought(kind: Kind, place: str, name: str) -> ManualInput:
        return ManualInput(LockedInput("", kind, name, "unknown", name, None, None, None, (place, name), False))

    def file(name: str) -> ManualInput:
        return sought("weights", "weights", name)

    assert needs(sought("archive", "base", "base.tar")) == ["env/base"]
    assert needs(sought("wheel", "wheel", "x.whl")) == ["env/packages", "env/packages-upper"]
    assert needs(sought("vendor", "vendor", "kit.run")) == ["env/vendor-upper"]
    assert needs(sought("vendor", "vendor", "x.run")) == []
    assert needs(file("model/a/small.txt")) == ["weights/model"]
    assert needs(file("model/a/big.bin")) == ["weights/model/a/big.bin"]
    assert needs(file("model/other.bin")) == needs(file("a/small.txt")) == []
    assert needs(sought("data", "data", "model")) == []


def test_what_takes_space(whole: Whole) -> None:
    expected = {
        "env/base": 77,
        "env/packages": 4 * len(BYTES["curl"]),
        "env/packages-upper": 4 * len(BYTES["jq"]),
        "env/vendor-upper": 4 * len(BYTES["kit.run"]),
        "env/built-upper": 4 * whole.sdist_bytes,
        "weights/model": len(BYTES["a/small.txt"]),
        "weights/model/a/big.bin": len(BYTES["a/big.bin"]),
    }
    found = {f"{p.layer}/{p.name}": expected_bytes(p, whole.plan.lock) for p in whole.plan.build_order()}
    assert found == {name: expected.get(name, 0) for name, _ in TYPES.values()}


def test_what_a_run_part_sees(whole: Whole) -> None:
    seen: dict[str, set[str]] = {}
    for part in whole.plan.build_order():
        if part.kind == "run":
            contexts = run_context(whole.plan, part, whole.store)
            files = [(folder, entry) for folder, tree in contexts.items() for entry in tree if entry.kind == "file"]
            seen[part.name] = {f"{folder}/{entry.path}" for folder, entry in files}
    assert seen == {
        "packages": {"env/lower/debs/curl_1_all.deb"},
        "packages-upper": {"env/upper/debs/jq_1_all.deb", "env/upper/requirements.txt"},
        "vendor-upper": {"vendor/upper/kit.run"},
        "built-upper": {f"build/upper/{name}" for name in ("builds.json", "run_build.py", "sdists/lib-1.0.tar.gz")},
        "converted": {"converter/run_converter.py"},
        "install": set(),
    }


def test_what_a_part_that_we_write_holds(whole: Whole) -> None:
    converted = whole.part(Converted())
    below = whole.plan.recipe.workspace.lstrip("/")
    out = io.BytesIO()
    made = Tree([file_entry(f"{below}/lib_mlu/a.py", b"a=2\n", mtime=5)])
    written = write_layer(data_layer(made, 5), out)
    whole.store.layout.put_blob(out.getvalue())
    blobs = {converted.key: Blob(written.diff_id, written.size)}
    held: dict[str, set[str]] = {}
    for part in whole.plan.build_order():
        if part.kind in ("data", "frame"):
            with whole.store.workspace() as folder, Spool(folder) as spool:
                layer = part_layer(whole.plan, part, whole.store, spool, blobs)
            held[f"{part.layer}/{part.name}"] = {entry.path for entry in layer.entries if entry.kind != "dir"}
    assert held == {
        "env/files": {"etc/motd"},
        "env/files-upper": {"etc/issue"},
        "sources/lib": {f"{below}/lib/a.py"},
        "migrated/install-files": {f"{below}/a.sh"},
        "migrated/files": {f"{below}/d/b.py"},
        "migrated/links": {f"{below}/lib_mlu/model/a/{name}" for name in ("big.bin", "small.txt")},
        "migrated/trees": {f"{below}/migration/report.{suffix}" for suffix in ("html", "json", "md")},
        "weights/model": {f"{below}/weights/model/a/small.txt"},
        "weights/model/a/big.bin": {f"{below}/weights/model/a/big.bin"},
    }


def test_a_part_of_another_kind_is_no_tree_and_no_context(whole: Whole) -> None:
    for part in whole.plan.build_order():
        with whole.store.workspace() as folder, Spool(folder) as spool:
            if part.kind in ("base", "run"):
                with pytest.raises(AssertionError, match=part.name):
                    part_layer(whole.plan, part, whole.store, spool, {})
            if part.kind != "run":
                with pytest.raises(AssertionError, match=part.name):
                    run_context(whole.plan, part, whole.store)


def test_what_a_run_part_stands_on(whole: Whole) -> None:
    for part in whole.plan.build_order():
        if part.kind == "run":
            below = whole.plan.below(part)
            assert {f"{other.layer}/{other.name}": other.key for other in below} == part.manifest["on"]
            assert [other for other in whole.plan.stack() if other in below] == below


def test_a_forgotten_type_is_said() -> None:
    with pytest.raises(AssertionError, match="no case is for Trees"):
        never(Trees())  # type: ignore[arg-type]
