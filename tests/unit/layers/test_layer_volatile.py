"""The list of what a layer leaves out."""

import re
from pathlib import Path

import pytest

from portside.common.canonical import digest_of
from portside.errors import InputError
from portside.layers import volatile

LINES = Path(volatile.__file__).with_name("volatile.yaml").read_text("utf-8").splitlines()


@pytest.mark.parametrize(
    ("path", "is_folder", "expected"),
    [
        ("proc", True, True),
        ("proc/1/x", False, True),
        ("processes", False, False),
        ("usr/proc", True, False),
        ("etc/hosts", False, True),
        ("etc/hosts.allow", False, False),
        (".dockerenv", False, True),
        ("xdockerenv", False, False),
        ("var/cache/apt", True, False),
        ("var/cache/apt/archives", True, True),
        ("var/cache/apt/archives/a.deb", False, True),
        ("var/lib/dpkg/status-old", False, True),
        ("var/lib/dpkg/info/x-old", False, False),
        ("var/lib/dpkg/status", False, False),
        ("var/log", True, False),
        ("var/log/apt", True, False),
        ("var/log/apt/term.log", False, True),
        ("var/log/new\nline", False, True),
        ("tmp/new\nline/x", False, True),
        ("var/lib", True, False),
    ],
)
def test_the_list(path: str, is_folder: bool, expected: bool) -> None:
    assert volatile.left_out()(path, is_folder) is expected


def test_mounts() -> None:
    is_left_out = volatile.left_out(["/inputs", "opt/a.b/"])
    found = [is_left_out(path, True) for path in ("inputs", "inputs/x", "opt/a.b/c", "opt/axb", "opt", "inputsx")]
    assert found == [True, True, True, False, False, False]
    with pytest.raises(InputError, match="not a clean path"):
        volatile.left_out(["/a/../b"])


def test_every_line_says_why() -> None:
    rows = [line for line in LINES if line.startswith("  - ")]
    assert [line for line in rows if not re.search(r" # \S", line)] == []
    assert len(rows) == sum(map(len, volatile.rules().values()))


def test_the_digest_is_of_the_lists_not_of_the_comments() -> None:
    rows = {kind: sorted(lines) for kind, lines in volatile.rules().items()}
    assert len(volatile.digest()) == 64
    assert volatile.digest() != digest_of({**rows, "files": []})
    assert volatile.digest() != digest_of(LINES)
