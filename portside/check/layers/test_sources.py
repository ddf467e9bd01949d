"""sources: every file of every source, as its input has it."""

from pathlib import PurePosixPath
from typing import Any

from conftest_layers import differing, listing


def test_every_file_is_there_with_its_hash(host: Any, expected: dict[str, Any]) -> None:
    for folder, rows in expected["trees"].items():
        assert differing(listing(host, folder), rows) == []


def test_nothing_else_is_there(host: Any, expected: dict[str, Any]) -> None:
    for folder, rows in expected["trees"].items():
        wanted = {path for path, *_ in rows}
        # Folders that an input does not list come with the files in them.
        wanted |= {"/".join(path.split("/")[:depth]) for path in wanted for depth in range(1, path.count("/") + 1)}
        # The engine makes the folder that a container starts in, which a later layer may bring.
        start = PurePosixPath(expected["image"]["workdir"])
        wanted |= {str(path.relative_to(folder)) for path in (start, *start.parents) if path.is_relative_to(folder)}
        assert sorted(listing(host, folder).keys() - wanted) == []
