"""What a vendor's image sources before it starts anything, by its entry point: `env.activate` can do the same."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from portside.common.values import DiffID
from portside.layers.image_files import ImageFiles

LARGEST = 1 << 18
"""Bytes of a script that is looked into."""

_SOURCED = re.compile(
    r"(?:^|[;&|({]|\bthen\b|\bdo\b|\belse\b)\s*(?:source|\.)\s+([\"']?)(/[A-Za-z0-9._/+-]+)\1(?=[\s;&|)}]|$)"
)
_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

_words: dict[tuple[DiffID, ...], list[str]] = {}
"""How the images start whose configs this process has read, by their layers: only who sees one anew is told."""


def note(config: Mapping[str, Any], layers: Sequence[DiffID]) -> None:
    """Remember how the image of these layers starts. config: the image's."""
    settings = config.get("config")
    said = [settings.get(key) for key in ("Entrypoint", "Cmd")] if isinstance(settings, dict) else []
    _words[tuple(layers)] = [w for value in said if isinstance(value, list) for w in value if isinstance(w, str)]


def sourced(layers: Sequence[DiffID], files: ImageFiles | None) -> list[str]:
    """The scripts, absolute paths, that the entry point of the image of these layers sources, in their order; none
    where this process has not seen how it starts. files: of the image, where they were read: an entry point may be a
    script."""
    words = _words.get(tuple(layers), [])
    found = list(_of_text("\n".join(words)))
    if files is not None and words:
        first = [words[0]] if words[0].startswith("/") else [f"{folder}/{words[0]}" for folder in _PATH]
        texts = [_script(path, files) for path in first]
        found += _of_text(next(filter(None, texts), ""))
    return list(dict.fromkeys(found))


def _script(path: str, files: ImageFiles) -> str:
    """A script's text; nothing for what is none, such as a program."""
    entry = files.entry(path)
    small = entry is not None and entry.kind == "file" and entry.size <= LARGEST
    text = files.text(path, LARGEST) if small else None
    return text if text is not None and text.startswith("#!") else ""


def _of_text(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.lstrip().startswith("#"):
            yield from (match[2] for match in _SOURCED.finditer(line))
