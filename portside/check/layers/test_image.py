"""image: config, labels and history are what the recipe and the lock say."""

import json
from typing import Any

import pytest
import testinfra


@pytest.fixture(scope="module")
def image(expected: dict[str, Any]) -> Any:
    here = testinfra.get_host("local://")
    found = here.run("%s image inspect %s", expected["engine"], expected["image"]["name"])
    assert found.rc == 0, found.stderr
    return json.loads(found.stdout)[0]


def test_layers(image: Any, expected: dict[str, Any]) -> None:
    assert image["RootFS"]["Layers"] == expected["image"]["diff_ids"]


def test_config(image: Any, expected: dict[str, Any]) -> None:
    wanted = expected["image"]
    config = image["Config"]
    assert sorted(config["Env"]) == wanted["env"]
    assert config["Cmd"] == wanted["command"]
    assert config["WorkingDir"] == wanted["workdir"]
    assert not config.get("Entrypoint")


def test_labels(image: Any, expected: dict[str, Any]) -> None:
    assert image["Config"]["Labels"] == expected["image"]["labels"]


def test_times_come_from_the_lock(image: Any, expected: dict[str, Any]) -> None:
    assert image["Created"] == expected["image"]["created"]


def test_history_has_one_entry_per_layer_blob(expected: dict[str, Any]) -> None:
    wanted = expected["image"]
    here = testinfra.get_host("local://")
    found = here.run("%s history --no-trunc --format '{{.CreatedBy}}' %s", expected["engine"], wanted["name"])
    assert found.stdout.splitlines() == wanted["history"][::-1]
    assert len(wanted["history"]) == len(wanted["diff_ids"])
