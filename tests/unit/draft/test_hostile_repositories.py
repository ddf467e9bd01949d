"""Whatever lies in a repository: a draft is a recipe that parses, and nothing is read without a bound."""

import os
from pathlib import Path

import pytest
from drafts import checkout, draft, recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from portside.common.tree import Tree
from portside.draft.checkout import LARGEST, Checkout
from portside.draft.code import CodeBase
from portside.draft.commands import command_lines
from portside.draft.entries import entries

ODD: dict[str, str | bytes] = {
    "README.md": b"# \xff\xfe\x00 \x1b[31m\n```\npip install \xe2\x80\xa8 x'y\n" + b"(" * 5000,
    "requirements.txt": b"\xff\xfet\x00o\x00r\x00c\x00h\x00\n\x00",
    "pyproject.toml": b"[project\nname = " + b"[" * 5000,
    "setup.cfg": b"[options]\n[options]\n = \x00\n",
    "setup.py": b"(" * 3000 + b"setup()",
    "environment.yml": b"dependencies:\n" + b"- &a [*a, *a]\n" * 100 + b"  - \x85: {\n",
    "deep.py": b"x = " + b"-" * 2000 + b"1\n",
    "old.py": b"print 'python 2'\n",
    "binary.py": bytes(range(256)) * 10,
    "Dockerfile": b"FROM \nRUN \\\n\\\n\\\n" + b"RUN a \\\n" * 500,
    "run.ipynb": b'{"cells": [1, {"cell_type": "code", "source": 7}]}',
    "a'b.py": b"import x\n",
    "weird\nname.py": b"import x\n",
    ".gitmodules": b"\xff[submodule]\npath = ../../etc\n",
    "scripts/x.sh": b"python \xff.py " + b"\\\n" * 300,
}


def test_odd_files_make_no_odd_draft(tmp_path: Path) -> None:
    made = draft(tmp_path, ODD)
    assert recipe(made)["sources"]["demo"]
    assert any(line.startswith("code that was not read: ") for line in made.left)


@pytest.mark.parametrize("accelerator", ["mlu", "ascend", "cuda"])
def test_odd_files_and_a_card(tmp_path: Path, accelerator: str) -> None:
    assert recipe(draft(tmp_path, ODD, accelerator=accelerator))["sources"]["demo"]


def test_a_folder_with_loops_and_a_large_file(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "loop").symlink_to(".")
    (root / "README.md").symlink_to("README.md")
    (root / "requirements.txt").symlink_to("/etc/passwd")
    (root / "x.py").write_text("import torch\n")
    with (root / "large.py").open("wb") as stream:
        stream.truncate(LARGEST + 1)
    deep = root
    for _ in range(150):
        deep = deep / "d"
    os.makedirs(deep)
    (deep / "main.py").write_text("import torch\n")
    made = draft(tmp_path, Checkout("demo", Tree.from_folder(root)))
    assert "passwd" not in made.text and "root:" not in made.text
    assert checkout({"large.py": b"x" * (LARGEST + 1)}).text("large.py") is None


TEXT = st.text(st.characters(codec="utf-8"), max_size=300)
LINES = st.lists(
    st.sampled_from(
        [
            "pip install -r requirements.txt",
            "pip install torch==1.0 'x; y' \"",
            "pip install git+https://example.org/a/b@v1#egg=c",
            "conda install pytorch=1.2=py38 -c x",
            "python demo.py --a 'b",
            "python -m demo --port=80",
            "streamlit run demo.py",
            "apt-get install -y libfoo=1.0 $X",
            "torchrun demo.py <x> && uvicorn demo:app",
            "```",
            "from_pretrained('a/b')",
            "https://huggingface.co/a/b",
            "python>=3.8",
        ]
    ),
    max_size=8,
)


@settings(max_examples=40, deadline=None)
@given(TEXT, LINES, TEXT, TEXT)
def test_any_text_makes_a_recipe(
    tmp_path_factory: pytest.TempPathFactory, text: str, lines: list[str], needs: str, code: str
) -> None:
    files: dict[str, str | bytes] = {
        "README.md": "\n".join([text, *(f"    {line}" for line in lines)]),
        "requirements.txt": needs,
        "environment.yml": f"dependencies:\n  - {needs}\n",
        "pyproject.toml": f'[project]\nname = "x"\ndescription = """{text}"""\n',
        "demo.py": f'"""{code}"""\nimport argparse\nimport x1\nargparse.ArgumentParser(description={code!r})\n',
        f"data/{len(text)}.py": code,
    }
    draft(tmp_path_factory.mktemp("draft"), files)


@given(TEXT)
def test_any_readme_can_be_read_for_commands(text: str) -> None:
    repository = checkout({"README.md": f"```\n{text}\n```\n", "x.py": "import y\n"})
    entries(repository, command_lines(repository), CodeBase(repository))
