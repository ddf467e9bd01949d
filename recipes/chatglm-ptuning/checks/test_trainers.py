"""The tutorial's listing 3.1.3: where the random functions stand in the two trainers."""

from typing import Any

import pytest

FUNCTIONS = ("set_rng_state(", "set_rng_state_all(", "get_rng_state_all(", "get_rng_state(")


def lines(host: Any, expected: dict[str, Any], path: str) -> list[str]:
    text: str = host.file(f"{expected['workspace']}/{path}").content_string
    return text.split("\n")


@pytest.mark.parametrize(
    ("path", "numbers"),
    [
        ("ChatGLM-6B_mlu/ptuning/trainer.py", (2275, 2278, 2370, 2372)),
        ("transformers_mlu/src/transformers/trainer.py", (2273, 2276, 2368, 2370)),
    ],
)
def test_random_functions(host: Any, expected: dict[str, Any], path: str, numbers: tuple[int, ...]) -> None:
    found = lines(host, expected, path)
    if path.startswith("transformers_mlu") and "4.28" in host.check_output(
        f"grep -m1 __version__ {expected['workspace']}/transformers_mlu/src/transformers/__init__.py"
    ):
        numbers = (2324, 2327, 2419, 2421)
    for number, function in zip(numbers, FUNCTIONS, strict=True):
        assert f"torch_mlu.core.random.{function}" in found[number - 1]
    assert not any("torch.mlu.random" in line for line in found)
