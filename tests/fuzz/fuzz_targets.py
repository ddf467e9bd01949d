"""A target for each reader of what comes from outside: bytes in, and nothing out but what a person would be told.

A target raises nothing where it reads, and a PortsideError (or what its caller turns into one) where it does not; those
pass. Anything else is a finding: add its bytes to corpus/TARGET.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from portside.archive.read import read_archive
from portside.archive.tar import members
from portside.common.yaml_file import read_document
from portside.config import load_config
from portside.errors import PortsideError
from portside.inputs import archives
from portside.inputs.debian.control import deb_of, stanzas
from portside.inputs.debian.mirrors import parse_deb822, parse_one_line
from portside.inputs.python.index import _from_html, _from_json
from portside.inputs.spool import Spool
from portside.layers import read_tar
from portside.layers.raw import TarLayer
from portside.lock.file import read_lock
from portside.migrate.precise.notebook import code_cells
from portside.migrate.rulesets import load
from portside.net import bounded, suspect
from portside.net.client import RedirectError, redirect_target
from portside.net.proxies import is_direct
from portside.patches.unified import parse_diff
from portside.registry.answer import answer_of, errors_of
from portside.registry.auth import Authorizer
from portside.registry.image_manifest import read_config, read_index, read_manifest
from portside.registry.reference import Repository
from portside.share.manifests import read_image_manifest
from portside.store import Store

Target = Callable[[bytes], object]
PAGE = "http://127.0.0.1/simple/p/"
TARGETS: dict[str, Target] = {}


def target(expected: type[Exception] | tuple[type[Exception], ...] = ()) -> Callable[[Target], Target]:
    """Add a target under its function's name. expected: what its caller turns into an error."""
    allowed = (PortsideError, *(expected if isinstance(expected, tuple) else (expected,)))

    def add(function: Target) -> Target:
        def run(data: bytes) -> object:
            try:
                return function(data)
            except allowed:
                return None

        TARGETS[getattr(function, "__name__", "")] = run
        return run

    return add


def in_file(data: bytes, name: str, read: Callable[[Path], object]) -> object:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return read(path)


@target(ValueError)
def json(data: bytes) -> object:
    return bounded.from_json(data)


@target()
def settings(data: bytes) -> object:
    return in_file(data, "portside.toml", lambda path: load_config(path.parent))


@target()
def yaml(data: bytes) -> object:
    return in_file(data, "r.yaml", read_document)


@target()
def ruleset(data: bytes) -> object:
    return in_file(data, "rulesets/own.yaml", lambda path: load(str(path)))


@target()
def lock(data: bytes) -> object:
    return in_file(data, "r.lock", read_lock)


@target()
def manifest(data: bytes) -> object:
    return read_manifest(data)


@target()
def image_index(data: bytes) -> object:
    return read_index(data, "amd64")


@target()
def image_config(data: bytes) -> object:
    return read_config(data)


@target()
def own_manifest(data: bytes) -> object:
    return read_image_manifest(data)


@target()
def index_json(data: bytes) -> object:
    return list(_from_json(PAGE, data))


@target()
def index_html(data: bytes) -> object:
    return list(_from_html(PAGE, data, None))


@target(bounded.AnswerError)
def answer(data: bytes) -> object:
    """The first byte says how the rest is packed."""
    packed = {0: {}, 1: {"Content-Encoding": "gzip"}, 2: {"Content-Encoding": "deflate"}}.get(
        data[0] % 3 if data else 0
    )
    return errors_of(answer_of(_response(400, packed or {}, data[1:])))


@target()
def challenge(data: bytes) -> object:
    """What a registry asks of who is unknown. Nobody is logged in, and no token is to be had."""

    def refuse(request: httpx.Request) -> Any:
        return answer_of(_response(401, {}, b""))

    response = _response(401, {}, b"", [(b"WWW-Authenticate", _line(data))])
    return Authorizer(Repository("127.0.0.1:1", "m", True), refuse).answer(response, None)


@target(RedirectError)
def redirect(data: bytes) -> object:
    return redirect_target(_response(302, {}, b"", [(b"Location", _line(data))]))


@target()
def no_proxy(data: bytes) -> object:
    return is_direct("fd00::1", 443, data.decode("utf-8", "replace"))


@target()
def page_or_file(data: bytes) -> object:
    suspect.read_pointer(data)
    return suspect.of_bytes("model.safetensors", data, len(data))


@target()
def sdist(data: bytes) -> object:
    def read(path: Path) -> object:
        archives.newest_date(path)
        with Spool(path.parent) as spool:
            return list(archives.sdist_tree(path, spool))

    return in_file(data, "p-1.tar.gz", read)


@target()
def image_archive(data: bytes) -> object:
    return in_file(data, "image.tar", lambda path: read_archive(path, Store(path.parent / "store")))


@target()
def image_tar(data: bytes) -> object:
    import io

    return [content.read() for _, content in members(io.BytesIO(data))]


@target()
def layer(data: bytes) -> object:
    return in_file(data, "layer.tar", lambda path: read_tar.read(TarLayer(path)))


@target()
def dpkg(data: bytes) -> object:
    """Control files, an index and the state of what is installed."""
    text = data.decode("utf-8", "surrogateescape")
    return [deb_of(stanza) for stanza in stanzas(text) if "Package" in stanza]


@target()
def apt_sources(data: bytes) -> object:
    text = data.decode("utf-8", "surrogateescape")
    return list(parse_one_line(text)), list(parse_deb822(text))


@target()
def diff(data: bytes) -> object:
    return parse_diff(data, "x.patch", 1)


@target()
def notebook(data: bytes) -> object:
    return code_cells(data)


def _line(data: bytes) -> bytes:
    """A header's value, as far as a client would let it in."""
    return bytes(byte for byte in data if byte >= 32 and byte != 127)


def _response(
    status: int, headers: dict[str, str], body: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> httpx.Response:
    rows = [*((name.encode(), value.encode()) for name, value in headers.items()), *(more or [])]
    request = httpx.Request("GET", "https://127.0.0.1:1/v2/m/x")
    return httpx.Response(status, headers=rows, stream=httpx.ByteStream(body), request=request)
