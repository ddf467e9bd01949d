"""Everything that the chatglm recipes take from elsewhere: made here, small, with the places that patches look for.

The recipes themselves are used: only the commits, and sizes and hashes of the weights, become those of the stand-ins,
and their names get a suffix, so that no two runs share names in the engine, nor with a person's own images.
"""

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from own_left import remove_unnamed
from packaging.requirements import Requirement
from pipeline import Machine, remove_images
from tiny_project import repository, sdist
from vendor_standin import vendor_archive

from portside.recipe import load_recipe

ARCHIVE = "pytorch-v1.13.0-torch1.9-ubuntu18.04-py37.tar.gz"
RECIPES = ("chatglm", "chatglm-ptuning", "chatglm-ptuning-parallel", "chatglm-finetune")
"""Those for the card, which stand on the vendor's image."""
CPU = "chatglm-cpu"
VERSIONS = ("1.0", "0.12", "0.13", "3.30", "5.1", "20.0", "4.30")
"""Of the stand-in wheels: the first that a requirement allows."""
URLS = {
    "ChatGLM-6B": "https://github.com/THUDM/ChatGLM-6B",
    "chatglm-6b": "https://huggingface.co/THUDM/chatglm-6b",
    "zero_nlp": "https://github.com/yuanzhoulvpi2017/zero_nlp",
}
BACKEND = '''"""Builds wheels of one package without setuptools."""
import pathlib, shutil, zipfile
shutil.rmtree(pathlib.Path(__file__).parent / "__pycache__", ignore_errors=True)  # holds this file's time
NAME, VERSION, FOLDER = {name!r}, {version!r}, {folder!r}

def _wheel(target, files):
    stem = f"{{NAME}}-{{VERSION}}"
    info = f"{{stem}}.dist-info"
    files = dict(files)
    files[f"{{info}}/METADATA"] = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n"
    files[f"{{info}}/WHEEL"] = "Wheel-Version: 1.0\\nGenerator: stand-in\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files[f"{{info}}/RECORD"] = "".join(f"{{name}},,\\n" for name in sorted([*files, f"{{info}}/RECORD"]))
    with zipfile.ZipFile(pathlib.Path(target) / f"{{stem}}-py3-none-any.whl", "w") as wheel:
        for name, text in sorted(files.items()):
            wheel.writestr(zipfile.ZipInfo(name, (2023, 5, 1, 0, 0, 0)), text)
    return f"{{stem}}-py3-none-any.whl"

def build_wheel(target, config_settings=None, metadata_directory=None):
    folder = pathlib.Path(FOLDER) / NAME
    return _wheel(target, {{f"{{NAME}}/{{p.name}}": p.read_text() for p in sorted(folder.glob("*.py"))}})

def build_editable(target, config_settings=None, metadata_directory=None):
    for old in pathlib.Path(FOLDER).glob("*.egg-info/PKG-INFO"):
        old.write_text("Name: " + NAME + "\\n")  # setuptools writes it anew
    return _wheel(target, {{f"__editable__.{{NAME}}.pth": str(pathlib.Path(FOLDER).resolve()) + "\\n"}})
'''


def at(lines: Mapping[int, str], length: int, head: Iterable[str] = ()) -> bytes:
    """A file of `length` lines with these lines at their numbers, from 1, and `head` at its top."""
    text = [*head, *("" for _ in range(length))][:length]
    for number, line in lines.items():
        text[number - 1] = line
    return ("\n".join(text) + "\n").encode()


def trainer(first: int) -> bytes:
    """A trainer whose random functions stand where upstream has them, the first at line `first`."""
    calls = ("set_rng_state(state)", "set_rng_state_all(state)", "get_rng_state_all()", "get_rng_state()")
    numbers = (first, first + 3, first + 95, first + 97)
    return at(
        {number: f"torch.cuda.random.{call}" for number, call in zip(numbers, calls, strict=True)}
        | {59: "import torch", 60: "import torch.distributed as dist", 70: "state = None"},
        first + 120,
    )


JIT = (
    "if sys.platform != 'darwin':",
    "    torch._C._jit_set_profiling_mode(False)",
    "    torch._C._jit_set_profiling_executor(False)",
    "    torch._C._jit_override_can_fuse_on_cpu(True)",
    "    torch._C._jit_override_can_fuse_on_gpu(True)",
)


BLOCK = """
def layer{number}(empty_init, default_init):
    if empty_init:
        init_method = skip_init
    else:
        init_method = default_init
    return init_method

"""


def modeling(jit: int, blocks: int) -> bytes:
    """A model's code: skip_init at line 15, the jit block at line `jit`, concat twice, `blocks` uses of skip_init."""
    lines = {8: "import sys", 10: "import torch", 11: "import torch.utils.checkpoint"}
    lines |= {15: "from torch.nn.utils import skip_init"} | {jit + n: line for n, line in enumerate(JIT)}
    rest = "".join(BLOCK.format(number=number) for number in range(blocks))
    rest += "def rotate(q1, q2, k1, k2):\n    query_layer = torch.concat([q1, q2], dim=(q1.ndim - 1))\n"
    rest += "    return query_layer, torch.concat([k1, k2], dim=(k1.ndim - 1))\n"
    return at(lines, 50) + rest.encode()


