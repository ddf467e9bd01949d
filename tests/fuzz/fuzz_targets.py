"""A target for each reader of what comes from outside: bytes in, and nothing out but what a person would be told.

A target raises nothing where it reads, and a PortsideError (or what its caller turns into one) where it does not; those
pass. Anything else is a finding: add its bytes to corpus/TARGET.
"""

import hashlib
import socket
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from portside.archive.read import read_archive
from portside.archive.tar import members
from portside.bundle import unbundle
from portside.check import broker
from portside.common.tree import Entry, Tree, file_entry
from portside.common.yaml_file import read_document
from portside.config import Config, load_config
from portside.errors import PortsideError
from portside.inputs import archives, git
from portside.inputs.debian.control import deb_of, stanzas
from portside.inputs.debian.mirrors import parse_deb822, parse_one_line
from portside.inputs.debian.system import read_system
from portside.inputs.git_mirror import Mirror
from portside.inputs.git_submodules import declared
from portside.inputs.python.index import _from_html, _from_json
from portside.inputs.python.installed import in_folders
from portside.inputs.python.project_needs import needs_of
from portside.inputs.python.requirements_file import read_requirements
from portside.inputs.python.vendor_wheel import vendor_wheel
from portside.inputs.spool import Spool
from portside.layers import read_tar
from portside.layers.image_files import ImageFiles
from portside.layers.raw import TarLayer
from portside.lock.file import read_lock
from portside.lock.sources import LockedGitSource
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
def dpkg_state(data: bytes) -> object:
    """What a base has, by its dpkg and its os-release (what stands behind a line of dashes)."""
    status, _, release = data.partition(b"\n---\n")
    known = release or b"ID=debian\nVERSION_CODENAME=bookworm\n"
    files = {"var/lib/dpkg/status": status, "etc/os-release": known, "usr/bin/apt-get": b"#!"}
    return read_system(image_of(files), "amd64")


@target()
def metadata(data: bytes) -> object:
    """A Python package's METADATA, in a folder that a .pth file leads to."""
    files = {"s/x.pth": data[:200], "s/m-1.dist-info/METADATA": data, "s/e.egg-link": data[:200]}
    return in_folders(image_of(files), ["/s"])


@target()
def wheel(data: bytes) -> object:
    return in_file(data, "odd.whl", lambda path: vendor_wheel(path, "odd.whl"))


@target()
def requirements(data: bytes) -> object:
    return read_requirements(Tree([file_entry("r.txt", data), file_entry("more.txt", data[:50])]), "r.txt", "s")


@target()
def pyproject(data: bytes) -> object:
    return needs_of(Tree([file_entry("pyproject.toml", data)]), "s")


@target()
def setup_py(data: bytes) -> object:
    return needs_of(Tree([file_entry("setup.py", data), file_entry("setup.cfg", data)]), "s", recorded=True)


@target()
def pkg_info(data: bytes) -> object:
    return needs_of(Tree([file_entry("PKG-INFO", data)]), "s", recorded=True)


@target()
def git_tree(data: bytes) -> object:
    """A tree of a repository, whose one blob is there."""
    return in_mirror(data, b"tree", lambda source, mirror, store: list(git._rows(mirror, source.tree)))


@target()
def git_commit(data: bytes) -> object:
    return in_mirror(data, b"commit", lambda source, mirror, store: git._date(mirror, source.commit))


@target()
def gitmodules(data: bytes) -> object:
    entry = b"100644 .gitmodules\0" + bytes.fromhex(_object(b"blob", data)[0])

    def read(source: LockedGitSource, mirror: Mirror, store: Store) -> object:
        _keep(mirror, b"blob", data)
        return declared(mirror, source.tree)

    return in_mirror(entry, b"tree", read)


@target()
def bundle(data: bytes) -> object:
    def read(path: Path) -> object:
        return unbundle(path, path.parent / "root", Store(path.parent / "home"), Config(home=path.parent / "home"))

    return in_file(data, "x.bundle", read)


@target(ValueError)
def broker_request(data: bytes) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, len(data) + 4096)
        theirs.sendall(data[:100_000])
        theirs.shutdown(socket.SHUT_WR)
        return broker._request(ours)


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


def image_of(files: dict[str, bytes]) -> ImageFiles:
    entries = {path: file_entry(path, data, 0o755) for path, data in files.items()}
    folders = {"/".join(path.split("/")[:n]) for path in files for n in range(1, path.count("/") + 1)}
    return ImageFiles(entries | {path: Entry(path, "dir", 0o755) for path in folders})


def in_mirror(data: bytes, kind: bytes, read: Callable[[LockedGitSource, Mirror, Store], object]) -> object:
    """An object of a repository, and what a source of it says."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder, "home"))
        mirror = Mirror("https://127.0.0.1:1/x", None, store)
        with mirror.locked():
            _keep(mirror, b"blob", b"")
            name = _keep(mirror, kind, data)
        row = {"epoch": 1, "url": "https://127.0.0.1:1/x", "commit": name, "tree": name}
        return read(LockedGitSource.model_validate(row), mirror, store)


def _object(kind: bytes, data: bytes) -> tuple[str, bytes]:
    whole = b"%s %d\0%s" % (kind, len(data), data)
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest(), whole


def _keep(mirror: Mirror, kind: bytes, data: bytes) -> str:
    name, whole = _object(kind, data)
    path = mirror.path / "objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(whole))
    return name


def _line(data: bytes) -> bytes:
    """A header's value, as far as a client would let it in."""
    return bytes(byte for byte in data if byte >= 32 and byte != 127)


def _response(
    status: int, headers: dict[str, str], body: bytes, more: list[tuple[bytes, bytes]] | None = None
) -> httpx.Response:
    rows = [*((name.encode(), value.encode()) for name, value in headers.items()), *(more or [])]
    request = httpx.Request("GET", "https://127.0.0.1:1/v2/m/x")
    return httpx.Response(status, headers=rows, stream=httpx.ByteStream(body), request=request)
