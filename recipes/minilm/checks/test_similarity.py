"""The ported model computes: related sentences are closer than unrelated ones."""

from typing import Any

import pytest

EMBED = "cd /workspace/minilm && python3 embed.py"


def similarity(host: Any, first: str, second: str) -> float:
    found = host.run(f"{EMBED} %s %s", first, second)
    assert found.rc == 0, found.stderr
    return float(found.stdout)


@pytest.mark.parametrize(
    ("first", "second", "published"),
    [("A cat.", "A kitten.", 0.8), ("A cat.", "The stock market fell today.", 0.0)],
)
def test_similarity(host: Any, first: str, second: str, published: float) -> None:
    assert similarity(host, first, second) == pytest.approx(published, abs=0.2)
