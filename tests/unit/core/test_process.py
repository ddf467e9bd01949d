"""Which process made something, and whether it has ended."""

import os
import subprocess
import sys

import pytest

from portside.common.process import has_ended, this_process

TELL = "from portside.common.process import this_process; print(this_process(), flush=True); input()"


def test_a_process_has_ended_when_it_has() -> None:
    with subprocess.Popen([sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        name = other.stdout.readline().decode().strip()
        assert has_ended(name) is False and has_ended(this_process()) is False
        other.communicate(b"\n")
    assert has_ended(name) is True


def test_another_process_of_the_same_number_is_another() -> None:
    place, number, start = this_process().rsplit(".", 2)
    assert int(number) == os.getpid() and has_ended(f"{place}.{number}.{int(start) + 1}") is True


@pytest.mark.parametrize("text", ["", "x", "a-1.2.3", "..", "another-boot.1.1"])
def test_of_a_process_elsewhere_nothing_is_known(text: str) -> None:
    assert has_ended(text) is None


def test_damaged_words_of_this_place_are_no_process() -> None:
    assert has_ended(this_process().rpartition(".")[0]) is None
