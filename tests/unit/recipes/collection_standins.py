"""Small stand-ins of all that the recipes of a collection of tutorials (chatglm2, baichuan, yolact) take in."""

import io
import re
import tarfile
from pathlib import Path

from chatglm_targets import ROOT
from made_up_hub import Blob
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
SHARDS = {
    "config.json": Blob(b"{}\n"),
    "modeling_chatglm.py": Blob(b"import torch\n"),
    **{f"pytorch_model-0000{n}-of-00002.bin": Blob(b"w%d" % n, lfs=True) for n in (1, 2)},
}
"""The repository of a model."""
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
    "dev-env-ubuntu": {
        "pytorch1.9/chatglm2/tools/modeling_chatglm.py": "import torch_mlu\n",
        "pytorch1.9/baichuan/tools/inference.py": "print('asks')\n",
    },
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
    return sdist(f"transformers-{version}", transformers_files(version))


def transformers_files(version: str) -> dict[str, str]:
    return {
        "setup.py": "from setuptools import setup\nsetup(name='transformers', install_requires=list(_deps))\n",
        "PKG-INFO": f"Metadata-Version: 2.1\nName: transformers\nVersion: {version}\n",
        "src/transformers.egg-info/requires.txt": "filelock\n",
        "src/transformers/modeling_utils.py": CHECK,
    }


def sdist(stem: str, files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for path, text in files.items():
            info = tarfile.TarInfo(f"{stem}/{path}")
            info.size, info.mtime = len(text), DATE
            archive.addfile(info, io.BytesIO(text.encode()))
    return out.getvalue()


class Tried:
    """A project with one of the recipes, whose sources, packages and models are the stand-ins. suffix: of its name."""

    def __init__(self, root: Path, name: str, suffix: str = "") -> None:
        self.root, self.name = root, f"{name}{suffix}"
        text = (ROOT / f"recipes/{name}.yaml").read_text(encoding="utf-8")
        text = text.replace(f"/workspace/{name}/", f"/workspace/{self.name}/")
        self.text = text
        mirrors = []
        for url in re.findall(r'git: "(\S+)"', text):
            made = repository(root / "git" / Path(url).name, **SOURCES[Path(url).name])
            mirrors.append(f'"{url}" = "file://{made}"\n')
        # A stand-in has one commit, of another name.
        (root / "recipes").mkdir(exist_ok=True)
        (root / f"recipes/{self.name}.yaml").write_text(re.sub(r"commit: [0-9a-f]{40}", "branch: main", text))
        (root / "portside.toml").write_text(f'folders = ["{root}/files"]\n[mirrors.git]\n{"".join(mirrors)}')
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
