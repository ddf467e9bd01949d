"""migrated: the trees as they were written, as the report in the image says, with no edit missed, and compiling."""

import json
from typing import Any

from conftest_layers import differing, listing

COMPILED = """
import pathlib, sys, warnings
warnings.simplefilter("ignore")
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.py")):
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        continue
    print(path.relative_to(sys.argv[1]))
"""


def test_every_file_is_there_with_its_hash(host: Any, expected: dict[str, Any]) -> None:
    assert differing(listing(host, expected["workspace"]), expected["rows"]) == []


def report(host: Any, expected: dict[str, Any]) -> Any:
    return json.loads(host.run("cat %s/migration/report.json", expected["workspace"]).stdout)


def test_files_are_as_the_report_says(host: Any, expected: dict[str, Any]) -> None:
    """Every line that the report calls rewritten or patched stands in the file as the report shows it."""
    if expected["migration"] is None:
        return
    wrong = []
    for file in report(host, expected)["files"]:
        changed = [hit for hit in file["hits"] if hit["class"] == "rewritten" and hit["new_line"]]
        if not changed or any(hit["class"] == "patched" for hit in file["hits"]):
            continue
        data = host.run("cat %s", f"{expected['workspace']}/{file['path']}").stdout_bytes
        lines = data.decode("utf-8", "surrogateescape").splitlines()
        wrong += [f"{file['path']}:{h['new_line']}" for h in changed if h["after"] not in lines[h["new_line"] - 1]]
    assert wrong == []


def test_no_edit_is_missed(host: Any, expected: dict[str, Any]) -> None:
    """Vendor mode replaces every `cuda` and `nccl` of Python files; precise mode accounts for each that is left."""
    if expected["migration"] is None:
        return
    kept = {
        (file["path"], hit["new_line"] or hit["line"])
        for file in report(host, expected)["files"]
        for hit in file["hits"]
        if hit["class"] != "rewritten"
    }
    left = set()
    for tree in expected["migration"]["trees"].values():
        found = host.run("cd %s && grep -rnE --include='*.py' 'cuda|nccl' %s", expected["workspace"], tree)
        for line in found.stdout.splitlines():
            path, number, _ = line.split(":", 2)
            left.add((path, int(number)))
    missed = sorted(left - kept) if expected["migration"]["mode"] == "precise" else sorted(left)
    assert missed == []


def test_what_compiled_before_compiles_now(host: Any, expected: dict[str, Any]) -> None:
    if expected["migration"] is None:
        return
    for source, tree in expected["migration"]["trees"].items():
        before = host.run("python3 -c %s %s", COMPILED, f"{expected['workspace']}/{source}").stdout.splitlines()
        after = host.run("python3 -c %s %s", COMPILED, f"{expected['workspace']}/{tree}").stdout.splitlines()
        assert before, "no Python file compiles: the check would prove nothing"
        assert sorted(set(before) - set(after)) == []
