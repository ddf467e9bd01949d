"""What a draft says of a repository, and what it does not claim."""

from pathlib import Path
from typing import Any

import pytest
from drafts import behind, draft, recipe

from portside.config import Config
from portside.errors import RecipeError

README = """# Demo

Demo is a library that segments images.

```bash
conda create -n demo python=3.10
pip install -r requirements.txt
sudo apt-get install -y libsndfile1 vim
python demo.py --image cat.png
CUDA_VISIBLE_DEVICES=0 torchrun --nproc_per_node=2 train.py config/small.py
python eval.py --weights <path>
```

Weights: [large](https://huggingface.co/org/large/resolve/main/large.pth?download=true),
[small](https://example.org/small.ckpt).
"""
DEMO = """import argparse

import cv2
import gradio as gr
import numpy as np
from transformers import AutoModel

from helpers import show

try:
    import apex
except ImportError:
    apex = None


def main():
    import wandb
    parser = argparse.ArgumentParser(description="Shows what is in an image")
    parser.add_argument("--port", type=int, default=7000)
    args = parser.parse_args()
    model = AutoModel.from_pretrained("org/model")
    gr.Interface(show).launch(server_port=args.port)


if __name__ == "__main__":
    main()
"""
FILES: dict[str, str | bytes] = {
    "README.md": README,
    "requirements.txt": "numpy>=1.20\ngradio\ntransformers==4.30.2\n--extra-index-url https://example.org/simple\npytest\n",
    "requirements-dev.txt": "black\n",
    "demo.py": DEMO,
    "train.py": "import sys\nimport torch\nimport subprocess\nsubprocess.run(['ffmpeg', '-i', sys.argv[1]])\n",
    "eval.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('--weights')\np.parse_args()\n",
    "helpers.py": "import PIL.Image\n\n\ndef show(image): ...\n",
    "config/small.py": "batch = 1\n",
    ".gitmodules": "",
}


def test_each_line_says_where_it_comes_from(tmp_path: Path) -> None:
    made = draft(tmp_path, FILES)
    found = recipe(made)
    assert found["description"] == "Demo is a library that segments images."
    assert behind(made, "description") == "README.md:3"
    assert found["sources"] == {"demo": {"git": "https://example.org/demo", "commit": "0" * 40}}
    asked = found["env"]["python"]["requirements"]
    assert asked[0] == {"from": "demo/requirements.txt", "without": ["--extra-index-url", "pytest"]}
    assert behind(made, "- {from") == "README.md:7"
    assert asked[1:] == ["opencv-python", "torch", "pillow"]
    assert behind(made, "- opencv-python") == "demo.py:3: imported, and asked for nowhere"
    assert found["env"]["debian"] == ["python3", "python3-pip", "ffmpeg", "libgl1", "libglib2.0-0", "libsndfile1"]
    assert behind(made, "- ffmpeg") == "train.py:4: starts ffmpeg"
    assert behind(made, "- libsndfile1") == "README.md:8"


def test_what_is_said_of_python_is_kept_where_the_image_has_another(tmp_path: Path) -> None:
    made = draft(tmp_path, FILES)
    assert recipe(made)["env"]["python"]["version"] == "3.11"
    assert behind(made, "version:") == "? upstream: 3.10 (README.md:6); Debian bookworm has 3.11"
    limited = draft(tmp_path, {"pyproject.toml": '[project]\nname = "x"\nrequires-python = ">=3.12"\n'})
    assert recipe(limited)["base"] == {"debian": {"suite": "trixie"}}
    assert behind(limited, "version:") == "upstream: >=3.12 (pyproject.toml:3)"


def test_programs_become_targets_with_their_ports(tmp_path: Path) -> None:
    targets = recipe(draft(tmp_path, FILES))["run"]["targets"]
    assert targets["demo"] == {
        "description": "Shows what is in an image",
        "command": "python3 demo.py --image cat.png",
        "env": {"GRADIO_SERVER_NAME": "0.0.0.0"},
        "ports": {"web": 7000},
    }
    assert targets["train"]["command"] == "torchrun --nproc_per_node=2 train.py config/small.py"
    assert targets["eval"]["command"] == "python3 eval.py --help"
    assert set(targets) == {"demo", "train", "eval"}


def test_weights_are_named_and_not_taken(tmp_path: Path) -> None:
    made = draft(tmp_path, FILES)
    assert "weights" not in recipe(made)
    assert "#   model: {huggingface: org/model}  # demo.py:21" in made.text
    assert "#   large: {huggingface: org/large, include: [large.pth]}  # README.md:14" in made.text
    assert (
        '#   small: {files: [{path: small.ckpt, url: "https://example.org/small.ckpt"}]}  # README.md:15' in made.text
    )
    taken = draft(tmp_path, FILES, weights="huggingface:org/model@v1")
    assert recipe(taken)["weights"]["model"]["huggingface"] == "org/model"
    assert recipe(taken)["weights"]["model"]["revision"] == "v1"
    assert recipe(taken)["weights"]["model"]["to"].endswith("/org/model")


def test_what_is_not_in_it_is_said(tmp_path: Path) -> None:
    left = draft(tmp_path, FILES).left
    assert "requirements.txt: --extra-index-url" in left
    assert "imported only by some paths of the code: wandb (demo.py:17)" in left
    assert "tools of those who work on the code, which no module imports: pytest" in left
    assert "Debian packages that the base has, or that building needs no more: vim (README.md:8)" in left


