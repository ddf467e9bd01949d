"""Bytes that nobody pinned and that are surely not the file: a page, a pointer, an error message, nothing at all.

A server that wants a login, a repository without its large files or a full disk answer with something, too. Where a
hash is pinned it tells them apart; where nobody knows one, these are refused instead of locked.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from portside.common.values import Sha256, Size

HEAD = 64 << 10
"""Bytes of a file's beginning that are looked at."""

REMEDY = "If these bytes are meant, say their sha256 in the recipe."

_PAGES = frozenset({".html", ".htm", ".xhtml", ".shtml"})
_MARKUP = _PAGES | frozenset({".md", ".markdown", ".rst", ".txt", ".jinja", ".jinja2", ".j2", ".vue", ".tmpl", ".svg"})
"""Endings of texts in which the tags of a page are nothing special."""
_XML = _PAGES | frozenset(
    {".xml", ".svg", ".plist", ".pmml", ".urdf", ".sdf", ".xacro", ".dae", ".rss", ".xsd", ".xsl"}
)
_JSON = frozenset({".ipynb", ".gltf", ".map", ".har"})
_NO_TEXT = frozenset(
    (
        *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".pb", ".h5", ".msgpack"),
        *(".npy", ".npz", ".pkl", ".pickle", ".model", ".parquet", ".arrow", ".engine", ".tflite"),
        *(".whl", ".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z"),
    )
)
"""Endings of files that are never a text in JSON or XML."""
_ENCODINGS = {".gz": "gzip", ".tgz": "gzip", ".br": "br", ".zst": "zstd", ".z": "compress"}
_PLAIN_ENCODINGS = frozenset({"", "identity", "aws-chunked"})
"""aws-chunked: how the file was uploaded once; some object stores repeat it for ever."""

_DOCUMENT = re.compile(r"<(!doctype\s+html|html)[\s>]", re.IGNORECASE)
_TAG = re.compile(
    r"<(head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p|meta|center|link)[\s/>]", re.IGNORECASE
)
"""What tells a page without such a beginning (WHATWG, MIME Sniffing, 7.1)."""
_BEFORE = re.compile(r"(\s|<!--.*?-->|<\?xml[^>]*>)*", re.DOTALL)
"""What may stand before it."""
_ERROR_KEYS = frozenset({"error", "errors", "message", "detail", "status", "code", "title", "errorCode", "error_msg"})

_POINTER = re.compile(
    rb"version https?://(?:git-lfs\.github\.com|hawser\.github\.com|git-media\.io)/\S*\s*\n"
    rb"(?:[^\n]*\n)*?oid sha256:(?P<oid>[0-9a-f]{64})\s*\nsize (?P<size>[0-9]{1,18})\s*"
)
POINTER_SIZES = range(100, 1024)
"""Bytes that a pointer of Git LFS has (git-lfs, docs/spec.md: less than 1024)."""


@dataclass(frozen=True)
class Pointer:
    """What a pointer of Git LFS stands for: the sha256 (hex) and the size in bytes of the file itself."""

    sha256: Sha256
    size: Size


def read_pointer(data: bytes) -> Pointer | None:
    """The pointer of Git LFS that a file consists of, None for any other file (git-lfs, docs/spec.md)."""
    if len(data) not in POINTER_SIZES:
        return None
    found = _POINTER.fullmatch(data.removeprefix(b"\xef\xbb\xbf").lstrip())
    return Pointer(Sha256(found["oid"].decode()), Size(int(found["size"]))) if found else None


def of_headers(path: str, headers: Mapping[str, str]) -> str | None:
    """What a server calls something else than the file at `path`, or None. headers: of HTTP, whatever their case."""
    told = {name.lower(): value for name, value in headers.items()}
    encodings = [word.strip().lower().removeprefix("x-") for word in told.get("content-encoding", "").split(",")]
    suffix = PurePosixPath(path).suffix.lower()
    # An archive that a server calls encoded is the archive itself.
    if any(word not in _PLAIN_ENCODINGS for word in encodings) and encodings != [_ENCODINGS.get(suffix)]:
        return f"encoded bytes (Content-Encoding: {told['content-encoding']}), not the file itself"
    kind = told.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml") and suffix not in _PAGES:
        return f"an HTML page ({kind}), probably a login page or an error"
    if (kind == "application/json" or kind.endswith("+json")) and "json" not in suffix and suffix not in _JSON:
        return f"a text in JSON ({kind}), probably an error message"
    if kind in ("application/xml", "text/xml") and suffix not in _XML:
        return f"a text in XML ({kind}), probably an error message"
    return None


def of_bytes(path: str, head: bytes, size: int, pinned_size: int | None = None) -> str | None:
    """What a file that was to be the one at `path` is instead, or None.

    head: its first bytes, HEAD of them or all. size: how many it has. pinned_size: how many it must have.
    """
    if size == 0:
        return "nothing: 0 bytes" if pinned_size != 0 else None
    if size == len(head) and (pointer := read_pointer(head)) is not None:
        return f"a git-lfs pointer: sha256 {pointer.sha256}, size {pointer.size}; the file itself is elsewhere"
    if re.match(rb"(\xef\xbb\xbf)?\s*version https://git-lfs\.github\.com/spec/", head):
        return "a damaged git-lfs pointer"
    if head.startswith(b"/annex/objects/"):
        return "a pointer of git-annex; the file itself is elsewhere"
    suffix = PurePosixPath(path).suffix.lower()
    text = _text(head)
    start = _BEFORE.match(text)
    assert start is not None
    body = text[start.end() :]
    if suffix not in _PAGES and (_DOCUMENT.match(body) or (suffix not in _MARKUP | _XML and _TAG.match(body))):
        return "an HTML page, probably a login page or an error"
    if suffix not in _XML and re.match(r"<Error>\s*<Code>", body, re.IGNORECASE):
        return "an error message in XML"
    if suffix in _NO_TEXT and size == len(head):
        if text.lstrip().startswith("<?xml"):
            return "a text in XML, probably an error message"
        if _is_error_object(text):
            return f"an error message in JSON: {' '.join(text.split())[:80]}"
    return None


def of_file(path: Path, name: str, pinned_size: int | None = None) -> str | None:
    """As `of_bytes`, for a file on disk. name: the path that it was to have. Raises OSError."""
    with path.open("rb") as stream:
        return of_bytes(name, stream.read(HEAD), path.stat().st_size, pinned_size)


def _text(head: bytes) -> str:
    """The bytes as the text that they would be; of others, whatever comes out, which begins like no page."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "replace")
    for zeros, encoding in ((head[1:8:2], "utf-16-le"), (head[0:8:2], "utf-16-be")):
        if len(head) >= 8 and not any(zeros):
            return head.decode(encoding, "replace")
    return head.decode("utf-8", "replace")


def _is_error_object(text: str) -> bool:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and not _ERROR_KEYS.isdisjoint(value)
