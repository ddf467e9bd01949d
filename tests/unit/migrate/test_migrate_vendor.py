"""Vendor mode against what its specification says; the oracle reads and writes text as Python's text mode does."""

import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.tree import Entry, Tree, file_entry
from portside.errors import RecipeError
from portside.migrate.migration import migrate
from portside.migrate.rulesets import load

MLU = load("mlu")
STRICT = [("CUDA", "MLU"), ("gpu", "mlu"), ("GPU", "MLU")]


def oracle(data: bytes, strict: bool) -> tuple[bytes, int]:
    """Line by line in text mode: (bytes written, edits)."""
    source = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8")
    raw = io.BytesIO()
    target = io.TextIOWrapper(raw, encoding="utf-8", newline="\n")
    edits, seen = 0, False
    for line in source.readlines():
        if line.strip() == "import torch" and not seen:
            seen = True
            edits += 1
            target.write(line + line.replace("torch", "torch_mlu"))
            continue
        new = line
        for one, other in [("cuda", "mlu"), ("nccl", "cncl"), *(STRICT if strict else [])]:
            new = new.replace(one, other)
        edits += new != line
        target.write(new)
    target.flush()
    return raw.getvalue(), edits


def run(data: bytes, strict: bool = False, path: str = "x.py") -> tuple[bytes, int]:
    migration = migrate(Tree([file_entry(path, data)]), MLU, "vendor", strict=strict)
    return migration.tree[path].read(), migration.report.counts()["edits"]


PIECES = [
    "import torch", "import torch.cuda", "import torchvision", "  ", "\t", "\n", "\r", "\r\n", "\x0c", "\x0b", "\x1c",
    "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "cuda", "cudacuda", "cucudada", "nccl", "CUDA", "gpu", "GPU",
    "x", "nccuda", "é", "日", "\x00", "#", "mlu",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.booleans())
def test_like_text_mode(text: str, strict: bool) -> None:
    data = text.encode()
    assert run(data, strict) == oracle(data, strict)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"import torch\nx.cuda()\n", b"import torch\nimport torch_mlu\nx.mlu()\n"),
        (b"    import torch  \nimport torch\n", b"    import torch  \n    import torch_mlu  \nimport torch\n"),
        (b"import torch", b"import torchimport torch_mlu"),
        (b"import torch\r\n# cuda\r", b"import torch\nimport torch_mlu\n# mlu\n"),
        ("import torch\u2028\ncuda".encode(), "import torch\u2028\nimport torch_mlu\u2028\nmlu".encode()),
        ("\ufeffimport torch\n".encode(), "\ufeffimport torch\n".encode()),
        (b"import torch as th\nimport torch.cuda\n", b"import torch as th\nimport torch.mlu\n"),
        (b"'a_cuda.cu' # nccl\n", b"'a_mlu.cu' # cncl\n"),
    ],
)
def test_examples(before: bytes, after: bytes) -> None:
    assert run(before)[0] == after


def test_only_python_files_change_and_unchanged_entries_stay() -> None:
    tree = Tree(
        [file_entry("a.sh", b"cuda\r\n"), file_entry("b.py", b"x = 1\n"), file_entry("c.py", b"cuda\n", mode=0o755)]
    )
    migration = migrate(tree, MLU, "vendor")
    assert migration.tree["a.sh"] is tree["a.sh"]
    assert migration.tree["b.py"] is tree["b.py"]
    assert (migration.tree["c.py"].read(), migration.tree["c.py"].mode) == (b"mlu\n", 0o755)


def test_report_lists_edits_as_lines() -> None:
    report = migrate(Tree([file_entry("a.py", b"import torch\n  x.cuda()  \n")]), MLU, "vendor").report
    found = [(hit.line, hit.new_line, hit.rule, hit.before, hit.after) for _, hit in report.hits()]
    assert found == [
        (1, 2, "vendor-import", "", "import torch_mlu"),
        (2, 3, "vendor-text", "x.cuda()", "x.mlu()"),
    ]


def test_new_line_ends_alone_are_reported() -> None:
    report = migrate(Tree([file_entry("a.py", b"x = 1\r\n")]), MLU, "vendor").report
    assert (report.files["a.py"].state, report.counts()["edits"]) == ("edited", 0)


def test_bytes_that_are_not_utf8_stay() -> None:
    data = b"import torch\n# \xe9 cuda\n"
    migration = migrate(Tree([file_entry("a.py", data)]), MLU, "vendor")
    assert migration.tree["a.py"].read() == data
    assert migration.report.files["a.py"].state == "left"
    assert [hit.cls for _, hit in migration.report.hits()] == ["needs-person"]


def link(path: str, target: str, kind: str = "symlink") -> Entry:
    return Entry(path, kind, 0o777, link=target)  # type: ignore[arg-type]


def test_links_stay_where_they_show_what_the_converter_would_write() -> None:
    tree = Tree([file_entry("p/a.py", b"cuda\n"), link("b.py", "p/a.py"), link("d", "p"), link("out.py", "../x.py")])
    assert [entry.kind for entry in migrate(tree, MLU, "vendor").tree] == ["symlink", "symlink", "symlink", "file"]


@pytest.mark.parametrize("kind", ["symlink", "hardlink"])
def test_links_whose_name_asks_for_other_bytes_become_files(kind: str) -> None:
    tree = Tree(
        [
            file_entry("a.py", b"cuda\n"),
            link("a.txt", "a.py", kind),
            file_entry("t", b"nccl\n"),
            link("t.py", "t", kind),
        ]
    )
    out = migrate(tree, MLU, "vendor").tree
    assert {entry.path: entry.read() for entry in out} == {
        "a.py": b"mlu\n",
        "a.txt": b"cuda\n",
        "t": b"nccl\n",
        "t.py": b"cncl\n",
    }


def test_links_that_loop_or_leave_the_tree_stay() -> None:
    tree = Tree(
        [link("a.py", "b"), link("b", "a.py"), link("c.py", "/etc/hosts"), link("d.py", "../../x"), link("e.py", "no")]
    )
    assert all(entry.kind == "symlink" for entry in migrate(tree, MLU, "vendor").tree)


def test_only_rulesets_with_a_vendor_have_the_mode() -> None:
    with pytest.raises(RecipeError, match="npu has no vendor mode"):
        migrate(Tree(), load("npu"), "vendor")


def test_a_large_file_of_every_piece() -> None:
    rng = random.Random(1)
    data = "".join(rng.choices(PIECES, k=20_000)).encode()
    assert run(data) == oracle(data, strict=False)
