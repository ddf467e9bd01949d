"""What was installed in a container beyond its image, as lines of `env`."""

import subprocess
import sys
from pathlib import Path

from portside.capture.env_lines import write_packages
from portside.capture.installed import _PYTHON, _SCRIPT, NewPackages, PackageListing, beyond, read_listing
from portside.capture.splice import RecipeText
from portside.recipe import load_recipe

IMAGE = PackageListing(
    {"base-files": "12", "libc6": "2.36-9"},
    frozenset({"base-files"}),
    "3.11",
    {"numpy": ("1.26.0", True, None), "pip": ("23.0", False, None)},
)


def test_the_program_says_what_is_there(tmp_path: Path) -> None:
    """It runs with this machine's shell and Python, and with a status of dpkg or without."""
    (tmp_path / "python3").symlink_to(sys.executable)
    done = subprocess.run(
        ["/bin/sh", "-c", _SCRIPT, _PYTHON], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=True
    )
    found = read_listing(done.stdout)
    assert found.python == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found.dists["pytest"][0] and not found.dists["pytest"][0].startswith("0")


def test_what_somebody_asked_for_counts_and_what_came_along_does_not() -> None:
    now = PackageListing(
        {"base-files": "12", "libc6": "2.36-10", "ffmpeg": "5.1-1", "libav": "5.1-1", "python3-yaml": "6.0-3"},
        frozenset({"base-files", "ffmpeg", "python3-yaml"}),
        "3.11",
        {
            "numpy": ("1.26.4", True, None),
            "Some_Tool": ("2.0", True, None),
            "needed": ("1.0", False, None),
            "mine": ("0.1", True, "file:///src/mine"),
            "pip": ("24.0", True, None),
            "YAML": ("6.0", True, None),
        },
    )
    new = beyond(IMAGE, now)
    assert new.debian == ("ffmpeg=5.1-1", "python3-yaml=6.0-3")
    assert new.requirements == ("numpy==1.26.4", "some-tool==2.0")
    assert new.unsaid.keys() == {"mine"}
    assert beyond(IMAGE, IMAGE) == NewPackages(python="3.11")


def test_old_tools_do_not_say_who_asked() -> None:
    now = PackageListing({**IMAGE.debs, "a": "1"}, frozenset(), "3.7", {**IMAGE.dists, "x": ("1", False, None)})
    assert (beyond(IMAGE, now).debian, beyond(IMAGE, now).requirements) == (("a=1",), ("x==1",))


def test_lines_of_the_same_package_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "recipes/r.yaml"
    path.parent.mkdir()
    path.write_text(
        "description: x\nbase: {debian: {suite: bookworm}}\naccelerator: {name: cpu}\nenv:\n"
        "  debian: [ffmpeg]\n  python:\n    version: '3.11'\n    requirements:\n"
        "      - Some_Tool>=1  # why\n      - y\n"
    )
    text = RecipeText(path.read_text(), "r.yaml")
    unsaid = {"mine": "from a folder"}
    new = NewPackages(("ffmpeg=5.1-1", "git=2.39"), ("some-tool==2.0", "z==1"), "3.11", unsaid)
    assert write_packages(new, text, load_recipe(tmp_path, "r")) == unsaid
    assert "  debian: [ffmpeg=5.1-1, git=2.39]\n" in text.text
    assert text.text.endswith("      - some-tool==2.0  # why\n      - y\n      - z==1\n")
    path.write_text(text.text)
    again = RecipeText(text.text, "r.yaml")
    write_packages(new, again, load_recipe(tmp_path, "r"))
    assert again.text == text.text
