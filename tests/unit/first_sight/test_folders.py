"""Which file of a folder is meant: SET/PATH, and the bare name only where nothing leaves a doubt."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from first_sight_checkout import Here, Server, pointer, repository, sha

from portside.errors import InputError, MissingInputError

ONE, TWO = b"one model", b"another model"


def test_a_file_with_a_url_is_not_taken_by_its_name_alone(
    here: Here, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    """ChatGLM3 was locked with the shards of ChatGLM2, which have the same names."""
    here.weights({"path": "model-1.bin", "url": server.put("/3", TWO)})
    path = here.put("model-1.bin", ONE)
    for work in (here.lock, lambda: here.task("fetch")):
        work()
        assert f"{path} is not taken for glm/model-1.bin" in capsys.readouterr().err
    assert here.locked("glm/model-1.bin") == (sha(TWO), len(TWO))


def test_a_file_at_its_place_goes_before_its_url(
    here: Here, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    here.weights({"path": "model-1.bin", "url": server.put("/3", TWO)})
    here.put("glm/model-1.bin", ONE)
    here.put("model-1.bin", TWO)
    here.lock()
    here.task("fetch")
    assert "is not taken" not in capsys.readouterr().err
    assert here.locked("glm/model-1.bin") == (sha(ONE), len(ONE))
    assert server.asked == []


@pytest.mark.parametrize("pin", [{"sha256": sha(ONE)}, {"size": len(ONE)}])
def test_a_pin_makes_the_name_enough(here: Here, server: Server, pin: dict[str, Any]) -> None:
    here.weights({"path": "sub/model-1.bin", "url": server.put("/3", TWO), **pin})
    here.put("model-1.bin", ONE)
    here.lock()
    here.task("fetch")
    assert here.locked("glm/sub/model-1.bin") == (sha(ONE), len(ONE))
    assert server.asked == []


def test_the_only_file_of_a_name_without_a_url_is_taken(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    here.weights({"path": "model-1.bin"})
    here.lock()
    path = here.put("model-1.bin", ONE)
    here.task("fetch")
    assert here.locked("glm/model-1.bin") == (sha(ONE), len(ONE))
    assert f"glm/model-1.bin: first seen at {path}" in capsys.readouterr().err


def test_two_models_do_not_get_one_file(here: Here) -> None:
    here.weights(a=[{"path": "config.json"}], b=[{"path": "config.json"}])
    here.put("config.json", b"{}")
    with pytest.raises(MissingInputError) as caught:
        here.task("fetch")
    assert "a/config.json: size unknown" in caught.value.problem
    assert "b/config.json: size unknown" in caught.value.problem
    assert "needs 2 file(s)" in caught.value.problem
    here.put("a/config.json", ONE)
    here.put("b/config.json", TWO)
    here.task("fetch")
    assert (here.locked("a/config.json")[0], here.locked("b/config.json")[0]) == (sha(ONE), sha(TWO))


def test_two_entries_take_one_file_if_both_pin_its_hash(here: Here) -> None:
    here.weights(a=[{"path": "v.txt", "sha256": sha(ONE)}], b=[{"path": "v.txt", "sha256": sha(ONE)}])
    here.put("v.txt", ONE)
    here.lock()
    here.task("fetch")
    assert here.locked("a/v.txt") == here.locked("b/v.txt") == (sha(ONE), len(ONE))


def test_the_one_that_pins_it_takes_it(here: Here) -> None:
    here.weights(
        a=[{"path": "v.txt", "sha256": sha(ONE)}], b=[{"path": "v.txt"}], c=[{"path": "v.txt", "sha256": "0" * 64}]
    )
    here.put("v.txt", ONE)
    here.lock()
    assert here.locked("a/v.txt") == (sha(ONE), len(ONE))
    assert here.locked("b/v.txt") == (None, None)
    assert here.locked("c/v.txt") == ("0" * 64, None)  # the other's file is no wrong one


def test_one_size_for_two_does_not_tell_them_apart(here: Here) -> None:
    """Two trainings of one model have shards of the same names and sizes."""
    here.weights(a=[{"path": "v.bin", "size": len(ONE)}], b=[{"path": "v.bin", "size": len(ONE)}])
    here.put("v.bin", ONE)
    here.lock()
    assert here.locked("a/v.bin") == here.locked("b/v.bin") == (None, len(ONE))
    here.weights(a=[{"path": "v.bin", "size": len(ONE)}], b=[{"path": "v.bin", "size": len(TWO)}])
    (here.root / "recipes" / "m.lock").unlink()
    here.lock()
    assert (here.locked("a/v.bin")[0], here.locked("b/v.bin")[0]) == (sha(ONE), None)


def test_data_sets_that_share_a_name(here: Here) -> None:
    entry = {"file": "d.tar", "origin": "a drive"}
    here.recipe(data={"a": {**entry, "to": "a"}, "b": {**entry, "to": "b"}})
    here.put("d.tar", ONE)
    assert [data.sha256 for data in here.lock().data.values()] == [None, None]
    here.recipe(data={"a": {**entry, "to": "a", "sha256": sha(ONE)}, "b": {**entry, "to": "b", "sha256": sha(ONE)}})
    assert [data.size for data in here.lock().data.values()] == [len(ONE), len(ONE)]


def test_a_pointer_in_a_locked_source_says_which_file_it_is(here: Here, server: Server, tmp_path: Path) -> None:
    source = repository(tmp_path / "glm", {"model-1.bin": pointer(ONE), "code.py": b"pass\n"})
    files = [{"path": "model-1.bin", "url": server.put("/3", ONE)}]
    here.recipe(sources={"glm": source}, weights={"glm": {"files": files}})
    here.put("model-1.bin", b"ONE model")  # as many bytes
    here.lock()
    assert here.locked("glm/model-1.bin") == (None, None)
    here.put("model-1.bin", ONE, here.other)
    (here.root / "recipes" / "m.lock").unlink()
    here.lock()
    assert here.locked("glm/model-1.bin") == (sha(ONE), len(ONE))
    assert server.asked == []


def test_a_pointer_is_asked_for_on_a_machine_without_the_source(here: Here, tmp_path: Path) -> None:
    source = repository(tmp_path / "glm", {"v.bin": pointer(ONE)})
    other = repository(tmp_path / "other", {"v.bin": pointer(TWO)})
    rows = {name: {"files": [{"path": "v.bin", "origin": "a test"}]} for name in ("glm", "other", "third")}
    here.recipe(sources={"glm": source, "other": other}, weights=rows)
    here.lock()
    shutil.rmtree(here.home)
    here.put("v.bin", ONE)
    here.put("v.bin", TWO, here.other)
    here.put("third/v.bin", b"a third")
    here.task("fetch")
    assert [here.locked(f"{name}/v.bin")[0] for name in ("glm", "other")] == [sha(ONE), sha(TWO)]


def test_everything_says_the_place(here: Here) -> None:
    here.weights({"path": "unet/model.bin", "size": len(ONE)})
    here.lock()
    with pytest.raises(MissingInputError) as caught:
        here.task("fetch")
    assert "glm/unet/model.bin: 9 bytes" in caught.value.problem
    assert f"Put each into {here.folder} or {here.other}, at its path above" in str(caught.value.solution)
    here.put("glm/unet/model.bin", TWO)
    with pytest.raises(InputError) as other:
        here.task("fetch")
    assert not isinstance(other.value, MissingInputError)
    assert f"{here.folder}/glm/unet/model.bin has {len(TWO)} bytes, the lock says {len(ONE)}" in other.value.problem
