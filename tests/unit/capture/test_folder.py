"""A working folder is laid out whole or not at all, follows its recipe, and loses no edit."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from working import Working, git, lying

from portside.develop.code import code_key, code_of
from portside.develop.follow import follow, start_over
from portside.develop.repository import WorkRepository
from portside.develop.session import Wanted, develop
from portside.develop.source_side import SourceSide
from portside.develop.work_folder import WorkFolder, find_folder
from portside.errors import RecipeError

MAIN = "import torch\n\n\ndef one():\n    return torch.zeros(1).cuda()\n\n\nx = 1\n\n\n\ny = 2\n\n\nlast = 3\n"
MORE = "patches:\n  - {name: p, set-line: last = 3, to: last = 4, files: m_mlu/main.py, count: 1}\n"


@pytest.fixture
def made(tmp_path: Path) -> Working:
    made = Working(tmp_path / "p", MORE)
    made.source("m", **{"main.py": MAIN, "other.py": "o = torch.cuda\n"})
    made.source("other", **{"o.py": "o = 1\n"})
    return made


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def brought(made: Working, work: WorkFolder, *, over: bool = False) -> None:
    plan = made.plan()
    with code_of(plan, made.project.store, made.installed) as code:
        (start_over if over else follow)(work, plan.recipe, code, made.installed, code_key(plan), False)


def test_a_folder_follows_its_recipe_beside_a_persons_edits(made: Working) -> None:
    work = made.lay_out()
    edit(work.path / "m_mlu/main.py", "x = 1", "x = 10")
    (work.path / "mine.txt").write_text("mine\n")
    edit(made.recipe, "to: last = 4", "to: last = 5")
    made.source("other", **{"new.py": "n = 1\n"})
    brought(made, work)
    text = (work.path / "m_mlu/main.py").read_text()
    assert "x = 10\n" in text and "last = 5\n" in text
    assert (work.path / "other/new.py").read_text() == "n = 1\n"
    made.capture()
    assert lying(work) == made.code()


def test_both_changed_the_same_lines(made: Working) -> None:
    work = made.lay_out()
    edit(work.path / "m_mlu/main.py", "last = 4", "last = 40")
    edit(made.recipe, "to: last = 4", "to: last = 5")
    made.source("other", **{"o.py": "o = 2\n"})
    before = lying(work)
    with pytest.raises(RecipeError, match=r"at the same lines:\s+m_mlu/main\.py"):
        brought(made, work)
    assert lying(work) == before
    brought(made, work, over=True)
    assert lying(work) == made.code()
    ref = git(work, "for-each-ref", "--format=%(refname)", "refs/portside/before").strip()
    assert "last = 40" in git(work, "show", f"{ref}:m_mlu/main.py")
    assert git(work, "status", "--short") == ""


def test_what_is_saved_in_a_source_is_migrated(made: Working) -> None:
    work = made.lay_out(sources=True)
    side = SourceSide(work, made.project.recipe("r"))
    edit(work.path / "m_mlu/main.py", "y = 2", "y = 20")
    edit(work.path / "m/main.py", "x = 1", "x = torch.ones(1).cuda()")
    assert side.saved(["m/main.py"]) == ["m_mlu/main.py"]
    text = (work.path / "m_mlu/main.py").read_text()
    assert "x = torch.ones(1).mlu()\n" in text and "y = 20\n" in text and "last = 4\n" in text
    (work.path / "m/added.py").write_text("a = torch.zeros(1).cuda()\n")
    assert side.saved(["m/added.py", "m_mlu/main.py"]) == ["m_mlu/added.py"]
    (work.path / "m/other.py").unlink()
    assert side.saved(["m/other.py"]) == ["m_mlu/other.py"] and not (work.path / "m_mlu/other.py").exists()
    edit(work.path / "m/main.py", "last = 3", "last = 30")
    assert side.saved(["m/main.py"]) == [], "the recipe's patch is of that line"
    edit(work.path / "m/main.py", "last = 30", "last = 3")
    side.saved(["m/main.py"])
    captured = made.capture()
    assert any("the source stays as upstream has it" in note for note in captured.notes)
    given = made.code()
    assert {path: data for path, data in lying(work).items() if path[:2] != "m/"} == given


def test_killed_while_it_is_laid_out(made: Working) -> None:
    for number in range(100):
        child = os.fork()
        if not child:
            try:
                _end_at_call(number)
                made.lay_out()
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        work = find_folder(made.root, "r", None)
        if not os.WIFSIGNALED(status):
            break
        assert not work.path.exists()
    assert status == 0 and number > 5
    assert lying(work) == made.code()
    assert [path.name for path in work.path.parent.iterdir()] == ["r"], "what killed calls left is removed"


def _end_at_call(left: int) -> None:
    """End this process, as kill -9 does, before it calls git for that many times."""
    before = WorkRepository.git

    def git_or_end(self: WorkRepository, *arguments: str, **named: Any) -> bytes:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return before(self, *arguments, **named)

    WorkRepository.git = git_or_end  # type: ignore[method-assign]


def test_a_folder_of_something_else_is_left_alone(made: Working, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x\n")
    with pytest.raises(RecipeError, match="not empty, and no working folder"):
        find_folder(made.root, "r", str(tmp_path / "full"))
    work = made.lay_out()
    with pytest.raises(RecipeError, match="the working folder of 'r'"):
        find_folder(made.root, "q", str(work.path))
    with work.locked(), pytest.raises(RecipeError, match="just being read or written"):
        made.capture()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(watched="go", command="x"), "--watch runs its target's command"),
        (Wanted(watched="go"), "no target 'go'"),
        (Wanted(command="true"), "on another machine"),
        (Wanted(network="a b", command="x"), "not a network"),
    ],
)
def test_refused_before_any_work(made: Working, wanted: Wanted, said: str) -> None:
    class Remote:
        name = "docker"

        def free_bytes(self) -> None:
            return None

    with pytest.raises(Exception, match=said):
        develop(made.project, "r", wanted, lambda: Remote())  # type: ignore[arg-type, return-value]
    assert not (made.root / "work").exists()


def test_image_mode_has_no_source_side(made: Working) -> None:
    edit(made.recipe, "{ruleset: mlu, sources: [m]}", "{ruleset: mlu, mode: image, sources: [m]}")
    with pytest.raises(RecipeError, match="no source side to edit: in image mode"):
        develop(made.project, "r", Wanted(sources=True, layout_only=True), lambda: None)  # type: ignore[arg-type, return-value]
