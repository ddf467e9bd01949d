"""Series of commits in one file, and new files of diff tools that have no word for them."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from patching import contents, steps, tree_of

from portside.common.tree import Tree
from portside.errors import MigrationError, RecipeError
from portside.patches.apply import Patched, apply
from portside.patches.unified import parse_diff
from portside.patches.workspace import SourceFolders

BEFORE = {"m/a.txt": "".join(f"{n}\n" for n in range(1, 41)), "m/b.py": "x = 1\n", "m/c/d": "d\n" + "same\n" * 9}


def run_steps(files: dict[str, str], text: str, recipe: dict[str, str], unpatched: Sequence[str] = ()) -> Patched:
    folders = SourceFolders({name: f"{name}_mlu" for name in unpatched})
    return apply(tree_of({**files}), steps(text), tree_of({**recipe}), sources=folders)


def files_of(tree: Tree) -> dict[str, str]:
    return {path: data.decode() for path, data in contents(tree).items()}


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    folder = tmp_path / "r"
    (folder / "c").mkdir(parents=True)
    run(folder, "init", "-q", "-b", "main")
    for path, text in BEFORE.items():
        (folder / path.removeprefix("m/")).write_text(text)
    save(folder, "before")
    return folder


def run(folder: Path, *arguments: str) -> str:
    who = {f"GIT_{who}_{key}": "a@example.org" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
    ).stdout


def save(folder: Path, message: str) -> None:
    run(folder, "add", "--all")
    run(folder, "commit", "-q", "-m", message)


def edit(folder: Path, path: str, old: str, new: str) -> None:
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1))


MESSAGE = """second

- a list in the message
+ of two kinds
-- a signature that is none
 an indented line
