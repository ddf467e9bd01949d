"""Which lines hand the shell's place over."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.runtime.shell_line import shell_line


@pytest.mark.parametrize(
    "line",
    [
        "python3 train.py",
        "  python3 train.py",
        'python3 demo.py "你好; und & (so)"',
        "bash train_mlu.sh 'a|b'",
        "./run --out $HOME/out",
        "python3 train.py > log 2>&1",
        "/opt/x/bin/python3.10 -m torch.distributed.run a.py # as upstream has it",
    ],
)
def test_one_program_takes_the_shells_place(line: str) -> None:
    assert shell_line(line) == f"exec {line.strip()}"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "cd demo && python3 x.py",
        "python3 a.py; python3 b.py",
        "python3 a.py | tee log",
        "python3 a.py &",
        "(python3 a.py)",
        "python3 a.py\npython3 b.py",
        "X=1 python3 a.py",
        "exec python3 a.py",
        "echo hello",
        "if true; then x; fi",
        "$PYTHON a.py",
        "'open",
        "for i in 1 2; do x; done",
        "python3 `which x`",
    ],
)
def test_what_is_no_single_program_stays(line: str) -> None:
    assert shell_line(line) == line


@given(
    st.lists(st.sampled_from(["true", "/bin/true", "a", ";", "&&", "|", ">", "'", '"', "#", "$x", "(", ")", " ", "="]))
)
def test_the_shell_finds_no_other_fault_in_it(words: list[str]) -> None:
    line = " ".join(words)
    before, after = (subprocess.run(["sh", "-n", "-c", text]).returncode for text in (line, shell_line(line)))
    assert (before == 0) == (after == 0)
