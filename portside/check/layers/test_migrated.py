"""migrated: the trees as they were written, as the report in the image says, with no edit missed, and compiling."""

import io
import json
import re
import shlex
import tarfile
from typing import Any

import pytest
from conftest_layers import differing, distributions, has_pip, listing, normalised, pip_problems, python

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
print(len(paths), len(paths) - len(failing))
for path in failing:
    if compiles(source / path.relative_to(tree)):
        print(path)
"""


def test_every_file_is_there_with_its_hash(host: Any, expected: dict[str, Any]) -> None:
    assert differing(listing(host, expected["workspace"]), expected["rows"]) == []


def test_what_the_recipe_relies_on_is_there(host: Any, expected: dict[str, Any]) -> None:
    """Python packages that the base or an install step brings; a vendor may append its own build's name."""
    found = distributions(host, python(expected)) if expected["given"] else {}
    wrong = []
    for name, version in expected["given"].items():
        there, _ = found.get(normalised(name), ("no such package", ""))
        if not re.match(re.escape(version) + r"(?!\d)", there):
            wrong.append(f"{name}: the recipe says that {version} is given, found {there}")
    assert not wrong, "\n".join(wrong)


def test_what_install_steps_bring_agrees_with_the_rest(host: Any, expected: dict[str, Any]) -> None:
    """What is wrong between packages that were there before is a matter of the env layer."""
    if not expected["brought"]:
        return
    if not has_pip(host, python(expected)):
        pytest.skip("the image has no pip to ask")
    wrong = pip_problems(host, python(expected), expected["brought"])
    assert not wrong, "\n".join(wrong)


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
                text = data.decode("utf-8", "surrogateescape")
                texts[member.name.removeprefix("./")] = re.split("\r\n|\r|\n", text)
    return texts


def report(host: Any, expected: dict[str, Any]) -> Any:
    return json.loads(host.run("cat %s/migration/report.json", expected["workspace"]).stdout)


def test_files_are_as_the_report_says(host: Any, expected: dict[str, Any]) -> None:
    """Every line that the report calls rewritten stands in the file as the report shows it."""
    if expected["migration"] is None:
        return
    wrong = []
    there = {path for path, *_ in expected["rows"]} - set(expected["migration"]["replaced"])
    changed: dict[str, list[Any]] = {}
    for file in report(host, expected)["files"]:
        # A patch may have changed such a line once more, or taken the whole file away.
        hits = [] if any(hit["class"] == "patched" for hit in file["hits"]) else file["hits"]
        placed = [hit for hit in hits if hit["class"] == "rewritten" and hit["new_line"]]
        if placed and file["path"] in there:
            changed[file["path"]] = placed
    texts = read(host, expected["workspace"], list(changed))
    for path, placed in changed.items():
        lines = texts[path]
        wrong += [f"{path}:{h['new_line']}" for h in placed if h["after"] not in lines[h["new_line"] - 1]]
    assert wrong == []


def test_no_edit_is_missed(host: Any, expected: dict[str, Any]) -> None:
    """The report accounts for each of the ruleset's words that is left in a Python file which had one before."""
    if expected["migration"] is None:
        return
    words = expected["migration"]["words"]
    hits = {file["path"]: file["hits"] for file in report(host, expected)["files"]}
    left: set[str] = set()
    for source, tree in expected["migration"]["trees"].items():
        had = {f"{tree}{path.removeprefix(source)}" for path in having(host, expected, words, source)}
        left |= had & having(host, expected, words, tree)
    texts = read(host, expected["workspace"], sorted(left - set(expected["migration"]["replaced"])))
    missed = [f"{path}:{n}" for path, lines in texts.items() for n in unaccounted(lines, hits.get(path, []), words)]
    assert not missed, "\n".join(missed)


def having(host: Any, expected: dict[str, Any], words: list[str], tree: str) -> set[str]:
    """The Python files of a tree in which one of the words stands; paths below the workspace."""
    patterns = " ".join(f"-e {shlex.quote(word)}" for word in words)
    found = host.run(f"cd '{expected['workspace']}' && grep -rlaZF --include='*.py' {patterns} {tree}")
    assert found.rc in (0, 1), found.stderr
    return {path.decode("utf-8", "surrogateescape") for path in found.stdout_bytes.split(b"\0")[:-1]}


def unaccounted(lines: list[str], hits: list[Any], words: list[str]) -> list[int]:
    """The numbers of the lines with a word that no hit accounts for.

    A place that was rewritten does where its new text has the word. Of what a patch wrote, the lines that were not
    there before do, wherever they stand by now. A hit for a whole file says why it could not be judged.
    """
    kept, written = set(), set()
    for hit in hits:
        if hit["class"] == "patched":
            written |= set(hit["after"].split("\n")) - set(hit["before"].split("\n"))
        elif hit["class"] != "rewritten" or any(word in hit["after"] for word in words):
            kept.add(hit["new_line"] or hit["line"])
    found = [(number, line) for number, line in enumerate(lines, 1) if any(word in line for word in words)]
    return [number for number, line in found if not kept & {0, number} and shown(line) not in written]


def shown(line: str) -> str:
    """A line as the report shows it, which has bytes that are no text as \\xNN."""
    return line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def test_what_compiled_before_compiles_now(host: Any, expected: dict[str, Any]) -> None:
    if expected["migration"] is None:
        return
    for source, tree in expected["migration"]["trees"].items():
        done = host.run("cd %s && python3 -c %s %s %s", expected["workspace"], COMPILED, source, tree)
        assert done.rc == 0, done.stderr
        counts, *broken = done.stdout.splitlines()
        files, compiling = map(int, counts.split())
        assert compiling or not files, "no Python file compiles: the check would prove nothing"
        assert broken == []
