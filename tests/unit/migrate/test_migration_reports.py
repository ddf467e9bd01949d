"""The report's model and its JSON, Markdown and HTML; a browser test lies in tests/browser."""

import json
import random
import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portside.common.tree import Tree, file_entry
from portside.migrate.migration import migrate
from portside.migrate.other_converter import compare
from portside.migrate.report import PatchHit, Report, to_data, to_html, to_json, to_lines, to_markdown
from portside.migrate.report.diff import rows, split_lines
from portside.migrate.rulesets import load

SOURCE = Tree(
    [
        file_entry(
            "a.py", b'import torch\n\n# cuda & <b>\nx = torch.zeros(1).cuda()\ntorch.cuda.ipc_collect()\nf("cuda")\n'
        ),
        file_entry("b.py", b"print 'cuda'\n"),
        file_entry("c/kernel.cu", b""),
        file_entry("d.py", b"import torch\n"),
    ]
)


def migrated() -> tuple[Tree, Report]:
    migration = migrate(SOURCE, load("mlu"), "precise")
    return migration.tree, migration.report


def test_the_lines_for_a_terminal_count_every_kind_of_file() -> None:
    source = Tree([file_entry("a.py", b"x.cuda()\n"), file_entry("run.sh", b"export CUDA_VISIBLE_DEVICES=0\n")])
    first, last = to_lines(migrate(source, load("mlu"), "precise").report, Path("out"))
    assert first == "3 edits in 2 of 2 files (1 Python), 0 kept, 0 unsupported, 0 for a person"
    assert last == "Written to out; open out/report.html to review it"


def test_json_schema() -> None:
    """Version 1: what docs/migration.md promises, key by key."""
    _, report = migrated()
    data = json.loads(to_json(report))
    assert data == to_data(report)
    assert set(data) == {
        "portside_migration_report",
        "mode",
        "strict",
        "ruleset",
        "counts",
        "rules",
        "files",
        "comparison",
    }
    assert (data["portside_migration_report"], data["mode"], data["strict"]) == (1, "precise", False)
    assert data["ruleset"] == {"name": "mlu", "suffix": "_mlu", "digest": load("mlu").digest}
    assert data["counts"] == {
        "rewritten": 2, "kept": 1, "unsupported": 2, "needs-person": 2, "patched": 0, "edits": 2,
        "files": 4, "python_files": 3, "files_edited": 1, "files_left": 1,
    }  # fmt: skip
    assert [file["path"] for file in data["files"]] == ["a.py", "b.py", "c/kernel.cu"]
    assert [file["state"] for file in data["files"]] == ["edited", "left", "unchanged"]
    assert data["files"][0]["hits"][2] == {
        "class": "rewritten", "rule": "cuda-method", "name": ".cuda()", "line": 4, "column": 20, "new_line": 5,
        "before": "cuda", "after": "mlu", "note": "",
    }  # fmt: skip
    used = {hit["rule"] for file in data["files"] for hit in file["hits"]}
    assert set(data["rules"]) == used
    assert set(data["rules"]["cuda-method"]) == {"title", "why", "advice"}


def test_reports_are_the_same_every_time() -> None:
    (tree, one), (_, two) = migrated(), migrated()
    assert to_json(one) == to_json(two)
    assert to_markdown(one) == to_markdown(two)
    assert to_html(one, SOURCE, tree) == to_html(two, SOURCE, tree)


def test_the_report_says_why_a_place_was_accepted() -> None:
    report = migrate(SOURCE, load("mlu"), "precise").report
    report.accept({"torch.cuda.ipc_collect": "never reached", "kernel-file": "not compiled", "device-literal": "x"})
    notes = {hit.name: hit.note for _, hit in report.hits() if hit.cls == "unsupported"}
    assert notes == {"torch.cuda.ipc_collect": "accepted: never reached", "c/kernel.cu": "accepted: not compiled"}
    assert not [hit for _, hit in report.hits() if hit.cls != "unsupported" and "accepted" in hit.note]
    for shown in (to_json(report), to_markdown(report), to_html(report, SOURCE, SOURCE)):
        assert b"accepted: never reached" in shown


def test_unsupported_hits_stop_until_they_are_accepted_by_name_or_rule() -> None:
    _, report = migrated()
    assert [hit.name for _, hit in report.unaccepted({})] == ["torch.cuda.ipc_collect", "c/kernel.cu"]
    assert [hit.name for _, hit in report.unaccepted({"torch.cuda.ipc_collect": "never reached"})] == ["c/kernel.cu"]
    assert not report.unaccepted({"torch-cuda-unsupported": "x", "kernel-file": "x"})


