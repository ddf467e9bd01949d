"""Unified diffs: what is applied where, and what is refused."""

import pytest
from patching import contents, patch

from portside.errors import MigrationError, PortsideError, RecipeError

Files = dict[str, bytes | str]


def lines(*names: str) -> str:
    return "".join(name + "\n" for name in names)


def number(first: int, last: int) -> str:
    return lines(*(f"line {n}" for n in range(first, last + 1)))


HUNK = "@@ -4,3 +4,4 @@\n line 4\n-line 5\n+line V\n+line V and a half\n line 6\n"
DIFF = "--- a/m/a.txt\n+++ b/m/a.txt\n" + HUNK
CHANGED = number(1, 4) + "line V\nline V and a half\n" + number(6, 9)


def apply_diff(files: Files, diff: bytes | str, count: int = 1, more: str = "") -> dict[str, bytes]:
    return contents(patch(files, f"[{{diff: x.patch, count: {count}{more}}}]", {"x.patch": diff}).tree)


def refused(files: Files, diff: bytes | str, count: int = 1, more: str = "") -> str:
    with pytest.raises(PortsideError) as caught:
        apply_diff(files, diff, count, more)
    assert isinstance(caught.value, MigrationError | RecipeError)
    return str(caught.value)


# --- where hunks go


def test_a_hunk_at_its_stated_line() -> None:
    done = patch({"m/a.txt": number(1, 9)}, "[{name: n, diff: x.patch, count: 1}]", {"x.patch": DIFF})
    assert contents(done.tree) == {"m/a.txt": CHANGED.encode()}
    (change,) = done.changes
    assert (change.path, change.line, change.note) == ("m/a.txt", 5, "")
    assert (change.before, change.after) == ("line 5", "line V\nline V and a half")


@pytest.mark.parametrize(
    ("before", "note"), [("new 1\nnew 2\n" + number(1, 9), "2 lines below"), (number(2, 9), "1 lines above")]
)
def test_a_hunk_that_moved_is_applied_at_the_one_other_place_and_says_so(before: str, note: str) -> None:
    done = patch({"m/a.txt": before}, "[{diff: x.patch, count: 1}]", {"x.patch": DIFF})
    assert contents(done.tree)["m/a.txt"].decode() == before.replace("line 5\n", "line V\nline V and a half\n")
    assert done.changes[0].note == f"{note} the stated line"
    assert done.changes[0].line == before.split("\n").index("line 5") + 1


def test_the_stated_line_wins_over_other_places_that_match() -> None:
    twice = number(1, 9) + number(1, 9)
    assert apply_diff({"m/a.txt": twice}, DIFF)["m/a.txt"].decode() == CHANGED + number(1, 9)


def test_several_other_places_are_all_listed() -> None:
    message = refused({"m/a.txt": "x\n" + number(1, 9) + number(1, 9)}, DIFF)
    assert "x.patch:1: hunk 1 (stated line 4) of m/a.txt has no place of its own" in message
    assert "    m/a.txt:5: line 4\n    m/a.txt:14: line 4\n" in message


def test_after_a_hunk_that_moved_the_stated_line_alone_decides_nothing() -> None:
    second = "@@ -14,2 +15,2 @@\n same\n-old\n+new\n"
    # The second hunk matches at its stated line 14 and, like the first one, two lines below: only a person can know.
    body = "n\nn\n" + number(1, 9) + lines("x", "x", "same", "old", "same", "old")
    message = refused({"m/a.txt": body}, DIFF + second, 2)
    assert "hunk 2" in message and "m/a.txt:14: same" in message and "m/a.txt:16: same" in message


def test_a_context_line_that_changed_is_shown() -> None:
    message = refused({"m/a.txt": number(1, 9).replace("line 6", "line six")}, DIFF)
    assert "matches nowhere; closest to it:\n    m/a.txt:6: line six\n    where the diff has: line 6" in message


def test_white_space_counts() -> None:
    assert "m/a.txt:4:  line 4" in refused({"m/a.txt": number(1, 9).replace("line 4", " line 4")}, DIFF)


def test_a_file_that_ends_too_early_and_one_that_is_empty() -> None:
    assert "m/a.txt:6: (the end of the file)" in refused({"m/a.txt": number(1, 5)}, DIFF)
    assert "the file is empty" in refused({"m/a.txt": ""}, DIFF)


def test_hunks_must_come_in_order() -> None:
    late = "@@ -1,2 +1,1 @@\n line 1\n-line 2\n"
    assert "hunk 2" in refused({"m/a.txt": number(1, 9)}, DIFF + late, 2)