def test_a_setup_py_that_computes_what_it_needs_is_said_and_not_guessed(tmp_path: Path) -> None:
    setup = "import os\nfrom setuptools import setup\nneeds = ['a']\nif os.name: needs.append('b')\n"
    made = draft(
        tmp_path, {"setup.py": f"{setup}setup(name='x', install_requires=needs)\n", "README.md": "`pip install -e .`"}
    )
    assert made.left[0] == "what the project needs is computed, and not taken: setup.py:5: it computes install_requires"
    assert "requirements" not in recipe(made)["env"]["python"]


def test_a_project_is_installed_with_the_extras_of_the_readme(tmp_path: Path) -> None:
    toml = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "x"\ndependencies = ["torch", "old @ https://x.org/a.whl"]\n'
    toml += '[project.optional-dependencies]\nweb = ["fastapi"]\ndev = ["black"]\n'
    toml += '[project.scripts]\nx-serve = "x.main:run"\n'
    files: dict[str, str | bytes] = {
        "pyproject.toml": toml,
        "README.md": 'Do `pip install -e ".[web,dev]"`',
        "x/__init__.py": "",
        "x/main.py": "import click, uvicorn\n@click.command()\ndef run(port): uvicorn.run('x:app', port=9000)\n",
    }
    made = draft(tmp_path, files)
    found = recipe(made)
    assert found["env"]["python"]["requirements"] == [
        {"needs-of": "demo", "extras": ["web"], "without": ["old"]},
        "hatchling",
        "click",
        "uvicorn",
    ]
    assert found["install"] == ["python3 -m pip install --no-deps --no-build-isolation --use-pep517 --editable demo"]
    assert found["run"]["targets"]["x-serve"]["ports"] == {"api": 9000}
    assert "'x-serve --help'" in made.files["checks/test_draft.py"]
    assert "    'x',  # x/__init__.py\n" in made.files["checks/test_draft.py"]


def test_an_accelerator_brings_its_ruleset_and_a_base(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "README.md": "`python run.py --x 1`",
        "requirements.txt": "torch>=2\neinops\n",
        "run.py": "import torch\nimport einops\nx = torch.zeros(1).cuda()\ntorch.cuda.ipc_collect()\n",
    }
    made = draft(tmp_path, files, accelerator="mlu")
    found = recipe(made)
    assert found["accelerator"]["name"] == "mlu370"
    assert list(found["base"]) == ["archive"] and behind(made, "base:").startswith("? ")
    assert found["env"]["python"]["requirements"] == [{"from": "demo/requirements.txt", "without": ["torch"]}]
    assert found["migration"]["ruleset"] == "mlu"
    assert found["migration"]["accept"]["torch.cuda.ipc_collect"].startswith("run.py:4: ")
    assert found["run"]["workdir"] == "/workspace/demo/demo_mlu"


def test_an_index_for_processors_is_used_where_the_machine_has_one(tmp_path: Path) -> None:
    config = Config.model_validate({"home": tmp_path / "home", "indexes": {"cpu": "https://index.example/cpu"}})
    files: dict[str, str | bytes] = {"README.md": "`python run.py 1`", "run.py": "import torch\n"}
    assert recipe(draft(tmp_path, files, config))["env"]["python"]["indexes"] == {"torch": "cpu"}
    assert "indexes" not in recipe(draft(tmp_path, files, config, accelerator="cuda"))["env"]["python"]


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"accelerator": "mlu37"}, "no accelerator 'mlu37'"),
        ({"base": "Ubuntu:22.04"}, "--base"),
        ({"weights": "org/model"}, "--weights"),
        ({"weights": "huggingface:a/b/c"}, "--weights"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, asked: dict[str, Any], problem: str) -> None:
    with pytest.raises(RecipeError, match=problem):
        draft(tmp_path, FILES, **asked)


def test_a_base_may_be_named(tmp_path: Path) -> None:
    assert recipe(draft(tmp_path, FILES, base="debian:trixie"))["base"] == {"debian": {"suite": "trixie"}}
    assert recipe(draft(tmp_path, FILES, base="ubuntu:22.04"))["base"] == {"image": "ubuntu:22.04"}
    assert recipe(draft(tmp_path, FILES, base="v1.tar.gz"))["base"]["archive"]["file"] == "v1.tar.gz"


def test_a_conda_environment_and_its_pip_section(tmp_path: Path) -> None:
    text = "name: x\nchannels: [pytorch]\ndependencies:\n  - python=3.8.5\n  - pytorch=1.11.0\n  - cudatoolkit=11.3\n"
    text += "  - ffmpeg\n  - scikit-learn =1.1\n  - pip:\n    - einops==0.3.0\n    - -e .\n    - --pre\n"
    made = draft(tmp_path, {"environment.yaml": text, "README.md": "x"})
    found = recipe(made)
    assert found["env"]["python"]["requirements"] == ["torch==1.11.0", "scikit-learn==1.1.*", "einops==0.3.0"]
    assert behind(made, "- torch") == "environment.yaml:5"
    assert "ffmpeg" in found["env"]["debian"]
    assert "3.8.5 (environment.yaml:4)" in made.text


def test_a_card_of_which_no_image_is_known(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "README.md": "`python run.py --x 1`",
        "run.py": "import torch\ntorch.zeros(1).cuda()\n",
    }
    made = draft(tmp_path, files, accelerator="musa")
    assert behind(made, "base:") == "? no image of the vendor is known here; name yours, with --base"
    assert recipe(made)["migration"] == {"ruleset": "musa", "sources": ["demo"]}