def test_patches_stand_beside_the_migration() -> None:
    tree, report = migrated()
    patched = tree.copy()
    patched.write("a.py", tree["a.py"].read().replace(b"torch.mlu.", b"torch_mlu.").replace(b'f("cuda")', b"f(1)"))
    report.add_patches("a.py", [PatchHit("no-literal", 7, 'f("cuda")', "f(1)")])
    report.add_patches("new.py", [PatchHit("copy-new", 0, "", "x = 1")])
    counts = report.counts()
    assert (counts["patched"], counts["edits"], counts["files_edited"]) == (2, 4, 2)
    data = to_data(report)
    assert data["files"][0]["hits"][-1]["class"] == "patched"
    found = drawn(to_html(report, SOURCE, patched))
    assert {(hit["class"], hit["rule"]) for hit in found} >= {("patched", "no-literal"), ("patched", "copy-new")}
    assert any(row[4] == "f(1)" for row in lines_drawn(to_html(report, SOURCE, patched)))


def test_markdown_names_what_is_left_to_do() -> None:
    text = to_markdown(migrated()[1]).decode()
    unsupported = text[text.index("## Unsupported") : text.index("## Needs a person")]
    assert "`torch.cuda.ipc_collect` (torch-cuda-unsupported, 1x)" in unsupported
    assert "  - `a.py:5`" in unsupported
    assert "Left as it was: it does not compile as Python 3" in text
    assert "- 4:20 rewritten (cuda-method): `cuda` → `mlu`" in text


def test_html_is_one_file_and_escapes_what_it_shows() -> None:
    tree, report = migrated()
    page = to_html(report, SOURCE, tree).decode()
    assert not re.search(r"(?:src|href)=[\"'](?!#)", page)
    assert "@import" not in page and "url(" not in page and "@@" not in page
    data = page[page.index('id="data">') : page.index("</script>")]
    assert "<" not in data and "# cuda & \\u003cb>" in data
    assert len(drawn(page.encode())) == sum(1 for _ in report.hits())


@given(st.lists(st.sampled_from(["x = 1", "x.cuda()", "# cuda", "no_cuda = 'cuda'", "import torch"]), max_size=40))
def test_html_shows_every_hit_and_change_once(lines: list[str]) -> None:
    source = Tree([file_entry("a.py", "".join(line + "\n" for line in lines).encode())])
    migration = migrate(source, load("mlu"), "precise")
    page = to_html(migration.report, source, migration.tree)
    assert len(drawn(page)) == sum(1 for _ in migration.report.hits())
    shown = lines_drawn(page)
    assert [row[4] for row in shown if row[0] == "changed"] == ["x.mlu()"] * lines.count("x.cuda()")
    numbers = [row[2] for row in shown if row[2]]
    assert numbers == sorted(set(numbers))
    after = split_lines(migration.tree["a.py"].read())
    assert all(after[row[2] - 1] == row[4] for row in shown if row[2])


def test_html_without_trees_shows_the_places() -> None:
    _, report = migrated()
    page = to_html(report)
    assert len(drawn(page)) == sum(1 for _ in report.hits())
    assert any(row[4] == "import torch_mlu" for row in lines_drawn(page))


def test_a_report_of_any_size_is_small() -> None:
    """10,000 places in 400 files: below 2 MB, where each place as table cells would take a kilobyte."""
    text = "".join(f"    x{number} = layer_{number}(x).cuda(non_blocking=True)\n" for number in range(25)).encode()
    source = Tree([file_entry(f"package/module_{number}.py", b"def f(x):\n" + text) for number in range(400)])
    migration = migrate(source, load("mlu"), "precise")
    page = to_html(migration.report, source, migration.tree)
    assert len(drawn(page)) >= 10_000
    assert len(page) < 2_000_000


def page_json(page: bytes) -> dict[str, Any]:
    text = page.decode()
    data: dict[str, Any] = json.loads(text[text.index('id="data">') + 10 : text.index("</script>")])
    return data


