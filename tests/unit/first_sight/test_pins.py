"""What a recipe pins holds wherever the bytes come from: at lock, at fetch, and where a file is first seen."""

import calendar
import io
import zipfile
from typing import Any

import pytest
from first_sight_checkout import Here, Server, sha, vendor_image

from portside.errors import InputError, MissingInputError
from portside.resolve.chain import lock_recipe
from portside.runtime.datasets import pin_data

RIGHT, WRONG = b"the right weights", b"other weights, and more of them"


def test_a_pinned_hash_without_a_size_is_not_replaced_by_that_of_another_file(here: Here) -> None:
    here.weights({"path": "model.bin", "sha256": sha(RIGHT)})
    path = here.put("glm/model.bin", WRONG)
    with pytest.raises(InputError) as caught:
        here.lock()
    assert all(word in caught.value.problem for word in (str(path), sha(WRONG), sha(RIGHT)))
    assert not (here.root / "recipes" / "m.lock").exists()
    right = here.put("glm/model.bin", RIGHT, here.other)
    here.lock()
    assert here.locked("glm/model.bin") == (sha(RIGHT), len(RIGHT)), right


def test_a_pinned_size_alone_holds_too(here: Here, capsys: pytest.CaptureFixture[str]) -> None:
    here.weights({"path": "model.bin", "size": len(RIGHT)})
    here.put("model.bin", WRONG)
    with pytest.raises(InputError, match=f"has {len(WRONG)} bytes, the recipe says {len(RIGHT)}"):
        here.lock()
    path = here.put("glm/model.bin", RIGHT)
    here.lock()
    assert here.locked("glm/model.bin") == (sha(RIGHT), len(RIGHT))
    assert f"glm/model.bin: first seen at {path}, locked with sha256 {sha(RIGHT)}" in capsys.readouterr().err


@pytest.mark.parametrize("pin", [{"sha256": sha(RIGHT)}, {"size": len(RIGHT)}, {}])
def test_half_a_pin_is_completed_when_the_file_is_first_seen(here: Here, server: Server, pin: dict[str, Any]) -> None:
    here.weights({"path": "model.bin", "url": server.put("/m", RIGHT), **pin})
    here.lock()
    assert here.locked("glm/model.bin") == (pin.get("sha256"), pin.get("size"))
    assert here.read().unpinned() == [("glm", "model.bin")]
    here.task("fetch")
    assert here.locked("glm/model.bin") == (sha(RIGHT), len(RIGHT))
    assert here.read().unpinned() == []


@pytest.mark.parametrize("pin", [{"sha256": sha(RIGHT)}, {"size": len(RIGHT)}])
def test_a_download_that_is_not_what_is_pinned_is_refused(here: Here, server: Server, pin: dict[str, Any]) -> None:
    here.weights({"path": "model.bin", "url": server.put("/m", WRONG), **pin})
    here.lock()
    with pytest.raises(InputError) as caught:
        here.task("fetch")
    assert not isinstance(caught.value, MissingInputError)
    assert str(pin.get("sha256", pin.get("size"))) in caught.value.problem
    assert here.locked("glm/model.bin") == (pin.get("sha256"), pin.get("size"))


def test_a_wrong_file_in_a_folder_gives_way_to_the_right_download(here: Here, server: Server) -> None:
    here.weights({"path": "model.bin", "url": server.put("/m", RIGHT), "sha256": sha(RIGHT)})
    here.put("glm/model.bin", WRONG)
    here.put("model.bin", WRONG, here.other)
    here.lock()
    here.task("fetch")
    assert here.locked("glm/model.bin") == (sha(RIGHT), len(RIGHT))


def test_hash_and_size_that_contradict_each_other(here: Here) -> None:
    here.weights({"path": "a.bin", "sha256": sha(RIGHT)})
    here.put("glm/a.bin", RIGHT)
    here.task("fetch")
    here.weights({"path": "a.bin", "sha256": sha(RIGHT), "size": 99})
    here.lock()
    with pytest.raises(InputError, match=f"has {len(RIGHT)} bytes, 99 are pinned"):
        here.task("fetch")


def test_a_vendors_archive_is_looked_for_in_every_folder(here: Here) -> None:
    right, wrong = vendor_image(), vendor_image("etc/passwd")
    here.put("base.tar", wrong)
    here.recipe(base={"archive": {"file": "base.tar", "origin": "a test", "sha256": sha(right)}})
    with pytest.raises(InputError) as caught:
        here.lock()
    assert sha(wrong) in caught.value.problem and sha(right) in caught.value.problem
    here.put("base.tar", right, here.other)
    assert here.lock().base.sha256 == sha(right)  # type: ignore[union-attr]


@pytest.mark.parametrize("pin", [{"sha256": sha(RIGHT)}, {"size": len(RIGHT)}])
def test_a_data_sets_pins(here: Here, pin: dict[str, Any]) -> None:
    here.recipe(data={"ads": {"file": "ads.tar.gz", "origin": "a drive", "to": "ads", **pin}})
    here.put("ads.tar.gz", WRONG)
    with pytest.raises(InputError, match=r"no folder has the right ads\.tar\.gz"):
        here.lock()
    (here.folder / "ads.tar.gz").unlink()
    lock = here.lock()
    here.put("ads.tar.gz", RIGHT)
    project = here.project
    pinned = pin_data(project.recipe("m"), lock, ["ads"], project.store, project.config)
    assert (pinned.data["ads"].sha256, pinned.data["ads"].size) == (sha(RIGHT), len(RIGHT))


