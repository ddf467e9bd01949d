"""Image mode without an engine: the program that runs the converter, the report on its result, what lies over it."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.tree import Entry, Tree, file_entry
from portside.migrate import run_converter
from portside.migrate.image import read_back
from portside.migrate.report import to_html, to_json, to_markdown
from portside.migrate.report.hits import FileReport
from portside.migrate.rulesets import load
from portside.migrate.run_converter import in_order
from portside.trees.migrated import over

CONVERTER = """
import os, shutil, sys
folder = sys.argv[sys.argv.index("-i") + 1]
shutil.copytree(folder, folder + "_mlu", symlinks=True)
rows = ["| 1 | b.py:10 | x |", "| 2 | b.py:9 | y |", "| 3 | a.py:1 | " + " ".join(sys.argv[3:]) + " |"]
open(folder + "_mlu/report.md", "w").write("# Report\\n" + "\\n".join(rows) + "\\n")
os.remove(folder + "/a.py")
open("here", "w").close()
open(os.path.expanduser("~/home"), "w").close()
"""


def run(root: Path, converter: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the workspace `root`/w, as the rendered Dockerfile does."""
    (root / "converter.py").write_text(converter)
    command = [sys.executable, "-B", run_converter.__file__, f"--converter={root}/converter.py", "--input=-i", *options]
    command += ["--suffix=_mlu", "--report=report.md", f"--scratch={root}/scratch", f"{root}/w", "s=s_ported"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    Tree([file_entry("s/a.py", b"one\n", 0o755), Entry("s/link", "symlink", 0o777, link="a.py")]).write_to(
        tmp_path / "w"
    )
    return tmp_path


def test_the_converter_works_on_a_copy(workspace: Path) -> None:
    before = Tree.from_folder(workspace / "w")
    done = run(workspace, CONVERTER, "--strict=-s")
    assert done.returncode == 0, done.stderr
    after = Tree.from_folder(workspace / "w")
    assert after.below("s").digest() == before.below("s").digest()
    assert after.below("s_ported").digest() == before.below("s").digest()
    assert after["migration/converter/s.md"].read() == (
        b"# Report\n| 1 | a.py:1 | -s |\n| 2 | b.py:9 | y |\n| 3 | b.py:10 | x |\n"
    )
    assert sorted(path.name for path in workspace.iterdir()) == ["converter.py", "w"]


def test_the_sources_own_file_of_the_reports_name_stays(workspace: Path) -> None:
    (workspace / "w" / "s" / "report.md").write_text("mine\n")
    assert run(workspace, CONVERTER).returncode == 0
    assert (workspace / "w" / "s_ported" / "report.md").read_text() == "mine\n"
    assert "mine" not in (workspace / "w" / "migration" / "converter" / "s.md").read_text()


@pytest.mark.parametrize(
    ("converter", "told"),
    [
        ("raise SystemExit(3)", "ended with 3 on s"),
        ("", "wrote no report.md for s"),
        (CONVERTER + "os.remove(folder + '_mlu/report.md')\n", "wrote no report.md for s"),
    ],
)
def test_a_converter_that_fails(workspace: Path, converter: str, told: str) -> None:
    done = run(workspace, converter)
    assert done.returncode == 1
    assert told in done.stderr
    assert not (workspace / "w" / "s_ported").exists()


def test_a_place_that_is_taken(workspace: Path) -> None:
    (workspace / "w" / "s_ported").mkdir()
    assert "s_ported is there already" in run(workspace, CONVERTER).stderr


def test_the_program_needs_only_what_old_pythons_have() -> None:
    """It is executed by the vendor's Python, 3.7 in the tutorial's image."""
    import ast

    source = Path(run_converter.__file__).read_text()
    ast.parse(source, feature_version=(3, 6))
    imported = {
        name.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import) for name in node.names
    }
    assert imported <= {"argparse", "os", "re", "shutil", "subprocess", "sys"}
    assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]


@given(st.randoms(use_true_random=False), st.dictionaries(st.sampled_from("abcdé"), st.integers(1, 12), max_size=5))
def test_a_report_has_one_order(chance: random.Random, files: dict[str, int]) -> None:
    """Whatever the order of the files: the same bytes, in the order of paths, and putting them in order twice too."""

    def written(names: list[str]) -> bytes:
        places = [(name, line) for name in names for line in range(1, files[name] + 1)]
        rows = [f'| {n} | {name}.py:{line} | change "x | y:3 | " |' for n, (name, line) in enumerate(places, 1)]
        return "\n".join(["# Title", "| No. | File |", *rows, ""]).encode()

    names = sorted(files)
    chance.shuffle(names)
    assert in_order(written(names)) == written(sorted(files, key=str.encode))
    assert in_order(in_order(written(names))) == in_order(written(names))


def tree(files: dict[str, bytes], *more: Entry) -> Tree:
    return Tree([*(file_entry(path, data) for path, data in files.items()), *more])


def report_of(source: Tree, result: Tree) -> dict[str, FileReport]:
    return read_back(source, result, load("mlu")).report.files


