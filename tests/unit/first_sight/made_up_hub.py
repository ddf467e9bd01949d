"""A made-up hub of models on the loopback: it answers as Hugging Face's and ModelScope's do, and files of LFS come from
another host. The answers' fields are those that `huggingface_weights.py` and `modelscope_weights.py` name."""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

BLOCK = 1 << 20


@dataclass(frozen=True)
class Blob:
    """A file: these bytes, `times` times. lfs: whether git has a pointer of it."""

    data: bytes
    times: int = 1
    lfs: bool = False

    @property
    def size(self) -> int:
        return len(self.data) * self.times

    def pieces(self) -> Iterator[bytes]:
        for _ in range(self.times):
            yield self.data

    @property
    def sha256(self) -> str:
        return _sha256(self)

    @property
    def pointer(self) -> bytes:
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        return text.encode()

    @property
    def git_name(self) -> str:
        data = self.pointer if self.lfs else b"".join(self.pieces())
        return hashlib.sha1(b"blob %d\0%b" % (len(data), data)).hexdigest()


@cache
def _sha256(blob: Blob) -> str:
    digest = hashlib.sha256()
    for piece in blob.pieces():
        digest.update(piece)
    return digest.hexdigest()


def large(mark: bytes) -> Blob:
    """A file of LFS of 64 MiB and a bit."""
    return Blob(mark * BLOCK, times=65, lfs=True)


@dataclass
class Asked:
    """A request, at the hub or at the host of its large files."""

    host: str
    path: str
    headers: Mapping[str, str]


class _Quick(ThreadingHTTPServer):
    daemon_threads = True


