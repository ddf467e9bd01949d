"""Image mode in a real engine: a base image with a converter whose report comes in another order each time."""

import json
import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from file_systems import blobs_of, differences, of_build, of_plain_build
from pipeline import Machine
from tiny_project import TinyProject, remove, tiny_project
from vendor_standin import PROGRAMS, python_files, python_folder

from portside.common.tree import Entry
from portside.layers.writer import read_layer

PLACE = "torch/src/catch/tools/torch_gpu2mlu.py"
CONVERTER = b'''"""A stand-in: the vendor's options, places and habits, and none of its text."""
import os, pathlib, random, stat, sys
import torch, torch_mlu

words = [("cuda", "mlu"), ("nccl", "cncl")]
given = sys.argv[1:]
if "-s" in given:
    given.remove("-s")
    words += [("CUDA", "MLU")]
flag, folder = given
assert flag == "-i"
source = pathlib.Path(folder).resolve()
assert (source / "setup.py").stat().st_size, "it runs on a whole copy"
result = source.with_name(source.name + "_mlu")
result.mkdir()
table = (result / "report.md").open("w")
table.write("# Report of the stand-in\\n| No. | File | Description |\\n")
found = [pathlib.Path(at) / name for at, _, names in os.walk(source) for name in names]
random.SystemRandom().shuffle(found)
number = 0
for path in found:
    below = path.relative_to(source)
    target = result / below
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".py":
        target.write_bytes(path.read_bytes())
        target.chmod(stat.S_IMODE(path.stat().st_mode))
        continue
    with path.open() as lines, target.open("w") as out:
        seen = False
        for at, line in enumerate(lines, 1):
            new = line
            if line.strip() == "import torch" and not seen:
                seen = True
                out.write(line)
                new = line.replace("torch", "torch_mlu")
            else:
                for old, other in words:
                    new = new.replace(old, other)
            out.write(new)
            if new != line:
                number += 1
                table.write(f"| {number} | {below}:{at} | {line.strip()} is now {new.strip()} |\\n")
(source / "setup.py").write_text("")  # a converter that is rough with what it is given
pathlib.Path.home().joinpath("cache").write_text(str(random.random()))
pathlib.Path("log").write_text(str(random.random()))
'''
FILES = {
    "setup.py": b"from setuptools import setup\nsetup()\n",
    "README.md": b"needs cuda\n",
    "report.md": b"the source has a file of this name itself\n",
    **{f"m/part{n}.py": b"import torch\nx = torch.ones(1).cuda()  # cuda:%d\n" % n for n in range(9)},
    "m/kept.py": b"import os\nos.environ['CUDA_VISIBLE_DEVICES'] = '0'\n",
    "m/kernel.py": b"import torch\nsources = ['ms_deform_attn_cuda.cu']\n",
    "gone/cuda.txt": b"cuda\n",
}
PATCHES = [
    {
        "name": "two lines",
        "replace": "x = torch",
        "with": "import sys\nx = torch",
        "files": "a_mlu/m/part3.py",
        "count": 1,
    },
    {"name": "no examples", "delete": ["a_mlu/gone/**"], "count": 1},
    {"name": "launch", "copy": "launch.sh", "to": "a_mlu/bin/launch.sh", "mode": "0755"},
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyProject]:
    made = tiny_project(tmp_path_factory.mktemp("image"))
    # Where a Python looks for other modules depends on who built it; where its own are, it always looks.
    site = sysconfig.get_path("stdlib").lstrip("/")
    made.programs = (*PROGRAMS, "mv")
    made.base_files = {
        **python_files(),
        f"{site}/torch/__init__.py": b"loaded = True\n",
        f"{site}/torch_mlu/__init__.py": b"loaded = True\n",
        PLACE: CONVERTER,
        **dict.fromkeys(("dev/", "proc/", "run/", "sys/"), b""),
        "root/.profile": b"",
    }
    migration = {"ruleset": "mlu", "mode": "image", "sources": ["b", "a"]}
    common: dict[str, Any] = {"env": {"path": [python_folder()]}, "sdists": {"a": FILES}}
    common["repositories"] = {"b": {"setup.py": b"# nccl\n"}}
    install = ("python3 -c 'import runpy; runpy.run_path(\"a_mlu/m/kept.py\")' && touch installed",)
    made.programs = (*made.programs, "touch")
    launch = {"launch.sh": b"#!/bin/sh\n"}
    # As in every recipe of the tutorial, containers start in the tree that the converter is yet to make.
    start = {"workdir": f"/workspace/{made.full('image')}/a_mlu/m"}
    made.add("image", migration=migration, patches=PATCHES, files=launch, install=install, run=start, **common)
    made.add("strict", migration=migration | {"strict": True}, **common)
    made.add("absent", migration=migration | {"converter": "/opt/converter.py"}, **common)
    yield made
    remove(made)