def demo(launch: str = "") -> bytes:
    lines = ["from transformers import AutoModel, AutoTokenizer", "import mdtex2html"]
    lines += ['tokenizer = AutoTokenizer.from_pretrained("THUDM/chatglm-6b", trust_remote_code=True)']
    lines += ['model = AutoModel.from_pretrained("THUDM/chatglm-6b", trust_remote_code=True).half().cuda()', launch]
    return ("\n".join(lines) + "\n").encode()


NEEDS = ("filelock", "huggingface-hub<1.0,>=0.11.0", "regex!=2019.12.17", "tokenizers!=0.11.3,<0.14,>=0.11.1")
"""What the stand-in of transformers notes that it needs."""


def weight(name: str) -> bytes:
    return f"stand-in for {name}\n".encode() * 100


def pointer(name: str) -> bytes:
    """What Git LFS has in the place of a weight file."""
    data = weight(name)
    digest = hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(data)}\n".encode()


def repositories() -> dict[str, dict[str, bytes]]:
    ptuning = "Chatglm6b_ModelParallel_ptuning"
    api = b"import torch\n\n\ndef torch_gc():\n    torch.cuda.empty_cache()\n    torch.cuda.ipc_collect()\n\n\n"
    shards = [f"pytorch_model-{number:05}-of-00008.bin" for number in range(1, 9)]
    return {
        "ChatGLM-6B": {
            "cli_demo.py": demo(),
            "web_demo.py": demo("demo.queue().launch(share=False, inbrowser=True)"),
            "api.py": api + demo(),
            "requirements.txt": b"protobuf\ntransformers==4.27.1\ntorch>=1.10\ngradio\n",
            "ptuning/trainer.py": trainer(2274),
        },
        "chatglm-6b": {
            "modeling_chatglm.py": modeling(37, 4),
            "config.json": b"{}\n",
            **{name: pointer(name) for name in (*shards, "ice_text.model")},
        },
        "zero_nlp": {
            f"{ptuning}/modeling_chatglm.py": modeling(37, 0),
            f"{ptuning}/thuglm/modeling_chatglm.py": modeling(37, 4),
            f"{ptuning}/modeling_chatglm_parallel.py": modeling(40, 0),
            f"{ptuning}/trainer.py": trainer(2274),
            f"{ptuning}/MyTrainer.py": trainer(2273),
        },
    }


def sdists() -> dict[str, bytes]:
    found = {}
    for name, version, line in (("transformers", "4.27.4", 2272), ("transformers", "4.28.1", 2323)):
        package = {
            "src/transformers/__init__.py": f'__version__ = "{version}"\n'.encode(),
            "src/transformers/trainer.py": trainer(line),
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            "src/transformers.egg-info/PKG-INFO": b"Name: transformers\nAuthor: upstream\n",
            "src/transformers.egg-info/requires.txt": "\n".join(NEEDS).encode(),
        }
        found[f"{name}-{version}.tar.gz"] = sdist(name, version, {**package, **backend(name, version, "src")})
    for name, version in (("ffmpy", "0.3.1"), ("jieba", "0.42.1")):
        files = {f"{name}/__init__.py": b"", **backend(name, version, ".")}
        found[f"{name}-{version}.tar.gz"] = sdist(name, version, files)
    return found


def backend(name: str, version: str, folder: str) -> dict[str, bytes]:
    settings = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    code = BACKEND.format(name=name, version=version, folder=folder)
    return {"pyproject.toml": settings.encode(), "backend.py": code.encode()}


