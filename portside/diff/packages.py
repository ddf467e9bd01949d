"""The packages that a file system says it has: dpkg's and Python's."""

import re
from collections.abc import Iterator, Mapping

from portside.common.tree import Entry

_STATUS = re.compile(r"var/lib/dpkg/status(?:\.d/[^/.]+)?")
_METADATA = re.compile(r"(?:.*/)?[^/]+\.(?:dist-info/METADATA|egg-info/PKG-INFO|egg-info)")
_LIMIT = 64 << 20
"""Bytes: a larger file is none of those read here."""


def packages(entries: Mapping[str, Entry]) -> dict[str, dict[str, str]]:
    """`debian` and `python`: name -> version (several, where a package is there in several versions)."""
    debian: dict[str, set[str]] = {}
    python: dict[str, set[str]] = {}
    for path, entry in entries.items():
        if entry.kind != "file" or entry.content is None or entry.size > _LIMIT:
            continue
        if _STATUS.fullmatch(path):
            for name, version in _dpkg(_text(entry)):
                debian.setdefault(name, set()).add(version)
        elif path.endswith(("/METADATA", "/PKG-INFO", ".egg-info")) and _METADATA.fullmatch(path):
            fields = _fields(_text(entry).split("\n\n", 1)[0])
            if "Name" in fields and "Version" in fields:
                name = re.sub(r"[-_.]+", "-", fields["Name"]).lower()  # PEP 503
                python.setdefault(name, set()).add(fields["Version"])
    return {"debian": _joined(debian), "python": _joined(python)}


def _joined(found: Mapping[str, set[str]]) -> dict[str, str]:
    return {name: ", ".join(sorted(versions)) for name, versions in sorted(found.items())}


def _text(entry: Entry) -> str:
    return entry.read().decode("utf-8", "replace").replace("\r\n", "\n")


def _dpkg(text: str) -> Iterator[tuple[str, str]]:
    """(name, version) of each installed package; foreign architectures as `name:arch`."""
    stanzas = [_fields(stanza) for stanza in text.split("\n\n") if stanza.strip()]
    names = [fields.get("Package", "") for fields in stanzas]
    for fields, name in zip(stanzas, names, strict=True):
        # Files of status.d (distroless) have no Status.
        if fields.get("Status", "install ok installed").endswith(" installed") and "Version" in fields:
            several = names.count(name) > 1
            yield (f"{name}:{fields.get('Architecture', '')}" if several else name), fields["Version"]


def _fields(stanza: str) -> dict[str, str]:
    """The one-line fields of a header block."""
    pairs = (line.partition(":") for line in stanza.split("\n") if line[:1] not in ("", " ", "\t"))
    return {key: value.strip() for key, colon, value in pairs if colon}