@pytest.fixture(scope="module")
def machine(project: TinyProject) -> Machine:
    return project.machine


@pytest.fixture(scope="module")
def before(project: TinyProject) -> str:
    """What rendering says while the converter has not run."""
    output = str(project.machine.home.parent / "early")
    return project.machine.run("render", "--recipe", project.full("image"), "--output", output, expect=7).stderr


@pytest.fixture(scope="module")
def built(before: str, project: TinyProject) -> Any:
    return project.machine.json("build", "--recipe", project.full("image"))


def texts(project: TinyProject, report: Any, recipe: str = "image") -> dict[str, str]:
    """Every text of the workspace, by its path there."""
    found: dict[str, Entry] = {}
    below = f"workspace/{project.full(recipe)}/"
    for blob in blobs_of(report)[1:]:
        layer = read_layer(project.store.layout.blob(blob.digest))
        for path in layer.whiteouts:
            found = {name: entry for name, entry in found.items() if not f"{name}/".startswith(f"{path}/")}
        found |= {entry.path: entry for entry in layer.entries if entry.kind == "file"}
    return {path.removeprefix(below): entry.read().decode() for path, entry in found.items() if path.startswith(below)}


def test_rendering_needs_the_converters_result(before: str, project: TinyProject) -> None:
    assert "that has not run yet" in before
    assert f"invoke build --recipe {project.full('image')} --layer migrated" in before


def test_the_converter_runs_on_copies(built: Any, project: TinyProject) -> None:
    found = texts(project, built)
    assert {path.removeprefix("a/"): text.encode() for path, text in found.items() if path.startswith("a/")} == FILES
    assert found["b/setup.py"] == "# nccl\n"
    assert found["b_mlu/setup.py"] == "# cncl\n"


def test_the_result_is_the_converters_then_patched(built: Any, project: TinyProject) -> None:
    found = texts(project, built)
    assert found["a_mlu/m/part0.py"] == "import torch\nimport torch_mlu\nx = torch.ones(1).mlu()  # mlu:0\n"
    assert found["a_mlu/m/part3.py"] == "import torch\nimport torch_mlu\nimport sys\nx = torch.ones(1).mlu()  # mlu:3\n"
    assert found["a_mlu/report.md"] == FILES["report.md"].decode()
    assert found["a_mlu/bin/launch.sh"] == "#!/bin/sh\n"
    assert not [path for path in found if path.startswith("a_mlu/gone")]
    assert "installed" in found


def test_nothing_else_is_left_behind(built: Any, project: TinyProject) -> None:
    """No byte code of the modules that the converter imports, no scratch folder, no log."""
    [converted, *_] = built["layers"][2]["diff_ids"]
    layer = read_layer(project.store.layout.blob(converted.removeprefix("sha256:")))
    tops = {entry.path.split("/")[2] for entry in layer.entries if entry.path.count("/") > 1}
    assert {entry.path.split("/")[0] for entry in layer.entries} == {"workspace"}
    assert tops == {"a_mlu", "b_mlu", "migration"}
    assert layer.whiteouts == ()


def test_the_converters_report_is_in_order(built: Any, project: TinyProject) -> None:
    lines = texts(project, built)["migration/converter/a.md"].splitlines()
    assert lines[:2] == ["# Report of the stand-in", "| No. | File | Description |"]
    places = ["m/kernel.py:1", "m/kernel.py:2", *(f"m/part{n}.py:{line}" for n in range(9) for line in (1, 2))]
    assert [line.split(" | ")[:2] for line in lines[2:]] == [[f"| {n}", place] for n, place in enumerate(places, 1)]


