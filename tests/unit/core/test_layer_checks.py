"""What the checks of the migrated layer find, without an engine: a folder stands for the container."""

import gzip
import hashlib
import importlib.util
import io
import json
import os
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from portside.check import layer_checks
from portside.common.tree import Entry, Tree, file_entry
from portside.inputs.spool import Spool
from portside.layers.canonical import data_layer
from portside.layers.layer import Layer
from portside.layers.writer import write_layer
from portside.lock.bases import DebianBase
from portside.lock.models import Lock
from portside.lock.packages import Artefact, LockedEnv
from portside.lock.sources import LockedSdist
from portside.plan.model import Part, Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe
from portside.store import Store
from portside.trees.parts import part_layer

LAYERS = Path(layer_checks.__file__).with_name("layers")
SOURCE = {
    "m.py": b"import torch\nx = torch.ones(1).cuda()\n\x0cy = 'CUDA'\n",
    "old.py": b"print 'cuda'\n",
    "odd:name.py": b"# cuda\n",
    "plain.py": b"z = 1\n",
}


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module with the migrated layer's checks."""
    monkeypatch.syspath_prepend(str(LAYERS))
    return importlib.import_module("test_migrated")


class Project:
    """A recipe that migrates SOURCE, its layers in a store, and the folder that its workspace becomes."""

    def __init__(self, root: Path, recipe: Mapping[str, Any]) -> None:
        self.root = root
        self.store = Store(root / "home")
        (root / "recipes" / "r").mkdir(parents=True)
        whole = {
            "description": "a test",
            "base": {"debian": {"suite": "bookworm"}},
            "accelerator": {"name": "cpu"},
            "sources": {"a": {"sdist": "a==1.0"}},
            **recipe,
        }
        self.file("r.yaml", json.dumps(whole))
        self.workspace = root / "layer" / "workspace" / "r"

    def file(self, path: str, text: str) -> None:
        (self.root / "recipes" / path).write_text(text)

    def plan(self) -> Plan:
        recipe = load_recipe(self.root, "r")
        base = DebianBase(
            suite="bookworm", architecture="amd64", snapshot="1", epoch=1, debs=(), diff_id="0" * 64, size=0
        )
        sources = {"a": LockedSdist(epoch=1, sdist=self._sdist())}
        requests = recipe.requests()
        return plan(
            recipe,
            Lock(recipe="r", epoch=1, requests=requests, base=base, env=LockedEnv(), sources=sources, weights={}),
        )

    def _sdist(self) -> Artefact:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for path, content in SOURCE.items():
                info = tarfile.TarInfo(f"a-1.0/{path}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        data = gzip.compress(out.getvalue(), mtime=0)
        sha256 = hashlib.sha256(data).hexdigest()
        with self.store.inputs.receive("a-1.0.tar.gz", sha256, len(data)) as receiver:
            if not receiver.done:
                receiver.write(data)
        return Artefact(name="a", version="1.0", file="a-1.0.tar.gz", size=len(data), sha256=sha256)

    def expected(self, installed: Layer | None = None) -> dict[str, Any]:
        """The expectations, with every layer in the store and written out. installed: what the install steps left."""
        made = self.plan()
        for part in made.build_order("migrated"):
            if part.kind == "data":
                with self.store.workspace() as folder, Spool(folder) as spool:
                    self._keep(part, part_layer(made, part, self.store, spool, {}))
            elif installed is not None:
                self._keep(part, installed)
        return layer_checks._migrated(made, self.store) | {"workspace": str(self.workspace), "given": {}}

    def _keep(self, part: Part, layer: Layer) -> None:
        with self.store.layout.new_blob() as new:
            written = write_layer(layer, new.stream)
            new.commit(written.diff_id)
        self.store.keep("keys", part.key, part.record(written.diff_id, written.size))
        for entry in layer.entries:
            if entry.kind != "dir":
                (self.root / "layer" / entry.path).unlink(missing_ok=True)
        Tree(layer.entries).write_to(self.root / "layer")


class Host:
    """testinfra's `run`, on this machine. site: the folder with the Python packages that there are; default: none."""

    def __init__(self, site: Path | None = None) -> None:
        self.environment = {**os.environ, "PYTHONPATH": str(site or ""), "LC_ALL": "C"}

    def run(self, command: str, *arguments: str) -> Any:
        line = (command % tuple(map(shlex.quote, arguments))) if arguments else command
        line = line.replace("python3 ", f"{sys.executable} -S ")
        done = subprocess.run(line, shell=True, capture_output=True, check=False, env=self.environment)
        text = {"stdout": done.stdout.decode("latin-1"), "stderr": done.stderr.decode("latin-1")}
        return SimpleNamespace(rc=done.returncode, stdout_bytes=done.stdout, **text)


def tree_layer(files: Mapping[str, bytes], whiteouts: tuple[str, ...] = ()) -> Layer:
    layer = data_layer(Tree(file_entry(path, content) for path, content in files.items()), 1)
    return Layer(layer.entries, whiteouts)


def run_all(checks: ModuleType, expected: dict[str, Any], host: Host | None = None) -> None:
    for name in (
        "test_files_are_as_the_report_says",
        "test_no_edit_is_missed",
        "test_what_compiled_before_compiles_now",
    ):
        getattr(checks, name)(host or Host(), expected)


VENDOR = {"ruleset": "mlu", "mode": "vendor", "sources": ["a"]}


@pytest.mark.parametrize("mode", ["vendor", "precise"])
@pytest.mark.parametrize("ruleset", ["mlu", "cpu"])
def test_what_a_migration_leaves_is_accounted_for(tmp_path: Path, checks: ModuleType, mode: str, ruleset: str) -> None:
    if (mode, ruleset) == ("vendor", "cpu"):
        ruleset = "mlu"
    expected = Project(tmp_path, {"migration": {"ruleset": ruleset, "mode": mode, "sources": ["a"]}}).expected()
    assert expected["migration"]["words"] == ["cuda", "nccl", *(["CUDA", "NCCL"] if mode == "precise" else [])]
    run_all(checks, expected)


@pytest.mark.parametrize("strict", [False, True])
def test_a_word_that_the_converter_replaces_and_that_is_left(tmp_path: Path, checks: ModuleType, strict: bool) -> None:
    project = Project(tmp_path, {"migration": VENDOR | {"strict": strict}})
    expected = project.expected()
    path = project.workspace / "a_mlu" / "m.py"
    path.write_bytes(path.read_bytes() + b"nccl\nCUDA\n")
    with pytest.raises(AssertionError, match=r"a_mlu/m\.py:5"):
        checks.test_no_edit_is_missed(Host(), expected)
    path.write_bytes(path.read_bytes().replace(b"nccl", b""))
    if strict:
        with pytest.raises(AssertionError, match=r"a_mlu/m\.py:6"):
            checks.test_no_edit_is_missed(Host(), expected)
    else:
        checks.test_no_edit_is_missed(Host(), expected)


def test_what_patches_and_files_of_the_recipe_write_is_no_edit_of_the_migration(
    tmp_path: Path, checks: ModuleType
) -> None:
    project = Project(
        tmp_path,
        {
            "migration": VENDOR,
            "patches": [
                {"replace": "y = 'CUDA'", "with": "y = 'cuda'\nw = 'nccl'", "files": "a_mlu/m.py", "count": 1},
                {"replace": "import torch_mlu", "with": "import torch_mlu\n", "files": "a_mlu/m.py", "count": 1},
                {"copy": "new.py", "to": "a_mlu/new.py"},
                {"copy": "new.py", "to": "a_mlu/odd:name.py", "overwrite": True},
            ],
            "files": [{"from": "new.py", "to": "a_mlu/old.py"}],
        },
    )
    project.file("r/new.py", "print('cuda')\n")
    expected = project.expected()
    assert b"w = 'nccl'" in (project.workspace / "a_mlu" / "m.py").read_bytes()
    run_all(checks, expected)
    # What stood there already when the patch came is still the migration's.
    path = project.workspace / "a_mlu" / "m.py"
    path.write_bytes(path.read_bytes().replace(b".mlu()", b".cuda()"))
    with pytest.raises(AssertionError, match=r"a_mlu/m\.py:4"):
        checks.test_no_edit_is_missed(Host(), expected)


def test_what_install_steps_change_or_delete(tmp_path: Path, checks: ModuleType) -> None:
    project = Project(tmp_path, {"migration": VENDOR, "install": ["rm a_mlu/odd:name.py && echo cuda > a_mlu/m.py"]})
    below = "workspace/r/a_mlu"
    expected = project.expected(tree_layer({f"{below}/m.py": b"cuda\n"}, (f"{below}/odd:name.py",)))
    (project.workspace / "a_mlu" / "odd:name.py").unlink()
    run_all(checks, expected)


def test_a_tree_without_python_files(tmp_path: Path, checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SOURCE", {"README": b"cuda\n"})
    run_all(checks, Project(tmp_path, {"migration": VENDOR}).expected())


def test_a_file_that_is_not_text(tmp_path: Path, checks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "SOURCE", {"a.py": b"x = 1\n", "latin.py": b"# \xe9\0 cuda\n"})
    run_all(checks, Project(tmp_path, {"migration": VENDOR}).expected())


def dist(site: Path, name: str, version: str, *needs: str) -> None:
    folder = site / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


def test_what_install_brought_lacks_what_it_needs(tmp_path: Path, checks: ModuleType) -> None:
    """Between what was there before there may be anything: a vendor's image is as it is."""
    site = tmp_path / "site"
    site.mkdir()
    found = importlib.util.find_spec("pip")
    assert found is not None and found.origin is not None
    (site / "pip").symlink_to(Path(found.origin).parent)
    dist(site, "pt_vendor", "1.0", "pt_nowhere", "pt_other>=2")
    dist(site, "pt_other", "1.0")
    project = Project(tmp_path, {"migration": VENDOR, "install": ["pip install ./x"]})
    installed = project.expected(tree_layer({"usr/lib/x/Pt.Mine-2.0.dist-info/METADATA": b""}))
    assert installed["brought"] == ["pt-mine"]
    test = checks.test_what_install_steps_bring_agrees_with_the_rest
    dist(site, "pt_mine", "2.0")
    test(Host(site), installed)
    test(Host(site), project.expected())
    (site / "pt_mine-2.0.dist-info" / "METADATA").write_text("Name: pt_mine\nVersion: 2.0\nRequires-Dist: pt_absent\n")
    said = Host(site).run("python3 -m pip check")
    assert said.rc == 1
    host = SimpleNamespace(run=lambda line: said if line.endswith(" check") else SimpleNamespace(rc=0))
    with pytest.raises(AssertionError, match="requires pt-absent, which is not installed"):
        test(host, installed)
    with pytest.raises(AssertionError, match=r"requires pt-other, which is not installed|but you have pt[_-]other 1"):
        test(host, installed | {"brought": ["pt-other"]})


@pytest.mark.parametrize(
    ("paths", "whiteouts", "names"),
    [
        (("s/Foo_Bar-1.0+x.dist-info/METADATA", "s/foo.py"), (), {"foo-bar"}),
        (("s/six-1.16.0-py3.7.egg-info",), (), {"six"}),
        (("w/src/thing.egg-info/PKG-INFO", "s/other-thing.egg-link"), (), {"thing", "other-thing"}),
        ((), ("s/gone-2.dist-info",), {"gone"}),
    ],
)
def test_which_packages_a_layer_brings(paths: tuple[str, ...], whiteouts: tuple[str, ...], names: set[str]) -> None:
    layer = Layer(tuple(Entry(path, "file", 0o644) for path in paths), whiteouts)
    assert layer_checks.distributions(layer) == names


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        (None, "1.9.0", r"torch: the recipe says that 1\.9\.0 is given, found no such package"),
        ("1.10.0", "1.1", r"torch: the recipe says that 1\.1 is given, found 1\.10\.0"),
        ("1.9.0+mlu", "1.9.0", None),
        ("2.1.0a0+32f93b1", "2.1.0", None),
    ],
)
def test_a_given_package(checks: ModuleType, there: str | None, wanted: str, said: str | None) -> None:
    rows = json.dumps([["Torch", there, "/torch"]] if there else [])
    host = SimpleNamespace(run=lambda *_: SimpleNamespace(rc=0, stdout=rows, stderr=""))
    if said is None:
        checks.test_what_the_recipe_relies_on_is_there(host, {"given": {"torch": wanted}})
        return
    with pytest.raises(AssertionError, match=said):
        checks.test_what_the_recipe_relies_on_is_there(host, {"given": {"torch": wanted}})


