"""Random files and steps: the count rule holds, nothing outside the places changes, and a refusal leaves no trace."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patching import STEPS, contents, tree_of

from portside.common.tree import Tree
from portside.errors import MigrationError
from portside.patches.apply import apply

PIECE = st.sampled_from([b"ab", b"abc", b"b", b" ", b"\n", b"\r\n", b"\r", b"\xff", "é".encode(), b"x = 1"])
DATA = st.one_of(st.lists(PIECE, max_size=25).map(b"".join), st.binary(max_size=40))
FILES = st.dictionaries(st.sampled_from(["a.txt", "b.txt", "d/a.txt", "d/e/b.txt"]), DATA, min_size=1)


@given(FILES, st.sampled_from(["ab", "abc", "b b", "é"]), st.integers(1, 8))
def test_replace_changes_exactly_the_stated_number_of_places(files: dict[str, bytes], find: str, count: int) -> None:
    tree = tree_of(dict(files))
    before = tree.digest()
    (step,) = STEPS.validate_python([{"replace": find, "with": "<NEW>", "files": "**", "count": count}])
    there = sum(data.count(find.encode()) for data in files.values())
    if there != count:
        with pytest.raises(MigrationError) as caught:
            apply(tree, [step], Tree())
        assert f"must change {count} place" in str(caught.value)
        if there:
            assert f"but {there} {'is' if there == 1 else 'are'} there" in str(caught.value)
            listed = re.findall(r"^    (\S+):\d+: ", str(caught.value).partition("close to it:")[0], re.MULTILINE)
            assert len(listed) == there
    else:
        done = apply(tree, [step], Tree())
        expected = {path: data.replace(find.encode(), b"<NEW>") for path, data in files.items()}
        assert contents(done.tree) == expected
        assert len(done.changes) == count
        order = list(dict.fromkeys(change.path for change in done.changes))
        assert order == sorted(order, key=str.encode)
    assert tree.digest() == before


@given(FILES, st.sampled_from([r"a(b+)c?", r"\s+", r"^", r"b$", r"(?s)b.a", r"\w"]), st.data())
def test_a_pattern_changes_only_what_it_matches(files: dict[str, bytes], find: str, data: st.DataObject) -> None:
    def step(count: int) -> list[object]:
        return [{"replace": find, "with": "\x00", "regex": True, "files": "**", "count": count}]

    tree = tree_of(dict(files))
    wrong = 10_000
    with pytest.raises(MigrationError) as caught:
        apply(tree, STEPS.validate_python(step(wrong)), Tree())
    there = int(found.group(1)) if (found := re.search(r"but (\d+) (?:is|are) there", str(caught.value))) else 0
    if there:
        done = apply(tree, STEPS.validate_python(step(there)), Tree())
        assert len(done.changes) == there
        for path, new in contents(done.tree).items():
            pieces = new.split(b"\x00") if b"\x00" not in files[path] else []
            position = 0
            for piece in pieces:
                position = files[path].index(piece, position) + len(piece)
            if pieces:
                assert files[path].startswith(pieces[0]) and files[path].endswith(pieces[-1])


@given(FILES, st.sampled_from(["ab", "b", "x = 1"]), st.sampled_from(["ab", "b", "x = 1", None]), st.booleans())
def test_comment_out_only_adds_markers(files: dict[str, bytes], first: str, last: str | None, crlf: bool) -> None:
    if crlf:
        files = {path: data.replace(b"\n", b"\r\n") for path, data in files.items()}
    block = {"first": first, "marker": "@@"} | ({"last": last} if last is not None else {})
    tree = tree_of(dict(files))
    places = 0
    for count in range(1, 26):
        step = STEPS.validate_python([{"comment-out": block, "files": "**", "count": count}])
        try:
            done = apply(tree, step, Tree())
        except MigrationError:
            continue
        places += 1
        assert len(done.changes) == count
        for path, new in contents(done.tree).items():
            if b"@@" not in files[path]:
                assert new.replace(b"@@", b"") == files[path]
    assert places <= 1


@given(FILES, st.sampled_from(["ab", "b", "", "x = 1 "]), st.integers(1, 4))
def test_set_line_changes_whole_lines_and_keeps_their_ends(files: dict[str, bytes], before: str, count: int) -> None:
    tree = tree_of(dict(files))
    expected: dict[str, bytes] = {}
    there = 0
    for path, data in files.items():
        bom = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
        parts = re.split(rb"(\r?\n)", data[len(bom) :])
        lines = range(0, len(parts) - (parts[-1] == b""), 2)
        hits = [n for n in lines if parts[n] == before.encode()]
        there += len(hits)
        expected[path] = bom + b"".join(b"NEW" if n in hits else part for n, part in enumerate(parts))
    step = STEPS.validate_python([{"set-line": before, "to": "NEW", "files": "**", "count": count}])
    if there == count:
        assert contents(apply(tree, step, Tree()).tree) == expected
    else:
        with pytest.raises(MigrationError):
            apply(tree, step, Tree())


NAMES = st.lists(st.sampled_from(["skip_init", "rnn", "clip", "prune"]), min_size=1, max_size=4, unique=True)


@given(st.lists(NAMES, max_size=4), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_define_keeps_every_other_name(statements: list[list[str]], wrapped: bool, end: str) -> None:
    opening, closing = ("(\n    ", ",\n)") if wrapped else ("", "")
    source = "import torch\n" + "".join(
        f"from torch.nn.utils import {opening}{', '.join(names)}{closing}\nafter_{n} = {n}\n"
        for n, names in enumerate(statements)
    )
    data = source.replace("\n", end).encode()
    count = sum("skip_init" in names for names in statements)
    step = STEPS.validate_python(
        [
            {
                "define": "from torch.nn.utils import skip_init",
                "as": "skip_init = 'defined'\n",
                "files": "m.py",
                "count": max(1, count),
            }
        ]
    )
    if not count:
        with pytest.raises(MigrationError):
            apply(tree_of({"m.py": data}), step, Tree())
        return
    new = contents(apply(tree_of({"m.py": data}), step, Tree()).tree)["m.py"].decode()
    assert new.count(end) == new.count("\n")
    code = "\n".join(line for line in new.split(end) if not line.startswith("#"))
    kept = [name for names in statements for name in names if name != "skip_init"]
    imported = [
        name
        for found in re.findall(r"import \(?([^)#\n]*(?:\n    [^)]*)?)\)?", code.replace("import torch\n", ""))
        for name in re.findall(r"\w+", found)
    ]
    assert imported == kept
    assert code.count("skip_init = 'defined'") == count
    assert [f"after_{n} = {n}" in code for n in range(len(statements))] == [True] * len(statements)