def test_the_report_has_every_edit_and_the_comparison(built: Any, project: TinyProject) -> None:
    found = texts(project, built)
    report = json.loads(found["migration/report.json"])
    assert report["mode"] == "image"
    files = {file["path"]: file for file in report["files"]}
    hits = [(hit["class"], hit["line"], hit["new_line"], hit["after"]) for hit in files["a_mlu/m/part3.py"]["hits"]]
    assert hits == [
        ("rewritten", 1, 2, "import torch_mlu"),
        ("rewritten", 2, 3, "x = torch.ones(1).mlu()  # mlu:3"),
        ("patched", 3, 3, "import sys\nx = torch.ones(1).mlu()  # mlu:3"),
    ]
    kept = files["a_mlu/m/kept.py"]["hits"]
    assert [(hit["class"], hit["rule"], hit["name"]) for hit in kept] == [("kept", "converter-left", "CUDA")]
    assert files["a_mlu/gone/cuda.txt"]["hits"][0]["note"] == "deleted (5 bytes)"
    compared = {(item["path"], item["line"]): item for item in report["comparison"]}
    assert compared["a_mlu/m/kernel.py", 2]["vendor"] == "sources = ['ms_deform_attn_mlu.cu']"
    assert compared["a_mlu/m/kernel.py", 2]["cls"] == "kept"
    assert compared["a_mlu/m/kept.py", 2]["ours"] == "os.environ['MLU_VISIBLE_DEVICES'] = '0'"
    assert "Differences between the image's converter and precise mode" in found["migration/report.md"]


def test_the_layers_pass_their_checks(built: Any, project: TinyProject) -> None:
    for layer in ("sources", "migrated", "weights"):  # env's checks ask dpkg, which the stand-in lacks
        assert " passed" in project.machine.run("check", "--recipe", project.full("image"), "--layer", layer).stderr


def test_another_build_gives_the_same_image(built: Any, project: TinyProject) -> None:
    again = project.machine.json("build", "--recipe", project.full("image"), "--no-cache")
    assert again == built
    verified = project.machine.json("verify", "--recipe", project.full("image"))
    assert verified["reproducible"] is True


def test_podman_gives_the_same_image(built: Any, project: TinyProject, podman_storage: Path) -> None:
    again = ("build", "--recipe", project.full("image"), "--no-cache", "--engine", "podman")
    assert project.machine.json(*again) == built


def test_strict_is_passed_on(built: Any, project: TinyProject) -> None:
    report = project.machine.json("build", "--recipe", project.full("strict"), "--layer", "migrated")
    found = texts(project, report, "strict")
    assert found["a_mlu/m/kept.py"] == "import os\nos.environ['MLU_VISIBLE_DEVICES'] = '0'\n"


def test_an_image_without_the_converter(built: Any, project: TinyProject) -> None:
    told = project.machine.run("build", "--recipe", project.full("absent"), expect=7).stderr
    assert "the image has no converter /opt/converter.py; migration.converter says where it is" in told


def test_a_plain_docker_build_gives_the_same_files(built: Any, project: TinyProject) -> None:
    context = project.machine.home.parent / "plain"
    project.machine.run("render", "--recipe", project.full("image"), "--output", str(context))
    plain = of_plain_build(context, f"portside-test/image-mode:{os.getpid()}")
    assert differences(of_build(project.machine.home, built), plain) == []


def test_another_patch_does_not_run_the_converter_again(built: Any, project: TinyProject) -> None:
    name = project.full("image")
    path = project.machine.checkout / "recipes" / f"{name}.yaml"
    text = path.read_text()
    path.write_text(text.replace("import sys", "import re"))
    try:
        parts = project.machine.json("plan", "--recipe", name)["layers"][2]["parts"]
    finally:
        path.write_text(text)
    assert [(part["name"], part["state"]) for part in parts] == [
        ("converted", "cached"),
        ("trees", "build"),
        ("install", "build"),
        ("files", "cached"),
    ]
