"""Images that nobody made, and a registry on loopback that gives them with whatever a test wants to go wrong."""

import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import zstandard

from portside.common import oci

DOCKER_MANIFEST, DOCKER_INDEX = oci.MANIFESTS[1], oci.INDEXES[1]
DOCKER_CONFIG, DOCKER_LAYER = oci.CONFIGS[1], f"{oci.DOCKER}.image.rootfs.diff.tar.gzip"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def pack(data: bytes, media_type: str) -> bytes:
    if media_type.endswith("gzip"):
        return gzip.compress(data, mtime=0)
    return zstandard.compress(data) if media_type.endswith("zstd") else data


LAYERS = (tar({"opt/a": b"a", "opt/b": b"b"}), tar({"opt/.wh.a": b"", "opt/c": b"c"}))


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who has seen enough of an answer hangs up."""


class MadeUpRegistry:
    """tags, documents: of the one repository `team/vendor`. requests: (method, path, Authorization) so far.

    token: what it wants to be asked with, if anything. elsewhere: whether blobs are given by a redirect to another
    host. busy: how often it still says 429. says_digests: whether it says the digest of a document in a header.
    """

    def __init__(self) -> None:
        self.tags: dict[str, str] = {}
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.token = ""
        self.elsewhere = False
        self.says_digests = True
        self.busy = 0
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def name(self) -> str:
        return f"{self.host}/team/vendor"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def asked(self, part: str) -> list[str]:
        """The paths so far that hold a text."""
        return [path for _, path, _ in self.requests if part in path]

    # What it has

    def blob(self, data: bytes) -> str:
        self.blobs[sha(data)] = data
        return sha(data)

    def image(
        self,
        layers: Sequence[bytes] = LAYERS,
        kinds: Sequence[str] = (f"{oci.LAYER}+gzip",) * 2,
        media_type: str = oci.MANIFEST,
        config: Mapping[str, Any] | None = None,
        change: Mapping[str, Any] | None = None,
        architecture: str = "amd64",
    ) -> dict[str, Any]:
        """Put an image; gives its descriptor. config, change: keys that replace those of its config and manifest."""
        packed = [pack(data, kind) for data, kind in zip(layers, kinds, strict=True)]
        value = {
            "architecture": architecture,
            "os": "linux",
            "created": "2023-03-01T08:09:10.123456789+01:00",
            "config": {"Env": ["PATH=/opt/venv/bin:/bin", "A=b=c"], "Entrypoint": ["/bin/x"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(data)}" for data in layers]},
            **(config or {}),
        }
        raw = json.dumps(value).encode()
        about = DOCKER_CONFIG if media_type == DOCKER_MANIFEST else oci.CONFIG
        manifest = {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": oci.descriptor(about, self.blob(raw), len(raw)),  # type: ignore[arg-type]
            "layers": [
                oci.descriptor(kind, self.blob(data), len(data))  # type: ignore[arg-type]
                for kind, data in zip(kinds, packed, strict=True)
            ],
            **(change or {}),
        }
        return self.document({key: value for key, value in manifest.items() if value is not None}, media_type)

    def document(self, value: Any, media_type: str, **more: Any) -> dict[str, Any]:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.documents[sha(data)] = (media_type, data)
        return oci.descriptor(media_type, sha(data), len(data)) | more  # type: ignore[arg-type]

    def index(self, *rows: dict[str, Any], media_type: str = oci.INDEX) -> dict[str, Any]:
        value = {"schemaVersion": 2, "mediaType": media_type, "manifests": list(rows)}
        return self.document(value, media_type)

    def tag(self, tag: str, descriptor: Mapping[str, Any]) -> str:
        """Let a tag stand for a document; gives the address."""
        self.tags[tag] = descriptor["digest"].removeprefix("sha256:")
        return f"{self.name}:{tag}"

    # What it says

    def _handler(registry) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                registry.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
                status, body, headers = registry._answer(self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                for name, text in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, text)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, format: str, *arguments: object) -> None: ...

        return Handler

    def _answer(self, path: str, authorization: str) -> tuple[int, bytes, dict[str, str]]:
        path = urlsplit(path).path
        if path == "/token":
            return 200, json.dumps({"token": self.token}).encode(), {}
        digest = path.rpartition("/")[2].removeprefix("sha256:")
        if path.startswith("/elsewhere/"):
            return (200, self.blobs[digest], {}) if digest in self.blobs else (404, b"", {})
        if self.busy:
            self.busy -= 1
            return 429, b"{}", {"Retry-After": "7"}
        if self.token and authorization != f"Bearer {self.token}":
            realm = f'Bearer realm="http://{self.host}/token",service="here",scope="repository:team/vendor:pull"'
            return 401, b"{}", {"WWW-Authenticate": realm}
        if path.startswith("/v2/team/vendor/manifests/"):
            digest = self.tags.get(digest, digest)
            if digest in self.documents:
                kind, data = self.documents[digest]
                said = {"Docker-Content-Digest": f"sha256:{digest}"} if self.says_digests else {}
                return 200, data, {"Content-Type": kind, **said}
        elif path.startswith("/v2/team/vendor/blobs/") and digest in self.blobs:
            if self.elsewhere:
                return 307, b"", {"Location": f"http://localhost:{self.port}/elsewhere/{digest}"}
            return 200, self.blobs[digest], {}
        return 404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}).encode(), {}


ARM = {"os": "linux", "architecture": "arm64", "variant": "v8"}
AMD = {"os": "linux", "architecture": "amd64"}


def both(made_up: MadeUpRegistry, **options: Any) -> dict[str, Any]:
    """An index of two architectures, with an attestation for each and one of Windows."""
    amd = made_up.image(**options) | {"platform": AMD}
    other = (tar({"opt/arm": b"x"}),)
    arm = made_up.image(other, (f"{oci.LAYER}+zstd",), architecture="arm64") | {"platform": ARM}
    note = {"vnd.docker.reference.type": "attestation-manifest"}
    unknown = {"os": "unknown", "architecture": "unknown"}
    proof = made_up.document({"schemaVersion": 2}, oci.MANIFEST, platform=unknown, annotations=note)
    windows = made_up.document({"schemaVersion": 2}, oci.MANIFEST, platform=AMD | {"os": "windows"})
    return made_up.index(proof, windows, arm, amd)
