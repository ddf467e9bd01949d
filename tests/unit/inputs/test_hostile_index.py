"""Indexes, find-links pages and what uv says of them: whatever a place says, no file outside the store is touched."""

import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hostile import Canary, dump, mutations, values
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_wheels import asks

from portside.common.values import FileName, Place, Sha256, Size
from portside.config import Config, Mirrors
from portside.errors import InputError, PortsideError
from portside.inputs import python
from portside.inputs.python.index import offers
from portside.inputs.python.resolve import _choose
from portside.inputs.python.tags import tag_ranks
from portside.lock.packages import Artefact
from portside.store import Store

DATA = b"the bytes of a source distribution"
SHA = hashlib.sha256(DATA).hexdigest()
FILE = "evil-1.0.tar.gz"


class Index:
    """An index on this machine: `answer` is what it says of every package, with its type."""

    def __init__(self) -> None:
        self.answer = (b"", "text/html")
        index = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments: object) -> None:
                pass

            def do_GET(self) -> None:
                page = self.path.startswith("/simple/") and self.path.endswith("/")
                data, kind = index.answer if page else (DATA, "application/octet-stream")
                self.send_response(200 if page or self.path.endswith(FILE) else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, *rows: Any) -> None:
        self.answer = dump({"meta": {"api-version": "1.0"}, "name": "evil", "files": list(rows)}), "application/x+json"

    def shows(self, html: str) -> None:
        self.answer = html.encode("utf-8", "replace"), "text/html; charset=utf-8"


@pytest.fixture(scope="module")
def index() -> Iterator[Index]:
    found = Index()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canary]:
    found = Canary(tmp_path_factory.mktemp("outside"))
    yield found
    found.check()


@pytest.fixture(scope="module")
def config(index: Index, tmp_path_factory: pytest.TempPathFactory) -> Config:
    mirrors = Mirrors(pypi=(f"http://{index.host}/simple",))
    return Config(home=tmp_path_factory.mktemp("store") / "home", mirrors=mirrors)


@pytest.fixture(autouse=True)
def no_settings_of_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # no server gets well here


def row(**changes: Any) -> dict[str, Any]:
    return {"filename": FILE, "url": f"../../{FILE}", "hashes": {"sha256": SHA}, "size": len(DATA), **changes}


def only_right_bytes(home: Path) -> None:
    """Nothing but inputs under their hashes; what was refused has its hash as a name."""
    for path in [*home.glob("inputs/sha256/*"), *home.glob("inputs/quarantine/*")]:
        assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
    assert set(os.listdir(home)) <= {"inputs", "partial"}


def resolve(config: Config) -> Artefact:
    return python.resolve_sdist("evil", config)


def test_a_good_row(index: Index, config: Config) -> None:
    index.says(row())
    assert (resolve(config).file, resolve(config).sha256, resolve(config).size) == (FILE, SHA, len(DATA))
    index.says(row(hashes={"sha256": SHA.upper()}, size=None, yanked=False))
    assert (resolve(config).sha256, resolve(config).size) == (SHA, len(DATA))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hashes": {"sha256": "PATH"}}, "its sha256: expected a sha256: 64 hex digits in lower case, found 'PATH'"),
        ({"hashes": {"sha256": ""}}, "found ''"),
        ({"hashes": {"sha256": ["x"]}}, "its sha256: expected"),
        ({"hashes": {"sha256": SHA[1:]}}, "its sha256: expected"),
        ({"size": -1}, "its size: expected a number of bytes, found -1"),
        ({"size": True}, "found True"),
        ({"size": "5"}, "found '5'"),
        ({"size": 1 << 64}, "its size: expected"),
        ({"url": "file://PATH", "hashes": {}}, "it is said to be at file://PATH, on this machine"),
        ({"url": "file://PATH"}, "on this machine"),
    ],
)
def test_a_row_that_cannot_be_is_refused_and_its_place_named(
    change: dict[str, Any], said: str, index: Index, config: Config, canary: Canary
) -> None:
    """It is not taken for a row without a hash, and an older version is no answer either."""
    text = json.dumps(row(**change)).replace("PATH", str(canary.path))
    index.says(json.loads(text), row(filename="evil-0.9.tar.gz"))
    with pytest.raises(InputError) as caught:
        resolve(config)
    assert caught.value.problem.startswith(f"http://{index.host}/simple/evil/, {FILE}: ")
    said = said.replace("PATH", str(canary.path))
    assert said.lower() in caught.value.problem.lower()  # a hash may be in capitals
    assert caught.value.solution
    canary.check()


def test_other_rows_are_as_good_as_before(index: Index, config: Config) -> None:
    index.says(row(filename="evil-0.9.tar.gz", hashes={"sha256": "x"}), row(filename="evil-2.0-x/../y.whl"), row())
    assert resolve(config).version == "1.0"


