"""What was edited in a working folder becomes lines of the recipe, which then gives that folder's code."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from working import Working, git, lying

from portside.common.tree import file_entry
from portside.errors import MigrationError, RecipeError

MAIN = "import torch\n\n\ndef one():\n    return torch.zeros(1).cuda()\n\n\nx = 1\ny = 2\nprint('one')\n"
MORE = """\
patches:
  # what upstream forgot
  - name: says two
    set-line: print('one')
    to: print('two')
    files: m_mlu/main.py
    count: 1   # of one

files:
  - {from: run.sh, to: run.sh}

install: ["true"]
"""


@pytest.fixture
def made(tmp_path: Path) -> Working:
    made = Working(tmp_path / "p", MORE, installed=[file_entry("m_mlu/m.egg-info", b"installed\n")])
    made.source("m", **{"main.py": MAIN, "lib/a.py": "a = 1\n", "lib/b.py": "b = 2\n", "x.bin": bytes(range(256))})
    made.source("other", **{"o.py": "o = 1\n", ".gitattributes": "* text=auto eol=crlf\n*.py filter=lfs\n"})
    Working.write(tmp_path / "p/recipes/r", {"run.sh": "echo run\n"})
    return made


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def steps(made: Working) -> list[dict[str, object]]:
    found: list[dict[str, object]] = yaml.safe_load(made.recipe.read_text())["patches"]
    return found[1:]


def test_the_first_commit_is_the_code_as_it_is(made: Working) -> None:
    work = made.lay_out()
    assert git(work, "status", "--short") == ""
    assert lying(work) == made.code() | {"m_mlu/m.egg-info": b"installed\n"}
    assert not (work.path / "m/main.py").exists() and (work.path / "m").is_dir()
    assert "print('two')" in (work.path / "m_mlu/main.py").read_text()


def test_each_commit_is_a_patch_with_its_message(made: Working) -> None:
    work = made.lay_out()
    before = made.recipe.read_text()
    main = work.path / "m_mlu/main.py"
    edit(main, "x = 1", "x = 10")
    git(work, "commit", "-qam", "Ten\n\nbecause one was too few\ndiff --git a/x b/x\n")
    edit(main, "y = 2", "y = 20")
    (work.path / "m_mlu/lib/b.py").unlink()
    Working.write(work.path, {"m_mlu/lib/c.py": "c = 3\n", "tools/t.sh": "t\n", "other/o.py": "o = 2\n"})
    (work.path / "tools/t.sh").chmod(0o755)
    captured = made.capture()
    assert steps(made) == [
        {"name": "Ten", "diff": "0001-ten.patch", "count": 1},
        {
            "name": "what was edited in main.py, o.py",
            "diff": "0002-what-was-edited-in-main-py-o-py.patch",
            "count": 2,
        },
        {"delete": "m_mlu/lib/b.py", "count": 1},
        {"copy": "m_mlu/lib/c.py", "to": "m_mlu/lib/c.py"},
    ]
    assert "because one was too few" in (made.root / "recipes/r/0001-ten.patch").read_text()
    rest = iter(made.recipe.read_text().splitlines())
    assert all(line in rest for line in before.splitlines())
    assert captured.files.keys() >= {"r.yaml", "r/tools/t.sh"}
    assert lying(work) == made.code() | {"m_mlu/m.egg-info": b"installed\n"}
    assert made.capture().nothing


def test_a_dry_run_writes_nothing(made: Working) -> None:
    work = made.lay_out()
    before = {path: path.read_bytes() for path in (made.root / "recipes").rglob("*") if path.is_file()}
    edit(work.path / "m_mlu/main.py", "x = 1", "x = 3")
    assert "+  - name: what was edited in main.py" in made.capture(dry_run=True).diff()
    assert {path: path.read_bytes() for path in (made.root / "recipes").rglob("*") if path.is_file()} == before
    assert not made.capture().nothing


def test_captures_go_on_from_each_other(made: Working) -> None:
    work = made.lay_out()
    for number in range(3):
        edit(work.path / "m_mlu/main.py", f"x = {number + 1}\n", f"x = {number + 2}\n")
        made.capture()
        if number == 1:
            git(work, "commit", "-qam", "what was captured")
    assert [step["count"] for step in steps(made)] == [1, 1, 1]
    assert lying(work) == made.code() | {"m_mlu/m.egg-info": b"installed\n"}


def test_a_person_may_stage_stash_and_rewrite(made: Working) -> None:
    work = made.lay_out()
    edit(work.path / "m_mlu/main.py", "x = 1", "x = 5")
    git(work, "commit", "-qam", "five")
    git(work, "commit", "-q", "--amend", "-m", "Five of them")
    Working.write(work.path, {".gitignore": "*.log\n", "kept.log": "k\n", "left.log": "l\n"})
    git(work, "add", "--force", "kept.log")
    edit(work.path / "m_mlu/main.py", "y = 2", "y = 5")
    captured = made.capture()
    assert steps(made)[0]["name"] == "Five of them"
    assert "r/kept.log" in captured.files and "r/left.log" not in captured.files
    assert any("left.log" in note for note in captured.notes)
    assert git(work, "diff", "--cached", "--name-only") == "kept.log\n"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("m_mlu/m.egg-info", "an install step writes it"),
        ("migration/report.md", "Portside writes it"),
        ("m_mlu/link", "a recipe puts no links there"),
    ],
)
def test_what_cannot_be_said_is_named_and_nothing_is_written(made: Working, path: str, why: str) -> None:
    work = made.lay_out()
    before = made.recipe.read_text()
    if path.endswith("link"):
        (work.path / path).symlink_to("main.py")
    else:
        (work.path / path).write_text("edited\n")
    edit(work.path / "m_mlu/main.py", "x = 1", "x = 7")
    with pytest.raises(RecipeError, match=f"{path}: {why}"):
        made.capture()
    assert made.recipe.read_text() == before
    assert made.capture(leave_out=True).left_out.keys() == {path}
    assert len(steps(made)) == 1
    with pytest.raises(RecipeError, match=path):
        made.capture()  # it is still there, and still named


def test_repositories_inside_and_large_files_are_named(made: Working) -> None:
    work = made.lay_out()
    git(work, "init", "--quiet", "m_mlu/inside")
    with pytest.raises(RecipeError, match=r"repository inside[\s\S]*m_mlu/inside"):
        made.capture()
    shutil.rmtree(work.path / "m_mlu/inside")
    with (work.path / "model.bin").open("wb") as stream:
        stream.truncate(33 << 20)
    with pytest.raises(RecipeError, match=r"larger than 32 MiB[\s\S]*model.bin"):
        made.capture()


def test_code_that_does_not_compile_is_refused_as_a_build_would(made: Working) -> None:
    work = made.lay_out()
    edit(work.path / "m_mlu/main.py", "x = 1", "x = (")
    with pytest.raises(MigrationError, match=r"does not compile\s+m_mlu/main\.py:"):
        made.capture()
    git(work, "commit", "-qam", "half of it")
    edit(work.path / "m_mlu/main.py", "x = (", "x = (1)")
    git(work, "commit", "-qam", "the other half")
    Working.write(work.path, {"m_mlu/py2.py": "print 'two'\n"})
    captured = made.capture()
    [step] = steps(made)
    assert step["name"] == "half of it" and step["count"] == 2
    assert "the other half" in (made.root / "recipes/r" / str(step["diff"])).read_text()
    assert "r/m_mlu/py2.py" in captured.files
    assert lying(work) == made.code() | {"m_mlu/m.egg-info": b"installed\n"}


def test_the_recipe_has_moved_on(made: Working) -> None:
    made.lay_out()
    edit(made.recipe, "to: print('two')", "to: print('three')")
    with pytest.raises(RecipeError, match="has changed since"):
        made.capture()


def test_of_a_chain_only_the_topmost_is_written(made: Working) -> None:
    upper = made.root / "recipes/upper.yaml"
    upper.write_text("description: upper\nextends: r\n")
    work = made.lay_out("upper")
    edit(work.path / "m_mlu/main.py", "print('two')", "print('four')")
    (work.path / "run.sh").write_text("echo upper\n")
    (work.path / "run.sh").chmod(0o755)
    lower = made.recipe.read_text()
    from portside.capture import capture

    capture(made.project, "upper")
    assert made.recipe.read_text() == lower
    assert (made.root / "recipes/r/run.sh").read_text() == "echo run\n"
    assert yaml.safe_load(upper.read_text())["files"] == [{"from": "run.sh", "to": "run.sh", "mode": "0755"}]
    assert lying(work) == made.code("upper") | {"m_mlu/m.egg-info": b"installed\n"}
    (work.path / "run.sh").unlink()
    capture(made.project, "upper")
    assert lying(work) == made.code("upper") | {"m_mlu/m.egg-info": b"installed\n"}


def test_a_person_has_settings_of_their_own(made: Working, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[diff]\n\tnoprefix = true\n\tmnemonicPrefix = true\n[core]\n\tautocrlf = true\n\texcludesFile = ~/ignored\n"
        "[commit]\n\tgpgSign = true\n"
    )
    (home / "ignored").write_text("*.py\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    work = made.lay_out()
    Working.write(work.path, {"m_mlu/new.py": "n = 1\n", "m_mlu/dos.txt": "a\r\nb\r\n"})
    edit(work.path / "m_mlu/main.py", "x = 1", "x = 9")
    monkeypatch.delenv("GIT_DIR")
    made.capture()
    assert lying(work) == made.code() | {"m_mlu/m.egg-info": b"installed\n"}
    assert os.environ["HOME"] == str(home)
