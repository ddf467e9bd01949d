"""Uploads to registries that count otherwise than the specification says: right bytes, or a clear error, and an end."""

import hashlib
import re
from pathlib import Path

import httpx
import pytest

from portside.common.tree import FileRange
from portside.common.values import Sha256
from portside.errors import RegistryError
from portside.registry.client import Client
from portside.registry.reference import Repository
from portside.registry.upload import Outgoing, upload
from portside.store import Store

DATA = bytes(range(256)) * 40
DIGEST = Sha256(hashlib.sha256(DATA).hexdigest())
PIECE = 4096


def said(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))


class Odd:
    """says: what Range is after a piece. asked: what it is of the session. strict: a piece that leaves a gap is
    refused. forgets: pieces of which it keeps nothing, without a word."""

    def __init__(self, says: str, asked: str = "whole", *, strict: bool = False, keeps: int = PIECE) -> None:
        self.says, self.asked, self.strict, self.keeps = says, asked, strict, keeps
        self.session = b""
        self.blob = b""
        self.sent = 0

    def range(self, kind: str, piece: int) -> dict[str, str]:
        last = {"whole": len(self.session) - 1, "piece": piece - 1, "first": 1023, "beyond": 10**9}.get(kind)
        return {} if last is None else {"Range": f"0-{max(0, last)}"}

    def answer(self, request: httpx.Request) -> httpx.Response:
        body = request.read()
        where = {"Location": "http://127.0.0.1:1/v2/m/blobs/uploads/u"}
        if request.method == "HEAD":
            return said(404)
        if request.method == "POST":
            self.session = b""
            return said(202, headers=where)
        if request.method == "GET":
            return said(204, headers=where | self.range(self.asked, 0))
        self.sent += len(body)
        assert self.sent < 20 * len(DATA), "it never ends"
        begin = re.match(r"(\d+)-", request.headers.get("Content-Range", ""))
        if self.strict and begin and int(begin[1]) != len(self.session):
            return said(416, headers=where | self.range("whole", 0))
        self.session += body if request.method == "PUT" else body[: self.keeps]
        if request.method == "PATCH":
            return said(202, headers=where | self.range(self.says, len(body)))
        if hashlib.sha256(self.session).hexdigest() != DIGEST:
            return said(400, body=b'{"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}')
        self.blob = self.session
        return said(201)


def push(registry: Odd, tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(DATA)
    with Client(Repository("127.0.0.1:1", "m", True), pauses=(0.0,) * 4) as client:
        client._http = httpx.Client(transport=httpx.MockTransport(registry.answer))
        blob = Outgoing(DIGEST, FileRange(tmp_path / "blob", 0, len(DATA)))
        upload(client, Store(tmp_path / "store"), blob, lambda count: None, piece=PIECE)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("says", ["whole", "piece", "first", "none", "beyond"])
@pytest.mark.parametrize("asked", ["whole", "first", "none", "beyond"])
def test_the_bytes_arrive(says: str, asked: str, strict: bool, tmp_path: Path) -> None:
    registry = Odd(says, asked, strict=strict)
    push(registry, tmp_path)
    assert registry.blob == DATA


@pytest.mark.parametrize("keeps", [1000, 0])
def test_a_registry_that_takes_less_than_a_piece(keeps: int, tmp_path: Path) -> None:
    """What a 416 says is where it goes on; at last the blob goes in one piece."""
    registry = Odd("none", "none", strict=True, keeps=keeps)
    try:
        push(registry, tmp_path)
    except RegistryError as error:
        assert DIGEST in str(error)
    else:
        assert registry.blob == DATA
