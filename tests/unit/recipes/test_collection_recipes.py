"""The recipes of a collection of tutorials (chatglm2, baichuan, yolact) on small stand-ins of all that they take from
elsewhere: they lock, patches fit code that reads as upstream's does, weights lie where the port looks for them."""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from chatglm_targets import ROOT
from made_up_hub import Blob, ModelHub
from source_project import DATE, repository
from tiny_wheels import wheel

from portside.inputs.spool import Spool
from portside.lock.models import Lock
from portside.plan.model import Plan
from portside.plan.parts import plan
from portside.project import Project
from portside.resolve.chain import lock_recipe
from portside.trees.parts import part_layer

NAMES = ("baichuan", "chatglm2", "yolact")
MODELS = {"baichuan": "baichuan-inc/Baichuan-7B", "chatglm2": "THUDM/chatglm2-6b"}
LOAD = 'AutoModel.from_pretrained("THUDM/chatglm2-6b").cuda()'
GLM = {
    "requirements.txt": "protobuf\ntransformers==4.30.2\ntorch>=2.0\ngradio\nstreamlit>=1.24.0\n",
    "cli_demo.py": f"{LOAD}\n{LOAD}\n# {LOAD}\n",
    "web_demo.py": f"{LOAD}\n{LOAD}\n# {LOAD}\ndemo.queue().launch(share=False, inbrowser=True)\n",
    "api.py": f"torch.cuda.ipc_collect()\n{LOAD}\n{LOAD}\n# {LOAD}\n",
}
BAICHUAN = "deepspeed==0.9.2\nnumpy==1.23.5\nsentencepiece==0.1.97\ntorch==2.0.0\ntransformers==4.29.1\nxformers\n"
SOURCES = {
    "ChatGLM2-6B": GLM,
    "baichuan-7B": {"requirements.txt": BAICHUAN, "train.py": "model.cuda()\n"},
    "dev-env-ubuntu": {"README.md": "the tutorials\n"},
    "yolact": {
        "yolact.py": "class Y:\n    def load(self, path):\n        state_dict = torch.load(path)\n",
        "eval.py": "",
    },
}
WHEELS = "cython filelock gradio matplotlib numpy opencv_python_headless pillow protobuf pycocotools streamlit"
CHECK = 'def check():\n    if True:\n        require_version_core("torch>=1.10")\n'


FFMPY = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "ffmpy"
version = "0.3.0"
"""


def transformers(version: str) -> bytes:
    """An sdist whose setup.py computes what it needs, with the note of what that was."""
    files = {
        "setup.py": "from setuptools import setup\nsetup(name='transformers', install_requires=list(_deps))\n",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: transformers\nVersion: {version}\n",
        "src/transformers.egg-info/requires.txt": "filelock\n",
        "src/transformers/modeling_utils.py": CHECK,
    }
    return sdist(f"transformers-{version}", files)


def sdist(stem: str, files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.size, info.mtime = len(text), DATE
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Tried:
    """A project with one of the recipes, whose sources, packages and models are the stand-ins."""

    def __init__(self, root: Path, name: str) -> None:
        self.root, self.name = root, name
        text = (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8")
        mirrors = []
        for url in re.findall(r'git: "(\S+)"', text):
            made = repository(root / "git" / Path(url).name, **SOURCES[Path(url).name])
            mirrors.append(f'"{url}" = "file://{made}"\n')
        # A stand-in has one commit, of another name.
        (root / "recipes").mkdir()
        (root / f"recipes/{name}.yaml").write_text(re.sub(r"commit: [0-9a-f]{40}", "branch: main", text))
        (root / "portside.toml").write_text(f"[mirrors.git]\n{''.join(mirrors)}")
        links = root / "links"
        for project in WHEELS.split():
            wheel(links, project, "1.0")
        wheel(links, "sentencepiece", "0.1.97")
        for version in re.findall(r"transformers==(\S+)}", text):
            (links / f"transformers-{version}.tar.gz").write_bytes(transformers(version))
        (links / "ffmpy-0.3.0.tar.gz").write_bytes(sdist("ffmpy-0.3.0", {"pyproject.toml": FFMPY}))

    @property
    def project(self) -> Project:
        return Project(self.root)

    def lock(self) -> Lock:
        return lock_recipe(self.project, self.project.recipe(self.name))[1]

    def plan(self) -> Plan:
        return plan(self.project.recipe(self.name), self.lock())

    def code(self, made: Plan) -> tuple[dict[str, str], dict[str, str]]:
        """Of the data parts of the migrated layer, by path below the workspace: text of files, targets of links."""
        store = self.project.store
        texts, links = {}, {}
        for part in made.layer("migrated").parts:
            if part.kind != "data":
                continue
            with store.workspace() as folder, Spool(folder) as spool:
                for entry in part_layer(made, part, store, spool, {}).entries:
                    path = entry.path.removeprefix(f"workspace/{self.name}/")
                    if entry.kind == "file":
                        texts[path] = entry.read().decode()
                    elif entry.kind == "symlink":
                        links[path] = entry.link
        return texts, links


@pytest.fixture
def tried(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tried]:
    name: str = request.param
    with ModelHub(name=MODELS.get(name, "none")).running() as hub:
        shards = {f"pytorch_model-0000{n}-of-00002.bin": Blob(b"w%d" % n, lfs=True) for n in (1, 2)}
        hub.push({"config.json": Blob(b"{}\n"), "modeling_chatglm.py": Blob(b"import torch\n"), **shards})
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
