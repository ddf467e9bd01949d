"""`lock` keeps nothing that contradicts the recipe, and writes nothing that does."""

import json
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from portside.clean import find_garbage
from portside.cli.report.recipes import overview, overview_lines
from portside.errors import InputError, LockError
from portside.lock.agree import contradictions
from portside.lock.bases import DebianBase
from portside.lock.file import read_lock
from portside.lock.lower import behind, known
from portside.lock.models import Lock
from portside.lock.packages import Artefact, Deb, LockedEnv
from portside.prepare import locked_plan
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.resolve.resolver import make_lock

A, B = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository, and the first of its two commits."""
    folder = tmp_path_factory.mktemp("upstream")
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    commits = []
    for text in "xy":
        (folder / "f").write_text(text)
        subprocess.run([*git, "add", "f"], check=True)
        subprocess.run([*git, "commit", "--quiet", "-m", text], check=True)
        done = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
        commits.append(done.stdout.strip())
    return folder, commits[0]


@pytest.fixture
def project(tmp_path: Path, upstream: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Project:
    """`upper` extends `lower`; both are locked."""
    monkeypatch.setenv("PORTSIDE_HOME", str(tmp_path / "home"))
    folder, commit = upstream
    (tmp_path / "portside.toml").write_text(f'folders = ["{tmp_path}/files"]\n')
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "lower.yaml").write_text(f"""\
description: lower
base: {{archive: {{file: base.tar, origin: x, sha256: {A}, size: 5}}}}
accelerator: {{name: cpu}}
sources: {{s: {{git: "file://{folder}", commit: {commit}}}}}
weights: {{w: {{files: [{{path: w.bin, origin: x, sha256: {A}}}]}}}}
data: {{d: {{file: d.tar, origin: x, to: d, size: 3}}}}
""")
    (tmp_path / "recipes" / "upper.yaml").write_text("extends: lower\ndescription: upper\n")
    made = Project(tmp_path)
    lock_recipe(made, made.recipe("upper"))
    return made


def lock_of(project: Project, name: str) -> Lock:
    found = read_lock(project.recipe(name).lock_path)
    assert found is not None
    return found


def edit(project: Project, name: str, **values: Any) -> None:
    """Change values of a lock's JSON, by their paths with `__` between the keys."""
    path = project.recipe(name).lock_path
    lock = json.loads(path.read_text())
    for at, value in values.items():
        *above, last = at.split("__")
        inner: Any = lock
        for key in above:
            inner = inner[int(key)] if isinstance(inner, list) else inner[key]
        if value is None:
            del inner[last]
        else:
            inner[last] = value
    path.write_text(json.dumps(lock))


EDITS: list[dict[str, Any]] = [
    {"sources__s__commit": "0" * 40},
    {"sources__s__url": "https://evil.example/x"},
    {"sources__s": None},
    {"weights__w__files__0__sha256": B},
    {"weights__w__files": []},
    {"data__d__file": "e.tar"},
    {"base__sha256": B, "base__file": "evil.tar"},
    {"base__size": 6},
    {"env__sets": []},
]


@pytest.mark.parametrize("names", [("lower",), ("upper",), ("lower", "upper")])
@pytest.mark.parametrize("values", EDITS, ids=lambda values: next(iter(values)))
def test_what_contradicts_is_resolved_anew(project: Project, values: dict[str, Any], names: tuple[str, ...]) -> None:
    good = {name: lock_of(project, name) for name in ("lower", "upper")}
    for name in names:
        edit(project, name, **values)
    lock_recipe(project, project.recipe("upper"))
    assert lock_of(project, "upper") == good["upper"]
    if values != {"env__sets": []}:  # which is no contradiction: nothing would be in it
        assert lock_of(project, "lower") == good["lower"]


def test_an_edited_lower_lock_teaches_nothing(project: Project) -> None:
    """What it says is neither told as news nor taken over."""
    upper, lock = project.recipe("upper"), lock_of(project, "upper")
    edit(project, "lower", data__d__sha256=B, data__d__file="e.tar")
    assert behind(upper, lock) == []
    assert known(upper, lock) == lock


