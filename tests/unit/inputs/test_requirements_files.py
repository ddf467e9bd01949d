"""Requirements files as projects have them: each kind of line is taken, or an error that names file and line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from portside.common.tree import Tree, file_entry
from portside.errors import RecipeError
from portside.inputs.python.requirements_file import RequirementLine, read_requirements

A, B = "a" * 64, "B" * 64


def tree(**files: str | bytes) -> Tree:
    """Files by name, with `__` for a slash; .txt behind each."""
    texts = {f"{name.replace('__', '/')}.txt": text for name, text in files.items()}
    return Tree(file_entry(path, t if isinstance(t, bytes) else t.encode()) for path, t in texts.items())


def read(text: str | bytes, *without: str, **more: str | bytes) -> list[RequirementLine]:
    return read_requirements(tree(r=text, **more), "r.txt", "app", without)


def shown(lines: list[RequirementLine]) -> list[str]:
    return [f"{line.origin.removeprefix('app/')} {line.requirement}{' (limit)' * line.constraint}" for line in lines]


def refused(text: str | bytes, *without: str, **more: str | bytes) -> str:
    with pytest.raises(RecipeError) as caught:
        read(text, *without, **more)
    return str(caught.value)


FORTY = f"""\
# what the demo needs

numpy >= 1.24, < 2   # not 2
torch>=1.10
Pillow
requests [socks,use_chardet] == 2.31.*
importlib-metadata; python_version < "3.8"
tomli>=1.1.0 ; python_version < '3.11' and sys_platform == "linux"
pinned==1.0 \\
    --hash=sha256:{A} \\
    --hash=sha256:{B}
# a comment that ends with \\
scipy (>=1.0)
long-one \\
  >=1, \\
  <2

-r more/dev.txt
--requirement=more/other.txt
-c limits.txt
--prefer-binary
--only-binary :all:
-e .
-e git+https://example.org/demo.git@main#egg=demo
-i https://index.example/simple
--extra-index-url https://user:secret@index.example/cpu
--find-links=https://pages.example/x
--trusted-host index.example
./wheels/own-1.0-py3-none-any.whl
git+https://example.org/unnamed.git
direct @ https://example.org/direct-1.0.tar.gz
${{NAME}}-tools
--pre
--no-binary scipy
\tzope.interface~=5.4.2
# six
six # one

