"""A registry that was killed while it wrote down what it has: its records are empty files, and it answers with 500."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from registry_server import RegistryServer
from small_project import Machine

from portside.errors import RegistryError
from portside.registry.reference import parse_reference
from portside.share.layers import Registries
from portside.share.pull import pull
from portside.share.push import push


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portside.registry.client.time", SimpleNamespace(sleep=lambda seconds: None))


def lose(registry: RegistryServer, which: str) -> int:
    """Empty the records of a kind; gives how many there were."""
    found = sorted((registry.folder / "storage").rglob(which))
    for path in found:
        path.write_bytes(b"")
    return len(found)


@pytest.mark.parametrize("which", ["_layers/sha256/*/link", "_manifests/tags/*/current/link", "link"])
def test_what_was_lost_is_pushed_once_more(
    machine: Callable[..., Machine], registry: RegistryServer, which: str
) -> None:
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    assert lose(registry, which)
    with pytest.raises(RegistryError, match="with status 500, 5 times") as caught:
        pull(there.plan, there.store, reference)
    assert "push once more" in str(caught.value.solution)
    push(here.plan, here.store, reference)
    pull(there.plan, there.store, reference)
    assert there.image_id() == here.image_id()


def test_one_lost_record_does_not_hide_the_other_layers(
    machine: Callable[..., Machine], registry: RegistryServer
) -> None:
    here = machine("here")
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    push(here.plan, here.store, reference)
    first = next(tag for tag in registry.tags("team/models") if tag.startswith("env"))
    assert lose(registry, f"tags/{first}/current/link") == 1
    with Registries([f"http://{registry.host}/team/models"]) as registries:
        offers = [registries.offer(layer) for layer in here.plan.layers if layer.parts]
    assert [offer.source is None for offer in offers] == [offer.layer.name == "env" for offer in offers]
