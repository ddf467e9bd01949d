"""Which index a package comes from: its own alone, else the first that has the name. Requests are counted."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_wheels import PLATFORM, artefact, asks, wheel

from portside.config import Config, load_config
from portside.errors import PortsideError, RecipeError
from portside.fetch.fetcher import Fetcher
from portside.inputs import python
from portside.inputs.python.bindings import bindings
from portside.inputs.python.index import offers
from portside.lock.packages import PythonSet
from portside.recipe.python_packages import Python
from portside.store import Store


@dataclass
class Site:
    """Simple indexes at /NAME/simple/ and find-links pages at /NAME/links/, of folders of wheels. asked: the paths that
    were asked for, of each NAME. broken: names that answer 403."""

    folder: Path
    address: str = ""
    asked: dict[str, list[str]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def url(self, name: str, kind: str = "simple") -> str:
        return f"http://{self.address}/{name}/{kind}/"

    def packages(self, name: str) -> set[str]:
        """The packages whose page or files were asked for there."""
        found = {path.split("/")[0].partition("-")[0].replace("_", "-") for path in self.asked.get(name, ())}
        return found - {""}

    def answer(self, path: str) -> tuple[int, bytes]:
        name, kind, *rest = path.strip("/").split("/")
        self.asked.setdefault(name, []).append("/".join(rest))
        folder = self.folder / name
        if name in self.broken:
            return 403, b""
        if rest and (folder / rest[-1]).is_file():
            return 200, (folder / rest[-1]).read_bytes()
        files = sorted(file.name for file in folder.iterdir())
        if kind == "simple":
            files = [file for file in files if rest and file.partition("-")[0].replace("_", "-") == rest[0]]
        rows = "".join(f'<a href="/{name}/{kind}/{file}">{file}</a>' for file in files)
        return (200 if files else 404), f"<!DOCTYPE html>{rows}".encode()


@contextmanager
def serving(folder: Path) -> Iterator[Site]:
    site = Site(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, data = site.answer(self.path)
            self.send_response(code)
            self.send_header("Content-Type", "text/html" if not self.path.endswith(".whl") else "application/zip")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site.address = f"127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield site
        server.shutdown()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """`first` and `second` are the machine's indexes, `cpu` is one that recipes may name."""
    for place, name, version, *needs in [
        ("first", "app", "1.0", "torch", "other"),
        ("first", "torch", "9.0"),
        ("first", "other", "1.0"),
        ("second", "other", "5.0"),
        ("second", "late", "1.0"),
        ("cpu", "torch", "2.0+cpu", "numpy"),
        ("cpu", "other", "7.0"),
        ("second", "numpy", "1.0"),
    ]:
        wheel(tmp_path / "site" / place, name, version, *needs)
    with serving(tmp_path / "site") as made:
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", made.url("first"))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", made.url("second"))
        for name in ("PIP_NO_INDEX", "PIP_FIND_LINKS"):
            monkeypatch.delenv(name, raising=False)
        yield made


def resolved(home: Path, indexes: Mapping[str, Any], *requirements: str, config: Config | None = None) -> list[str]:
    given = config or Config(home=home)
    wanted = Python(version="3.11", platform=PLATFORM, indexes=indexes)
    found = python.resolve_wheels(
        asks(*requirements),
        keep=(),
        update=(),
        installed={},
        config=given,
        store=Store(home),
        bound=bindings(wanted, given),
    )
    return [f"{wheel.name} {wheel.version}" for wheel in found]


def test_the_first_index_that_has_the_name_counts(site: Site, tmp_path: Path) -> None:
    assert resolved(tmp_path, {}, "other", "late") == ["late 1.0", "other 1.0"]
    assert "other" not in site.packages("second")
    with pytest.raises(RecipeError, match="nothing satisfies"):
        resolved(tmp_path, {}, "other>1")
    site.asked.clear()
    assert {offer.file for offer in offers("other", Config(home=tmp_path))[0]} == {"other-1.0-py3-none-any.whl"}
    assert site.packages("second") == set()


