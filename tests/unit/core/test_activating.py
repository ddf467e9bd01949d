"""The program that sources a base's scripts, and what it tells, in this machine's bash."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portside.common.activating import LEFT_OUT, program, read_output


def run(scripts: list[str], **environment: str) -> tuple[dict[str, str], dict[str, str]]:
    command = ["bash", "--noprofile", "--norc", "-c", program(scripts, "tok")]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"], **environment}, capture_output=True, check=False)
    before, after = (
        {name: value for name, value in found.items() if name not in LEFT_OUT}
        for found in read_output(done.stdout, "tok")
    )
    return before, after


def test_scripts_that_source_others_set_change_and_unset(tmp_path: Path) -> None:
    for name, text in {
        "one.sh": 'export TOOLKIT=/opt/t LD_LIBRARY_PATH="/opt/t/lib:$LD_LIBRARY_PATH"\necho hello\nread line\n',
        "two.sh": 'export TWO="$1 a=b"\nunset GONE\nnot_exported=1\n',
        "set_env.sh": f"source {tmp_path}/one.sh\n. {tmp_path}/two.sh second\ncd /\n[ -d /gone ] && export NO=1\n",
    }.items():
        (tmp_path / name).write_text(text)
    before, after = run([f"{tmp_path}/set_env.sh"], LD_LIBRARY_PATH="/lib", GONE="x", KEPT="y")
    changed = {name: value for name, value in after.items() if before.get(name) != value}
    assert changed == {"TOOLKIT": "/opt/t", "LD_LIBRARY_PATH": "/opt/t/lib:/lib", "TWO": "second a=b"}
    assert before.keys() - after.keys() == {"GONE"}


def test_arguments_behind_a_script(tmp_path: Path) -> None:
    (tmp_path / "set_env.sh").write_text('export ABI="${1:-none}"\n')
    assert run([f"{tmp_path}/set_env.sh --cxx_abi=1"])[1]["ABI"] == "--cxx_abi=1"
    assert run([f"{tmp_path}/set_env.sh"])[1]["ABI"] == "none"


def test_a_script_that_ends_the_shell_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "set_env.sh").write_text("export A=1\nexit 0\n")
    with pytest.raises(ValueError):
        run([f"{tmp_path}/set_env.sh"])


@given(st.binary(max_size=80))
def test_what_comes_back_is_read_or_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_output(data, "tok")
    before, after = read_output(b"junk tok\0A=1\0tok\0" + data.replace(b"tok", b"") + b"tok\0=\0B=\0tok\0", "tok")
    assert (before, after) == ({"A": "1"}, {"": "", "B": ""})