@pytest.mark.parametrize("fragment", ["#sha256=PATH", "#sha256=", "#sha1=abc&sha256=x", f"#sha256={SHA[1:]}"])
def test_a_link_with_a_hash_that_is_none(fragment: str, index: Index, config: Config, canary: Canary) -> None:
    index.shows(f'<a href="../../{FILE}{fragment.replace("PATH", str(canary.path))}">x</a>')
    with pytest.raises(InputError, match=rf"{index.host}/simple/evil/, {FILE}: its sha256: expected"):
        resolve(config)
    index.shows(f'<a href="../../{FILE}#sha1=abc&sha256={SHA}">x</a>')
    assert resolve(config).sha256 == SHA
    index.shows(f'<a href="../../{FILE}#sha1=abc">x</a>')
    assert resolve(config).sha256 == SHA, "without a hash, its bytes say which"


def test_a_locked_file_is_not_fetched_from_a_place_that_says_nonsense(
    index: Index, config: Config, canary: Canary
) -> None:
    index.says(row(url=f"file://{canary.path}"), row(size=-1))
    wanted = Artefact(name="evil", version="1.0", file=FILE, size=len(DATA), sha256=SHA)
    with pytest.raises(InputError, match="was not found") as caught:
        python.locations(wanted, config)
    assert "on this machine" in caught.value.problem and "its size: expected" in caught.value.problem
    index.says(row(url=f"file://{canary.path}"), row())
    assert python.locations(wanted, config) == [f"http://{index.host}/{FILE}"]


def test_pages_that_are_none(index: Index, config: Config) -> None:
    for data in (b"[" * 100_000, b"{}", b'{"files": 5}', b'{"files": [5]}', b'{"files": [{"filename": "x"}]}', b"\xff"):
        index.answer = data, "application/x+json"
        with pytest.raises(InputError, match="not the JSON of a simple index"):
            resolve(config)
    for html in ('<a href="http://[">x</a>', '<base href="http://["><a href="x">x</a>'):
        index.shows(html)
        with pytest.raises(InputError, match="not the HTML of a simple index"):
            resolve(config)


def test_any_json(index: Index, config: Config, canary: Canary) -> None:
    good = {"files": [row(), row(filename="evil-1.1.zip", url=f"../../{FILE}")], "meta": {"api-version": "1.0"}}

    @settings(max_examples=50)
    @given(mutations(good, canary.path))
    def attempt(value: Any) -> None:
        index.answer = dump(value), "application/x+json"
        try:
            found = resolve(config)
        except PortsideError:
            pass
        else:
            assert type(found.sha256) is Sha256 and type(found.size) is Size and type(found.file) is FileName
        for offer in offers("evil", config)[0] if _is_page(value) else ():
            assert type(offer.file) is FileName and type(offer.place) is Place
        canary.check()
        only_right_bytes(config.home)

    attempt()


def _is_page(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("files"), list)


def test_any_link(index: Index, config: Config, canary: Canary) -> None:
    @settings(max_examples=50)
    @given(
        st.lists(st.tuples(values(canary.path).map(str), values(canary.path).map(str)), min_size=1, max_size=3),
        st.sampled_from(
            [f"../../{FILE}", f"file://{canary.path}", f"//[{FILE}", "ftp://x/" + FILE, FILE + "%00%2e%2e"]
        ),
    )
    def attempt(links: list[tuple[str, str]], place: str) -> None:
        ends = [(place, links[0][1]), (links[0][0] + "/" + FILE, SHA), *links]
        pairs = [(quote(a, "/:%?[]", errors="replace"), quote(b, errors="replace")) for a, b in ends]
        index.shows("".join(f'<a href="{href}#sha256={fragment}">x</a>' for href, fragment in pairs))
        try:
            found = resolve(config)
        except PortsideError:
            pass
        else:
            assert type(found.sha256) is Sha256
        canary.check()
        only_right_bytes(config.home)

    attempt()


def test_any_lock_of_uv(config: Config, canary: Canary) -> None:
    """What uv hands on of an index: only its form is uv's."""
    wheel = {"name": "evil-1.0-py3-none-any.whl", "url": "http://127.0.0.1:1/x/evil-1.0-py3-none-any.whl", "size": 5}
    good = {"name": "evil", "version": "1.0", "wheels": [{**wheel, "hashes": {"sha256": SHA}}]}
    ranks = tag_ranks("3.11", "x86_64-manylinux_2_28")
    store = Store(config.home)
    assert _choose(good, None, ranks, "http://x/simple", asks("evil"), store).sha256 == SHA
    there = {**wheel, "url": f"file://{canary.path}", "hashes": {}}
    with pytest.raises(InputError, match="on this machine"):
        _choose({**good, "wheels": [there]}, None, ranks, "http://x/simple", asks("evil"), store)

    @settings(max_examples=50)
    @given(mutations(good["wheels"], canary.path))
    def attempt(wheels: Any) -> None:
        rows = [{**row, "size": row.get("size") or 5} for row in wheels if isinstance(row, dict)]
        try:
            found = _choose({**good, "wheels": rows}, None, ranks, "http://x/simple", asks("evil"), store)
        except PortsideError:
            pass
        else:
            assert type(found.sha256) is Sha256 and type(found.size) is Size
        canary.check()

    attempt()