def test_an_index_that_does_not_answer_is_none_that_lacks_the_name(site: Site, tmp_path: Path) -> None:
    site.broken.add("first")
    with pytest.raises(PortsideError):
        resolved(tmp_path, {}, "other")
    found, failures = offers("other", Config(home=tmp_path))
    assert (found, len(failures)) == ([], 1)
    assert site.packages("second") == set()


@pytest.mark.parametrize("kind", ["simple", "links", "named"])
def test_a_package_comes_from_its_own_index_alone(site: Site, tmp_path: Path, kind: str) -> None:
    """It is needed by another package; the index has a newer release of a third one, which nobody gets."""
    place: Any = {"find-links": site.url("cpu", "links")} if kind == "links" else site.url("cpu")
    config = Config(home=tmp_path)
    if kind == "named":
        (tmp_path / "portside.toml").write_text(f'[indexes]\ncpu = "{place}"\n')
        place, config = "cpu", load_config(tmp_path).model_copy(update={"home": tmp_path})
    everything = ["app 1.0", "numpy 1.0", "other 1.0", "torch 2.0+cpu"]
    assert resolved(tmp_path, {"Torch": place}, "app", config=config) == everything
    assert "torch" not in site.packages("first") | site.packages("second")
    assert site.packages("cpu") == {"torch"}
    site.asked.clear()
    wanted = Python(version="3.11", platform=PLATFORM, indexes={"Torch": place})
    file = artefact(tmp_path / "site/cpu/torch-2.0+cpu-py3-none-any.whl")
    Fetcher(Store(tmp_path / "other"), config).artefact(file, wanted)
    assert (site.packages("first"), site.packages("second"), site.packages("cpu")) == (set(), set(), {"torch"})


def test_without_any_other_index(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "site/first"))
    indexes = {"torch": site.url("cpu"), "numpy": site.url("second")}
    assert resolved(tmp_path, indexes, "app") == ["app 1.0", "numpy 1.0", "other 1.0", "torch 2.0+cpu"]


def test_what_needs_nothing_of_its_index_does_not_get_it(site: Site, tmp_path: Path) -> None:
    config, store = Config(home=tmp_path), Store(tmp_path)
    wanted = Python(version="3.11", platform=PLATFORM, indexes={"torch": site.url("cpu")})
    of = asks("late")
    wheels = python.resolve_wheels(
        of, keep=(), update=(), installed={}, config=config, store=store, bound=bindings(wanted, config)
    )
    for file in wheels:
        Fetcher(store, config).artefact(file, wanted)
    found = PythonSet(version="3.11", platform=PLATFORM, wheels=tuple(wheels))
    assert [w.name for w in python.without_unasked(found, of, {"torch"}, store).wheels] == ["late"]


def test_what_a_lock_keeps_of_an_index() -> None:
    url = "https://index.example/whl/cpu"
    wanted = Python(version="3.11", indexes={"torch": url, "a": "cpu", "b": {"find-links": url}})
    kept = wanted.model_dump(mode="json")["indexes"]
    assert kept["a"] == "cpu"
    assert "example" not in str(kept)
    assert kept["torch"] != kept["b"]
    assert kept["torch"] != Python(version="3.11", indexes={"torch": f"{url}2"}).model_dump(mode="json")["indexes"]


def test_mistakes(site: Site, tmp_path: Path) -> None:
    config = Config(home=tmp_path, indexes={"cpu": site.url("cpu")})
    with pytest.raises(RecipeError, match="torch comes from the index 'cp' alone") as caught:
        resolved(tmp_path, {"torch": "cp"}, "torch", config=config)
    assert "Did you mean 'cpu'" in str(caught.value)
    for wrong in ("ftp://x/y", "https://me:secret@x.example/simple", {"page": "x"}, 5):
        with pytest.raises(ValidationError):
            Python(version="3.11", indexes={"torch": wrong})
    with pytest.raises(RecipeError, match="nothing satisfies"):
        resolved(tmp_path, {"torch": site.url("cpu")}, "torch==9.0")
