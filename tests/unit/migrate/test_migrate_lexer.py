"""Strings and comments, the same on every Python version; checked against Python's own compiler."""

import ast
import sysconfig
from pathlib import Path

import pytest

from portside.migrate.precise.lexer import NotLexed, fields, tokens


def texts(source: str) -> list[str]:
    data = source.encode()
    return [data[token.start : token.end].decode() for token in tokens(data)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("x = 'a' \"b\" # c 'd'\n", ["'a'", '"b"', "# c 'd'"]),
        ("'''a'b''c\\'''d''' 'e\\\nf'", ["'''a'b''c\\'''d'''", "'e\\\nf'"]),
        ("r'\\'' Rb'x' bR\"y\" u'ü'", ["r'\\''", "Rb'x'", 'bR"y"', "u'ü'"]),
        ("x if'a'in y or\"b\"", ["'a'", '"b"']),
        ("nor'a' 0or'b' _f'c'", ["'a'", "'b'", "'c'"]),
        ("'' \"\" '''''' ", ["''", '""', "''''''"]),
    ],
)
def test_tokens(source: str, found: list[str]) -> None:
    assert texts(source) == found


@pytest.mark.parametrize("source", ["'a", '"""a""', "t'{x}'", "zz'a'", "'a\nb'"])
def test_what_is_not_understood(source: str) -> None:
    with pytest.raises(NotLexed):
        texts(source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("f'{a}{{b}}{c!r:>{width}}'", ["a", "c", "width"]),
        (
            "f'{a==b}{a!=b}{x<=y}{d[\"k\"]=}{(lambda q: q)(1):{w}.{p}}'",
            ["a==b", "a!=b", "x<=y", 'd["k"]', "(lambda q: q)(1)", "w", "p"],
        ),
        ("f'''{\nx +\n1\n}'''", ["\nx +\n1\n"]),
        ("f'\\N{BULLET}{a}' ", ["a"]),
        ("rf'\\N{a}'", ["a"]),
        ("f'{f\"{inner}\"}'", ['f"{inner}"']),
        ("f'{ {1: 2}[1] }'", [" {1: 2}[1] "]),
    ],
)
def test_fields(source: str, found: list[str]) -> None:
    data = source.encode()
    token = next(tokens(data))
    assert [data[start:end].decode() for start, end in sorted(fields(data, token))] == found


@pytest.mark.parametrize("source", ["f'{a[\"'\"]}'[0:0]", "f'{a", "f'{}{'", "f'{a\\n}'", "f'''{a #\n}'''"])
def test_fields_that_older_pythons_do_not_know(source: str) -> None:
    data = source.encode()
    with pytest.raises(NotLexed):
        for token in tokens(data):
            fields(data, token)


def test_like_the_compiler_on_the_standard_library() -> None:
    """Every string literal of the AST begins at a token, and every token with a plain value has that value."""
    checked = 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[:120]:
        data = path.read_bytes()
        starts = [0]
        for line in data.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        if b"\x0c" in data or b"\x1c" in data:
            continue
        found = {token.start: token for token in tokens(data) if token.kind == "string"}
        with_fields = [token for token in found.values() if token.is_f]
        for node in ast.walk(ast.parse(data)):
            for child in ast.iter_child_nodes(node):
                if (
                    isinstance(child, ast.Constant)
                    and isinstance(child.value, str)
                    and not isinstance(node, ast.JoinedStr)
                ):
                    if isinstance(node, ast.FormattedValue):
                        continue
                    start = starts[child.lineno - 1] + child.col_offset
                    if any(token.start < start < token.end for token in with_fields):
                        continue
                    assert start in found, (path, child.lineno)
                    checked += 1
    assert checked > 5_000
