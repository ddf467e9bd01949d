"""Weights out of a repository of a hub: from the recipe to the lock, the store, and the mounts."""

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from first_sight_checkout import Here
from invoke.exceptions import Exit
from made_up_hub import Blob, ModelHub, large

from portside.errors import InputError, LockError, PortsideError, RecipeError
from portside.lock.file import read_lock
from portside.runtime import bring_weights, weight_mounts

INDEX = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}
TWELVE = {
    ".gitattributes": Blob(b"*.safetensors filter=lfs\n"),
    "README.md": Blob(b"<h1>ChatGLM3</h1>\n"),
    "config.json": Blob(b'{"error": "is no error here"}\n'),
    "empty.txt": Blob(b""),
    "model-00001-of-00002.safetensors": large(b"1"),
    "model-00002-of-00002.safetensors": large(b"2"),
    "model.safetensors.index.json": Blob(json.dumps(INDEX).encode()),
    "pytorch_model.bin": Blob(b"the same weights", lfs=True),
    "src/modeling chatglm.py": Blob(b"import torch\n"),
    "src/quantization.py": Blob(b"import torch.nn\n"),
    "tokenizer.model": Blob(b"tokens" * 100, lfs=True),
    "tokenizer_config.json": Blob(b"{}\n"),
}
SMALL = {path: blob for path, blob in TWELVE.items() if blob.times == 1 and "index" not in path}
TOKEN = "hf_abcdefghijklmnop"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModelHub]:
    with ModelHub().running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("MODELSCOPE_DOMAIN", running.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "MODELSCOPE_API_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("portside.net.download.PAUSES", (0.0, 0.0, 0.0))
        yield running


def asks(here: Here, kind: str = "huggingface", **more: Any) -> None:
    here.recipe(weights={"glm": {kind: "THUDM/chatglm3-6b", **more}})


def paths(here: Here) -> list[str]:
    return [file.path for file in here.read().weights["glm"].files]


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_repository_of_twelve_files_is_locked_fetched_and_mounted(
    here: Here, hub: ModelHub, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    commit = hub.push(TWELVE)
    asks(here, kind)
    here.task("lock", update=[])
    text = (here.root / "recipes/m.lock").read_text()
    assert f'"commit": "{commit}"' in text
    assert "127.0.0.1" not in text
    assert "localhost" not in text
    locked = {file.path: file for file in here.read().weights["glm"].files}
    assert sorted(locked) == sorted(TWELVE.keys() - {".gitattributes", "pytorch_model.bin"})
    assert all((file.sha256, file.size) == (TWELVE[p].sha256, TWELVE[p].size) for p, file in locked.items())
    said = capsys.readouterr().err
    assert f"at {commit[:12]}: 10 files, 130.0 MiB" in said
    assert "left out, since model*.safetensors has the same weights: pytorch_model.bin (16 B)" in said
    assert 'to take them instead: exclude: ["model*.safetensors"]' in said
    assert hub.paths("cdn") == []  # no large file was needed to know its hash
    recipe = here.project.recipe("m")
    bring_weights(recipe, here.read(), here.project.store, here.project.config)
    assert len(hub.paths("cdn")) == 3
    mounts = {mount.target: Path(mount.source) for mount in weight_mounts(recipe, here.read(), here.project.store)}
    at = "/workspace/m/weights/glm"
    assert sorted(mounts) == [at, f"{at}/model-00001-of-00002.safetensors", f"{at}/model-00002-of-00002.safetensors"]
    assert mounts[f"{at}/model-00002-of-00002.safetensors"].stat().st_size == 65 << 20
    assert (mounts[at] / "src/modeling chatglm.py").read_bytes() == b"import torch\n"
    hub.asked.clear()
    hub.push({**TWELVE, "config.json": Blob(b"{}")})
    here.task("lock", update=[])
    here.task("fetch")
    assert hub.asked == []  # a push is seen by nobody who does not ask for it
    assert (here.root / "recipes/m.lock").read_text() == text


def test_two_recipes_with_one_set_keep_it_once(here: Here, hub: ModelHub) -> None:
    hub.push({"a.bin": large(b"x"), "b.json": Blob(b"{}")})
    for name in ("m", "n"):
        here.recipe(name, weights={f"glm-{name}": {"huggingface": "THUDM/chatglm3-6b"}})
    folders = []
    for name in ("m", "n"):
        here.lock(name)
        recipe, lock = here.project.recipe(name), here.read(name)
        bring_weights(recipe, lock, here.project.store, here.project.config)
        folders.append([mount.source for mount in weight_mounts(recipe, lock, here.project.store)])
    assert folders[0] == folders[1]
    assert len(hub.paths("cdn")) == 1
    kept = [path for path in here.home.rglob("*") if path.is_file() and path.stat().st_size >= 65 << 20]
    assert len({os.stat(path).st_ino for path in kept}) == 1


def test_include_and_exclude_choose(here: Here, hub: ModelHub) -> None:
    hub.push(TWELVE)
    asks(here, include=["pytorch_model.bin", "**/*.py"], exclude=["src/quantization.py"])
    here.lock()
    assert paths(here) == ["pytorch_model.bin", "src/modeling chatglm.py"]
    asks(here, exclude=["model*.safetensors", "model*.json"])
    here.lock()
    assert "pytorch_model.bin" in paths(here)
    asks(here, include=["*.safetensor"])
    with pytest.raises(RecipeError, match=r"include: '\*\.safetensor' matches no file"):
        here.lock()
    asks(here, exclude=["model-00002*"])
    with pytest.raises(InputError, match=r"index\.json names 1 shard\(s\) that are not among the files: 'model-00002"):
        here.lock()


def test_revisions(here: Here, hub: ModelHub) -> None:
    old = hub.push({"a": Blob(b"old")}, "v1.0")
    new = hub.push({"a": Blob(b"new")}, "refs/pr/1")
    for revision, commit in (("v1.0", old), (new, new), ("refs/pr/1", new)):
        asks(here, revision=revision)
        assert here.lock().weights["glm"].model_dump()["commit"] == commit
    asks(here, revision="main2")
    with pytest.raises(InputError, match="has no revision main2") as caught:
        here.lock()
    assert "Did you mean 'main'?" in str(caught.value)
    text = (here.root / "recipes/m.lock").read_text()
    (here.root / "recipes/m.lock").write_text(text.replace(f'"commit": "{new}"', f'"commit": "{old}"'))
    asks(here, revision=new)
    with pytest.raises(LockError):
        here.read()


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_token_lets_in_and_goes_nowhere_else(
    here: Here, hub: ModelHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    hub.push(SMALL)
    hub.gated, hub.token = True, TOKEN
    asks(here, kind)
    with pytest.raises(InputError) as caught:
        here.lock()
    page = f"{hub.url}/THUDM/chatglm3-6b" if kind == "huggingface" else f"{hub.url}/models/THUDM/chatglm3-6b"
    assert f"Open {page} in a browser" in str(caught.value)
    if kind == "huggingface":
        assert "is gated" in str(caught.value)
        (Path(os.environ["HF_HOME"])).mkdir()
        (Path(os.environ["HF_HOME"]) / "token").write_text(f"{TOKEN}\n")
    else:
        monkeypatch.setenv("MODELSCOPE_API_TOKEN", TOKEN)
    here.task("lock", update=[])
    with monkeypatch.context() as without:
        without.setenv("HF_HOME", "/nowhere")
        without.delenv("MODELSCOPE_API_TOKEN", raising=False)
        with pytest.raises(InputError) as caught:
            here.task("fetch")
    assert f"open {page} in a browser" in str(caught.value)
    here.task("fetch")
    assert any(request.host == "cdn" for request in hub.asked)
    for request in hub.asked:
        assert request.host == "hub" or TOKEN not in str(request)
    texts = capsys.readouterr()
    kept = b"".join(path.read_bytes() for path in here.home.rglob("*") if path.is_file())
    assert TOKEN not in (here.root / "recipes/m.lock").read_text() + texts.out + texts.err
    assert TOKEN.encode() not in kept


def test_a_mirror_gets_no_token_and_is_asked_first(here: Here, hub: ModelHub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.push(SMALL)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with ModelHub(trees=hub.trees, refs=hub.refs).running() as mirror:
        login = mirror.url.replace("//", "//me:secret@")
        with (here.root / "portside.toml").open("a") as out:
            out.write(f'[mirrors]\nhuggingface = ["{login}"]\n')
        asks(here)
        here.lock()
        here.task("fetch")
        assert hub.asked == []
        assert all(
            "Basic" in request.headers.get("Authorization", "") for request in mirror.asked if request.host == "hub"
        )
        assert all("Authorization" not in request.headers for request in mirror.asked if request.host == "cdn")


def test_a_busy_hub_is_asked_again_and_a_private_one_tells(here: Here, hub: ModelHub) -> None:
    hub.push({"a": Blob(b"a")})
    hub.busy = 2
    asks(here)
    here.lock()
    hub.busy = 9
    with pytest.raises(InputError, match="too many requests"):
        here.task("lock", update=["glm"])
    hub.busy, hub.private = 0, True
    with pytest.raises(InputError, match=r"is not there, or not for everybody \(Repository not found\)"):
        here.task("lock", update=["glm"])


def changed(**values: Any) -> Any:
    return lambda rows: [{**row, **values} if row.get("path", row.get("Path")) == "a" else row for row in rows]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (changed(path="../a"), r"unsafe name '\.\./a'"),
        (changed(path="a\nb"), r"unsafe name 'a\\nb'"),
        (changed(path="B"), "B and b, which differ in upper and lower case alone"),
        (changed(path="b/a"), "has the file b and, below it, b/a"),
        (changed(path="b"), "has 'b' twice"),
        (changed(oid="1" * 40), "git's name of its bytes is"),
        (changed(size=3), "it has 1 bytes, the lock says 3"),
        (changed(size="x"), "gives no list of files"),
        (changed(xetHash="1" * 64), "its sha256 is not said"),
        (changed(lfs={"oid": "x", "size": 1, "pointerSize": 1}), "its sha256: expected a sha256"),
        (changed(lfs={"oid": "1" * 64, "size": 2, "pointerSize": 1}), "has 1 bytes, and as a file of LFS 2"),
        (lambda rows: {"error": "x"}, "gives no list of files"),
        (lambda rows: [], "no file is taken"),
    ],
)
def test_a_hub_that_contradicts_itself_locks_nothing(here: Here, hub: ModelHub, rows: Any, said: str) -> None:
    hub.page = 100
    hub.push({"a": Blob(b"a"), "b": Blob(b"b")})
    hub.rows = rows
    asks(here)
    with pytest.raises(PortsideError, match=said):
        here.lock()
    assert read_lock(here.root / "recipes/m.lock") is None


def test_a_list_that_goes_on_elsewhere_is_refused(here: Here, hub: ModelHub) -> None:
    hub.push(SMALL)
    real, hub.url = hub.url, "http://localhost:9"
    asks(here)
    with pytest.raises(InputError, match="leads to another host for the rest of its list"):
        here.lock()
    hub.url = real


def test_other_bytes_than_locked_are_not_taken(here: Here, hub: ModelHub) -> None:
    commit = hub.push({"a": Blob(b"weights", lfs=True)})
    asks(here)
    here.lock()
    hub.trees[commit]["a"] = dataclasses.replace(hub.trees[commit]["a"], data=b"WEIGHTS")
    with pytest.raises(InputError, match="glm/a"):
        here.task("fetch")
    here.put("glm/a", b"weights")
    here.task("fetch")


def test_modelscope_without_a_commit_in_its_answer_says_so(here: Here, hub: ModelHub) -> None:
    commit = hub.push({"a": Blob(b"a")})
    hub.says_commit = False
    asks(here, "modelscope")
    with pytest.raises(InputError):
        here.lock()
    asks(here, "modelscope", revision=commit)
    here.lock()


@pytest.mark.parametrize("kind", ["huggingface", "modelscope"])
def test_a_push_is_seen_by_outdated_alone(
    here: Here, hub: ModelHub, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    old = hub.push({"a": Blob(b"a")})
    asks(here, kind)
    here.lock()
    here.task("lock", update=[], outdated=True, exit_code=True)
    assert "every branch, tag and revision is as it is locked" in capsys.readouterr().out
    new = hub.push({"a": Blob(b"b")})
    text = (here.root / "recipes/m.lock").read_bytes()
    here.task("lock", update=[], outdated=True)
    revision = here.project.recipe("m").model.weights["glm"].model_dump()["revision"]
    said = f"weights.glm: {revision} is {new[:12]} now, locked is {old[:12]}; invoke lock --recipe m --update glm\n"
    assert capsys.readouterr().out == said
    with pytest.raises(Exit) as ended:
        here.task("lock", update=[], outdated=True, exit_code=True, json=True)
    assert ended.value.code == 1
    row = {"request": "weights.glm", "revision": revision, "locked": old, "now": new}
    assert json.loads(capsys.readouterr().out) == {"outdated": [row]}
    assert (here.root / "recipes/m.lock").read_bytes() == text
    asks(here, kind, revision=new)
    hub.asked.clear()
    with pytest.raises(LockError) as refused:
        here.task("lock", update=[], check=True)
    assert refused.value.exit_code == 3
    asks(here, kind)
    here.task("lock", update=[], check=True)
    assert hub.asked == []
    with pytest.raises(RecipeError, match="do not go together"):
        here.task("lock", update=["glm"], check=True)
    hub.private = True
    with pytest.raises(InputError, match="not for everybody"):
        here.task("lock", update=[], outdated=True)