def test_lines_without_context_have_no_place_but_in_an_empty_file() -> None:
    diff = "--- a/m/a.txt\n+++ b/m/a.txt\n@@ -0,0 +1 @@\n+new\n"
    assert "adds lines without any context" in refused({"m/a.txt": "old\n"}, diff)
    assert apply_diff({"m/a.txt": ""}, diff) == {"m/a.txt": b"new\n"}


# --- line ends


def test_a_file_with_crlf_keeps_it_whatever_the_diff_has() -> None:
    for diff in (DIFF, DIFF.replace("\n", "\r\n"), DIFF.replace("line 4\n", "line 4\r\n")):
        if diff.count("\r\n") == 1:
            assert "matches nowhere" in refused({"m/a.txt": number(1, 9).replace("\n", "\r\n")}, diff)
        else:
            done = apply_diff({"m/a.txt": number(1, 9).replace("\n", "\r\n")}, diff)
            assert done["m/a.txt"].decode() == CHANGED.replace("\n", "\r\n")


def test_a_diff_that_was_converted_to_crlf_applies_to_lf() -> None:
    assert apply_diff({"m/a.txt": number(1, 9)}, DIFF.replace("\n", "\r\n"))["m/a.txt"].decode() == CHANGED
    new = "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n"
    assert apply_diff({}, new.replace("\n", "\r\n")) == {"n": b"new\n"}


def test_a_diff_of_git_for_a_crlf_file() -> None:
    hunk = HUNK.replace("\n", "\r\n").replace("@@\r", "@@")
    diff = "diff --git a/m/a.txt b/m/a.txt\nindex 1..2 100644\n--- a/m/a.txt\n+++ b/m/a.txt\n" + hunk
    done = apply_diff({"m/a.txt": number(1, 9).replace("\n", "\r\n")}, diff)
    assert done["m/a.txt"].decode() == CHANGED.replace("\n", "\r\n")
    assert apply_diff({}, "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\r\n") == {"n": b"new\r\n"}


def test_a_diff_may_change_line_ends() -> None:
    diff = "--- a/m\n+++ b/m\n@@ -1,2 +1,2 @@\n-a\r\n+a\n b\n"
    assert apply_diff({"m": b"a\r\nb\n"}, diff) == {"m": b"a\nb\n"}
    assert "matches nowhere" in refused({"m": b"a\nb\n"}, diff)


@pytest.mark.parametrize(
    ("before", "hunk", "after"),
    [
        (b"a\nb", "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n", b"a\nc\n"),
        (b"a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n", b"a\nc"),
        (b"a\r", "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+c\n", b"c\n"),
        (b"a\nb", "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n", b"c\nb"),
    ],
)
def test_a_missing_line_end_at_the_end(before: bytes, hunk: str, after: bytes) -> None:
    assert apply_diff({"m": before}, "--- a/m\n+++ b/m\n" + hunk) == {"m": after}


def test_a_missing_line_end_must_agree() -> None:
    with_end = "--- a/m\n+++ b/m\n@@ -1,2 +1,2 @@\n-a\n+c\n b\n"
    assert "m:2: b (without a line end)\n    where the diff has: b" in refused({"m": b"a\nb"}, with_end)
    without = with_end + "\\ No newline at end of file\n"
    assert "m:2: b (with a line end)" in refused({"m": b"a\nb\n"}, without)
    cut = "--- a/m\n+++ b/m\n@@ -1 +1 @@\n-a\n+c\n\\ No newline at end of file\n"
    assert "matches nowhere" in refused({"m": b"a\nb\n"}, cut)


# --- files


