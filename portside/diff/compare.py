"""The comparison of two sides as one value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portside.diff.files import FileChange, LayerReader, compare
from portside.diff.packages import packages
from portside.diff.sides import Side

Values = Mapping[str, tuple[str | None, str | None]]
"""Name -> the values of both sides, None where a side has none."""


@dataclass(frozen=True)
class ImageDiff:
    """files: in the order of their paths. packages: kind (debian, python) -> what differs. config: what differs;
    empty where one side is a layer. common_layers: how many layers both sides have."""

    left: Side
    right: Side
    files: tuple[FileChange, ...]
    packages: Mapping[str, Values]
    config: Values
    common_layers: int

    @property
    def same(self) -> bool:
        """Equal in all that counts. Equal images have one ID; equal files may stand in different layers."""
        return not self.files and not self.config and not any(self.packages.values())


def diff(left: Side, right: Side, *, times: bool = False) -> ImageDiff:
    """Compare two images, or two layers, or a layer with an image's files.

    times: report files that differ in nothing but their mtime, too. Raises InputError for an unreadable layer.
    """
    reader = LayerReader()
    a, b = reader.files(left), reader.files(right)
    files = tuple(compare(a, b, times=times))
    found = {"debian": {}, "python": {}} if not files else _package_changes(packages(a.entries), packages(b.entries))
    config = _changes(_flat(left.config), _flat(right.config)) if left.config and right.config else {}
    common = {file.digest for file in left.layers} & {file.digest for file in right.layers}
    return ImageDiff(left, right, files, found, config, len(common))


def _package_changes(left: Mapping[str, dict[str, str]], right: Mapping[str, dict[str, str]]) -> dict[str, Values]:
    return {kind: _changes(left[kind], right[kind]) for kind in left}


def _changes(left: Mapping[str, str], right: Mapping[str, str]) -> Values:
    return {
        key: (left.get(key), right.get(key))
        for key in sorted(left.keys() | right.keys())
        if left.get(key) != right.get(key)
    }


def _flat(config: Mapping[str, Any]) -> dict[str, str]:
    """An image config (OCI image-spec, config.md) as names and values; variables, labels and the like one by one.

    Layers and history are left out: what is in them shows in the files.
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if key not in ("config", "rootfs", "history"):
            flat[key] = _word(value)
    for key, value in (config.get("config") or {}).items():
        if key == "Env":
            flat |= {f"env {name}": text for name, _, text in (item.partition("=") for item in value or ())}
        elif key == "Labels":
            flat |= {f"label {name}": _word(text) for name, text in (value or {}).items()}
        elif value not in (None, "", [], {}):
            flat[key] = _word(value)
    return flat


def _word(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
