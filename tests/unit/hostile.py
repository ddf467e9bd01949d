"""Values that a stranger would put where a hash, a name, a size or a URL is expected; and a file that he is after."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

Way = tuple[str | int, ...]


class Canary:
    """A file outside the store. `path` goes into hostile values; `check` says that nothing has happened outside."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.path = folder / "precious"
        self.path.write_text("precious")
        self.path.chmod(0o640)

    def check(self) -> None:
        assert sorted(os.listdir(self.folder)) == ["precious"]
        assert (self.path.read_text(), self.path.stat().st_mode & 0o777) == ("precious", 0o640)


def values(canary: Path) -> st.SearchStrategy[Any]:
    """JSON values of all kinds; many lead to the canary, or look like what is expected and are not."""
    to_it = str(canary)
    tempting = [
        to_it,
        f"../../../../../../../../../..{to_it}",
        f"sha256:{to_it}",
        f"sha256:{'../' * 20}{to_it}"[:71],
        f"file://{to_it}",
        "../precious",
        "..",
        ".",
        "",
        "/",
        "a/../b",
        "-rf",
        "\0",
        "a\nb",
        "\x1b[2J",
        "a" * 300,
        "A" * 64,
        "0" * 63,
        "0" * 64 + "\n",
        "\uff10" * 64,
        "sha256:" + "G" * 64,
        "sha256:" + "0" * 64,
        "0" * 64,
        "\ud800",
        -1,
        True,
        1 << 70,
        1.5,
        None,
        [],
        {},
        [[]],
        {"sha256": to_it},
    ]
    return st.one_of(st.sampled_from(tempting), st.text(max_size=20), st.integers(), st.floats(allow_nan=False))


def ways(value: Any, at: Way = ()) -> Iterator[Way]:
    """Every place in a JSON value but the whole."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*at, key)
            yield from ways(item, (*at, key))


def replaced(value: Any, way: Way, new: Any) -> Any:
    """The value with another one at a place; nothing happens where an earlier change took the place away.

    What is not on the way there is not copied.
    """
    key, rest = way[0], way[1:]
    if isinstance(value, list) and not (isinstance(key, int) and key < len(value)):
        return value
    if not isinstance(value, dict | list) or (rest and isinstance(value, dict) and key not in value):
        return value
    out = copy.copy(value)
    out[key] = replaced(value[key], rest, new) if rest else new  # type: ignore[index]
    return out


def mutations(value: Any, canary: Path) -> st.SearchStrategy[Any]:
    """JSON values that differ from a good one in one to three places."""
    places = list(ways(value))
    changes = st.lists(st.tuples(st.sampled_from(places), values(canary)), min_size=1, max_size=3)

    def apply(found: list[tuple[Way, Any]]) -> Any:
        out = value
        for way, new in found:
            out = replaced(out, way, new)
        return out

    return changes.map(apply)


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()