Django==4.2.*
pyyaml!=5.4.0
"""
OUT = ["torch", "-e .", "demo", "--index-url", "--extra-index-url", "-f", "--trusted-host", "own"]
OUT += ["git+https://example.org/unnamed.git", "direct", "--pre", "--no-binary"]
MORE = {
    "more__dev": "pytest\n-r ../base.txt",
    "more__other": "",
    "base": "click",
    "limits": "numpy<1.26\n-r more/dev.txt",
}


def test_a_file_of_forty_lines() -> None:
    text = FORTY.replace("${NAME}-tools\n", "\n")
    taken = read(text, *OUT, **MORE)
    assert shown(taken) == [
        "r.txt:3 numpy<2,>=1.24",
        "r.txt:5 Pillow",
        "r.txt:6 requests[socks,use_chardet]==2.31.*",
        'r.txt:7 importlib-metadata; python_version < "3.8"',
        'r.txt:8 tomli>=1.1.0; python_version < "3.11" and sys_platform == "linux"',
        "r.txt:9 pinned==1.0",
        "r.txt:13 scipy>=1.0",
        "r.txt:14 long-one<2,>=1",
        "more/dev.txt:1 pytest",
        "base.txt:1 click",
        "limits.txt:1 numpy<1.26 (limit)",
        "more/dev.txt:1 pytest (limit)",
        "base.txt:1 click (limit)",
        "r.txt:35 zope.interface~=5.4.2",
        "r.txt:37 six",
        "r.txt:39 Django==4.2.*",
        "r.txt:40 pyyaml!=5.4.0",
    ]
    assert {line.origin: line.hashes for line in taken if line.hashes} == {"app/r.txt:9": {A, B.lower()}}
    for changed in (text.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + text.encode(), text.encode("utf-16")):
        assert read(changed, *OUT, **MORE) == taken


@pytest.mark.parametrize(
    ("line", "said", "out"),
    [
        ("${INDEX}-tools", "${INDEX} is a variable of the machine's environment", None),
        ("x @ https://${TOKEN}@example.org/x.whl", "${TOKEN} is a variable", "x"),
        ("x @ https://me:secret@example.org/x.whl", "x is given by a URL (https://example.org/x.whl)", "x"),
        ("https://example.org/x-1.0-py3-none-any.whl", "is given by its place", "x"),
        ("git+https://example.org/x.git", "is given by its place", "git+https://example.org/x.git"),
        ("-e .[dev]", "needs-of: app", "-e .[dev]"),
        ("--editable=git+https://example.org/y#egg=y-z", "is given by its place", "Y_Z"),
        ("../x", "is given by its place", "../x"),
        ("x.tar.gz", "is given by its place", "x.tar.gz"),
        ("--index-url=https://me:secret@index.example/simple", "--index-url https://index.example/simple", "-i"),
        ("--no-index", "--no-index: where packages are", "--no-index"),
        ("--pre", "NAME>=1.0rc1", "--pre"),
        ("--no-binary=:all:", "env.python.build", "--no-binary"),
        ("x==1 --config-settings=a=b", "--config-settings of a requirement", "x"),
        ("x==1 --hash=md5:00", "--hash=md5:00: expected sha256:", "x"),
        ("-r https://example.org/r.txt", "is no file of app", "-r https://example.org/r.txt"),
        ("-r ../../etc/passwd", "../../etc/passwd is no file of app", "-r ../../etc/passwd"),
        ("-r none.txt", "no file none.txt in app", "-r none.txt"),
        ("-r", "-r says nothing", None),
        ("--frobnicate x", "--frobnicate: pip knows no such option here", "--frobnicate"),
        ("x = 1", "not a requirement: x = 1", "x"),
        ("x==2004d_bad!", "not a requirement", "x"),
    ],
)
def test_what_cannot_be_taken_is_an_error_with_its_place(line: str, said: str, out: str | None) -> None:
    text = f"one\n\n{line}\n"
    message = refused(text)
    assert said in message
    assert message.startswith("app/r.txt:3: ")
    assert "secret" not in message
    if out is not None:
        assert shown(read(text, out)) == ["r.txt:1 one"]


def test_limits_with_extras_circles_and_what_is_no_text() -> None:
    assert refused("-c c.txt", c="x[y]<2").startswith("app/c.txt:1: pip takes no constraint with extras")
    assert refused("-r a.txt", a="\n-r r.txt").startswith("app/a.txt:2: r.txt includes itself: r.txt -> a.txt -> r.txt")
    assert "no text in UTF-8" in refused(b"\xff\xffx")
    assert shown(read("# -*- coding: latin-1 -*-\n# \xe9\nx".encode("latin-1"))) == ["r.txt:3 x"]
    assert refused("x==1\n--require-hashes").startswith("app/r.txt:1: no --hash, and app/r.txt:2 says --require-hashes")
    assert shown(read(f"--require-hashes\nx==1 --hash=sha256:{A}")) == ["r.txt:2 x==1"]
    with pytest.raises(RecipeError, match=r"no file s/r.txt in the source app\n  It has r.txt."):
        read_requirements(tree(r=""), "s/r.txt", "app")


def test_what_is_left_out_must_be_there() -> None:
    message = refused("torch\n", "troch")
    assert "nothing to leave out: no line for troch" in message
    assert "Did you mean 'torch'?" in message


@given(st.binary(max_size=80) | st.text("ab-=<>;#\\ \n\r.[]@:/${}e", max_size=60).map(str.encode))
def test_any_bytes_are_requirements_or_an_error(data: bytes) -> None:
    try:
        found = read(data)
    except RecipeError:
        return
    for line in found:
        assert Requirement(str(line.requirement)) == line.requirement