def test_new_deleted_and_renamed_files() -> None:
    diff = """\
From 0123 Mon Sep 17 00:00:00 2001
Subject: [PATCH] all of them

---
 a | 1 +
diff --git a/new.sh b/new.sh
new file mode 100755
index 0000000..e69de29
--- /dev/null
+++ b/new.sh
@@ -0,0 +1,1 @@
+run
diff --git a/empty b/empty
new file mode 100644
index 0000000..e69de29
diff --git a/gone b/gone
deleted file mode 100644
index e69de29..0000000
--- a/gone
+++ /dev/null
@@ -1,2 +0,0 @@
-1
-2
diff --git a/with space b/moved
similarity index 90%
rename from with space
rename to moved
--- a/with space\t
+++ b/moved
@@ -1,2 +1,2 @@
 1
-2
+3
diff --git a/kept b/copied
similarity index 100%
copy from kept
copy to copied
diff --git a/mode b/mode
old mode 100644
new mode 100755
-- \n2.39.5

"""
    files: Files = {"gone": "1\n2\n", "with space": "1\n2\n", "kept": "k", "mode": "m"}
    done = patch(files, "[{diff: x.patch, count: 6}]", {"x.patch": diff})
    assert contents(done.tree) == {
        "new.sh": b"run\n",
        "empty": b"",
        "moved": b"1\n3\n",
        "kept": b"k",
        "copied": b"k",
        "mode": b"m",
    }
    assert {path: done.tree[path].mode for path in ("new.sh", "empty", "mode", "moved")} == {
        "new.sh": 0o755,
        "empty": 0o644,
        "mode": 0o755,
        "moved": 0o644,
    }
    assert done.tree["moved"].mtime == 1_600_000_000
    assert [(change.path, change.line, change.note) for change in done.changes] == [
        ("new.sh", 1, "new file"),
        ("empty", 0, "new file"),
        ("gone", 1, "deleted"),
        ("moved", 2, "renamed from with space"),
        ("copied", 0, "copied from kept"),
        ("mode", 0, "mode 0755"),
    ]


def test_quoted_paths_and_paths_that_are_no_text() -> None:
    diff = b'--- "a/\\346\\225\\260 \\"q\\".txt"\n+++ "b/\\346\\225\\260 \\"q\\".txt"\n@@ -1 +1 @@\n-a\n+b\n'
    assert apply_diff({'数 "q".txt': "a\n"}, diff) == {'数 "q".txt': b"b\n"}
    assert apply_diff({"x\udcff": "a\n"}, b'--- "a/x\\377"\n+++ "b/x\\377"\n@@ -1 +1 @@\n-a\n+b\n') == {
        "x\udcff": b"b\n"
    }


def test_an_empty_file_with_a_quoted_path() -> None:
    diff = 'diff --git "a/n\\303\\251" "b/n\\303\\251"\nnew file mode 100644\nindex 0..1\n'
    assert apply_diff({}, diff) == {"né": b""}


def test_strip_and_folder() -> None:
    for head, more in (("m/a.txt", ", strip: 0"), ("x/y/a.txt", ", strip: 2, folder: m"), ("b/a.txt", ", folder: m")):
        diff = f"--- {head}\n+++ {head}\n{HUNK}"
        assert apply_diff({"m/a.txt": number(1, 9)}, diff, 1, more)["m/a.txt"].decode() == CHANGED


def test_a_blank_context_line_that_an_editor_has_trimmed() -> None:
    diff = "--- a/m\n+++ b/m\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n"
    assert apply_diff({"m": "a\n\nb\n"}, diff) == {"m": b"a\n\nc\n"}
    assert apply_diff({"m": "a\r\n\r\nb\r\n"}, diff.replace("\n", "\r\n")) == {"m": b"a\r\n\r\nc\r\n"}


def test_files_limits_what_a_diff_may_change() -> None:
    assert apply_diff({"m/a.txt": number(1, 9)}, DIFF, 1, ", files: m/*.txt")
    message = refused({"m/a.txt": number(1, 9)}, DIFF, 1, ", files: n/**")
    assert "x.patch:1: changes m/a.txt, which `files` does not allow" in message


def test_the_count_is_that_of_hunks() -> None:
    message = refused({"m/a.txt": number(1, 9)}, DIFF, 2)
    assert "must change 2 places, but 1 is there, in x.patch" in message and "m/a.txt:5: line V" in message


