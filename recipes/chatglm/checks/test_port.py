"""The ported code imports, computes and learns; the code before the port does not, on a torch as old as the card's."""

import re
from typing import Any

import pytest


def run(host: Any, expected: dict[str, Any], arguments: str) -> Any:
    return host.run(f"cd {expected['workspace']} && python3 port_check.py {arguments}")


@pytest.fixture(scope="module")
def real_torch(host: Any) -> bool:
    """Whether the base has a torch to compute with: the stand-in of the project's own tests says that it is none."""
    found = host.run("python3 -c 'import torch; print(torch.__version__)'")
    assert found.rc == 0, found.stderr
    return not found.stdout.strip().endswith("+standin")


def test_the_ported_code_computes(host: Any, expected: dict[str, Any], real_torch: bool) -> None:
    if real_torch:
        done = run(host, expected, "--torch-1.9 --train model")
        assert done.rc == 0, done.stdout + done.stderr
        said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
        assert len(re.findall(r"\d+", said["generated"])) == 8
        losses = [float(loss) for loss in said["loss"].split()]
        assert len(losses) == 10
        assert losses == sorted(losses, reverse=True)


def test_code_that_was_not_ported_lacks_what_is_newer_than_torch_1_9(
    host: Any, expected: dict[str, Any], real_torch: bool
) -> None:
    if real_torch:
        done = run(host, expected, "--torch-1.9 chatglm-6b")
        assert done.rc != 0
        assert "cannot import name 'skip_init'" in done.stderr
