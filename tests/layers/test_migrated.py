"""migrated: the trees as they were written, as the report in the image says, with no edit missed, and compiling."""

import io
import json
import shlex
import tarfile
from typing import Any

from conftest_layers import differing, distributions, listing, normalised

COMPILED = """
import pathlib, sys, warnings
warnings.simplefilter("ignore")
source, tree = map(pathlib.Path, sys.argv[1:])

def compiles(path):
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return False
    return True

paths = sorted(tree.rglob("*.py"))
failing = [path for path in paths if not compiles(path)]
print(len(paths) - len(failing))
for path in failing:
    if compiles(source / path.relative_to(tree)):
        print(path)
"""


def test_every_file_is_there_with_its_hash(host: Any, expected: dict[str, Any]) -> None:
    assert differing(listing(host, expected["workspace"]), expected["rows"]) == []


def test_what_the_recipe_relies_on_is_there(host: Any, expected: dict[str, Any]) -> None:
    """Python packages that the base or an install step brings; a vendor may append its own build's name."""
    found = distributions(host) if expected["given"] else {}
    for name, version in expected["given"].items():
        assert found[normalised(name)][0].startswith(version), name


def read(host: Any, folder: str, paths: list[str]) -> dict[str, list[str]]:
    """The lines of many files, fetched as a few tars: an exec costs more than the bytes do."""
    texts: dict[str, list[str]] = {}
    for start in range(0, len(paths), 400):
        names = " ".join(shlex.quote(f"./{path}") for path in paths[start : start + 400])
        packed = host.run(f"cd '{folder}' && tar -cf - {names}")
        assert packed.rc == 0, packed.stderr
        with tarfile.open(fileobj=io.BytesIO(packed.stdout_bytes)) as tar:
            for member in tar:
                stream = tar.extractfile(member)
                data = stream.read() if stream else b""
                texts[member.name.removeprefix("./")] = data.decode("utf-8", "surrogateescape").splitlines()
    return texts


def report(host: Any, expected: dict[str, Any]) -> Any:
    return json.loads(host.run("cat %s/migration/report.json", expected["workspace"]).stdout)


def test_files_are_as_the_report_says(host: Any, expected: dict[str, Any]) -> None:
    """Every line that the report calls rewritten stands in the file as the report shows it."""
    if expected["migration"] is None:
        return
    wrong = []
    changed: dict[str, list[Any]] = {}
    for file in report(host, expected)["files"]:
        # A patch may have changed such a line once more, or taken the whole file away.
        hits = [] if any(hit["class"] == "patched" for hit in file["hits"]) else file["hits"]
        if placed := [hit for hit in hits if hit["class"] == "rewritten" and hit["new_line"]]:
            changed[file["path"]] = placed
    texts = read(host, expected["workspace"], list(changed))
    for path, placed in changed.items():
        lines = texts[path]
        wrong += [f"{path}:{h['new_line']}" for h in placed if h["after"] not in lines[h["new_line"] - 1]]
    assert wrong == []


def test_no_edit_is_missed(host: Any, expected: dict[str, Any]) -> None:
    """Vendor mode replaces every `cuda` and `nccl` of Python files; the others account for each that is left."""
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
    missed = sorted(left) if expected["migration"]["mode"] == "vendor" else sorted(left - kept)
    assert missed == []


def test_what_compiled_before_compiles_now(host: Any, expected: dict[str, Any]) -> None:
    if expected["migration"] is None:
        return
    for source, tree in expected["migration"]["trees"].items():
        done = host.run("cd %s && python3 -c %s %s %s", expected["workspace"], COMPILED, source, tree)
        assert done.rc == 0, done.stderr
        count, *broken = done.stdout.splitlines()
        assert int(count) > 0, "no Python file compiles: the check would prove nothing"
        assert broken == []
