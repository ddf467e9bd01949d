"""A card that Portside has never heard of, added by one file of a project, as docs/accelerators.md shows it."""

import re
import shlex
import textwrap
from pathlib import Path

import calls
import pytest

from portside.begin import make_project

PAGE = (Path(__file__).parents[3] / "docs" / "accelerators.md").read_text(encoding="utf-8")
SHOWN = [textwrap.dedent(text) for text in re.findall(r"\n\n((?:    .*\n)+)", PAGE) if "name: mycard" in text]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    make_project(root, "minilm")
    (root / "accelerators").mkdir()
    recipe = root / "recipes" / "minilm.yaml"
    text = re.sub(
        r"^accelerator:(?:\n  .*| .+)$", "accelerator: {name: mycard}", recipe.read_text(), flags=re.MULTILINE
    )
    recipe.write_text(text)
    return root


def test_the_page_shows_the_least_and_a_whole_file() -> None:
    assert len(SHOWN) == 2


@pytest.mark.parametrize("text", SHOWN, ids=["the least", "whole"])
def test_what_the_page_shows_is_all_that_is_needed(root: Path, tmp_path: Path, text: str) -> None:
    (root / "accelerators" / "mycard.yaml").write_text(text)
    environment = {"PORTSIDE_HOME": str(tmp_path / "home"), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    host = ["--recipe", "minilm", "--host", "like:8xmycard"]
    doctor = calls.call(root, ["-r", str(root), "doctor", *host], environment, "invoke")
    assert "8 mycard card(s): 0, 1, 2, 3, 4, 5, 6, 7" in doctor.stdout, doctor.stderr
    options = ["--devices", "4,5", "--command", "true", "--dry-run"]
    done = calls.call(root, ["-r", str(root), "run-container", *host, *options], environment, "invoke")
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout)
    assert {"/dev/mycard4:/dev/mycard4:rw", "/dev/mycard5:/dev/mycard5:rw"} < set(words)
    assert "/dev/mycard0:/dev/mycard0:rw" not in words
    assert ("MYCARD_VISIBLE_DEVICES=0,1" in words) is ("MYCARD_VISIBLE_DEVICES" in text)
