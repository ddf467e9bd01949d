"""The five chatglm recipes as committed: their locks, what they share, and what docs/chatglm.md says of them."""

import re
from pathlib import Path

import pytest
from chatglm_targets import RECIPES, ROOT, table

from portside.config import Config
from portside.errors import InputError
from portside.fetch.manual import require_manual
from portside.lock.file import check_lock, read_lock
from portside.lock.models import Lock
from portside.plan.parts import plan
from portside.recipe import Recipe, load_recipe
from portside.store import Store


def both(name: str) -> tuple[Recipe, Lock]:
    recipe = load_recipe(ROOT, name)
    lock = read_lock(recipe.lock_path)
    assert lock is not None
    return recipe, lock


@pytest.mark.parametrize("name", RECIPES)
def test_the_committed_lock_belongs_to_the_recipe(name: str) -> None:
    check_lock(*both(name))


def test_nobody_has_seen_the_vendors_files_yet() -> None:
    assert both("chatglm")[1].unpinned() == [("base", "pytorch-v1.13.0-torch1.9-ubuntu18.04-py37.tar.gz")]
    assert both("chatglm-finetune")[1].unpinned()[1:] == [("env.chatglm-finetune", "cndsp-0.8.0-py3-none-any.whl")]
    assert both("chatglm-cpu")[1].unpinned() == []


@pytest.mark.parametrize("offline", [False, True])
def test_who_has_to_bring_what_is_told_apart(tmp_path: Path, offline: bool) -> None:
    """13 GB of weights that have a URL are nobody's errand, unless no network may be asked."""
    recipe, lock = both("chatglm")
    with pytest.raises(InputError) as caught:
        require_manual(recipe, lock, Store(tmp_path), Config(home=tmp_path), offline=offline)
    errands, _, downloads = caught.value.problem.partition("and these, which are then downloaded")
    assert "pytorch-v1.13.0-torch1.9-ubuntu18.04-py37.tar.gz: size unknown" in errands
    shards = [f"pytorch_model-0000{number}-of-00008.bin: " for number in range(1, 9)]
    assert all(shard in (errands if offline else downloads) for shard in shards)
    assert ("needs 10 file(s)" if offline else "needs 1 file(s)") in errands


@pytest.mark.parametrize("name", RECIPES[1:4])
def test_recipes_share_parts_with_the_one_they_extend(name: str) -> None:
    lower = {part.key for part in plan(*both("chatglm")).build_order() if part.layer in ("env", "weights")}
    assert lower <= {part.key for part in plan(*both(name)).build_order()}


def test_the_processor_has_the_same_sources_and_weights() -> None:
    card, processor = (plan(*both(name)) for name in ("chatglm", "chatglm-cpu"))
    for layer in ("sources", "weights"):
        assert card.layer(layer).key == processor.layer(layer).key


def test_the_documents_table_is_what_a_dry_run_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "chatglm.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- targets -->\n(.*?)<!-- end -->", text, re.DOTALL)
    assert shown is not None
    assert shown[1] == table(tmp_path), "python tests/unit/recipes/chatglm_targets.py prints it"


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipes_own_checks_do_not_wait_for_13_gb_of_weights(name: str) -> None:
    recipe, _ = both(name)
    assert recipe.model.checks_of("migrated")[0] == "checks/test_port.py"
    assert len(recipe.model.checks_of("migrated")) == len(recipe.model.checks)
    assert load_recipe(ROOT, "minilm").model.checks_of("weights") == ["checks/test_similarity.py"]
