"""Where chatglm's port check computes: on the card that it was given, or not at all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "recipes" / "chatglm"
TORCH = "class nn:\n    class utils: pass\n"
CARD = "import torch\nclass mlu:\n    is_available = staticmethod(lambda: True)\ntorch.mlu = mlu\n"
NO_CARD = CARD.replace("True", "False")
BROKEN = 'raise ImportError("libcnrt.so is missing")\n'


def device(stubs: Path, torch_mlu: str | None, **environment: str) -> subprocess.CompletedProcess[str]:
    (stubs / "torch.py").write_text(TORCH)
    if torch_mlu is not None:
        (stubs / "torch_mlu.py").write_text(torch_mlu)
    return subprocess.run(
        [sys.executable, "-c", "import port_check; print(port_check.default_device())"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{FOLDER}:{stubs}", "PYTHONDONTWRITEBYTECODE": "1"}
        | environment,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("torch_mlu", "expected"),
    [(None, "cpu"), (CARD, "mlu"), (NO_CARD, "cpu"), (BROKEN, "cpu")],
    ids=["missing", "a card", "no card", "broken"],
)
def test_the_card_where_there_is_one(tmp_path: Path, torch_mlu: str | None, expected: str) -> None:
    done = device(tmp_path, torch_mlu)
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize("torch_mlu", [None, NO_CARD, BROKEN], ids=["missing", "no card", "broken"])
def test_a_card_that_was_given_and_cannot_be_used_fails(tmp_path: Path, torch_mlu: str | None) -> None:
    done = device(tmp_path, torch_mlu, MLU_VISIBLE_DEVICES="0")
    assert done.returncode == 1
    assert "MLU_VISIBLE_DEVICES is 0, but torch finds no card" in done.stderr
    if torch_mlu == BROKEN:
        assert "libcnrt.so is missing" in done.stderr
