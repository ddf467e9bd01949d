"""The ported model computes: related sentences are closer than unrelated ones."""

from typing import Any

import pytest

EMBED = "cd /workspace/minilm && python3 embed.py"


def similarity(host: Any, first: str, second: str) -> float:
    found = host.run(f"{EMBED} %s %s", first, second)
    assert found.rc == 0, found.stderr
    return float(found.stdout)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [("A cat.", "A kitten.", 0.7927), ("A cat.", "The stock market fell today.", 0.1055)],
)
def test_similarity(host: Any, first: str, second: str, expected: float) -> None:
    # torch's BertModel on the same weights gives these values; numpy's sums may differ in the last digits.
    assert similarity(host, first, second) == pytest.approx(expected, abs=0.0005)
