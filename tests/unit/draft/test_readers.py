"""The small readers of drafts, each by itself."""

import pytest
from drafts import checkout

from portside.draft.code import CodeBase
from portside.draft.commands import command_lines, split_commands
from portside.draft.declared import conda_requirement, pip_install, requirement_of
from portside.draft.entries import entries
from portside.draft.interpreter import pep440
from portside.draft.named_weights import named_weights
from portside.draft.origin import split_ref
from portside.draft.page import flow, plain_comment, scalar


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("https://example.org/a/b", ("https://example.org/a/b", "")),
        ("https://example.org/a/b@v1.0", ("https://example.org/a/b", "v1.0")),
        ("https://example.org/a/b@feature/x", ("https://example.org/a/b", "feature/x")),
        ("https://user@example.org/a/b", ("https://user@example.org/a/b", "")),
        ("git@example.org:a/b", ("git@example.org:a/b", "")),
        ("git@example.org:a/b@main", ("git@example.org:a/b", "main")),
        ("ssh://git@example.org/a/b@v1", ("ssh://git@example.org/a/b", "v1")),
        ("src/demo", ("src/demo", "")),
        ("/tmp/x@v1", ("/tmp/x", "v1")),
    ],
)
def test_a_ref_behind_a_url(text: str, found: tuple[str, str]) -> None:
    assert split_ref(text) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("^1.2", ">=1.2,<2"),
        ("^0.3.1", ">=0.3.1,<0.4"),
        ("~1.4", ">=1.4,<1.5"),
        ("*", ""),
        (">=1,<2", ">=1,<2"),
        ("1.2", "==1.2"),
    ],
)
def test_ranges_of_poetry(asked: str, found: str) -> None:
    assert pep440(asked) == found


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("pytorch=1.11.0", "torch==1.11.0"),
        ("pytorch::pytorch >=1.0.1", "torch>=1.0.1"),
        ("numpy=1.19", "numpy==1.19.*"),
        ("opencv==4.5.0=py38_0", "opencv-python==4.5.0"),
        ("python=3.8", None),
        ("cudatoolkit=11.3", None),
    ],
)
def test_packages_of_conda(word: str, found: str | None) -> None:
    requirement = conda_requirement(word)
    assert (str(requirement) if requirement else None) == found


@pytest.mark.parametrize("word", ["<package>", "x.whl", "$NAME", "torch==<version>", "y", "{x}"])
def test_placeholders_are_no_requirements(word: str) -> None:
    assert requirement_of(word) is None


def test_commands_of_documents() -> None:
    text = "Run `pip install a` or\n\n```bash\n$ CUDA_VISIBLE_DEVICES=0 python x.py \\\n   --a 'b; c' && ls # no\n```\n"
    text += "```python\nimport y\n```\nNot `this`: python is a language\n"
    found = command_lines(checkout({"README.md": text}))
    assert [one.words for one in found] == [
        ("pip", "install", "a"),
        ("python", "x.py", "--a", "b; c"),
        ("ls",),
    ]
    assert (found[1].place, found[1].variables) == ("README.md:4", {"CUDA_VISIBLE_DEVICES": "0"})
    assert split_commands("a 'b && c'; d | e") == ["a 'b && c'", "d", "e"]


def test_what_pip_is_told_to_install() -> None:
    text = "```\npython3 -m pip install -U -r a.txt torch==2.0.1+cu118 -f https://x.org/y.html -e '.[web]' git+https://x.org/z\n```"
    [command] = command_lines(checkout({"README.md": text}))
    found = pip_install(command)
    assert found is not None
    assert (found.files, found.projects, found.urls) == (["a.txt"], [(".", ("web",))], ["git+https://x.org/z"])
    assert [str(one) for one in found.packages] == ["torch==2.0.1"]


MAIN = """import a
from lib.part import thing
from . import near
try:
    import b
except ImportError:
    b = None
if 1:
    import c
def f():
    import d
import utils.compiled
if __name__ == '__main__':
    import e
"""


def test_imports_that_are_late_guarded_or_local() -> None:
    code = CodeBase(
        checkout(
            {
                "main.py": MAIN,
                "lib/part.py": "import f\n",
                "near.py": "",
                "utils/compiled.pyx": "",
                "utils/__init__.py": "import g\n",
            }
        )
    )
    reached = code.reach(["main.py"])
    assert set(reached) == {"main.py", "lib/part.py", "near.py", "utils/__init__.py"}
    found = {one.module: (one.late, one.guarded) for one, _ in code.foreign(reached.values(), ["main.py"])}
    assert found == {
        "a": (False, False),
        "b": (False, True),
        "c": (False, True),
        "d": (True, False),
        "e": (False, False),
        "f": (False, False),
        "g": (False, False),
    }


def test_weights_behind_names() -> None:
    text = "ID = 'org/one'\nload.from_pretrained(ID)\n\n\ndef f(version='org/two', kind='x'):\n"
    text += "    assert kind in {'gpt2', 'gpt2-xl'}\n    load.from_pretrained(version)\n"
    text += "    load.from_pretrained(kind)\n    load.from_pretrained('./local/path')\n"
    repository = checkout({"a.py": text})
    code = CodeBase(repository)
    found = named_weights(repository, code.reach(["a.py"]), [], ["a.py"])
    assert {one.name for one in found} == {"org/one", "org/two", "gpt2", "gpt2-xl"}
    assert next(one for one in found if one.name == "gpt2").sure is False


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("python3 x.py", "python3 x.py"),
        ("no", '"no"'),
        ("3.10", '"3.10"'),
        ('a "b"', '"a \\"b\\""'),
        ("a: b", '"a: b"'),
        ("a #b", '"a #b"'),
    ],
)
def test_texts_that_yaml_reads_otherwise_are_quoted(value: str, text: str) -> None:
    assert scalar(value) == text


def test_flow_values_and_comments() -> None:
    assert flow({"from": "a/b.txt", "without": ["x", "y,z"]}) == '{from: a/b.txt, without: [x, "y,z"]}'
    assert plain_comment("a\x1b[31m\u2028b\nc") == "a [31m b c"


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("python run.py --device DEVICE \\   # which card", "python3 run.py --help"),
        ("python run.py --data /path/to/data", "python3 run.py --help"),
        ("python run.py --data [DATA]", "python3 run.py --help"),
        ("python run.py --dtype FP16 -n 3 > out.log &", "python3 run.py --dtype FP16 -n 3"),
    ],
)
def test_commands_that_leave_something_open(line: str, command: str) -> None:
    code = "import argparse\nargparse.ArgumentParser().parse_args()\n"
    repository = checkout({"README.md": f"```\n{line}\n```\n", "run.py": code})
    [entry] = entries(repository, command_lines(repository), CodeBase(repository))
    assert entry.command == command
