"""Hashes that nobody knew come into the lock one by one, so that what is known stays known if a later file fails."""

import re
from collections.abc import Callable

import pytest
from small_project import Machine, sha

from portside.config import Config
from portside.errors import MissingInputError
from portside.fetch.fetcher import Fetcher
from portside.fetch.pin import pin
from portside.lock.models import Lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.recipe import load_recipe


@pytest.fixture
def here(machine: Callable[..., Machine]) -> Machine:
    """A machine whose recipe pins nothing of its weights."""
    made = machine("here")
    path = made.small.root / "recipes/small.yaml"
    path.write_text(re.sub(r", sha256: \w+", "", path.read_text()))
    return made


def unknown(here: Machine) -> Plan:
    """What `lock` leaves where it has seen no file."""
    lock = here.plan.lock
    weights = lock.weights["model"]
    files = tuple(file.model_copy(update={"sha256": None, "size": None}) for file in weights.files)
    return with_files(here, lock.model_copy(update={"weights": {"model": weights.model_copy(update={"files": files})}}))


def with_files(here: Machine, lock: Lock) -> Plan:
    return plan(load_recipe(here.small.root, "small"), lock)


def fetcher(here: Machine, lenient: bool = False) -> Fetcher:
    config = Config(home=here.home, folders=(here.small.downloads,))
    return Fetcher(here.store, config, offline=True, lenient=lenient)


def known(lock: Lock) -> dict[str, tuple[str | None, int | None]]:
    return {file.path: (file.sha256, file.size) for file in lock.weights["model"].files if file.sha256 is not None}


def right(here: Machine, *names: str) -> dict[str, tuple[str, int]]:
    return {name: (sha(data), len(data)) for name, data in here.small.weights.items() if name in names}


def test_every_file_is_noted_as_soon_as_it_was_seen(here: Machine) -> None:
    kept: list[Lock] = []
    made = pin(unknown(here), fetcher(here), here.store, kept.append)
    assert known(made) == right(here, *here.small.weights)
    assert [len(known(lock)) for lock in kept] == [1, 2, 3] and kept[-1] == made
    again = pin(with_files(here, made), fetcher(here), here.store, lambda lock: pytest.fail("nothing is new"))
    assert again == made


def test_a_file_that_nobody_has_leaves_what_came_before_it(here: Machine) -> None:
    (here.small.downloads / "other.bin").unlink()
    kept: list[Lock] = []
    with pytest.raises(MissingInputError, match=r"other\.bin"):
        pin(unknown(here), fetcher(here), here.store, kept.append)
    assert known(kept[-1]) == right(here, "big.bin")


def test_whoever_wants_what_there_is_gets_the_rest(here: Machine) -> None:
    (here.small.downloads / "other.bin").unlink()
    kept: list[Lock] = []
    made = pin(unknown(here), fetcher(here, lenient=True), here.store, kept.append)
    assert known(made) == known(kept[-1]) == right(here, "big.bin", "vocab.txt")


def test_weights_are_not_looked_for_where_a_lower_layer_is_wanted(here: Machine) -> None:
    before = unknown(here)
    assert pin(before, fetcher(here), here.store, lambda lock: pytest.fail("nothing is new"), "env") == before.lock