@dataclass
class ModelHub:
    """name: the repository. tree: what a commit has. refs: branches and tags. token: who has none is not let in, where
    the repository is `gated` or `private`. busy: so many requests get 429 first. rows: changes a list of files."""

    name: str = "THUDM/chatglm3-6b"
    trees: dict[str, dict[str, Blob]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    token: str = ""
    gated: bool = False
    private: bool = False
    busy: int = 0
    page: int = 5
    says_commit: bool = True
    asked: list[Asked] = field(default_factory=list)
    rows: Callable[[Any], Any] = list
    served: dict[str, Blob] = field(default_factory=dict)

    def push(self, files: Mapping[str, Blob], ref: str = "main") -> str:
        """A commit that a ref is then; gives its name."""
        listing = "".join(f"{path} {blob.git_name}\n" for path, blob in sorted(files.items()))
        commit = hashlib.sha1(listing.encode()).hexdigest()
        self.trees[commit] = dict(files)
        self.refs[ref] = commit
        return commit

    def paths(self, host: str) -> list[str]:
        return [request.path for request in self.asked if request.host == host]

    @contextmanager
    def running(self) -> Iterator["ModelHub"]:
        with (
            _Quick(("127.0.0.1", 0), self._handler("hub")) as hub,
            _Quick(("127.0.0.1", 0), self._handler("cdn")) as cdn,
        ):
            self.url = f"http://127.0.0.1:{hub.server_port}"
            self.cdn = f"http://localhost:{cdn.server_port}"
            for server in (hub, cdn):
                threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
            yield self
            hub.shutdown()
            cdn.shutdown()

    def _handler(self, host: str) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append(Asked(host, self.path, dict(self.headers)))
                status, headers, body = outer._answer(host, self.path, self.headers.get("Authorization", ""))
                self.send_response(status)
                sent = body if isinstance(body, Blob) else Blob(body)
                for name, value in {"Content-Length": str(sent.size), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                for piece in sent.pieces():
                    self.wfile.write(piece)

        return Handler

    def _answer(self, host: str, path: str, login: str) -> tuple[int, dict[str, str], bytes | Blob]:
        if self.busy:
            self.busy -= 1
            return 429, {"Retry-After": "0", "RateLimit": '"api";r=0;t=0'}, b""
        parts = urlsplit(path)
        where, query = unquote(parts.path), {key: values[0] for key, values in parse_qs(parts.query).items()}
        if host == "cdn":
            return 200, {"Content-Type": "binary/octet-stream"}, self.served[where.rpartition("/")[2]]
        known = bool(self.token) and login == f"Bearer {self.token}"
        if where.startswith("/api/v1/models/"):
            return self._modelscope(where.removeprefix("/api/v1/models/"), query, known)
        if self.private and not known:
            return _error(401, "RepoNotFound", "Repository not found")
        if where.startswith(f"/api/models/{self.name}/"):
            kind, _, rest = where.removeprefix(f"/api/models/{self.name}/").partition("/")
            commit = self.refs.get(rest, rest)
            if commit not in self.trees:
                return _error(404, "RevisionNotFound", f"Invalid rev id: {rest}")
            if kind == "revision":
                value = {"id": self.name, "sha": commit, "gated": "auto" if self.gated else False, "siblings": []}
                return _json({"_id": "65", **value, "lastModified": "2023-10-26T13:58:22.000Z"})
            return self._tree(commit, query)
        name, _, rest = where.removeprefix("/").partition("/resolve/")
        commit, _, file = rest.partition("/")
        if name != self.name:
            return _error(401, "RepoNotFound", "Repository not found")
        if self.gated and not known:
            return _error(401, "GatedRepo", f"Access to model {self.name} is restricted. You must have access to it.")
        return self._file(commit, file)

    def _tree(self, commit: str, query: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        files = self.trees[commit]
        folders = sorted({path.rpartition("/")[0] for path in files if "/" in path})
        rows: list[dict[str, Any]] = [
            {"type": "directory", "oid": "0" * 40, "size": 0, "path": path} for path in folders
        ]
        for path, blob in sorted(files.items()):
            row: dict[str, Any] = {"type": "file", "oid": blob.git_name, "size": blob.size, "path": path}
            if blob.lfs:
                lfs = {"oid": blob.sha256, "size": blob.size, "pointerSize": len(blob.pointer)}
                row |= {"lfs": lfs, "xetHash": blob.sha256[::-1]}
            rows.append(row)
        rows = self.rows(rows)
        if not isinstance(rows, list):
            return _json(rows)
        start = int(query.get("cursor", 0))
        link = f"{self.url}/api/models/{self.name}/tree/{commit}?recursive=true&expand=false&cursor={start + self.page}"
        more = {"Link": f'<{link}>; rel="next"'} if start + self.page < len(rows) else {}
        status, headers, body = _json(rows[start : start + self.page])
        return status, headers | more, body

    def _file(self, commit: str, path: str) -> tuple[int, dict[str, str], bytes | Blob]:
        blob = self.trees.get(commit, {}).get(path)
        if blob is None:
            return _error(404, "EntryNotFound", "Entry not found")
        if not blob.lfs:
            return 200, {"X-Repo-Commit": commit, "ETag": f'"{blob.git_name}"', "Content-Type": "text/plain"}, blob
        self.served[blob.sha256] = blob
        place = f"{self.cdn}/repos/{quote(blob.sha256)}?X-Amz-Signature=abcdef"
        linked = {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(blob.size)}
        return 302, {"Location": place, "X-Repo-Commit": commit, **linked}, b""

    def _modelscope(
        self, where: str, query: Mapping[str, str], known: bool
    ) -> tuple[int, dict[str, str], bytes | Blob]:
        revision = query["Revision"]
        commit = self.refs.get("main" if revision == "master" else revision, revision)
        if (self.private or self.gated) and not known:
            return _json({"Code": 10010205001, "Message": "no permission", "Success": False}, 403)
        if where == f"{self.name}/repo" and commit in self.trees:
            return self._file(commit, query["FilePath"])
        if where != f"{self.name}/repo/files" or commit not in self.trees:
            return _json({"Code": 10010205001, "Message": "record not found", "Success": False}, 404)
        rows: list[dict[str, Any]] = []
        for path, blob in sorted(self.trees[commit].items()):
            row = {"Path": path, "Name": path.rpartition("/")[2], "Type": "blob", "Size": blob.size, "Mode": "33188"}
            rows.append({**row, "Sha256": blob.sha256, "IsLFS": blob.lfs, "Revision": "1" * 40, "InCheck": False})
        rows.append({"Path": "folder", "Name": "folder", "Type": "tree", "Size": 0, "Sha256": "", "IsLFS": False})
        latest = {"Id": commit if self.says_commit else "", "ShortId": commit[:8]}
        data = {"Files": self.rows(rows), "IsVisual": 0, "LatestCommitter": latest}
        return _json({"Code": 200, "Success": True, "Message": "success", "RequestId": "x", "Data": data})


def _json(value: Any, status: int = 200) -> tuple[int, dict[str, str], bytes]:
    return status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode()


def _error(status: int, code: str, message: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"X-Error-Code": code, "X-Error-Message": message}
    return status, {**headers, "Content-Type": "application/json"}, json.dumps({"error": message}).encode()
