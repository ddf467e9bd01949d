"""Where a registry may send us, and who gets to see the login: servers without sockets."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from portside.common.canonical import sha256_hex
from portside.errors import RegistryError
from portside.registry.client import Client
from portside.registry.reference import parse_repository

CONFIG = b"a config"
DIGEST = sha256_hex(CONFIG)
BLOB = f"/v2/a/b/blobs/sha256:{DIGEST}"
ASKS = {"WWW-Authenticate": 'Basic realm="a test"'}


class Net:
    """Servers by URL without query; requests that came, with what they were told for Authorization."""

    def __init__(self) -> None:
        self.answers: dict[str, httpx.Response] = {}
        self.told: list[tuple[str, str | None]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.told.append((f"{request.method} {request.url.host}", request.headers.get("Authorization")))
        known = self.answers.get(str(request.url.copy_with(query=None)), httpx.Response(404))
        if "Authorization" not in request.headers and request.url.host == "r.invalid":
            known = httpx.Response(401, headers=ASKS)
        return httpx.Response(known.status_code, headers=known.headers, stream=httpx.ByteStream(known.content))


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Net:
    net = Net()
    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda transport, request: net(request))
    folder = tmp_path / "nobody" / ".docker"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"auths": {"r.invalid": {"username": "u", "password": "geheim"}}}))
    return net


@pytest.fixture
def client(net: Net) -> Client:
    return Client(parse_repository("r.invalid/a/b"), pauses=())


def leads(to: str, status: int = 307) -> httpx.Response:
    return httpx.Response(status, headers={"Location": to})


def test_a_blob_comes_from_where_the_registry_says_without_its_login(net: Net, client: Client) -> None:
    net.answers[f"https://r.invalid{BLOB}"] = leads("https://cdn.invalid/x?Signature=s")
    net.answers["https://cdn.invalid/x"] = httpx.Response(200, content=CONFIG)
    assert client.small_blob(DIGEST, len(CONFIG)) == CONFIG
    [(_, none), (_, login), (where, told)] = net.told
    assert none is None and login is not None and (where, told) == ("GET cdn.invalid", None)


@pytest.mark.parametrize("to", ["http://cdn.invalid/x?Signature=geheim", "http://r.invalid/x", "file:///etc/passwd"])
def test_a_registry_does_not_send_us_to_http_or_a_file(net: Net, client: Client, to: str) -> None:
    net.answers[f"https://r.invalid{BLOB}"] = leads(to)
    with pytest.raises(RegistryError, match=r"it leads from https to .*, which is refused") as caught:
        client.small_blob(DIGEST, len(CONFIG))
    assert "geheim" not in str(caught.value)
    assert len(net.told) == 2


def test_a_place_that_the_registry_names_cannot_ask_for_the_login(net: Net, client: Client) -> None:
    net.answers[f"https://r.invalid{BLOB}"] = leads("https://evil.invalid/x")
    realm = {"WWW-Authenticate": 'Bearer realm="https://evil.invalid/token"'}
    net.answers["https://evil.invalid/x"] = httpx.Response(401, headers=realm)
    with pytest.raises(RegistryError, match="status 401"):
        client.small_blob(DIGEST, len(CONFIG))
    assert [told for where, told in net.told if "evil" in where] == [None]


@pytest.mark.parametrize(
    "location", ["http://other.invalid/up?_state=geheim", "file:///etc/passwd", "ftp://r.invalid/up"]
)
def test_an_upload_does_not_go_elsewhere_in_the_clear(net: Net, client: Client, location: str) -> None:
    with pytest.raises(RegistryError, match="which is refused") as caught:
        client.join(httpx.URL(f"https://r.invalid{BLOB}"), location)
    assert "geheim" not in str(caught.value)


def test_an_upload_that_leads_to_no_url(client: Client) -> None:
    with pytest.raises(RegistryError, match="no URL") as caught:
        client.join(httpx.URL(f"https://r.invalid{BLOB}"), "https://u:gehe/im@r.invalid/")
    assert "gehe" not in str(caught.value)


def test_an_upload_elsewhere_is_told_no_login(net: Net, client: Client) -> None:
    url = client.join(httpx.URL(f"https://r.invalid{BLOB}"), "https://x:y@other.invalid/up")
    net.answers["https://other.invalid/up"] = httpx.Response(401, headers=ASKS)
    client.manifest("x")
    net.told.clear()
    with pytest.raises(RegistryError, match="status 401"):
        client.ask("PUT", url, expect=(201,))
    assert net.told == [("PUT other.invalid", None)]


@pytest.mark.parametrize(
    "what",
    [
        lambda client: client.ask("GET", "https://r.invalid/up?_state=geheim", expect=(200,)),
        lambda client: client.ask("GET", "https://u:geheim@r.invalid:bad/", expect=(200,)),
        lambda client: client.manifest("x"),
    ],
)
def test_errors_show_no_secret(net: Net, client: Client, what: Callable[[Client], object]) -> None:
    told = {"errors": [{"code": "X", "message": "see https://h/x?X-Amz-Signature=geheim and http://u:geheim@h"}]}
    for path in ("/up", "/v2/a/b/manifests/x"):
        net.answers[f"https://r.invalid{path}"] = httpx.Response(418, content=json.dumps(told).encode())
    with pytest.raises(RegistryError) as caught:
        what(client)
    assert "geheim" not in str(caught.value)


def test_a_realm_is_shown_without_secrets(net: Net, client: Client) -> None:
    realm = {"WWW-Authenticate": 'Bearer realm="http://u:geheim@other.invalid/token?sig=geheim"'}
    net.answers["https://r.invalid/v2/a/b/manifests/x"] = httpx.Response(401, headers=realm)
    with pytest.raises(RegistryError, match="which is not safe") as caught:
        client.manifest("x")
    assert "geheim" not in str(caught.value)
