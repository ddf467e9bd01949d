"""Random diffs: nonsense is refused, and a diff of two files makes the second of the first."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patching import contents, patch

from portside.errors import MigrationError, RecipeError
from portside.patches.hunks import apply_hunks, split_lines
from portside.patches.unified import parse_diff

PIECES = st.sampled_from(
    ["diff --git a/x b/x", "--- a/x", "+++ b/x", "--- /dev/null", "@@ -1 +1 @@", "@@ -1,2 +1,2 @@", "@@ -0,0 +1 @@",
     " a", "-a", "+b", "", "\\ No newline at end of file", "rename from x", "rename to y", "new file mode 100644",
     "deleted file mode 100644", "old mode 100644", "new mode 100755", "-- ", "\r"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=14).map("\n".join))
def test_nonsense_is_applied_or_refused_but_never_a_traceback(text: str) -> None:
    try:
        parse_diff(text.encode(), "x", 1)
        done = patch({"x": "a\n", "z": "z\n"}, "[{diff: x.patch, count: 1}]", {"x.patch": text})
        assert contents(done.tree)["z"] == b"z\n"
    except (MigrationError, RecipeError) as error:
        assert error.problem


@given(st.binary(max_size=80))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(RecipeError):
        parse_diff(data, "x", 1)


LINES = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b"a\r", b"-- x", b"++ y"]), max_size=14)


def make_diff(old: bytes, new: bytes, context: int) -> bytes:
    out = []
    for line in difflib.diff_bytes(
        difflib.unified_diff, split_lines(old), split_lines(new), b"a/x", b"b/x", n=context, lineterm=b"\n"
    ):
        out.append(line if line.endswith(b"\n") else line + b"\n\\ No newline at end of file\n")
    return b"".join(out)


@given(LINES, LINES, st.booleans(), st.booleans(), st.integers(1, 4))
def test_a_diff_of_two_files_makes_the_second_of_the_first(
    old: list[bytes], new: list[bytes], old_end: bool, new_end: bool, context: int
) -> None:
    before = b"\n".join(old) + b"\n" * (old_end and bool(old))
    after = b"\n".join(new) + b"\n" * (new_end and bool(new))
    diff = make_diff(before, after, context)
    if not diff:
        return
    (file,) = parse_diff(diff, "x", 1)
    result, applied = apply_hunks(before, file.hunks)
    assert result == after
    assert len(applied) == len(file.hunks) and all(hunk.offset == 0 for hunk in applied)


@given(st.integers(1, 30), st.integers(2, 37), st.integers(1, 3))
def test_a_diff_applies_below_new_lines_with_their_offset(new_lines: int, at: int, context: int) -> None:
    before = b"".join(b"line %d\n" % n for n in range(1, 41))
    after = before.replace(b"line %d\n" % at, b"changed\n")
    (file,) = parse_diff(make_diff(before, after, context), "x", 1)
    head = b"head\n" * new_lines
    result, (applied,) = apply_hunks(head + before, file.hunks)
    assert result == head + after
    assert (applied.offset, applied.line) == (new_lines, new_lines + at)
