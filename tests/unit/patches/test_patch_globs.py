import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.globs import check_glob, closest_paths, matches


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("a.py", "a.py", True),
        ("a.py", "b/a.py", False),
        ("*.py", "a.py", True),
        ("*.py", ".a.py", True),
        ("*.py", "b/a.py", False),
        ("a/*/c", "a/b/c", True),
        ("a/*/c", "a/c", False),
        ("a/*/c", "a/b/b/c", False),
        ("a/**/*.py", "a/x.py", True),
        ("a/**/*.py", "a/b/c/x.py", True),
        ("a/**/*.py", "ab/x.py", False),
        ("a/**", "a/b", True),
        ("a/**", "a/b/c", True),
        ("a/**", "a", False),
        ("**", "a/b", True),
        ("**/x", "x", True),
        ("**/x", "a/b/x", True),
        ("**/x", "a/yx", False),
        ("**/b/**/x", "a/b/x", True),
        ("?.py", "a.py", True),
        ("?.py", "ab.py", False),
        ("a?b", "a/b", False),
        ("[ab].py", "a.py", False),
        ("[ab].py", "[ab].py", True),
        ("A.py", "a.py", False),
        ("a.py", "axpy", False),
        ("a*", "a\nb", True),
    ],
)
def test_the_dialect(glob: str, path: str, expected: bool) -> None:
    assert matches([check_glob(glob)], path) is expected


@given(st.lists(st.text("ab*?.[", min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_path_matches_itself_with_its_names_replaced_by_stars(parts: list[str]) -> None:
    path = "/".join(part.replace("*", "x").replace("?", "y").replace(".", "z") for part in parts)
    folder = path.rpartition("/")[0]
    for glob in (path, "/".join("*" for _ in parts), "**", f"**/{path}", f"{folder}/*" if folder else "*"):
        assert matches([check_glob(glob)], path)


def test_close_paths_are_looked_for_where_the_glob_first_fails() -> None:
    paths = ["ChatGLM-6B_mlu/ptuning/trainer.py", "ChatGLM-6B_mlu/api.py", "transformers_mlu/setup.py"]
    assert closest_paths("ChatGLM_mlu/**/*.py", paths) == ["ChatGLM-6B_mlu"]
    assert closest_paths("ChatGLM-6B_mlu/ptuning/trainers.py", paths) == ["ChatGLM-6B_mlu/ptuning/trainer.py"]
    assert closest_paths("ChatGLM-6B_mlu/zzz/*.py", paths) == ["ChatGLM-6B_mlu/api.py", "ChatGLM-6B_mlu/ptuning"]
    assert closest_paths("*/apj.py", paths) == ["ChatGLM-6B_mlu/api.py"]
    assert closest_paths("x/y", []) == []
