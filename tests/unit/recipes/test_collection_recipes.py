"""The recipes of a collection of tutorials (chatglm2, baichuan, yolact) on small stand-ins of all that they take from
elsewhere: they lock, patches fit code that reads as upstream's does, weights lie where the port looks for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chatglm_targets import ROOT
from collection_standins import MODELS, NAMES, SHARDS, Tried
from made_up_hub import ModelHub


@pytest.fixture
def tried(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tried]:
    name: str = request.param
    with ModelHub(name=MODELS.get(name, "none")).running() as hub:
        hub.push(SHARDS)
        settings = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path / "links")}
        settings |= {"PORTSIDE_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
        for key, value in settings.items():
            monkeypatch.setenv(key, value)
        yield Tried(tmp_path, name)


@pytest.mark.parametrize("name", NAMES)
def test_they_are_short(name: str) -> None:
    text = (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    assert "ln -s" not in text
    assert not (ROOT / f"recipes/{name}.lock").exists(), "nobody here has seen all of its bytes"


@pytest.mark.parametrize("tried", NAMES, indirect=True)
def test_they_lock_and_migrate_and_find_their_weights(tried: Tried) -> None:
    made = tried.plan()
    texts, found = tried.code(made)
    assert made.lock.env.python is not None
    wheels = {item.name for item in made.lock.env.python.wheels}
    at = f"/workspace/{tried.name}/weights"
    if tried.name == "yolact":
        assert "torch.load(path, map_location='cpu')" in texts["yolact_mlu/yolact.py"]
        file = "yolact_im700_54_800000.pth"
        assert found == {f"yolact_mlu/weights/{file}": f"{at}/yolact/{file}"}
        return
    assert 'require_version_core("torch>=1' in texts["transformers_mlu/src/transformers/modeling_utils.py"]
    assert "filelock" in wheels and "numpy" in wheels, "what transformers needs, and what the tutorial installs"
    if tried.name == "baichuan":
        assert 'require_version_core("torch>=1.9")' in texts["transformers_mlu/src/transformers/modeling_utils.py"]
        assert {"sentencepiece"} == wheels - {"filelock", "numpy"}
        assert texts["baichuan-7B_mlu/train.py"] == "model.mlu()\n"
        folder = "baichuan-7B_mlu/baichuan-7B"
        assert f"{folder}/modeling_chatglm.py" in found
    else:
        demos = [texts[f"ChatGLM2-6B_mlu/{name}.py"] for name in ("cli_demo", "web_demo", "api")]
        assert sum(text.count('"/workspace/chatglm2/models/chatglm2-6b").mlu()') for text in demos) == 9
        assert demos[2].startswith("pass\n")
        folder = "models/chatglm2-6b"
        assert f"{folder}/modeling_chatglm.py" not in found, "the tutorial's is there"
    assert (
        found[f"{folder}/pytorch_model-00002-of-00002.bin"]
        == f"{at}/{folder.rpartition('/')[2]}/pytorch_model-00002-of-00002.bin"
    )
