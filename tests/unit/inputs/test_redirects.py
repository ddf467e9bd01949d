"""Where a server may send us, and what is told there: downloads, pages of an index, and what uv came back with."""

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from portside.common.url import SecretUrl
from portside.config import Config
from portside.errors import InputError
from portside.inputs import python
from portside.inputs.python.uv_compile import check_places
from portside.lock.packages import Artefact
from portside.net import transfer
from portside.store import Store

DATA = b"the right bytes"
SHA = hashlib.sha256(DATA).hexdigest()
BASIC = "Basic " + base64.b64encode(b"anna:geheim").decode()


class Net:
    """Servers by URL without query: what each answers, and the requests that came."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response] = {}
        self.requests: list[httpx.Request] = []

    def leads(self, url: str, to: str, status: int = 302) -> None:
        self.answers[url] = httpx.Response(status, headers={"Location": to})

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        url = str(request.url.copy_with(query=None, userinfo=b""))
        known = self.answers.get(url, httpx.Response(404))
        return httpx.Response(known.status_code, headers=known.headers, stream=httpx.ByteStream(known.content))

    @property
    def told(self) -> list[tuple[str, str | None]]:
        """Host, and what it was told for Authorization, of each request."""
        return [(request.url.netloc.decode(), request.headers.get("Authorization")) for request in self.requests]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Net:
    net = Net()
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda transport, request: net.handle(request))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return net


@pytest.fixture
def bring(net: Net, tmp_path: Path) -> Callable[[str], str]:
    def bring(url: str, sha256: str | None = SHA) -> str:
        return transfer.bring("thing", sha256, len(DATA), [url], Store(tmp_path / "home"), "Bring it.", pauses=())

    return bring


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_what_is_safe_is_followed(net: Net, bring: Callable[[str], str], status: int) -> None:
    net.leads("http://one.invalid/a", "https://two.invalid/b?Signature=x", status)
    net.leads("https://two.invalid/b", "/c", status)
    net.answers["https://two.invalid/c"] = httpx.Response(200, content=DATA)
    assert bring("http://one.invalid/a") == SHA


@pytest.mark.parametrize("sha256", [SHA, None])
@pytest.mark.parametrize(
    ("url", "to", "shown"),
    [
        ("https://one.invalid/a", "http://one.invalid/a", "from https to http://one.invalid/a"),
        ("https://one.invalid/a", "//two.invalid/a", None),
        ("https://one.invalid/a", "http://two.invalid/a?Signature=geheim", "from https to http://two.invalid/a"),
        ("http://one.invalid/a", "{file}", "from http to file:/"),
        ("https://one.invalid/a", "{file}", "from https to file:/"),
        ("http://one.invalid/a", "file:{path}", "from http to file:"),
        ("https://one.invalid/a", "ftp://anna:geheim@one.invalid/a", "from https to ftp://one.invalid/a"),
        ("https://one.invalid/a", "data:text/plain,x", "from https to data:text/plain"),
        ("https://one.invalid/a", "https://one.invalid:port/", "no URL"),
    ],
)
def test_what_is_not_safe_is_refused_though_the_bytes_would_be_right(
    net: Net, bring: Callable[..., str], tmp_path: Path, url: str, to: str, shown: str | None, sha256: str | None
) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    net.leads(url, to.format(file=path.as_uri(), path=path))
    for place in ("http://one.invalid/a", "http://two.invalid/a", "https://two.invalid/a"):
        net.answers.setdefault(place, httpx.Response(200, content=DATA))
    if shown is None:
        assert bring(url, sha256) == SHA
        return
    with pytest.raises(InputError) as caught:
        bring(url, sha256)
    assert shown in str(caught.value) and "geheim" not in str(caught.value)
    assert len(net.requests) == 1


def test_a_second_step_is_looked_at_too(net: Net, bring: Callable[[str], str]) -> None:
    net.leads("http://one.invalid/a", "https://one.invalid/a")
    net.leads("https://one.invalid/a", "http://one.invalid/b")
    with pytest.raises(InputError, match=r"from https to http://one.invalid/b, which is refused"):
        bring("http://one.invalid/a")


@pytest.mark.parametrize("netrc", [True, False])
@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("/b", BASIC),
        ("https://one.invalid:443/b", BASIC),
        ("https://one.invalid:8443/b", None),
        ("https://two.invalid/b", None),
        ("https://x:y@two.invalid/b", None),
    ],
)
def test_a_password_goes_to_its_own_server_alone(
    net: Net, bring: Callable[[str], str], tmp_path: Path, netrc: bool, to: str, told: str | None
) -> None:
    (tmp_path / "netrc").write_text("machine one.invalid login anna password geheim\n" if netrc else "")
    net.leads("https://one.invalid/a", to)
    for place in ("https://one.invalid/b", "https://one.invalid:8443/b", "https://two.invalid/b"):
        net.answers[place] = httpx.Response(200, content=DATA)
    assert bring("https://one.invalid/a" if netrc else "https://anna:geheim@one.invalid/a") == SHA
    assert [header for _, header in net.told] == [BASIC, told]


def test_a_password_is_not_sent_again_by_another_scheme_or_after_another_server(
    net: Net, bring: Callable[[str], str]
) -> None:
    net.leads("http://one.invalid/a", "https://one.invalid/a")
    net.leads("https://one.invalid/a", "https://two.invalid/a")
    net.leads("https://two.invalid/a", "https://one.invalid/b")
    net.answers["https://one.invalid/b"] = httpx.Response(200, content=DATA)
    assert bring("http://anna:geheim@one.invalid/a") == SHA
    assert [header for _, header in net.told] == [BASIC, None, None, None]


def test_a_url_that_is_none_quotes_no_password(net: Net, bring: Callable[[str], str]) -> None:
    with pytest.raises(InputError, match="%2F") as caught:
        bring("https://anna:gehe/im@one.invalid/a")
    assert "gehe" not in str(caught.value) and "im@" not in str(caught.value)


def page(*links: str) -> httpx.Response:
    text = "".join(f'<a href="{link}">{link.rpartition("/")[2].partition("#")[0]}</a>\n' for link in links)
    return httpx.Response(200, headers={"Content-Type": "text/html"}, text=text)


def listing(*links: str) -> httpx.Response:
    files = [{"filename": link.rpartition("/")[2], "url": link, "hashes": {}} for link in links]
    return httpx.Response(200, headers={"Content-Type": "application/vnd.pypi.simple.v1+json"}, json={"files": files})


def config(tmp_path: Path, index: str) -> Config:
    return Config.model_validate({"home": tmp_path / "home", "mirrors": {"pypi": [index]}})


WANTED = Artefact(name="one", version="1", file="one-1.tar.gz", size=len(DATA), sha256=SHA)


@pytest.mark.parametrize("form", [page, listing])
@pytest.mark.parametrize(
    ("scheme", "link"), [("http", "file://{path}"), ("https", "file://{path}"), ("https", "http://one.invalid/{name}")]
)
def test_a_link_of_an_index_that_is_not_safe_is_refused_though_the_lock_knows_the_bytes(
    net: Net, tmp_path: Path, form: Callable[..., httpx.Response], scheme: str, link: str
) -> None:
    path = tmp_path / WANTED.file
    path.write_bytes(DATA)
    net.answers[f"{scheme}://one.invalid/simple/one/"] = form(link.format(path=path, name=path.name))
    with pytest.raises(
        InputError,
        match=rf"it (leads from {scheme} to|is said to be at) .*{path.name}",
    ):
        python.locations(WANTED, config(tmp_path, f"{scheme}://one.invalid/simple"))
    with pytest.raises(InputError, match=r"which is refused|on this machine"):
        python.resolve_sdist("one==1", config(tmp_path, f"{scheme}://one.invalid/simple"))


def test_a_link_that_is_refused_hides_no_other(net: Net, tmp_path: Path) -> None:
    links = ("file:///etc/one-1.tar.gz", "mailto:me@one.invalid", "../../files/one-1.tar.gz", "ftp://x/other-1.tar.gz")
    net.answers["https://one.invalid/simple/one/"] = page(*links)
    places = python.locations(WANTED, config(tmp_path, "https://one.invalid/simple"))
    assert places == ["https://one.invalid/files/one-1.tar.gz"]


def test_an_index_that_sends_us_to_http_is_refused(net: Net, tmp_path: Path) -> None:
    net.leads("https://one.invalid/simple/one/", "http://one.invalid/simple/one/")
    net.answers["http://one.invalid/simple/one/"] = page("one-1.tar.gz")
    with pytest.raises(InputError, match="from https to http"):
        python.locations(WANTED, config(tmp_path, "https://one.invalid/simple"))


def test_files_on_the_indexs_own_server_are_asked_for_with_its_password(net: Net, tmp_path: Path) -> None:
    net.answers["https://one.invalid/simple/one/"] = page("https://one.invalid/files/one-1.tar.gz")
    [place] = python.locations(WANTED, config(tmp_path, "https://anna:geheim@one.invalid/simple"))
    assert place == "https://anna:geheim@one.invalid/files/one-1.tar.gz"
    net.answers["https://one.invalid/simple/one/"] = page("https://two.invalid/files/one-1.tar.gz")
    [place] = python.locations(WANTED, config(tmp_path, "https://anna:geheim@one.invalid/simple"))
    assert place == "https://two.invalid/files/one-1.tar.gz"


def test_an_index_that_moved_to_another_server_keeps_its_password_from_that(net: Net, tmp_path: Path) -> None:
    net.leads("https://one.invalid/simple/one/", "https://two.invalid/one/")
    net.answers["https://two.invalid/one/"] = page("one-1.tar.gz", "https://one.invalid/one-1.tar.gz")
    places = python.locations(WANTED, config(tmp_path, "https://anna:geheim@one.invalid/simple"))
    assert places == ["https://two.invalid/one/one-1.tar.gz", "https://one.invalid/one-1.tar.gz"]
    assert net.told[1] == ("two.invalid", None)


@pytest.mark.parametrize(
    ("url", "given", "right"),
    [
        ("https://h/one-1-py3-none-any.whl", ["https://h/simple"], True),
        ("http://h/one-1-py3-none-any.whl", ["https://h/simple"], False),
        ("http://h/one-1-py3-none-any.whl", ["https://h/simple", "http://i/simple"], True),
        ("{folder}/one-1-py3-none-any.whl", ["https://h/simple"], False),
        ("{folder}/one-1-py3-none-any.whl", ["https://h/simple", "{folder}/simple"], True),
        ("ftp://h/one-1-py3-none-any.whl", ["https://h/simple", "{folder}/simple"], False),
    ],
)
def test_what_uv_came_back_with(tmp_path: Path, url: str, given: list[str], right: bool) -> None:
    folder = tmp_path.as_uri()
    packages = [{"name": "one", "version": "1", "wheels": [{"url": url.format(folder=folder)}]}]
    indexes = [place.format(folder=folder) for place in given]
    if right:
        assert check_places(packages, indexes, []) == packages
        return
    with pytest.raises(InputError, match=r"for one an index leads to .*, which is refused"):
        check_places(packages, indexes, [])


def test_a_folder_of_find_links_gives_what_is_in_it_and_nothing_else(tmp_path: Path) -> None:
    packages = [{"name": "one", "version": "1", "sdist": {"url": (tmp_path / "links" / "one-1.tar.gz").as_uri()}}]
    for links in ([str(tmp_path / "links")], [(tmp_path / "links").as_uri()]):
        assert check_places(packages, ["https://h/simple"], links) == packages
    with pytest.raises(InputError, match=r"which is refused|on this machine"):
        check_places(packages, ["https://h/simple"], [str(tmp_path / "other")])


def test_a_password_in_the_configuration_is_not_shown(tmp_path: Path) -> None:
    given = config(tmp_path, "https://anna:geheim@one.invalid/simple")
    assert given.mirrors.pypi == (SecretUrl("https://anna:geheim@one.invalid/simple"),)
    assert "geheim" not in f"{given!r} {given} {given.model_dump_json()}"