def drawn(page: bytes) -> list[dict[str, Any]]:
    """The hits that the page's script is given."""
    data = page_json(page)
    hits = [hit for file in data["files"] for hunk in file[4] for hit in hunk[3]]
    return [{"class": data["classes"][hit[1]], "rule": data["texts"][hit[2]]} for hit in hits]


def lines_drawn(page: bytes) -> list[tuple[str, int, int, str, str]]:
    """(kind, line before, line after, text before, text after) of each row, as the page's script works it out."""
    data, out = page_json(page), []
    for old, new, rows_of, hits in (hunk for file in data["files"] for hunk in file[4]):
        for at, row in enumerate(rows_of):
            kind, before, *after = (0, row, row) if isinstance(row, int) else row
            name, line = data["kinds"][kind], data["texts"][before]
            made = (
                data["texts"][after[0]] if after else edited(line, [hit for hit in hits if hit[0] == at], data["texts"])
            )
            out.append((name, old * (name != "added"), new * (name != "removed"), line, made))
            old, new = old + (name != "added"), new + (name != "removed")
    return out


def edited(line: str, hits: list[list[int]], texts: list[str]) -> str:
    for hit in sorted(hits, key=lambda hit: -hit[4]):
        before, after = texts[hit[5]], texts[hit[6] if len(hit) > 6 else hit[5]]
        line = line[: hit[4] - 1] + after + line[hit[4] - 1 + len(before) :]
    return line


def test_paths_that_are_not_utf8() -> None:
    tree = Tree([file_entry("caf\udce9.py", b"torch.cuda # cuda\n")])
    report = migrate(tree, load("mlu"), "precise").report
    assert b"caf\xe9.py" in to_json(report)
    assert b"caf\xe9.py" in to_markdown(report)
    assert b"caf?.py" in to_html(report, tree, tree)


def test_comparison_accounts_for_every_difference() -> None:
    vendor = migrate(SOURCE, load("mlu"), "vendor").tree
    tree, report = migrated()
    found = [(item.path, item.line, item.cls, item.rule) for item in compare(SOURCE, vendor, tree, report)]
    assert found == [
        ("a.py", 3, "kept", "comment"),
        ("a.py", 5, "unsupported", "torch-cuda-unsupported"),
        ("a.py", 6, "needs-person", "device-literal"),
        ("b.py", 1, "needs-person", "does-not-compile"),
        ("d.py", 1, "kept", "no-import-needed"),
    ]
    assert to_data(report)["comparison"][0] == {
        "path": "a.py", "line": 3, "cls": "kept", "rule": "comment", "vendor": "# mlu & <b>", "ours": None,
    }  # fmt: skip
    assert b"no-import-needed" in to_markdown(report)
    assert b'id="comparison"' in to_html(report, SOURCE, tree)


LINES = st.lists(st.sampled_from(["a", "b", "", "x = 1", "import torch", "x.cuda()"]), max_size=25)


@given(LINES, LINES)
def test_rows_give_both_sides_again(old: list[str], new: list[str]) -> None:
    before, after = ("".join(line + "\n" for line in lines).encode() for lines in (old, new))
    found = rows(before, after)
    assert [row.old for row in found if row.old_line] == old
    assert [row.new for row in found if row.new_line] == new
    assert [row.old_line for row in found if row.old_line] == list(range(1, len(old) + 1))
    assert [row.new_line for row in found if row.new_line] == list(range(1, len(new) + 1))
    assert all(row.old == row.new for row in found if row.kind == "same")


def test_rows_put_an_added_line_alone() -> None:
    found = rows(b"a\nimport torch\nb\nx.cuda()\na\n", b"a\nimport torch\nimport torch_mlu\nb\nx.mlu()\na\n")
    assert [row.kind for row in found] == ["same", "same", "added", "same", "changed", "same"]


def test_rows_of_large_files_take_no_squared_time() -> None:
    """20,000 lines with 200 changes and 50 additions: a quadratic comparison would not end."""
    rng = random.Random(5)
    old = [f"line {number % 700} {number}" if number % 3 else "" for number in range(20_000)]
    new = list(old)
    for at in rng.sample(range(20_000), 200):
        new[at] = f"changed {at}"
    for at in sorted(rng.sample(range(20_000), 50), reverse=True):
        new.insert(at, "import torch_mlu")
    found = rows("\n".join(old).encode(), "\n".join(new).encode())
    assert [row.new for row in found if row.new_line] == split_lines("\n".join(new).encode())
    assert sum(row.kind == "same" for row in found) > 19_500
