"""Upstream moves: each patch step stays, gets another count, becomes a diff, goes, or its conflict is shown."""

from pathlib import Path

import pytest
import yaml
from working import Working

from portside.capture.rebase import Rebased, rebase, shown_conflict
from portside.errors import LockError

OLD = "".join(f"line {number}\n" for number in range(30)) + "torch.concat(a)\n"
STEPS = """\
patches:
  # stays
  - {name: stays, set-line: line 3, to: line three, files: m_mlu/a.txt, count: 1}
  - name: counted
    replace: "torch.concat("
    with: "torch.cat("
    files: m_mlu/a.txt
    count: 1   # so many
  - {name: moved, diff: moved.patch, count: 1}
  - {name: done upstream, set-line: line 20, to: line twenty, files: m_mlu/a.txt, count: 1}
  - {name: the demo, copy: demo.txt, to: m_mlu/demo.txt, overwrite: true}
  - {name: fewer, delete: "m_mlu/docs/*", count: 2}
"""
MOVED = """\
--- a/m_mlu/a.txt
+++ b/m_mlu/a.txt
@@ -10,5 +10,5 @@
 line 9
 line 10
-line 11
+line eleven
 line 12
 line 13
"""
DEMO = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n"


@pytest.fixture
def made(tmp_path: Path) -> Working:
    made = Working(tmp_path / "p", STEPS)
    made.source("m", **{"a.txt": OLD, "demo.txt": DEMO, "docs/a": "a\n", "docs/b": "b\n"})
    made.source("other", **{"o.py": "o = 1\n"})
    Working.write(made.root / "recipes/r", {"moved.patch": MOVED, "demo.txt": DEMO.replace("six", "SIX")})
    made.plan()
    made.recipe.with_suffix(".lock").rename(made.root / "old.lock")
    return made


def moves(made: Working, **files: str) -> list[Rebased]:
    made.source("m", **files)
    made.plan()
    return rebase(made.project, "r", made.root / "old.lock")


def test_every_step_follows(made: Working) -> None:
    text = OLD.replace("line 20\n", "line twenty\n").replace("line 9\n", "line nine\n") + "torch.concat(b)\n"
    (made.root / "m/docs/b").unlink()
    done = moves(made, **{"a.txt": "first\n" + text, "demo.txt": DEMO.replace("one", "ONE")})
    assert [one.what for one in done] == ["stays", "count", "diff", "goes", "copy", "count"]
    rows = yaml.safe_load(made.recipe.read_text())["patches"]
    assert [row["name"] for row in rows] == ["stays", "counted", "moved", "the demo", "fewer"]
    assert "    count: 2   # so many\n" in made.recipe.read_text() and rows[-1]["count"] == 1
    code = made.code()["m_mlu/a.txt"].decode()
    wanted = text.replace("line 3\n", "line three\n").replace("line 11\n", "line eleven\n").replace("concat", "cat")
    assert code == "first\n" + wanted
    assert made.code()["m_mlu/demo.txt"].decode() == DEMO.replace("one", "ONE").replace("six", "SIX")
    assert [one.what for one in rebase(made.project, "r", made.root / "old.lock")] == ["stays"] * 5


def test_a_conflict_is_shown_and_the_steps_before_it_are_written(made: Working) -> None:
    text = OLD.replace("line 11\n", "line 11, upstream\n") + "torch.concat(b)\n"
    done = moves(made, **{"a.txt": text})
    assert [one.what for one in done] == ["stays", "count", "conflict"]
    shown = "\n".join(shown_conflict(done[-1]))
    assert "m_mlu/a.txt" in shown and "line 11, upstream" in shown and "line eleven" in shown and "line 25" not in shown
    rows = yaml.safe_load(made.recipe.read_text())["patches"]
    assert (rows[1]["count"], rows[2]) == (2, {"name": "moved", "diff": "moved.patch", "count": 1})
    corrected = MOVED.replace("-line 11\n", "-line 11, upstream\n")
    (made.root / "recipes/r/moved.patch").write_text(corrected)
    assert [one.what for one in rebase(made.project, "r", made.root / "old.lock")] == ["stays"] * 6
    assert b"line eleven\n" in made.code()["m_mlu/a.txt"]


def test_nothing_has_moved(made: Working) -> None:
    made.plan()
    with pytest.raises(LockError, match="no lock of 'r' with other sources"):
        rebase(made.project, "r")
