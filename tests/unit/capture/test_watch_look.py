"""What counts as a change of code."""

from pathlib import Path

from portside.develop.watch import CodeLook


def test_code_counts_and_what_a_run_writes_does_not(tmp_path: Path) -> None:
    for path in ("a.py", "d/known.json", "d/other.json", "weights/w/x.py", "d/__pycache__/a.py", ".git/x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("1\n")
    look = CodeLook(tmp_path, {"a.py", "d/known.json"}, ["weights"])
    assert look.changed() == []
    for path in ("d/known.json", "d/other.json", "weights/w/x.py", "d/__pycache__/a.py", ".git/x.py", "out.log"):
        (tmp_path / path).write_text("another\n")
    (tmp_path / "d/new.py").write_text("n = 1\n")
    assert look.changed() == ["d/known.json", "d/new.py"]
    (tmp_path / "a.py").unlink()
    (tmp_path / "d/new.py").replace(tmp_path / "d/moved.py")
    assert look.changed() == ["a.py", "d/moved.py", "d/new.py"]
    look.ignore("d/moved.py")
    (tmp_path / "d/moved.py").write_text("m = 2\n")
    assert look.changed() == []
