"""What arrives in place of a file that nobody pinned: pages, pointers, errors, nothing. It is not locked."""

import gzip
import json
from typing import Any

import pytest
from first_sight_checkout import Here, Server, pointer, sha

from portside.errors import InputError, MissingInputError
from portside.net.suspect import of_bytes, of_headers, read_pointer
from portside.runtime.datasets import pin_data

PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>"
DATA = bytes(range(256)) * 8

PAGES = [
    PAGE,
    PAGE.lower(),
    b"\xef\xbb\xbf \r\n\t" + PAGE,
    b"<!-- saved from url -->\n" + PAGE,
    b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml">',
    b"<HTML>\n<BODY>302 Found",
    b"<head><meta http-equiv=refresh>",
    b"<script>location = '/login'</script>",
    b"\xff\xfe" + PAGE.decode().encode("utf-16-le"),
    PAGE.decode().encode("utf-16-be"),
]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("path", ["model.safetensors", "config.json", "vocab", "ads.tar.gz"])
def test_pages(page: bytes, path: str) -> None:
    assert "HTML page" in str(of_bytes(path, page, len(page)))
    assert of_bytes("docs/index.html", page, len(page)) is None


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("README.md", b'<h1 align="center">A model</h1>\n'),
        ("README.md", b"<!-- a comment -->\n# A model\n"),
        ("special.txt", b"<s>\n</s>\n"),
        ("vocab", b"<pad>\n<bos>\n"),
        ("logo.svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("model.xml", b'<?xml version="1.0"?>\n<net name="m"/>'),
        ("model.bin", DATA),
        ("model.bin", b"stand-in for weights\n"),
        ("model.bin", b'{"weights": [1, 2]}'),
        ("model.safetensors", b"{\0\0\0\0\0\0\0" + b'{"__metadata__":{}}'),
        ("config.json", b'{"error": null}'),
        ("tokenizer.model", b"\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02"),
        ("pointers.txt", b"version https://example.org\n"),
    ],
)
def test_files_that_are_what_they_should_be(path: str, data: bytes) -> None:
    assert of_bytes(path, data, len(data)) is None


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("m.bin", pointer(DATA), f"a git-lfs pointer: sha256 {sha(DATA)}, size {len(DATA)}"),
        ("m.json", pointer(DATA).replace(b"\n", b"\r\n"), "a git-lfs pointer: sha256"),
        ("m.bin", pointer(DATA).rstrip(), "a git-lfs pointer: sha256"),
        ("m.bin", pointer(DATA).replace(b"oid", b"ext-0-foo sha256:00\noid"), "a git-lfs pointer: sha256"),
        ("m.bin", pointer(DATA)[:60], "a damaged git-lfs pointer"),
        ("m.bin", b"/annex/objects/SHA256E-s5--00.bin\n", "git-annex"),
        ("m.bin", b"", "nothing: 0 bytes"),
        ("m.pt", b'{"error": "Unauthorized"}', "JSON"),
        ("m.gguf", json.dumps({"message": "rate limit"}).encode(), "JSON"),
        ("m.bin", b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code></Error>', "XML"),
        ("config.json", b"<Error><Code>NoSuchKey</Code></Error>", "XML"),
    ],
)
def test_what_it_is_instead(path: str, data: bytes, expected: str) -> None:
    assert expected in str(of_bytes(path, data, len(data)))


def test_nothing_is_right_where_nothing_is_pinned() -> None:
    assert of_bytes("__init__.py", b"", 0, pinned_size=0) is None


def test_a_large_file_that_begins_as_a_pointer_is_none() -> None:
    assert read_pointer(pointer(DATA) + b" " * 1000) is None


