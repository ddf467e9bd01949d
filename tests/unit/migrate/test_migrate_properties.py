"""Random sources and random bytes through precise mode."""

import ast
import io
import json
import random
import re
import tokenize
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from portside.common.tree import Tree, file_entry
from portside.migrate.migration import migrate
from portside.migrate.precise import compile_rules, convert, python
from portside.migrate.precise.python import compiles
from portside.migrate.precise.regions import reduced
from portside.migrate.rulesets import load, names

RULES = {name: compile_rules(load(name)) for name in names()}
MLU = RULES["mlu"]

IDENTIFIERS = ["x", "device", "no_cuda", "torch", "cuda_time", "self", "args", "é"]
LEAVES = [
    "1", "x", "torch.cuda.is_available()", "torch.cuda.ipc_collect()", "th.cuda.device_count()", '"cuda"', "'cuda:1'",
    'f"cuda:{x}"', 'f"cuda:{x % torch.cuda.device_count()}"', 'f"{torch.cuda.device_count()} cuda"',
    "x.cuda()", "x.cuda(0)", "x.is_cuda", 'b"nccl"', '"nccl"',
    "torch.cuda", "amp.autocast", '"a cuda text"', "args.cuda", 'torch.device("cuda")', "torch.concat([x])",
    'r"""cuda\n  x"""', "[x]", "not x", "CUDA_VISIBLE_DEVICES", '"CUDA_VISIBLE_DEVICES"',
]  # fmt: skip


def expression(rng: random.Random, depth: int = 0) -> str:
    def inner() -> str:
        return expression(rng, depth + 1)

    kind = rng.randrange(20 if depth < 4 else 10)
    if kind < 10:
        return rng.choice(LEAVES)
    shapes = [
        lambda: f"({inner()} if {inner()} else 'cpu')",
        lambda: f"f({inner()}, device={inner()})",
        lambda: f"({inner()} == {inner()})",
        lambda: f"x.to({inner()})",
        lambda: f"{{'device': {inner()}, 'cuda': [{inner()}]}}",
        lambda: f"d[{inner()}]",
        lambda: f"(\n  {inner()}\n)",
        lambda: f"(lambda torch: {inner()})",
        lambda: f"[{inner()} for x in {inner()}]",
        lambda: f"('cuda:%d' % {inner()})",
    ]
    return shapes[kind - 10]()


def statement(rng: random.Random, depth: int = 0) -> str:
    indent = "    " * depth
    kind = rng.randrange(11 if depth < 3 else 6)
    value = expression(rng)
    name = rng.choice(IDENTIFIERS)
    if kind < 3:
        return f"{indent}{name} = {value}\n"
    if kind == 3:
        return f"{indent}{value}  # torch.cuda in a comment, 'cuda'\n"
    if kind == 4:
        return (
            indent
            + rng.choice(["import torch", "import torch as th", "from torch.cuda import amp", "import torch.cuda as c"])
            + "\n"
        )
    if kind == 5:
        return f'{indent}"""cuda docstring"""; {name} = {value}\n'
    body = "".join(statement(rng, depth + 1) for _ in range(rng.randint(1, 3)))
    head = [f"if {value}:", f"def f({name}=1):", "class A:", f"with {value} as y:", "try:"][kind - 6]
    tail = f"{indent}except E:\n{indent}    pass\n" if head == "try:" else ""
    return f"{indent}{head}\n{body}{tail}"


def source_of(seed: int) -> str:
    rng = random.Random(seed)
    head = rng.choice(["", '"""Doc cuda."""\n', "# coding: utf-8\n", "from __future__ import annotations\n"])
    return head + "".join(statement(rng) for _ in range(rng.randint(1, 8)))


SEEDS = st.integers(0, 2**32)


def tokens(text: str) -> list[tuple[int, str]]:
    return [(token.type, token.string) for token in tokenize.generate_tokens(io.StringIO(text).readline)]


ADDED = re.compile(r"(?m)^[ \t]*import torch_mlu\n|import torch_mlu; |; import torch_mlu")


@settings(max_examples=400)
@given(SEEDS, st.sampled_from(sorted(RULES)))
def test_random_sources(seed: int, ruleset: str) -> None:
    source = source_of(seed)
    data = source.encode()
    new, report = convert("x.py", data, RULES[ruleset])
    assert compiles(new) == compiles(data)
    again, _ = convert("x.py", new, RULES[ruleset])
    assert again == new
    if new == data:
        return
    assert report is not None and report.state == "edited"
    comments = [text for kind, text in tokens(source) if kind == tokenize.COMMENT]
    assert [text for kind, text in tokens(new.decode()) if kind == tokenize.COMMENT] == comments


@settings(max_examples=400)
@given(SEEDS)
def test_tokens_outside_the_edits_are_kept(seed: int) -> None:
    """The source with exactly the report's hits put in is the result, apart from the imports that were added."""
    source = source_of(seed)
    new, report = convert("x.py", source.encode(), MLU)
    if report is None or report.state != "edited":
        assert new == source.encode()
        return
    text = source
    for hit in sorted(
        (h for h in report.hits if h.cls == "rewritten" and h.before), key=lambda h: (-h.line, -h.column)
    ):
        rows = text.split("\n")
        at = sum(len(row) + 1 for row in rows[: hit.line - 1]) + hit.column - 1
        assert text[at : at + len(hit.before)] == hit.before
        text = text[:at] + hit.after + text[at + len(hit.before) :]
    without_imports, added = ADDED.subn("", new.decode())
    assert text == without_imports
    assert added == sum(hit.rule == "import-module" for hit in report.hits)
    assert ast.dump(ast.parse(new)) != ast.dump(ast.parse(source))