def test_a_manual_wheels_size(here: Here) -> None:
    wheel = {"file": "cndsp-0.8.0-py3-none-any.whl", "origin": "a vendor", "size": len(RIGHT)}
    here.recipe(env={"python": {"version": "3.7", "manual": [wheel]}})
    path = here.put("cndsp-0.8.0-py3-none-any.whl", WRONG)
    with pytest.raises(InputError) as caught:
        here.lock()
    assert str(path) in caught.value.problem and str(len(RIGHT)) in caught.value.problem


def test_what_is_first_seen_is_kept_though_a_later_file_fails(
    here: Here, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = {"path": "b.bin", "url": server.url("/gone")}
    url = server.put("/a", RIGHT) + "?download=true"
    here.weights({"path": "a.bin", "url": url}, gone)
    here.lock()
    with pytest.raises(MissingInputError, match="404"):
        here.task("fetch")
    assert here.locked("glm/a.bin") == (sha(RIGHT), len(RIGHT))
    said = capsys.readouterr().err
    assert f"glm/a.bin: first seen at {server.url('/a')}, locked with sha256 {sha(RIGHT)}" in said
    assert "?download" not in said, "a query may hold a signature"


def test_first_seen_data_is_kept_though_a_later_set_fails(here: Here) -> None:
    sets = {name: {"file": f"{name}.tar", "origin": "a drive", "to": name} for name in ("a", "b")}
    here.recipe(data=sets)
    lock = here.lock()
    here.put("a.tar", RIGHT)
    here.put("b.tar", b"")
    project, kept = here.project, []
    with pytest.raises(InputError, match="0 bytes"):
        pin_data(project.recipe("m"), lock, ["a", "b"], project.store, project.config, kept.append)
    assert [entry.data["a"].sha256 for entry in kept] == [sha(RIGHT)]


def test_a_lock_that_contradicts_the_recipe_is_not_kept(here: Here, server: Server) -> None:
    """Such locks were made: a pinned hash without a size was replaced by that of a folder's file."""
    here.weights({"path": "model.bin", "url": server.put("/m", RIGHT), "sha256": sha(RIGHT)})
    here.lock()
    path = here.root / "recipes" / "m.lock"
    path.write_text(
        path.read_text().replace(f'"sha256": "{sha(RIGHT)}", "member"', f'"sha256": "{sha(WRONG)}", "member"')
    )
    assert sha(WRONG) in path.read_text()
    here.lock()
    assert here.locked("glm/model.bin")[0] == sha(RIGHT)


def test_a_file_more_in_a_set_leaves_what_was_seen_of_the_others(here: Here, server: Server) -> None:
    first = {"path": "a.bin", "url": server.put("/a", RIGHT)}
    here.weights(first)
    here.task("fetch")
    here.weights(first, {"path": "b.bin", "url": server.put("/b", WRONG)})
    here.lock()
    assert here.locked("glm/a.bin") == (sha(RIGHT), len(RIGHT))
    assert here.locked("glm/b.bin") == (None, None)
    project = here.project
    lock_recipe(project, project.recipe("m"), ["glm"])
    assert here.locked("glm/a.bin") == (None, None)


def test_a_base_and_a_wheel_that_lock_has_not_seen_are_locked_when_they_come(here: Here) -> None:
    file = "cndsp-0.8.0-py3-none-any.whl"
    wheel = {"file": file, "origin": "a vendor"}
    here.recipe(
        env={"python": {"version": "3.7", "manual": [wheel]}},
        weights={"glm": {"files": [{"path": "model.bin", "origin": "a test"}]}},
    )
    base = (here.folder / "base.tar").read_bytes()
    (here.folder / "base.tar").unlink()
    before = here.lock()
    assert before.base.layers == () and before.unpinned() != []
    with pytest.raises(MissingInputError, match=r"base\.tar"):
        here.task("fetch")
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(zipfile.ZipInfo("cndsp/__init__.py", (2031, 1, 1, 0, 0, 0)), "")
        archive.writestr(zipfile.ZipInfo("cndsp-0.8.0.dist-info/METADATA", (2031, 1, 1, 0, 0, 0)), "Name: cndsp\n")
    for name, content in (("base.tar", base), (file, data.getvalue()), ("glm/model.bin", RIGHT)):
        here.put(name, content)
    here.task("fetch")
    lock = here.read()
    [packages] = lock.env.sets
    assert packages.python is not None
    [found] = packages.python.manual
    assert (found.sha256, found.size) == (sha(data.getvalue()), len(data.getvalue()))
    assert here.locked("glm/model.bin") == (sha(RIGHT), len(RIGHT)) and lock.unpinned() == []
    assert len(lock.base.layers) == 1
    # What is newer than everything else says how old the image is.
    assert lock.epoch == packages.epoch == calendar.timegm((2031, 1, 1, 0, 0, 0)) > before.epoch