@@ -1 +1 @@
@@ which is no hunk
"""


def series(folder: Path) -> str:
    """Four commits: each file several times, one renamed, one new, a step that does not compile and is mended."""
    edit(folder, "a.txt", "5\n", "five\nand a half\n")
    edit(folder, "b.py", "x = 1", "x = (")
    save(folder, "first")
    edit(folder, "a.txt", "five\n", "FIVE\n")
    edit(folder, "a.txt", "30\n", "")
    edit(folder, "b.py", "x = (", "x = (2)")
    save(folder, MESSAGE)
    run(folder, "mv", "c/d", "c/e")
    edit(folder, "c/e", "d", "e")
    (folder / "new.py").write_text("n = 1\n")
    save(folder, "third")
    edit(folder, "new.py", "1", "2")
    (folder / "c/e").unlink()
    save(folder, "fourth")
    return run(folder, "format-patch", "--stdout", "HEAD~4")


def test_a_series_is_applied_commit_by_commit(upstream: Path) -> None:
    text = series(upstream)
    assert text.count("\nFrom ") == 3
    done = run_steps(BEFORE, "[{diff: s.patch, folder: m, count: 9}]", {"s.patch": text})
    after = files_of(done.tree)
    expected = {f"m/{path}": (upstream / path).read_text() for path in ("a.txt", "b.py", "new.py")}
    assert after == expected
    # Where each change stands in the end, whatever commits came behind it.
    lines = after["m/a.txt"].split("\n")
    placed = [(change.path, change.new_line) for change in done.changes if change.path == "m/a.txt"]
    assert [lines[line - 1] for _, line in placed] == ["FIVE", "FIVE", "31"]
    assert done.lines.follow("m/a.txt", 40) == lines.index("40") + 1


def test_crlf_and_a_custom_signature_are_no_matter(upstream: Path) -> None:
    series(upstream)
    text = run(upstream, "format-patch", "--stdout", "--signature=x -- y", "HEAD~4")
    done = run_steps(BEFORE, "[{diff: s.patch, folder: m, count: 9}]", {"s.patch": text})
    assert files_of(done.tree)["m/new.py"] == "n = 2\n"


def test_a_series_counts_and_compiles_as_a_whole(upstream: Path) -> None:
    text = series(upstream)
    with pytest.raises(MigrationError, match="must change 8 places, but 9 are there"):
        run_steps(BEFORE, "[{diff: s.patch, folder: m, count: 8}]", {"s.patch": text})
    first = run(upstream, "format-patch", "--stdout", "HEAD~4..HEAD~3")
    with pytest.raises(MigrationError, match="does not compile"):
        run_steps(BEFORE, "[{diff: s.patch, folder: m, count: 2}]", {"s.patch": first})
    last = run(upstream, "format-patch", "--stdout", "HEAD~1")
    with pytest.raises(MigrationError, match=r"no file matches 'm/(c/e|new\.py)'"):
        run_steps(BEFORE, "[{diff: s.patch, folder: m, count: 2}]", {"s.patch": last})


def test_a_hunk_that_is_too_long_is_still_told(upstream: Path) -> None:
    text = series(upstream).replace("@@ -2,7 +2,8 @@", "@@ -2,6 +2,7 @@", 1)
    with pytest.raises(RecipeError, match="the hunk before has more lines"):
        parse_diff(text.encode(), "s.patch", 1)


def test_twice_in_one_commit_is_an_error() -> None:
    one = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    with pytest.raises(RecipeError, match="changes x a second time"):
        parse_diff((one + one).encode(), "d", 1)


HUNK = "@@ -0,0 +1,2 @@\n+one\n+two\n"
LINE = "=" * 67
NEW = {
    "diff -uN": "diff -ruN a b\n--- a/m/n\t1970-01-01 00:00:00.000000000 +0000\n+++ b/m/n\t2024-02-03 04:05:06 +0000\n",
    "diff -uN west": "--- a/m/n\t1969-12-31 19:00:00.000000000 -0500\n+++ b/m/n\t2024-02-03 04:05:06.7 -0500\n",
    "svn": f"Index: trunk/m/n\n{LINE}\n--- trunk/m/n\t(nonexistent)\n+++ trunk/m/n\t(revision 2)\n",
    "old svn": f"Index: trunk/m/n\n{LINE}\n--- trunk/m/n\t(revision 0)\n+++ trunk/m/n\t(revision 2)\n",
    "hg": "diff -r 012 m/n\n--- /dev/null\tThu Jan 01 00:00:00 1970 +0000\n+++ b/m/n\tFri Feb 02 04:05:06 2024 +0000\n",
    "no times": "--- a/m/n\n+++ b/m/n\n",
}
PROPERTIES = "\nProperty changes on: trunk/m/n\n" + "_" * 67 + "\nAdded: svn:eol-style\n## -0,0 +1 ##\n+native\n"


@pytest.mark.parametrize("tool", NEW)
def test_a_new_file_of_any_tool(tool: str) -> None:
    tail = PROPERTIES + "\\ No newline at end of property\n" if "svn" in tool else ""
    done = run_steps(BEFORE, "[{diff: d, count: 1}]", {"d": NEW[tool] + HUNK + tail})
    assert files_of(done.tree)["m/n"] == "one\ntwo\n"
    assert "new file" in done.changes[0].note
    # An empty file of that name takes the lines, one that has some does not.
    if tool != "hg":
        done = run_steps({**BEFORE, "m/n": ""}, "[{diff: d, count: 1}]", {"d": NEW[tool] + HUNK})
        assert files_of(done.tree)["m/n"] == "one\ntwo\n"
    with pytest.raises(MigrationError):
        run_steps({**BEFORE, "m/n": "more\n"}, "[{diff: d, count: 1}]", {"d": NEW[tool] + HUNK})


def test_a_file_that_is_gone_afterwards() -> None:
    gone = "--- a/m/b.py\t2024-01-01 00:00:00.0 +0000\n+++ b/m/b.py\t1970-01-01 00:00:00.000000000 +0000\n"
    done = run_steps(BEFORE, "[{diff: d, count: 1}]", {"d": gone + "@@ -1 +0,0 @@\n-x = 1\n"})
    assert "m/b.py" not in files_of(done.tree)
    # All files of a reproducible archive have that time.
    done = run_steps(BEFORE, "[{diff: d, count: 1}]", {"d": gone + "@@ -1 +1 @@\n-x = 1\n+x = 2\n"})
    assert files_of(done.tree)["m/b.py"] == "x = 2\n"


def test_a_change_of_what_is_not_there_is_no_new_file() -> None:
    with pytest.raises(MigrationError, match="no file matches 'm/n'"):
        run_steps(BEFORE, "[{diff: d, count: 1}]", {"d": NEW["diff -uN"] + "@@ -1 +1 @@\n-a\n+b\n"})


@pytest.mark.parametrize(
    "step",
    [
        "{delete: src/a.txt, count: 1}",
        "{delete: 'src/**', count: 1}",
        "{copy: f, to: src/a.txt, overwrite: true}",
        "{replace: a, with: b, files: src/a.txt, count: 1}",
        "{diff: d, folder: src, count: 1}",
    ],
)
def test_what_is_in_a_source_beside_is_told_so(step: str) -> None:
    files = {"f": "x", "d": "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n"}
    with pytest.raises(MigrationError, match="it is in a source that is not patched: src stays as it is"):
        run_steps(BEFORE, f"[{step}]", files, unpatched=["src"])
    with pytest.raises(MigrationError) as caught:
        run_steps(BEFORE, f"[{step}]", files, unpatched=["other"])
    assert "not patched" not in str(caught.value)


def test_no_step_puts_a_new_file_into_a_source_that_stays_as_it_is() -> None:
    for step in ("{copy: f, to: src/new.txt}", "{diff: d, folder: src, count: 1}"):
        files = {"f": "x", "d": "--- /dev/null\n+++ b/new.txt\n@@ -0,0 +1 @@\n+b\n"}
        with pytest.raises(MigrationError, match="not patched: src stays as it is, what is patched is src_mlu"):
            run_steps(BEFORE, f"[{step}]", files, unpatched=["src"])
        assert "src/new.txt" in files_of(run_steps(BEFORE, f"[{step}]", files).tree)