def test_reading_a_part_of_a_file_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions without a marked line are not parsed; that decides nothing."""
    sources = [source_of(seed).encode() + b"\n\ndef plain(a):\n    return a\n" * (seed % 3) for seed in range(300)]
    parts = [convert("x.py", source, MLU) for source in sources]
    lengths: list[int] = []
    monkeypatch.setattr(python, "reduced", lambda *arguments: lengths.append(len(reduced(*arguments) or b"")))
    assert [convert("x.py", source, MLU) for source in sources] == parts
    assert sum(length > 0 for length in lengths) > 100


FRAGMENTS = [
    b"torch.cuda.is_available()", b'"cuda"', b"f'cuda:{i}'", b".cuda()", b"\n", b"    ", b"(", b")", b"import torch\n",
    b"from torch.cuda import amp, ", b"as x", b'"""', b"'", b"#", b"\\", b"{", b"}", b"\r\n", b"\r", b"\x0c", b"\xff",
    b"\x00", b"# coding: latin-1\n", b"# coding: utf-16\n", b"\xef\xbb\xbf", b"def f(torch):", b"nccl", b"class A:",
    b":", b",", b"lambda: ", b"async ", b"await ", b'match x:\n case "cuda": pass\n', b"is_cuda", b"= ",
    b"getattr(torch, x)", b"CUDA_VISIBLE_DEVICES", b'"a" "cuda"', "ｃｕｄａ".encode(), "é".encode(), b'f"{', b"!r}",  # noqa: RUF001
    b':>{w}}"', b"torch.cuda.amp.autocast", b"@torch.cuda.amp.custom_fwd\n", b"\\\n", b"; ", b"t'{x}'", b"print 1\n",
]  # fmt: skip
PATHS = ["x.py"] * 6 + ["a.sh", "a.ipynb", "a.yaml", "setup.py", "b.cu", "requirements.txt"]


def test_ten_thousand_random_and_truncated_files() -> None:
    """Nothing raises; what is edited compiles and stays as it is the second time; what is left is untouched."""
    rng = random.Random(20_240)
    whole = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("scenarios/*/in/**/*")) if path.is_file()]
    states: dict[str, int] = {}
    rules = list(RULES.values())
    for number in range(10_000):
        if number % 2:
            data = b"".join(rng.choices(FRAGMENTS, k=rng.randint(1, 25)))
        else:
            data = rng.choice(whole)
            start = rng.choice([0, rng.randrange(len(data) + 1)])
            data = data[start : rng.randint(start, len(data))]
        path = rng.choice(PATHS)
        chosen = rules[number % len(rules)]
        new, report = convert(path, data, chosen)
        states[report.state if report else "none"] = states.get(report.state if report else "none", 0) + 1
        if report is None or report.state != "edited":
            assert new == data
        else:
            assert convert(path, new, chosen)[0] == new
            assert not path.endswith(".py") or compiles(new)
    assert min(states[name] for name in ("none", "left", "unchanged", "edited")) > 100, states


def test_the_result_does_not_depend_on_the_number_of_processes() -> None:
    rng = random.Random(3)
    tree = Tree(
        file_entry(f"p{number}/x.py", b"import torch\n" + b"torch.cuda.synchronize()\n" * rng.randint(0, 3))
        for number in range(200)
    )
    one, two = (migrate(tree, load("mlu"), "precise", jobs=jobs) for jobs in (1, 2))
    assert one.tree.digest() == two.tree.digest()
    assert one.report == two.report


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), one=st.booleans(), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_a_notebook_becomes_what_its_code_becomes(seed: int, one: bool, ascii_only: bool, indent: int | None) -> None:
    """However its JSON is written, the cells together are what the same lines are as a program."""
    code = source_of(seed)
    cells = [code] if one else re.split(r"(?<=\n)(?=(?:\w|\"\"\")[^\n]*\n(?!except))", code)
    rebuilt = [{"cell_type": "code", "source": cell.splitlines(True) if seed % 2 else cell} for cell in cells]
    data = json.dumps({"cells": rebuilt, "nbformat": 4}, ensure_ascii=ascii_only, indent=indent).encode()
    new, _ = convert("x.ipynb", data, MLU)
    found = ["".join(cell["source"]) for cell in json.loads(new)["cells"]]
    program, report = convert("x.py", code.encode(), MLU)
    assume(report is None or report.state != "left")  # of a notebook, cells that are no Python are left alone
    assert "".join(found) == program.decode()


@settings(max_examples=100)
@given(st.sampled_from(["x.ipynb", "x.json", "x.yaml", "run.sh", "Dockerfile", "x.cpp", "tool"]), st.data())
def test_any_file_is_read_to_its_end(path: str, data: st.DataObject) -> None:
    """Nothing raises, the device is never left without a hit, and twice changes nothing."""
    words = [b"cuda", b"nccl", b":0", b"device", b": ", b"=", b'"', b"\\", b"\n", b"--", b" ", b"{", b"#"]
    pieces = st.sampled_from(words)
    text = b"".join(data.draw(st.lists(pieces, max_size=30)))
    new, report = convert(path, text, MLU)
    assert (report is not None) or not (b"cuda" in text or b"nccl" in text)
    assert convert(path, new, MLU)[0] == new
