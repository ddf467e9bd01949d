"""Where places stand when all steps are done: what the reports call a hit's line in the result."""

import json

from hypothesis import given
from hypothesis import strategies as st
from patching import patch, steps, tree_of

from portside.common.tree import Tree
from portside.patches.apply import apply
from portside.patches.changes import Change, Span
from portside.patches.lines import MovedLines

DIFF = """\
--- a/m.txt
+++ b/m.txt
@@ -1,4 +1,5 @@
 one
+and
+more
 two
-three
 four
@@ -6,2 +7,3 @@
 six
+seventh
 seven
"""


def test_later_steps_move_the_places_of_earlier_ones() -> None:
    done = patch(
        {"m.py": "a\nb\nc\nd\n"},
        """
        - {replace: c, with: C, files: m.py, count: 1}
        - {replace: "a\\n", with: "a\\nx\\ny\\n", files: m.py, count: 1}
        - {replace: "x\\n", with: "", files: m.py, count: 1}
        - {set-line: d, to: D, files: m.py, count: 1}
        """,
    )
    assert done.tree["m.py"].read() == b"a\ny\nb\nC\nD\n"
    assert [(change.line, change.new_line) for change in done.changes] == [(3, 4), (1, 1), (2, 2), (5, 5)]
    assert [done.lines.follow("m.py", line) for line in (1, 2, 3, 4)] == [1, 3, 4, 5]


def test_hunks_move_what_is_below_them_and_not_their_context() -> None:
    before = "".join(f"{word}\n" for word in ("one", "two", "three", "four", "five", "six", "seven"))
    done = patch({"m.txt": before}, "[{diff: d.patch, count: 2}]", {"d.patch": DIFF})
    lines = done.tree["m.txt"].read().decode().split("\n")
    for number, word in enumerate(before.split("\n")[:-1], 1):
        if word != "three":
            assert lines[done.lines.follow("m.txt", number) - 1] == word
    assert [lines[change.new_line - 1] for change in done.changes] == ["and", "seventh"]


def test_lines_of_a_file_that_went_are_nowhere() -> None:
    done = patch(
        {"a.txt": "one\n", "b.txt": "one\n", "run.sh": "one\n"},
        """
        - {replace: one, with: two, files: "*", count: 3}
        - {delete: a.txt, count: 1}
        - {copy: new, to: b.txt, overwrite: true}
        - {diff: mode.patch, count: 1}
        """,
        {"new": "two\n", "mode.patch": "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"},
    )
    assert [(change.path, change.line, change.new_line) for change in done.changes] == [
        ("a.txt", 1, 0),
        ("b.txt", 1, 0),
        ("run.sh", 1, 1),
        ("a.txt", 0, 0),
        ("b.txt", 0, 0),
        ("run.sh", 0, 0),
    ]
    assert done.lines.follow("b.txt", 1) == 0


@given(
    st.integers(3, 12),
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(["{0}\nnew", "new\n{0}", "{0}", "new\n{0}\nnew"])), max_size=6
    ),
)
def test_untouched_lines_are_found_again(count: int, edits: list[tuple[int, str]]) -> None:
    """Whole lines are replaced by one, two or three: every other line stands where `follow` says."""
    tree = tree_of({"m.txt": "".join(f"line {n}.\n" for n in range(count))})
    touched = {f"line {number % count}." for number, _ in edits}
    text = [
        {
            "replace": f"line {number % count}.\n",
            "with": form.format(f"line {number % count}.") + "\n",
            "files": "m.txt",
        }
        for number, form in edits
    ]
    wanted = [step | {"count": 1} for step in text if step["replace"] != step["with"]]
    done = apply(tree, steps(json.dumps(wanted)), Tree())
    lines = done.tree["m.txt"].read().decode().split("\n")
    for number in range(count):
        if f"line {number}." not in touched:
            assert lines[done.lines.follow("m.txt", number + 1) - 1] == f"line {number}."
    for change in done.changes:
        assert change.new_line <= len(lines)


SPAN = st.builds(Span, st.integers(1, 9), st.integers(0, 4), st.integers(0, 4))


@given(st.lists(SPAN, max_size=8), st.integers(1, 14))
def test_a_line_among_spans_of_any_kind(spans: list[Span], line: int) -> None:
    """As one reads it: all of them, one after the other."""
    made = [Change(1, "", "m", span.line, "a", "b", spans=(span,)) for span in spans]
    moved = MovedLines()
    moved.add([], made)
    inside = [span.line + max(span.new - 1, 0) for span in spans if span.line <= line < span.line + span.old]
    shift = sum(span.new - span.old for span in spans if span.line + span.old <= line)
    assert moved.follow("m", line) == shift + min([line, *inside])
    for change, placed in zip(made, moved.placed(made), strict=True):
        before = sum(span.new - span.old for span in spans if span.line < change.line)
        assert placed.new_line == change.line + before