def places(file: FileReport) -> list[tuple[str, str, int, int, str, str]]:
    return [(hit.cls, hit.rule, hit.line, hit.new_line, hit.before, hit.after) for hit in file.hits]


def test_edits_are_read_back_from_the_difference() -> None:
    source = tree({"m.py": b"import torch\n\nx = 1\ny.cuda()\nCUDA = 0\nz = 2\n", "same.py": b"a = 1\n"})
    result = tree({"m.py": b"import torch\nimport torch_mlu\n\ny.mlu()\nCUDA = 0\nz = 2\n", "same.py": b"a = 1\n"})
    files = report_of(source, result)
    assert list(files) == ["m.py"]
    assert places(files["m.py"]) == [
        ("rewritten", "converter-added", 1, 2, "", "import torch_mlu"),
        ("rewritten", "converter-removed", 3, 0, "x = 1", ""),
        ("rewritten", "converter-edit", 4, 4, "y.cuda()", "y.mlu()"),
        ("kept", "converter-left", 5, 5, "CUDA", "CUDA"),
    ]


def test_what_became_of_files_links_and_modes() -> None:
    link = Entry("link.py", "symlink", 0o777, link="crlf.py")
    source = tree(
        {"crlf.py": b"a\r\nb\r\n", "gone.txt": b"x\n", "blob": b"\0"},
        file_entry("run.py", b"", 0o755),
        file_entry("g.py", b"", 0o664),
        link,
    )
    result = tree(
        {"crlf.py": b"a\nb\n", "run.py": b"", "g.py": b"", "link.py": b"a\nb\n", "new.txt": b"y\n", "blob": b"\0"}
    )
    files = report_of(source, result)
    assert {path: file.reason for path, file in files.items()} == {
        "crlf.py": "only its line ends changed",
        "gone.txt": "",
        "link.py": "the link became a file",
        "new.txt": "",
        "run.py": "its mode 0755 became 0644",
    }
    assert places(files["gone.txt"])[0][:2] == ("needs-person", "converter-dropped")
    assert places(files["new.txt"])[0][:2] == ("rewritten", "converter-made")


def test_the_comparison_with_precise_mode_says_why() -> None:
    code = b"import torch\ns = 'ms_deform_attn_cuda.cu'\nx = torch.zeros(1).cuda()\n# cuda\n"
    result = b"import torch\nimport torch_mlu\ns = 'ms_deform_attn_mlu.cu'\nx = torch.zeros(1).mlu()\n# mlu\n"
    made = read_back(tree({"m.py": code}), tree({"m.py": result}), load("mlu"))
    assert [(item.line, item.cls, item.rule) for item in made.report.comparison] == [
        (2, "kept", "path"),
        (4, "kept", "comment"),
    ]
    assert "(comment): `# mlu` / as it was" in to_markdown(made.report).decode()
    assert {"path", "comment", "converter-edit", "converter-added"} <= set(made.report.rules)
    assert b"| Place" not in to_markdown(made.report)
    assert "between the image's converter and precise mode" in to_markdown(made.report).decode()
    assert "<th>Converter</th><th>Precise mode</th>" in to_html(made.report, tree({"m.py": code}), made.tree).decode()


def test_the_report_does_not_depend_on_the_order_of_the_trees() -> None:
    names = [f"{name}.py" for name in "dbca"]
    one = tree(dict.fromkeys(names, b"x.cuda()\n"))
    other = tree(dict.fromkeys(reversed(names), b"x.mlu()\n"))
    assert to_json(read_back(one, other, load("mlu")).report) == to_json(
        read_back(tree(dict.fromkeys(sorted(names), b"x.cuda()\n")), other, load("mlu")).report
    )


paths = st.sampled_from(["a", "b", "a/x", "b/x", "b/y/z"])
kinds = st.sampled_from(
    [
        file_entry("p", b"one"),
        file_entry("p", b"two"),
        file_entry("p", b"one", 0o755),
        Entry("p", "symlink", 0o777, link="b"),
        Entry("p", "dir", 0o700),
    ]
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    found: dict[str, Entry] = {}
    for path, entry in sorted(draw(st.dictionaries(paths, kinds)).items()):
        parents = [found.get(path[:at]) for at, letter in enumerate(path) if letter == "/"]
        if all(parent is None or parent.kind == "dir" for parent in parents):
            found[path] = replace(entry, path=path)
    return Tree(found.values())


@given(trees(), trees())
def test_what_lies_over_a_tree_makes_it_the_other(whole: Tree, below: Tree) -> None:
    from portside.diff.files import FileSystem, compare
    from portside.layers.canonical import data_layer
    from portside.layers.index import Index

    made = over(whole, below)
    layer = replace(data_layer(made.tree, 5), whiteouts=made.removed)
    found = Index.of([data_layer(below, 5), layer])
    assert compare(FileSystem(found.entries), FileSystem(Index.of([data_layer(whole, 5)]).entries)) == []
    kept = {entry.path for entry in whole if entry.kind != "dir"} & {entry.path for entry in below}
    same = {path for path in kept if replace(whole[path], mtime=0) == replace(below[path], mtime=0)}
    assert not same & {entry.path for entry in made.tree}, "what is the same lies there already"