@pytest.mark.parametrize(
    ("files", "diff", "message"),
    [
        ({}, DIFF, "no file matches 'm/a.txt'"),
        ({"n": "x"}, "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+new\n", "n is already there"),
        ({"n": "a\nb\n"}, "--- a/n\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "but 1 lines of it are not in the diff"),
        ({"n": "", "o": ""}, "diff --git a/n b/o\nrename from n\nrename to o\n", "o is already there"),
        ({"n": ""}, "diff --git a/n b/n\nold mode 100755\nnew mode 100644\n", "has the mode 0644, not 0755"),
        ({"n/o": ""}, "--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+x\n", "n is a folder"),
        ({"n": ""}, "--- /dev/null\n+++ b/n/o\n@@ -0,0 +1 @@\n+x\n", "n is a file, not a folder"),
        ({"n.py": "x\n"}, "--- a/n.py\n+++ b/n.py\n@@ -1 +1 @@\n-x\n+x x\n", "n.py:1: x x  ("),
    ],
)
def test_a_tree_that_is_not_as_the_diff_says(files: Files, diff: str, message: str) -> None:
    assert message in refused(files, diff)


# --- what no diff may be

NEW = "--- /dev/null\n+++ {}\n@@ -0,0 +1 @@\n+x\n"


@pytest.mark.parametrize(
    ("diff", "message"),
    [
        (NEW.format("b/../../etc/passwd"), "not a clean path"),
        (NEW.format("b/a/../../../x"), "not a clean path"),
        (NEW.format("../x"), "not a clean path"),
        (NEW.format("/etc/passwd"), "not a clean path"),
        (NEW.format("b//etc/passwd"), "not a clean path"),
        (NEW.format("b/./x"), "not a clean path"),
        (NEW.format('"b/\\056\\056/x"'), "not a clean path"),
        (NEW.format('"b/x\\000"'), "not a clean path"),
        (NEW.format('"b/x'), "quoted path without its end"),
        (NEW.format("x"), "nothing is left without 1 parts"),
        ("diff --git a/x b/x\nrename from ../x\nrename to y\n", "not a clean path"),
        ("diff --git a/x b/x\nrename from x\nrename to /y\n", "not a clean path"),
        ("diff --git a/../x b/../x\nnew file mode 100644\n", "not a clean path"),
        ("diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc\n", "mode 120000"),
        ("diff --git a/x b/x\nnew file mode 160000\n", "mode 160000"),
        ("diff --git a/x b/x\nnew file mode 104755\n", "mode 104755"),
        ("diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 1\n", "is a binary patch"),
        ("Binary files a/x and b/x differ\n", "is a binary patch"),
        ("diff --git a/x b/y\nold mode 100644\nnew mode 100755\n", "does not say which file"),
        ("diff --git a/x b/x\nindex 1..2 100644\n", "changes nothing"),
        ("--- a/x\n+++ b/x\n", "changes nothing"),
        ("--- /dev/null\n+++ /dev/null\n@@ -0,0 +1 @@\n+x\n", "names no file"),
        ("--- a/x\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n", "is about two files, x and y"),
        (
            "diff --git a/x b/y\nrename from x\nrename to y\n--- a/x\n+++ b/z\n@@ -1 +1 @@\n-a\n+b\n",
            "names other files",
        ),
        ("diff --git a/x b/x\nnew file mode 100644\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n", "creates or deletes"),
        (DIFF + DIFF, "changes m/a.txt a second time"),
        (DIFF + NEW.format("b/m/a.txt"), "changes m/a.txt a second time"),
        ("", "is no unified diff"),
        ("hello\n", "is no unified diff"),
        (HUNK, "is a hunk before any file is named"),
        ("--- a/x\n+++ b/x\n@@ -a +b @@\n", "no valid hunk header"),
        ("--- a/x\n+++ b/x\n@@ -1,9999999999 +1 @@\n x\n", "no valid hunk header"),
        ("--- a/x\n+++ b/x\n@@ -1,999999999 +1 @@\n x\n", "does not fit|ends before"),
        ("--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n x\n-y\n+z\n", "ends before its last hunk does"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n w\n", "more lines than its header says"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n x\n*y\n", "does not fit the header"),
        ("--- a/x\n+++ b/x\n@@ -1,2 +1,1 @@\n x\n+y\n", "does not fit the header"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n x\n", "changes nothing"),
        ("--- a/x\n+++ b/x\n@@ -1 +1 @@\n\\ No newline\n-x\n+y\n", "of no line"),
        ("--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n x\n\\ No newline\n+y\n", "a line that is not the last"),
    ],
)
def test_hostile_and_broken_diffs_are_refused_with_their_line(diff: str, message: str) -> None:
    found = refused({"x": "x\ny\n", "m/a.txt": number(1, 9)}, diff)
    assert any(part in found for part in message.split("|")), found
    assert found.startswith("patch step 1 (diff x.patch): x.patch")


# --- what would take for ever


def test_a_header_of_many_blanks_is_no_path() -> None:
    """Each blank may stand between the two names; a header of 400 KB took gigabytes."""
    said = refused({"m/a.txt": ""}, "diff --git " + "a " * 200_000 + "\nold mode 100644\nnew mode 100755\n")
    assert "x.patch:3: names" in said
    assert "longer than any file system takes" in said


def test_lines_that_are_all_alike() -> None:
    """100,000 equal lines, of which 50,000 have no one place: neither the search nor its error is quadratic."""
    hunk = "@@ -7,50001 +7,50000 @@\n" + " \n" * 50_000 + "-x\n"
    said = refused({"m/a.txt": "\n" * 100_000}, "--- a/m/a.txt\n+++ b/m/a.txt\n" + hunk)
    assert "m/a.txt" in said