PROBLEMS = """\
vendor 1.0 requires nowhere, which is not installed.
ours 1.0 requires torch, which is not installed.
vendor 1.0 has requirement ours>=2, but you have ours 1.0.
"""


@pytest.mark.parametrize("foreign", [True, False])
def test_problems_of_the_env_layer(monkeypatch: pytest.MonkeyPatch, foreign: bool) -> None:
    """Of a vendor's base only what our wheels have a part in; what is given may come with an install step."""
    monkeypatch.syspath_prepend(str(LAYERS))
    test = importlib.import_module("test_env").test_python_packages_agree_with_each_other
    host = SimpleNamespace(run=lambda *_: SimpleNamespace(rc=1, stdout=PROBLEMS, stderr=""))
    expected = {"wheels": {"ours": "1.0"}, "foreign": foreign, "given": {"Torch": "1.9.0"}}
    with pytest.raises(AssertionError) as caught:
        test(host, expected)
    said = str(caught.value)
    assert "ours>=2" in said and "torch" not in said
    assert ("nowhere" in said) == (not foreign)


def test_a_container_without_pip_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(LAYERS))
    test = importlib.import_module("test_env").test_python_packages_agree_with_each_other
    host = SimpleNamespace(run=lambda *_: SimpleNamespace(rc=1, stdout="", stderr="No module named pip"))
    with pytest.raises(AssertionError, match="No module named pip"):
        test(host, {"wheels": {"ours": "1.0"}, "foreign": False, "given": {}})
    test(host, {"wheels": {}, "foreign": False, "given": {}})
    with pytest.raises(pytest.skip.Exception, match="no pip to ask"):
        importlib.import_module("test_migrated").test_what_install_steps_bring_agrees_with_the_rest(
            host, {"brought": ["x"]}
        )


def test_the_folder_that_a_container_starts_in_is_the_engines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(LAYERS))
    test = importlib.import_module("test_sources").test_nothing_else_is_there
    monkeypatch.setitem(test.__globals__, "listing", lambda *_: {"m.py": [], "build": [], "build/x": [], **more})
    expected = {"trees": {"/w/a": [["m.py"]]}, "image": {"workdir": "/w/a/build/x"}}
    more: dict[str, Any] = {}
    test(None, expected)
    more["build/y"] = []
    with pytest.raises(AssertionError, match="build/y"):
        test(None, expected)
