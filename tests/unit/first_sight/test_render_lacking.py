"""A render does without what nobody has brought, never without saying so, and never with wrong bytes."""

import pytest
from first_sight_checkout import Here, Server, sha

from portside.errors import InputError, MissingInputError

DATA = b"the weights"


def test_wrong_bytes_end_a_render(here: Here) -> None:
    here.weights({"path": "model.bin", "sha256": sha(DATA), "size": len(DATA)})
    here.put("model.bin", b"the weight?")
    here.lock()
    with pytest.raises(InputError) as caught:
        here.task("render", output=str(here.root / "out"))
    assert not isinstance(caught.value, MissingInputError)
    assert "needs 0 file(s)" not in str(caught.value)
    assert not (here.root / "out").exists()


def test_what_is_missing_is_told_and_left_out(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    pinned = {"path": "a.bin", "sha256": sha(DATA), "size": len(DATA)}
    here.weights(pinned, {"path": "b.bin", "sha256": "0" * 64, "size": 5})
    here.put("a.bin", DATA)
    here.lock()
    here.task("render", output=str(here.root / "out"))
    said = capsys.readouterr().err
    assert "glm/b.bin: 5 bytes" in said and "glm/a.bin: " not in said
    assert "needs 1 file(s)" in said and "The contexts lack them" in said
    assert (here.root / "out" / "weights" / "glm" / "a.bin").read_bytes() == DATA
    assert not (here.root / "out" / "weights" / "glm" / "b.bin").exists()


def test_what_was_just_downloaded_is_not_called_lacking(
    here: Here, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    here.weights(
        {"path": "a.bin", "url": server.put("/a", DATA), "sha256": sha(DATA), "size": len(DATA)},
        {"path": "b.bin", "url": server.put("/b", DATA + b"!")},
    )
    here.lock()
    here.task("render", output=str(here.root / "out"))
    assert "lack" not in capsys.readouterr().err
    assert (here.root / "out" / "weights" / "glm" / "a.bin").read_bytes() == DATA
    assert (here.root / "out" / "weights" / "glm" / "b.bin").read_bytes() == DATA + b"!"
    assert here.locked("glm/b.bin") == (sha(DATA + b"!"), len(DATA) + 1)


def test_a_failed_download_names_all_that_is_missing_once(here: Here, server: Server) -> None:
    rows = [{"path": f"{n}.bin", "url": server.url(f"/{n}"), "sha256": "0" * 64, "size": 5} for n in range(3)]
    here.weights(*rows)
    here.lock()
    with pytest.raises(MissingInputError) as caught:
        here.task("fetch")
    assert caught.value.problem.count("needs 3 file(s)") == 1
    assert all(f"glm/{n}.bin: 5 bytes" in caught.value.problem for n in range(3))
