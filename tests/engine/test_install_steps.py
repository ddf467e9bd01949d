"""Lines that a recipe may have as install steps, as engines read them: each is what a shell executes, and no more."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
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