@pytest.mark.parametrize(
    ("file", "data", "line"),
    [
        ("w.bin", b"other", "the recipe says aaaa"),
        ("d.tar", b"longer", "has 6 bytes, the recipe says 3"),
    ],
)
def test_a_file_in_a_folder_that_is_another_is_not_locked(project: Project, file: str, data: bytes, line: str) -> None:
    path = project.recipe("lower").lock_path
    path.unlink()
    (project.root / "files").mkdir()
    (project.root / "files" / file).write_bytes(data)
    with pytest.raises(InputError) as caught:
        lock_recipe(project, project.recipe("lower"))
    assert line in caught.value.problem
    assert not path.exists()


def test_lists_and_cleaning_do_not_stumble(project: Project) -> None:
    """The recipe's migration, weights and data are not in the lock: nothing plans by it."""
    edit(project, "lower", sources={}, weights={}, data={})
    row = next(row for row in overview(project) if row["name"] == "lower")
    assert (row["lock"], row["to_build"]) == ("stale", None)
    assert "sources.s: the lock has none of this name" in "\n".join(overview_lines([row]))
    find_garbage(project, 14)
    with pytest.raises(LockError, match=r"weights\.w: the lock has none of this name"):
        locked_plan(project, project.recipe("lower"))


@pytest.mark.parametrize(("suite", "kept"), [("bookworm", 1), ("trixie", 0)])
def test_packages_of_another_suite_are_not_kept(
    project: Project, monkeypatch: pytest.MonkeyPatch, suite: str, kept: int
) -> None:
    path = project.root / "recipes" / "deb.yaml"
    path.write_text("description: d\nbase: {debian: {suite: bookworm}}\naccelerator: {name: cpu}\n")
    recipe = project.recipe("deb")
    deb = Deb(name="a", version="1", architecture="all", path="pool/a.deb", size=1, sha256=A)
    names = {"suite": suite, "architecture": "amd64", "snapshot": "x"}
    base = DebianBase(**names, epoch=1, debs=(deb,), diff_id=A, size=1)
    asked = recipe.requests() | {"base": {}}  # so that it is resolved in either case
    old = Lock(recipe="deb", epoch=1, requests=asked, base=base, env=LockedEnv(), sources={}, weights={})
    found: list[Deb] = []

    def resolve_base(*arguments: Any) -> None:
        found.extend(arguments[3])
        raise InputError("enough")

    monkeypatch.setattr("portside.inputs.debian_base.resolve_base", resolve_base)
    with pytest.raises(InputError, match="enough"):
        make_lock(recipe, old, (), project.store, project.config)
    assert len(found) == kept


def test_wheels_that_are_called_otherwise_are_not_kept(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project.root / "recipes" / "py.yaml"
    text = (project.root / "recipes" / "lower.yaml").read_text()
    path.write_text(text + "env: {python: {version: '3.11', requirements: [numpy, six]}}\n")
    recipe = project.recipe("py")
    files = {"numpy": "numpy-1.20.0-py3-none-any.whl", "six": "six-1.16.0-py2.py3-none-any.whl"}
    wheels = [Artefact(name=n, version=f.split("-")[1], file=f, size=1, sha256=A) for n, f in files.items()]
    wheels[0] = wheels[0].model_copy(update={"version": "1.26.4"})
    python = {"version": "3.11", "platform": "x86_64-manylinux_2_28", "wheels": [w.model_dump() for w in wheels]}
    sets = [{"recipe": "py", "epoch": 1, "python": python}]
    lower = lock_of(project, "lower")
    old = lower.model_copy(update={"recipe": "py", "requests": recipe.requests()})
    old = Lock.model_validate(old.model_dump() | {"env": {"sets": sets}})
    assert contradictions(recipe, old) == ["env.py.python: the lock calls numpy-1.20.0-py3-none-any.whl numpy 1.26.4"]
    kept: list[Artefact] = []

    def resolve_wheels(requirements: Any, *, keep: Collection[Artefact], **more: Any) -> list[Artefact]:
        kept.extend(keep)
        return []

    monkeypatch.setattr("portside.inputs.python.resolve_wheels", resolve_wheels)
    make_lock(recipe, old, (), project.store, project.config)
    assert kept == [wheels[1]]
