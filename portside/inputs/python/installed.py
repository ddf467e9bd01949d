"""Python packages that are installed in an image, found as importlib.metadata and pip find them.

Metadata stands in NAME-VERSION.dist-info/METADATA (PyPA, "Recording installed projects"), in NAME.egg-info (a file of
distutils, or a folder with PKG-INFO), in NAME.egg/EGG-INFO/PKG-INFO, and where a .egg-link or a .pth file leads
(setuptools, "Development Mode"; the module `site`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.parser import HeaderParser

from portside.common.progress import say
from portside.errors import InputError
from portside.layers.image_files import ImageFiles
from portside.lock.comparison import canonical
from portside.lock.packages import Word

_LARGEST = 4 << 20
_LARGEST_PTH = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
"""A project's name (PyPA, "Core metadata", Name)."""
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~:!-]*")


@dataclass(frozen=True)
class Distribution:
    """version: as its metadata says it. at: where its metadata stands. removable: whether pip can take it away."""

    version: Word
    at: str
    removable: bool


def in_folders(files: ImageFiles, folders: Sequence[str]) -> Mapping[str, Distribution]:
    """By name (PEP 503) what these folders and those that they lead to hold; of several of one name the first counts.

    What has no readable name and version is left out, and told.
    """
    found: dict[str, Distribution] = {}
    odd: list[str] = []
    for folder in _all_folders(files, folders):
        for place, removable in _metadata(files, folder):
            try:
                text = files.text(place, _LARGEST) or ""
            except InputError:
                text = ""
            head = HeaderParser().parsestr(text.partition("\n\n")[0])
            name, version = str(head.get("Name", "")).strip(), str(head.get("Version", "")).strip()
            if _NAME.fullmatch(name) and _VERSION.fullmatch(version):
                found.setdefault(canonical(name), Distribution(version, place, removable))
            else:
                odd.append(place)
    if odd:
        say(f"left out, as they say no proper name and version: {', '.join(map(ascii, odd[:8]))}")
    return dict(sorted(found.items()))


def _all_folders(files: ImageFiles, folders: Sequence[str]) -> list[str]:
    """The folders, each followed by those that its .pth files and links of development mode name; the files in those
    lead nowhere further, as in `site`."""
    all_found: dict[str, None] = {}

    def add(folder: str, leads: bool) -> None:
        real = files.resolve(folder)
        if real is None or not files.is_folder(real) or real in all_found:
            return
        all_found[real] = None
        for name in files.names(real) if leads else ():
            if name.endswith(".pth"):
                for line in _lines(files, f"{real}/{name}"):
                    if not line.startswith(("#", "import ", "import\t")):
                        add(line if line.startswith("/") else f"{real}/{line}", leads=False)
            elif name.endswith(".egg-link"):
                for line in _lines(files, f"{real}/{name}")[:1]:
                    add(line if line.startswith("/") else f"{real}/{line}", leads=False)

    for folder in folders:
        add(folder, leads=True)
    return list(all_found)


def _lines(files: ImageFiles, path: str) -> list[str]:
    try:
        text = files.text(path, _LARGEST_PTH) or ""
    except InputError:
        return []
    return [line.strip() for line in text.splitlines() if line.strip() and "\0" not in line]


def _metadata(files: ImageFiles, folder: str) -> Iterator[tuple[str, bool]]:
    """The files with metadata in a folder, and whether pip can remove what they are of."""
    if folder.lower().endswith(".egg") and files.is_file(f"{folder}/EGG-INFO/PKG-INFO"):
        yield f"{folder}/EGG-INFO/PKG-INFO", True
    for name in files.names(folder):
        path, suffix = f"{folder}/{name}", name.rpartition(".")[2].lower()
        if name.startswith("~"):
            continue  # what pip left of an update that was broken off
        if suffix == "dist-info" and files.is_folder(path):
            # Without a METADATA it is what is left of a package that somebody removed by hand: pip passes it over.
            if files.is_file(f"{path}/METADATA"):
                yield f"{path}/METADATA", files.is_file(f"{path}/RECORD")
        elif suffix == "egg-info":
            if files.is_file(path):
                yield path, False  # of distutils: nobody knows its files
            elif files.is_file(f"{path}/PKG-INFO"):
                listed = any(files.is_file(f"{path}/{name}") for name in ("installed-files.txt", "top_level.txt"))
                yield f"{path}/PKG-INFO", listed
        elif suffix == "egg" and files.is_file(f"{path}/EGG-INFO/PKG-INFO"):
            yield f"{path}/EGG-INFO/PKG-INFO", True
