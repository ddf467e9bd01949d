"""Whatever is edited, in whatever commits: what the captured recipe gives is what lies in the folder."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from working import Working, git, lying

from portside.develop.work_folder import WorkFolder

PATHS = ("m_mlu/a.py", "m_mlu/d/b.txt", "m_mlu/d/e/c.txt", "m_mlu/bin", "other/o.txt", "top.txt", "new dir/ö.txt")
LINES = ("a = 1\n", "b = 2\n", "\n", "# c\r\n", "d = [\n", "]\n", "no end", "\0\n", "\xe4\n")

edits = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(PATHS), st.lists(st.sampled_from(LINES), max_size=8)),
    st.tuples(st.just("insert"), st.sampled_from(PATHS), st.tuples(st.integers(0, 20), st.sampled_from(LINES))),
    st.tuples(st.just("cut"), st.sampled_from(PATHS), st.integers(0, 20)),
    st.tuples(st.just("remove"), st.sampled_from(PATHS), st.none()),
    st.tuples(st.just("mode"), st.sampled_from(PATHS), st.sampled_from([0o644, 0o755])),
    st.tuples(st.just("move"), st.sampled_from(PATHS), st.sampled_from((*PATHS, "m_mlu/moved", "other/moved.txt"))),
    st.tuples(st.just("commit"), st.none(), st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)),
    st.tuples(st.just("capture"), st.none(), st.none()),
)
PYTHON = "".join(f"v{number} = {number}\n" for number in range(12))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(edits, min_size=1, max_size=8))
def test_random_edits(todo: list[tuple[str, str, object]]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        made = Working(Path(scratch, "p"), "files: [{from: top.txt, to: top.txt}]\n")
        made.source("m", **{"a.py": PYTHON, "d/b.txt": "b\r\nc\r\n" * 5, "d/e/c.txt": "no end", "bin": b"\0\1\2"})
        made.source("other", **{"o.txt": "o\n" * 9})
        Working.write(made.root / "recipes/r", {"top.txt": "top\n"})
        work = made.lay_out()
        for kind, path, what in todo:
            _do(made, work, kind, path, what)
        _capture(made, work)


def _capture(made: Working, work: WorkFolder) -> None:
    python = work.path / "m_mlu/a.py"
    if python.exists():
        try:
            compile(python.read_bytes(), "a.py", "exec")
        except (SyntaxError, ValueError):
            python.write_text(PYTHON)  # a build would refuse it
    made.capture()
    assert lying(work) == made.code()
    assert made.capture().nothing


def _do(made: Working, work: WorkFolder, kind: str, path: str, what: object) -> None:
    target = work.path / (path or "")
    there = path is not None and target.is_file()
    if kind == "commit":
        if git(work, "status", "--short"):
            git(work, "add", "--all")
            git(work, "commit", "-q", "--allow-empty-message", "--cleanup=verbatim", "-m", str(what).replace("\0", "0"))
    elif kind == "capture":
        _capture(made, work)
    elif kind == "write" and isinstance(what, list) and not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes("".join(what).encode("latin-1"))
    elif kind == "insert" and isinstance(what, tuple) and there:
        lines = target.read_bytes().splitlines(keepends=True)
        lines.insert(what[0], what[1].encode("latin-1"))
        target.write_bytes(b"".join(lines))
    elif kind == "cut" and isinstance(what, int) and there:
        lines = target.read_bytes().splitlines(keepends=True)
        target.write_bytes(b"".join(lines[:what] + lines[what + 1 :]))
    elif kind == "remove" and there:
        target.unlink()
    elif kind == "mode" and isinstance(what, int) and there:
        target.chmod(what)
    elif kind == "move" and there and isinstance(what, str):
        goal = work.path / what
        if not goal.is_dir() and goal.suffix != ".py":
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(target, goal)
