"""Many places, long lines and many files: what steps cost grows with them, and never with their square."""

import pytest
from patching import patch

from portside.errors import MigrationError

MANY = 20_000
"""Places: their square would take minutes, or tens of gigabytes."""


def test_many_places_in_many_lines() -> None:
    done = patch({"a.txt": "x\n" * MANY}, f'[{{replace: x, with: "y\\nz", files: a.txt, count: {MANY}}}]')
    assert [change.new_line for change in done.changes[:3]] == [1, 3, 5]


def test_many_places_in_one_line_are_counted() -> None:
    step = "[{{replace: x, with: y, files: a.txt, count: {}}}]"
    with pytest.raises(MigrationError, match="must change 1 place, but 20000 are there"):
        patch({"a.txt": "x " * MANY}, step.format(1))
    with pytest.raises(MigrationError, match="are so long that a report of them would have more than 32 MiB"):
        patch({"a.txt": "x " * MANY}, step.format(MANY))


def test_a_diff_of_many_hunks_and_files() -> None:
    hunks = "".join(f"@@ -{2 * n + 1},2 +{2 * n + 1},2 @@\n-x\n+y\n x\n" for n in range(MANY // 2))
    new = "".join(f"--- /dev/null\n+++ b/new/n{n}\n@@ -0,0 +1 @@\n+y\n" for n in range(MANY // 4))
    files: dict[str, bytes | str] = {f"f{n}": "x\n" for n in range(MANY // 4)}
    done = patch(
        {"a.txt": "x\n" * MANY, **files},
        f"""
        - {{diff: d.patch, count: {3 * MANY // 4}}}
        - {{delete: "new/*", count: {MANY // 4}}}
        """,
        {"d.patch": "--- a/a.txt\n+++ b/a.txt\n" + hunks + new},
    )
    assert done.tree["a.txt"].read() == b"y\nx\n" * (MANY // 2)
    assert len(done.tree) == MANY // 4 + 1
