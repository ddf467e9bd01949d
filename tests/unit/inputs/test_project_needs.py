"""What a project needs, read out of its files: what is written down is taken, what is computed is an error."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.tree import Tree, file_entry
from portside.errors import RecipeError
from portside.inputs.python.project_needs import build_system, needs_of

PYPROJECT, SETUP, CFG, INFO = "pyproject.toml", "setup.py", "setup.cfg", "PKG-INFO"
EGG = "src/x.egg-info/requires.txt"


def tree(files: dict[str, str]) -> Tree:
    return Tree(file_entry(path, text.encode()) for path, text in files.items())


def needs(files: dict[str, str], *extras: str, recorded: bool = False) -> list[str]:
    return [str(found) for found in needs_of(tree(files), "x", recorded=recorded).wanted(extras)]


def refused(files: dict[str, str], *extras: str) -> str:
    with pytest.raises(RecipeError) as caught:
        needs(files, *extras)
    return str(caught.value)


PROJECT = """[project]
name = "X.y"
dependencies = ["a>=1", "b; python_version < '3.8'"]
[project.optional-dependencies]
fast_one = ["c"]
all = ["x-Y[fast-one]", "d"]
"""
LITERAL = """
from setuptools import setup, find_packages
extras = {"fast": ["c"], "all": ("d",)}
if __name__ == "__main__":
    setup(name="x", packages=find_packages(), install_requires=["a>=1", "b"], extras_require=extras)
"""


def test_what_is_written_down_is_taken() -> None:
    assert needs({PYPROJECT: PROJECT}) == ["a>=1", 'b; python_version < "3.8"']
    assert needs({PYPROJECT: PROJECT}, "ALL")[2:] == ["d", "c"]
    assert needs({PYPROJECT: '[project]\nname = "x"'}) == []
    dynamic = '[project]\nname = "x"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\n'
    assert needs({PYPROJECT: dynamic + 'dependencies = {file = ["r.txt"]}', "r.txt": "# our own\na # b\n"}) == ["a"]
    assert needs({SETUP: LITERAL}, "fast") == ["a>=1", "b", "c"]
    assert needs(
        {SETUP: "import setuptools\nsetuptools.setup()", CFG: "[options]\ninstall_requires =\n  a\n  b>1"}
    ) == [
        "a",
        "b>1",
    ]
    cfg = "[metadata]\nname = x\n[options]\ninstall_requires = a;; b\n[options.extras_require]\nfast = c\n"
    assert needs({CFG: cfg}, "fast") == ["a", "b", "c"]
    assert needs({CFG: "[options]\ninstall_requires = file: r.txt", "r.txt": "a"}) == ["a"]
    info = "Metadata-Version: 2.2\nName: x\nRequires-Dist: a\nProvides-Extra: fast\n"
    info += "Requires-Dist: c>1; (python_version > '3') and extra == 'fast'\n"
    assert needs({INFO: info, SETUP: "setup(**args)"}, "fast") == ["a", 'c>1; python_version > "3"']


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("setup(install_requires=read('r.txt'))", "x/setup.py:1: it computes install_requires"),
        ("deps = ['a']\nif old:\n    deps += ['b']\nsetup(install_requires=deps)", "setup.py:4: it computes"),
        ("deps = ['a']\ndeps.append('b')\nsetup(install_requires=deps)", "setup.py:3: it computes"),
        ("deps = ['a']\nmore(deps)\nsetup(install_requires=deps)", "setup.py:3: it computes"),
        ("deps = ['a']\nsetup(install_requires=[deps['a'], 'b'])", "it computes install_requires"),
        ("setup(extras_require={'a': all()}, install_requires=[])", "it computes extras_require"),
        ("setup(**arguments)", "setup(**…) computes"),
        ("setup(setup_requires=['pbr'], pbr=True)", "pbr computes"),
        ("if linux:\n    setup()\nelse:\n    setup(install_requires=['a'])", "2 calls of setup()"),
        ("def main():\n    setup()\nmain()", "1 calls of setup(), where one on the first level can be read"),
        ("import x", "no calls of setup()"),
        ("print 'x'", "not this Python's code"),
    ],
)
def test_a_setup_py_that_computes_is_an_error(code: str, said: str) -> None:
    message = refused({SETUP: code, CFG: "[options]\ninstall_requires = a"})
    assert message.startswith("needs-of: x: what it needs is not written down:\n  x/setup.py")
    assert said in message


def test_what_else_says_nothing_for_sure() -> None:
    info = "Metadata-Version: 2.2\nName: x\nDynamic: Requires-Dist\nRequires-Dist: a\n"
    files = {PYPROJECT: '[project]\nname = "x"\ndynamic = ["dependencies"]', INFO: info}
    message = refused(files)
    assert "x/pyproject.toml: its dependencies are dynamic" in message
    assert "x/PKG-INFO: requires-dist is dynamic" in message
    assert "To take that: `recorded: true`" in message
    assert needs(files, recorded=True) == ["a"]
    old = {
        INFO: "Metadata-Version: 2.1\nName: x\n",
        SETUP: "setup(**x)",
        EGG: "a>1\n\n[:python_version < '3.8']\nb\n[f]\nc\n",
    }
    assert "a>1, b; python_version < '3.8'" in refused(old)
    assert needs(old, "f", recorded=True) == ["a>1", 'b; python_version < "3.8"', "c"]
    assert "poetry's own form" in refused({PYPROJECT: '[tool.poetry.dependencies]\na = "^1"'})
    assert "it is no Python project" in refused({"README": ""})
    assert "Did you mean 'fast-one'" in refused({PYPROJECT: PROJECT}, "fast-on")
    assert "not valid TOML" in refused({PYPROJECT: "["})
    assert "not a requirement: 'a b'" in refused({PYPROJECT: '[project]\ndependencies = ["a b"]'})


def test_what_building_needs() -> None:
    legacy = "setuptools.build_meta:__legacy__"
    assert build_system(tree({SETUP: "setup(setup_requires=['cython'])"}), "x") == (
        ["setuptools>=40.8.0", "wheel", "cython"],
        legacy,
        [],
    )
    own = '[build-system]\nrequires = ["setuptools>61"]\nbuild-backend = "setuptools.build_meta"\nbackend-path = ["."]'
    assert build_system(tree({PYPROJECT: own}), "x") == (["setuptools>61", "wheel"], "setuptools.build_meta", ["."])
    with pytest.raises(RecipeError, match="not as PEP 518 says"):
        build_system(tree({PYPROJECT: '[build-system]\nrequires = "x"'}), "x")


@given(st.sampled_from([PYPROJECT, SETUP, CFG, INFO]), st.text("[]{}=\"':\n abSetup(*),.>", max_size=60))
def test_any_text_is_read_or_an_error(path: str, text: str) -> None:
    head = {
        PYPROJECT: "[project]\n",
        SETUP: "setup(",
        CFG: "[options]\n",
        INFO: "Metadata-Version: 2.2\nRequires-Dist: ",
    }
    with suppress(RecipeError):
        needs({path: head[path] + text})