@pytest.mark.parametrize(
    ("path", "headers", "expected"),
    [
        ("m.bin", {"Content-Type": "text/html; charset=utf-8"}, "an HTML page (text/html)"),
        ("config.json", {"content-type": "TEXT/HTML"}, "an HTML page (text/html)"),
        ("m.bin", {"Content-Type": "application/json"}, "JSON"),
        ("m.bin", {"Content-Type": "application/problem+json; charset=utf-8"}, "JSON"),
        ("m.bin", {"Content-Type": "application/xml"}, "XML"),
        ("m.bin", {"Content-Encoding": "gzip"}, "Content-Encoding: gzip"),
        ("m.bin", {"Content-Encoding": "aws-chunked, br"}, "Content-Encoding"),
        ("m.tar", {"Content-Encoding": "gzip"}, "Content-Encoding"),
        ("config.json", {"Content-Type": "application/json"}, None),
        ("a.ipynb", {"Content-Type": "application/json"}, None),
        ("data.jsonl", {"Content-Type": "application/json"}, None),
        ("index.html", {"Content-Type": "text/html"}, None),
        ("m.bin", {"Content-Type": "application/octet-stream", "Content-Encoding": "identity"}, None),
        ("m.bin", {"Content-Encoding": "aws-chunked"}, None),
        ("ads.tar.gz", {"Content-Type": "application/x-tar", "Content-Encoding": "x-gzip"}, None),
        ("m.bin", {}, None),
    ],
)
def test_what_a_server_says(path: str, headers: dict[str, str], expected: str | None) -> None:
    reason = of_headers(path, headers)
    assert reason is None if expected is None else expected in str(reason)


ANSWERS: dict[str, tuple[bytes, dict[str, str], str]] = {
    "page": (PAGE, {}, "an HTML page"),
    "page by type": (b"please log in", {"Content_Type": "text/html"}, "an HTML page (text/html)"),
    "pointer": (pointer(DATA), {"Content_Type": "text/plain"}, "a git-lfs pointer"),
    "empty": (b"", {}, "nothing: 0 bytes"),
    "encoded": (gzip.compress(DATA), {"Content_Encoding": "gzip"}, "Content-Encoding: gzip"),
    "error": (b'{"error":"no"}', {"Content_Type": "application/json"}, "JSON"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_download_that_is_none_is_not_locked(here: Here, server: Server, answer: str) -> None:
    body, headers, expected = ANSWERS[answer]
    here.weights({"path": "model.safetensors", "url": server.put("/m", body, **headers)})
    here.lock()
    with pytest.raises(InputError) as caught:
        here.task("fetch")
    assert not isinstance(caught.value, MissingInputError)
    assert expected in caught.value.problem and server.url("/m") in caught.value.problem
    assert "sha256 in the recipe" in caught.value.problem
    assert here.locked("glm/model.safetensors") == (None, None)
    here.weights({"path": "model.safetensors", "url": server.url("/m"), "sha256": sha(body)})
    here.lock()
    here.task("fetch")  # who pins these bytes means them
    assert here.locked("glm/model.safetensors") == (sha(body), len(body))


@pytest.mark.parametrize("data", [PAGE, pointer(DATA), b""])
def test_a_file_in_a_folder_that_is_none_is_not_locked(here: Here, server: Server, data: bytes) -> None:
    here.weights({"path": "model.bin"})
    path = here.put("glm/model.bin", data)
    with pytest.raises(InputError, match=f"{path} is"):
        here.lock()
    path.unlink()
    here.lock()
    path.write_bytes(data)
    with pytest.raises(InputError, match="what arrived is"):
        here.task("fetch")
    here.put("glm/model.bin", DATA, here.other)
    here.task("fetch")
    assert here.locked("glm/model.bin") == (sha(DATA), len(DATA))


@pytest.mark.parametrize("data", [PAGE, pointer(DATA), b""])
def test_nor_is_a_vendors_archive_or_a_data_set(here: Here, data: bytes) -> None:
    entry: dict[str, Any] = {"file": "ads.tar.gz", "origin": "a drive", "to": "ads"}
    here.recipe(data={"ads": entry})
    lock = here.lock()
    here.put("ads.tar.gz", data)
    project = here.project
    with pytest.raises(InputError, match="what arrived is"):
        pin_data(project.recipe("m"), lock, ["ads"], project.store, project.config)
    here.put("base.tar", data)
    here.recipe("n")
    with pytest.raises(InputError, match=r"base\.tar is (an HTML|a git-lfs|nothing)"):
        here.lock("n")
