"""A vendor's image out of a file of `docker save`: read once, as a stream, layer by layer into the store's layout.

The form is Docker's (moby, image/spec, "Combined Image JSON + Filesystem Changeset Format"): `manifest.json` names the
config and the layers; newer versions put both below `blobs/sha256/`. The manifest may come last, so every large member
is taken for a layer until it says otherwise.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

from portside.canonical import CHUNK
from portside.errors import InputError
from portside.lock.models import LINE, REFERENCE, VARIABLE, ArchiveBase, ArchiveLayer
from portside.progress import Advance, transfer
from portside.store import Store

SMALL = 4 << 20
"""Members of at most this many bytes are kept in memory until the manifest says what they are."""
MANY = 4096
"""More small members than any image has: such a file is no image."""
GZIP = b"\x1f\x8b"


@dataclass
class _Members:
    """What was seen. layers: diff ID and size by member name; small: bytes; links: another name for a member."""

    layers: dict[str, ArchiveLayer] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def bytes_of(self, name: str) -> bytes:
        found = self.small.get(self._real(name))
        if found is None:
            raise InputError(f"no {name} in it")
        return found

    def layer(self, name: str, store: Store) -> ArchiveLayer:
        real = self._real(name)
        if real in self.layers:
            return self.layers[real]
        return _keep_layer(io.BytesIO(self.bytes_of(name)), store)

    def _real(self, name: str) -> str:
        for _ in range(8):
            name = self.links.get(name, name)
        return name


def read_image_archive(path: Path, base: ArchiveBase, store: Store) -> ArchiveBase:
    """Put the layers of the image in `path` into the store and give the base as the lock should have it.

    base: as it is locked; what it says already must be true. Raises InputError for a file that is no image of
    `docker save`, that is damaged, or that differs from the lock.
    """
    size = path.stat().st_size
    if base.size is not None and base.size != size:
        raise InputError(
            f"{path} has {size} bytes, the lock says {base.size}", "It is another file than the locked one."
        )
    with _failures(path), path.open("rb") as stream, transfer(f"reading {base.file}", size) as advance:
        hashing = _Hashing(stream, advance)
        members = _read_members(hashing, store)
        hashing.drain()
        found = _image(members, base, store)
    found = found.model_copy(update={"size": size, "sha256": hashing.hexdigest()})
    if base.sha256 not in (None, found.sha256) or (base.layers and base != found):
        raise InputError(
            f"{path} has sha256 {found.sha256}, the lock says {base.sha256}",
            "It is another file than the locked one; if it is meant, lock it: invoke lock --recipe R --update base",
        )
    return found


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path} is no image archive, or damaged: {error}", "Get it again.") from None
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"{path} is no image archive of docker save: {error!r}", "Get it again.") from None
    except InputError as error:
        raise InputError(f"{path} is no image archive of docker save: {error.problem}", "Get it again.") from None


class _Hashing(io.RawIOBase):
    """A stream that hashes what is read through it."""

    def __init__(self, stream: IO[bytes], advance: Advance) -> None:
        self._stream = stream
        self._advance = advance
        self._digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._stream.read(len(buffer))
        buffer[: len(chunk)] = chunk
        self._digest.update(chunk)
        self._advance(len(chunk))
        return len(chunk)

    def drain(self) -> None:
        while self.read(CHUNK):
            pass

    def hexdigest(self) -> str:
        return self._digest.hexdigest()


def _read_members(stream: io.RawIOBase, store: Store) -> _Members:
    buffered = io.BufferedReader(stream, CHUNK)
    plain: Any = gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == GZIP else buffered
    members = _Members()
    with tarfile.open(fileobj=plain, mode="r|", bufsize=CHUNK) as archive:
        for member in archive:
            name = _clean(member.name)
            if member.issym() or member.islnk():
                folder = name.rpartition("/")[0] if member.issym() else ""
                members.links[name] = _clean(f"{folder}/{member.linkname}")
            elif member.isreg():
                content = archive.extractfile(member)
                assert content is not None
                if member.size > SMALL:
                    members.layers[name] = _keep_layer(content, store)
                else:
                    members.small[name] = content.read()
            if len(members.small) > MANY:
                raise InputError("far too many members")
    while plain.read(CHUNK):
        pass
    return members


def _clean(name: str) -> str:
    """`./a/../b` -> `b`: names are compared, never opened."""
    parts: list[str] = []
    for part in name.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def _keep_layer(content: IO[bytes], store: Store) -> ArchiveLayer:
    """Keep a layer's uncompressed tar as a blob."""
    head = content.read(2)
    whole: Any = _Joined(head, content)
    source: Any = gzip.GzipFile(fileobj=whole, mode="rb") if head == GZIP else whole
    digest, size = hashlib.sha256(), 0
    with store.layout.new_blob() as blob:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
            blob.stream.write(chunk)
        blob.commit(digest.hexdigest())
    return ArchiveLayer(diff_id=digest.hexdigest(), size=size)


class _Joined:
    """A stream with its first bytes, which were read already, back in front of it."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        head, self._head = self._head, b""
        return head + self._rest.read(size if size < 0 else max(0, size - len(head)))


def _image(members: _Members, base: ArchiveBase, store: Store) -> ArchiveBase:
    images = json.loads(members.bytes_of("manifest.json"))
    if len(images) != 1:
        raise InputError(f"it holds {len(images)} images, one is expected")
    [image] = images
    config = json.loads(members.bytes_of(image["Config"]))
    layers = tuple(members.layer(_clean(name), store) for name in image["Layers"])
    wanted = [str(diff_id).removeprefix("sha256:") for diff_id in config["rootfs"]["diff_ids"]]
    if wanted != [layer.diff_id for layer in layers]:
        raise InputError("its layers are not those that its config names: the file is damaged")
    if config.get("architecture") != base.architecture or config.get("os") != "linux":
        raise InputError(f"it is for {config.get('os')}/{config.get('architecture')}, not linux/{base.architecture}")
    references = [tag for tag in image.get("RepoTags") or () if re.fullmatch(REFERENCE, tag)]
    return base.model_copy(
        update={
            "reference": references[0] if references else None,
            "epoch": _epoch(str(config["created"])),
            "env": _environment(config.get("config") or {}),
            "layers": layers,
        }
    )


def _environment(config: dict[str, Any]) -> dict[str, str]:
    pairs = (str(line).partition("=") for line in config.get("Env") or ())
    return {k: v for k, _, v in sorted(pairs) if re.fullmatch(VARIABLE, k) and re.fullmatch(LINE, v)}


def _epoch(created: str) -> int:
    """Seconds of an RFC 3339 time; fractions, which Python 3.10 reads only with 3 or 6 digits, are cut off."""
    whole = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", created)
    if whole is None:
        raise InputError(f"its config has no proper date: {created!r}")
    zone = "+00:00" if whole[2] == "Z" else whole[2]
    return max(0, int(datetime.fromisoformat(whole[1] + zone).astimezone(timezone.utc).timestamp()))