def wheel(name: str, version: str, files: Mapping[str, bytes]) -> tuple[str, bytes]:
    stem = f"{re.sub('[-.]+', '_', name)}-{version}"
    info = f"{stem}.dist-info"
    everything = dict(files)
    everything[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    everything[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    everything[f"{info}/RECORD"] = b""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for path, data in sorted(everything.items()):
            packed.writestr(zipfile.ZipInfo(path, (2020, 9, 13, 0, 0, 0)), data)
    return f"{stem}-py3-none-any.whl", out.getvalue()


def tutorial(recipes: Path) -> list[Path]:
    """The recipes of ChatGLM-6B's tutorial, whatever their names end in; chatglm2 is another one's."""
    return sorted([*recipes.glob("chatglm.yaml"), *recipes.glob("chatglm-*.yaml")])


def wheels(checkout: Path) -> dict[str, bytes]:
    """A wheel for every requirement of the recipes: empty, but for a torch that says what it is."""
    found = {}
    for path in tutorial(checkout / "recipes"):
        python = load_recipe(checkout, path.stem).model.env.python
        assert python is not None
        for text in (*python.written, *NEEDS):
            wanted = Requirement(text)
            exact = [specifier.version for specifier in wanted.specifier if specifier.operator == "=="]
            version = next(version for version in (*exact, *VERSIONS) if wanted.specifier.contains(version))
            code = {"torch/__init__.py": b'__version__ = "2.13.0+standin"\n'} if wanted.name == "torch" else {}
            file, data = wheel(wanted.name, version, code)
            found[file] = data
    return found


def cndsp() -> tuple[str, bytes]:
    runner = at({1: "import os", 378: "def main():", 380: '    del os.environ["MLU_VISIBLE_DEVICES"]'}, 390)
    files = {
        "deepspeed/__init__.py": b"",
        "deepspeed/launcher/__init__.py": b"",
        "deepspeed/launcher/runner.py": runner,
    }
    return wheel("cndsp", "0.8.0", files)


@dataclass
class Standins:
    """A checkout whose chatglm recipes have a suffix and use the stand-ins below `root`; `full` gives their names."""

    machine: Machine
    root: Path
    suffix: str = field(default_factory=lambda: f"{os.getpid()}x{os.urandom(3).hex()}")

    def full(self, recipe: str) -> str:
        return f"{recipe}-{self.suffix}"

    @property
    def reference(self) -> str:
        """What the vendor's archive calls its image."""
        return f"vendor.example/pytorch/{self.suffix}:v1.13.0-torch1.9"

    def prepare(self) -> None:
        """Make the stand-ins, and make the recipes of the checkout and the machine's settings use them."""
        self._rename()
        mirrors = {}
        for name, files in repositories().items():
            commit = repository(self.root / "git" / name, files)
            mirrors[URLS[name]] = f"file://{self.root / 'git' / name}"
            self.set_commit(name, commit)
        weights, index = self.root / "files", self.root / "index"
        weights.mkdir()
        index.mkdir()
        recipe = self._recipes() / f"{self.full('chatglm')}.yaml"
        text = recipe.read_text()
        for name in re.findall(r"- path: (\S+)", text):
            data = weight(name)
            (weights / name).write_bytes(data)
            lines = re.compile(rf"(- path: {name}\n(?:.*\n){{2}})        size: \d+\n        sha256: [0-9a-f]+\n")
            text, count = lines.subn(
                rf"\g<1>        size: {len(data)}\n        sha256: {hashlib.sha256(data).hexdigest()}\n", text
            )
            assert count == 1, name
        recipe.write_text(text)
        for file, content in (sdists() | wheels(self.machine.checkout)).items():
            (index / file).write_bytes(content)
        rows = "\n".join(f'"{url}" = "{mirror}"' for url, mirror in mirrors.items())
        settings = f'folders = ["{weights}"]\n\n[mirrors.git]\n{rows}\n'
        (self.machine.checkout / "portside.toml").write_text(settings)
        self.machine.environment |= {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(index),
        }

    def _recipes(self) -> Path:
        return self.machine.checkout / "recipes"

    def _rename(self) -> None:
        """Every chatglm recipe gets the suffix, and so does the workspace that the first of them gives its name."""
        for path in tutorial(self._recipes()):
            text = re.sub(r"^(extends: \S+)$", rf"\1-{self.suffix}", path.read_text(), flags=re.MULTILINE)
            text = text.replace("/workspace/chatglm/", f"/workspace/{self.full('chatglm')}/")
            path.with_name(f"{self.full(path.stem)}.yaml").write_text(text)
            path.unlink()
            path.with_suffix("").rename(path.with_name(self.full(path.stem)))
            lock = path.with_suffix(".lock")
            if path.stem == CPU:
                # Its base and .debs stay those of the committed lock; wheels are stand-ins.
                value = json.loads(lock.read_text().replace(f'{CPU}"', f'{self.full(CPU)}"'))
                value["env"]["sets"][0]["python"] = None
                lock.with_name(f"{self.full(CPU)}.lock").write_text(json.dumps(value))
            lock.unlink()

    def bring_vendors_files(self) -> None:
        """What a person does: put the vendor's files into the folder."""
        vendor_archive(self.root / "files" / ARCHIVE, self.reference)
        name, data = cndsp()
        (self.root / "files" / name).write_bytes(data)

    def set_commit(self, source: str, commit: str) -> None:
        """Make the recipes use another commit of a source."""
        for path in tutorial(self._recipes()):
            wanted = rf"(  {source}:\n    git: \S+\n    commit: )[0-9a-f]{{40}}"
            path.write_text(re.sub(wanted, rf"\g<1>{commit}", path.read_text()))

    def remove(self) -> None:
        """Remove what the engine has of these recipes."""
        layers = ("env", "sources", "migrated", "weights", "latest")
        remove_images([f"portside/{self.full(name)}:{layer}" for name in (*RECIPES, CPU) for layer in layers])
        remove_images([self.reference])
        remove_unnamed([self.full(name) for name in (*RECIPES, CPU)])
