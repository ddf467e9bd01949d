"""Lines that a recipe may have as install steps, as engines read them: each is what a shell executes, and no more."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_project import remove, tiny_project

from portside.layers.engine_layer import read
from portside.layers.raw import TarLayer

LINES = {
    "[ -e code.py ] && echo '[\"x\"]' > a": b'["x"]\n',
    " \t echo two   words `echo back` -- --mount=type=cache,target=/c > b  ": (
        b"two words back -- --mount=type=cache,target=/c\n"
    ),
    "printf '%s %s ü漢' \"$((6 * 7))\\$X\" '$Y \\' > c # --mount=type=cache,target=/c": "42$X $Y \\ ü漢".encode(),
    "echo $LC_ALL $SOURCE_DATE_EPOCH $OTHER > d": b"C.UTF-8 1600000000 mine\n",
    f"# syntax=x, and a long one: {'x' * 50_000}": b"",
}


@pytest.mark.usefixtures("podman_storage")
def test_a_step_is_its_line_in_every_engine(tmp_path: Path) -> None:
    """The variables that a build sets for itself too: engines disagree on whether the image's count more."""
    project = tiny_project(tmp_path)
    variables = {"LC_ALL": "C", "SOURCE_DATE_EPOCH": "5", "OTHER": "mine"}
    first, *others = LINES
    install = ({"run": first, "files": "*.py"}, *others)
    name = project.add("steps", install=install, files={"code.py": b""}, env={"variables": variables})
    home = project.machine.home.with_name("home-of-podman")
    shutil.copytree(project.machine.home, home)
    try:
        built = project.machine.json("build", "--recipe", name, "--engine", "docker")
        assert replace(project.machine, home=home).json("build", "--recipe", name, "--engine", "podman") == built
    finally:
        remove(project)
    blob = built["layers"][2]["diff_ids"][-1].removeprefix("sha256:")
    entries = read(TarLayer(home / "oci" / "blobs" / "sha256" / blob)).entries
    found = {path.rpartition("/")[2]: entry.read() for path, entry in entries.items() if entry.kind == "file"}
    assert found == dict(zip("abcd", LINES.values(), strict=False))


SOCKET = """perl -e 'socket(S,1,1,0) && bind(S,pack("Sa*",1,$ARGV[0])) or die $!' """


@pytest.mark.usefixtures("podman_storage")
def test_a_socket_counts_as_nothing_in_every_engine(tmp_path: Path) -> None:
    """In a layer that is read in place it lies over what it replaced; no tar has it, so there that stays."""
    project = tiny_project(tmp_path)
    project.base_files = {"etc/issue.net": b"Debian\n", "srv/kept/file": b"kept\n"}
    lines = (f"rm /etc/issue.net && {SOCKET} /etc/issue.net", f"rm -r /srv/kept && {SOCKET} /srv/kept && echo 1 > one")
    name = project.add("socket", install=(*lines, f"{SOCKET} /srv/new"))
    home = project.machine.home.with_name("home-of-podman")
    shutil.copytree(project.machine.home, home)
    try:
        built = project.machine.json("build", "--recipe", name, "--engine", "docker")
        assert replace(project.machine, home=home).json("build", "--recipe", name, "--engine", "podman") == built
    finally:
        remove(project)
    blob = built["layers"][2]["diff_ids"][-1].removeprefix("sha256:")
    layer = read(TarLayer(home / "oci" / "blobs" / "sha256" / blob))
    assert layer.whiteouts == set()
    assert {path for path, entry in layer.entries.items() if entry.kind != "dir"} == {f"workspace/{name}/one"}


def test_a_step_in_the_place_of_weights_is_refused(tmp_path: Path) -> None:
    project = tiny_project(tmp_path)
    lines = ("mkdir -p weights/w/model.bin/x",)
    name = project.add("place", install=lines, weights={"model.bin": b"weights\n"})
    try:
        told = project.machine.run("build", "--recipe", name, expect=7).stderr
    finally:
        remove(project)
    assert f"migrated/install has a folder at /workspace/{name}/weights/w/model.bin, where a weight file lies" in told
    assert f"Let the step leave /workspace/{name}/weights alone" in told


def test_a_step_without_its_file_is_told_the_line(tmp_path: Path) -> None:
    """The files of a recipe come after the steps; what the error says, written down, builds."""
    project = tiny_project(tmp_path)
    name = project.add("wants", install=("cat tools/code.py > copy",), files={"tools/code.py": b"1\n"})
    try:
        told = project.machine.run("build", "--recipe", name, expect=7).stderr
        line = '{run: "cat tools/code.py > copy", files: ["tools/code.py"]}'
        assert f"write the step as\n      - {line}" in told
        path = project.machine.checkout / "recipes" / f"{name}.yaml"
        recipe = json.loads(path.read_text())
        path.write_text(json.dumps(recipe | {"install": [yaml.safe_load(line)]}))
        project.machine.run("build", "--recipe", name)
    finally:
        remove(project)
