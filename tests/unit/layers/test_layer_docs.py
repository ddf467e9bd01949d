"""docs/canonical-layer.md says what the code does."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

from layer_tools import file, tar_of

from portside.common.tree import Entry, Tree
from portside.layers import FORMAT, RUN_FORMAT, volatile
from portside.layers.canonical import data_layer
from portside.layers.raw import KEPT_XATTRS

TEXT = (Path(__file__).parents[3] / "docs" / "canonical-layer.md").read_text("utf-8")


def block(language: str) -> str:
    match = re.search(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    assert match is not None
    return match[1]


def example() -> bytes:
    described = json.loads(block("json"))
    entries = []
    for row in described["entries"]:
        if "data" in row:
            entry = file(row["path"], row["data"].encode())
        else:
            entry = Entry(row["path"], row["kind"], 0, link=row.get("link", ""))
        entries.append(replace(entry, mode=int(row.get("mode", "0"), 8), mtime=row.get("mtime", 0)))
    layer = data_layer(Tree(entries), described["epoch"])
    return tar_of(replace(layer, whiteouts=tuple(described["whiteouts"])))


def test_the_example_has_the_digest_that_the_page_says() -> None:
    data = example()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" in TEXT
    assert f"a tar of {len(data)} bytes" in TEXT


def test_the_example_has_the_bytes_that_the_page_shows() -> None:
    data = example()
    shown = bytearray(1536)
    for line in block("hexdump").splitlines():
        offset, numbers = line[:8], line[10:57]
        shown[int(offset, 16) : int(offset, 16) + 16] = bytes.fromhex(numbers)
    assert bytes(shown) == data[:1536]


def test_the_page_has_the_list_of_what_is_left_out() -> None:
    chapter = TEXT.split("## 6. ")[1].split("## 7. ")[0]
    assert re.findall(r"^    (\S+)$", chapter, re.MULTILINE) == [*volatile.rules()["paths"], *volatile.rules()["files"]]


def test_the_page_is_of_this_version() -> None:
    assert f'("{RUN_FORMAT}")' in TEXT
    assert f'"{FORMAT}"' in TEXT
    assert all(f"`SCHILY.xattr.{name}`" in TEXT for name in KEPT_XATTRS)


def test_every_header_field_is_where_the_page_says() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| ([^|]+) \|", TEXT, re.MULTILINE)
    offset = 0
    for start, length, _ in rows:
        assert int(start) == offset
        offset += int(length)
    assert offset == 512
