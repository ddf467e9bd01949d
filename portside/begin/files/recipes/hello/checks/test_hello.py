"""Run by `portside check`, in a container of the finished image."""

from typing import Any


def test_it_greets(host: Any) -> None:
    found = host.run("cd /workspace/hello && python3 hello.py")
    assert (found.rc, found.stdout) == (0, "Hello from Python 3.11\n")
