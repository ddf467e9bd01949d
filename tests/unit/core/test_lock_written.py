"""Years later: a lock says which Portside wrote it, and one that would give another image ID says so."""

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from portside.common.values import Size
from portside.common.version import __version__
from portside.errors import LockError
from portside.image.config import make_image
from portside.lock.file import check_lock, fits, read_lock, write_lock
from portside.lock.models import Lock
from portside.lock.written import writer
from portside.plan.parts import plan
from portside.prepare import locked_plan
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.store.layout import Blob

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    shutil.copytree(ROOT / "recipes", tmp_path / "recipes")
    return Project(tmp_path)


def lock_of(project: Project, name: str = "chatglm") -> Lock:
    found = read_lock(project.recipe(name).lock_path)
    assert found is not None
    return found


def noted(project: Project, name: str = "chatglm", **note: object) -> Path:
    """The lock as another Portside wrote it."""
    path = project.recipe(name).lock_path
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "written_by": {**writer().model_dump(), "portside": "7.0", **note}}))
    return path


SMALL = """\
description: small
base: {archive: {file: base.tar, origin: x, sha256: %s, size: 5}}
accelerator: {name: cpu}
env: {python: {version: '3.11', requirements: [inner>=1]}}
"""


def wheel(folder: Path, version: str) -> None:
    with zipfile.ZipFile(folder / f"inner-{version}-py3-none-any.whl", "w") as out:
        info = f"inner-{version}.dist-info"
        out.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: inner\nVersion: {version}\n")
        out.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        out.writestr(f"{info}/RECORD", "")


@pytest.fixture
def small(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """`small` is locked from a local folder, which has a newer package since then."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    links = tmp_path / "links"
    links.mkdir()
    for name, value in {"CONFIG_FILE": os.devnull, "NO_INDEX": "1", "FIND_LINKS": str(links)}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    (tmp_path / "recipes" / "small.yaml").write_text(SMALL % ("a" * 64))
    wheel(links, "1.0")
    lock_recipe(project, project.recipe("small"))
    wheel(links, "2.0")
    return project


OTHERS: list[dict[str, object]] = [{"layer_format": "canonical layer 9"}, {"image_format": 9}]


def test_what_is_written_is_noted_and_enters_no_key(project: Project) -> None:
    recipe, before = project.recipe("chatglm"), lock_of(project)
    write_lock(recipe, before)
    after = lock_of(project)
    assert after.written_by == writer()
    assert after.model_copy(update={"written_by": before.written_by}) == before
    assert [part.key for part in plan(recipe, after).stack()] == [part.key for part in plan(recipe, before).stack()]


def test_a_lock_that_is_else_the_same_is_not_written(small: Project) -> None:
    for path in (small.recipe("small").lock_path, noted(small, "small")):
        before = path.read_bytes()
        old, new = lock_recipe(small, small.recipe("small"))
        assert old == new
        assert path.read_bytes() == before


def test_another_version_that_makes_the_same_is_no_matter(project: Project) -> None:
    noted(project)
    check_lock(project.recipe("chatglm"), lock_of(project))


@pytest.mark.parametrize("note", OTHERS)
def test_another_image_is_said_and_which_version_makes_this_one(project: Project, note: dict[str, object]) -> None:
    path = noted(project, **note)
    assert not fits(project.recipe("chatglm"), lock_of(project))
    with pytest.raises(LockError) as caught:
        locked_plan(project, project.recipe("chatglm"))
    assert f"{path} was written by Portside 7.0" in caught.value.problem
    assert f"Portside {__version__}, which this is" in caught.value.problem
    assert str(next(iter(note.values()))) in caught.value.problem
    assert "invoke lock --recipe chatglm" in str(caught.value.solution)


def test_a_lock_without_a_note_has_the_formats_of_then(project: Project) -> None:
    path = project.recipe("minilm").lock_path
    value = json.loads(path.read_text())
    del value["written_by"]
    path.write_text(json.dumps(value))
    with pytest.raises(LockError, match="a Portside that noted no version"):
        locked_plan(project, project.recipe("minilm"))


def test_a_state_of_the_same_version_is_not_taken_for_this_one(project: Project) -> None:
    """Between two releases the formats change under one version, which cannot be the one to use then."""
    noted(project, portside=__version__, image_format=1)
    with pytest.raises(LockError) as caught:
        locked_plan(project, project.recipe("chatglm"))
    assert f"by an earlier or later state of Portside {__version__}, whose images" in caught.value.problem
    assert f"For the same image use an earlier or later state of Portside {__version__}." in str(caught.value.solution)


@pytest.mark.parametrize("note", OTHERS)
def test_lock_takes_the_new_image_with_the_same_inputs(small: Project, note: dict[str, object]) -> None:
    noted(small, "small", **note)
    old, new = lock_recipe(small, small.recipe("small"))
    assert old is not None
    assert new == lock_of(small, "small") == old.model_copy(update={"written_by": writer()})
    assert new.env.python is not None
    assert [wheel.version for wheel in new.env.python.wheels] == ["1.0"]
    locked_plan(small, small.recipe("small"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 3}, r"has the form 3, this Portside reads form 2 \(it was written by Portside 7.0, this is"),
        ({"signature": "x"}, r"is not a lock \(it was written by Portside 7.0, this is"),
    ],
)
def test_a_newer_form_names_who_reads_it(project: Project, change: dict[str, object], said: str) -> None:
    path = noted(project)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(LockError, match=said):
        read_lock(path)


def test_a_config_that_changes_changes_the_image_format(project: Project) -> None:
    """The image config of the committed minilm with blobs of our own: an edit of what it consists of shows here."""
    made = locked_plan(project, project.recipe("minilm"))
    blobs = {part.key: Blob(part.key, Size(1)) for part in made.stack()}
    assert make_image(made, "weights", blobs).image_id == IMAGE_OF_FORMAT_3, "raise IMAGE_FORMAT with it"


IMAGE_OF_FORMAT_3 = "4c56bf9f7887a0c263bd5e495f61d2def903c913e1ab2f12e8bbfd996f086168"
