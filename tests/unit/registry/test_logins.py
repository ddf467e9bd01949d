"""Passwords, tokens, helpers and certificates: against Debian's registry, and one of our own that wants tokens."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from registry_server import PASSWORD, USER, RegistryServer
from small_project import Machine

from portside.errors import RegistryError
from portside.registry.answer import LARGEST_MANIFEST, Answer
from portside.registry.auth import Authorizer
from portside.registry.client import Client
from portside.registry.credentials import Login, login_for
from portside.registry.reference import parse_reference, parse_repository
from portside.share.pull import pull
from portside.share.push import push

BASIC = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


@pytest.fixture
def docker_config(tmp_path: Path) -> Callable[[object], Path]:
    """Writes what `docker login` would, to the folder that DOCKER_CONFIG names in these tests."""

    def write(value: object) -> Path:
        path = tmp_path / "nobody" / ".docker" / "config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
        return path

    return write


def test_with_a_password(
    machine: Callable[..., Machine], start: Callable[..., RegistryServer], docker_config: Callable[[object], Path]
) -> None:
    registry = start(password=True)
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    with pytest.raises(RegistryError, match="refuses") as caught:
        push(here.plan, here.store, reference)
    assert f"docker login {registry.host}" in (caught.value.solution or "")
    docker_config({"auths": {registry.host: {"auth": base64.b64encode(b"porter:wrong").decode()}}})
    with pytest.raises(RegistryError, match="refuses") as caught:
        push(here.plan, here.store, reference)
    assert "wrong" not in str(caught.value)
    docker_config({"auths": {registry.host: {"auth": BASIC}}})
    push(here.plan, here.store, reference)
    pull(there.plan, there.store, reference)
    assert there.image_id() == here.image_id()


def test_a_registry_that_wants_a_login_is_no_reason_not_to_build(
    machine: Callable[..., Machine], start: Callable[..., RegistryServer], capsys: pytest.CaptureFixture[str]
) -> None:
    registry = start(password=True)
    there = machine("there")
    assert there.build(f"{registry.host}/team/models")[-1].fresh
    assert "refuses" in capsys.readouterr().err


def test_with_tls_and_an_authority_of_our_own(
    machine: Callable[..., Machine],
    start: Callable[..., RegistryServer],
    authority: dict[str, Path],
    docker_config: Callable[[object], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry = start(certificate=(authority["host.crt"], authority["host.key"]), password=True)
    docker_config({"auths": {registry.host: {"auth": BASIC}}})
    here, there = machine("here"), machine("there", has_base=False)
    here.build()
    reference = parse_reference(f"{registry.host}/team/models:small", None)
    with pytest.raises(RegistryError, match="certificate") as caught:
        push(here.plan, here.store, reference)
    assert f"certs.d/{registry.host}/ca.crt" in (caught.value.solution or "")
    folder = Path.home() / ".config/containers/certs.d" / registry.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(authority["ca.crt"].read_bytes())
    push(here.plan, here.store, reference)
    (folder / "ca.crt").unlink()
    monkeypatch.setenv("SSL_CERT_FILE", str(authority["ca.crt"]))
    pull(there.plan, there.store, reference)
    assert there.image_id() == here.image_id()


def test_https_is_not_given_up_because_of_a_bad_certificate(
    start: Callable[..., RegistryServer], authority: dict[str, Path]
) -> None:
    """A registry on loopback may speak either; one that speaks TLS with a wrong certificate gets nothing in clear."""
    registry = start(certificate=(authority["host.crt"], authority["host.key"]))
    with Client(parse_repository(f"{registry.host}/a")) as client, pytest.raises(RegistryError, match="certificate"):
        client.manifest("x")


class Tokens(BaseHTTPRequestHandler):
    """A registry without anything in it that wants bearer tokens, and the place that gives them."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, list[str]]]]
    good: str

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/token":
            self._token("GET", parse_qs(url.query))
            return
        if self.headers.get("Authorization") == f"Bearer {type(self).good}":
            self._say(404, {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]})
            return
        port = self.server.server_address[1]
        realm = f'Bearer realm="http://127.0.0.1:{port}/token",service="here",scope="repository:a/b:pull"'
        self._say(401, {}, {"WWW-Authenticate": realm})

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._token("POST", parse_qs(self.rfile.read(length).decode()))

    def _token(self, method: str, values: dict[str, list[str]]) -> None:
        type(self).asked.append((method, self.headers.get("Authorization", ""), values))
        self._say(200, {"token": type(self).good} if method == "GET" else {"access_token": type(self).good})

    def _say(self, status: int, value: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**(headers or {}), "Content-Length": str(len(data))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture
def tokens() -> Iterator[tuple[type[Tokens], str]]:
    handler = type("Handler", (Tokens,), {"asked": [], "good": "first"})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield handler, f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_token_is_fetched_with_the_password_and_renewed_when_it_is_over(
    tokens: tuple[type[Tokens], str], docker_config: Callable[[object], Path]
) -> None:
    handler, host = tokens
    docker_config({"auths": {host: {"auth": BASIC}}})
    with Client(parse_repository(f"http://{host}/a/b")) as client:
        assert client.manifest("x") is None
        assert client.manifest("y") is None
        assert len(handler.asked) == 1
        handler.good = "second"
        assert client.manifest("x") is None
    method, authorization, values = handler.asked[1]
    assert (method, authorization) == ("GET", f"Basic {BASIC}")
    assert values == {"service": ["here"], "scope": ["repository:a/b:pull"]}


@pytest.mark.parametrize(
    ("realm", "sent"),
    [
        ("https://tokens.example/token", True),
        ("http://127.0.0.1:5/token", True),
        ("http://[::1]:5/token", True),
        ("http://tokens.example/token", False),
        ("http://localhost:80@tokens.example/token", False),
        ("http://127.0.0.1@tokens.example:5/token", False),
        ("http://[::1/token", False),
        ("token", False),
    ],
)
def test_a_password_goes_to_the_place_that_gives_tokens_but_not_in_the_clear(
    docker_config: Callable[[object], Path], realm: str, sent: bool
) -> None:
    docker_config({"auths": {"registry.example": {"auth": BASIC}}})
    asked: list[httpx.Request] = []

    def send(request: httpx.Request) -> Answer:
        asked.append(request)
        return Answer(200, httpx.Headers(), b'{"token": "good"}', request.url)

    authorizer = Authorizer(parse_repository("registry.example/a/b"), send)
    question = httpx.Response(401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})
    if sent:
        assert authorizer.answer(question, None) and authorizer.header == "Bearer good"
        assert [request.headers["Authorization"] for request in asked] == [f"Basic {BASIC}"]
    else:
        with pytest.raises(RegistryError, match="wants the password sent to"):
            authorizer.answer(question, None)
        assert asked == []


def test_an_identity_token_is_exchanged(
    tokens: tuple[type[Tokens], str], docker_config: Callable[[object], Path]
) -> None:
    handler, host = tokens
    docker_config({"auths": {host: {"identitytoken": "long-lived"}}})
    with Client(parse_repository(f"http://{host}/a/b")) as client:
        assert client.manifest("x") is None
    [(method, authorization, values)] = handler.asked
    assert (method, authorization) == ("POST", "")
    assert values["grant_type"] == ["refresh_token"] and values["refresh_token"] == ["long-lived"]


def test_without_a_login_a_token_for_everybody_is_asked_for(tokens: tuple[type[Tokens], str]) -> None:
    handler, host = tokens
    with Client(parse_repository(f"http://{host}/a/b")) as client:
        assert client.manifest("x") is None
    assert handler.asked[0][1] == ""


@pytest.mark.parametrize("token", [5, ["x"], {}, True, "", "a\nb", "a b", "\u00e9", "x" * 100_000, None])
def test_a_token_that_is_none(tokens: tuple[type[Tokens], str], token: object) -> None:
    handler, host = tokens
    handler.good = token  # type: ignore[assignment]
    with (
        Client(parse_repository(f"http://{host}/a/b")) as client,
        pytest.raises(RegistryError, match="answered without a token"),
    ):
        client.manifest("x")


def test_an_answer_without_end_in_place_of_a_token(tokens: tuple[type[Tokens], str]) -> None:
    handler, host = tokens
    handler.good = "x" * (LARGEST_MANIFEST + 1)
    with Client(parse_repository(f"http://{host}/a/b")) as client, pytest.raises(RegistryError, match="more than"):
        client.manifest("x")


def put_helper(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_helpers(docker_config: Callable[[object], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'read host; echo "{\\"Username\\": \\"u\\", \\"Secret\\": \\"of $host\\"}"'
    put_helper(tmp_path / "bin", "own", script, monkeypatch)
    put_helper(tmp_path / "bin", "all", 'echo "{\\"Username\\": \\"<token>\\", \\"Secret\\": \\"t\\"}"', monkeypatch)
    put_helper(tmp_path / "bin", "none", "echo credentials not found; exit 1", monkeypatch)
    config = {
        "credHelpers": {"a:1": "own", "b:2": "none"},
        "credsStore": "all",
        "auths": {"c:3": {"auth": BASIC}, "d:4": {}},
    }
    docker_config(config)
    assert login_for("a:1") == Login("u", "of a:1")
    assert login_for("b:2") is None
    assert login_for("c:3") == Login(USER, PASSWORD)
    assert login_for("d:4") == Login(token="t")
    docker_config({"credsStore": "missing"})
    with pytest.raises(RegistryError, match="docker-credential-missing"):
        login_for("a:1")


def test_where_logins_are_looked_for(
    docker_config: Callable[[object], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stored(path: Path, user: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        auth = base64.b64encode(f"{user}:x".encode()).decode()
        path.write_text(json.dumps({"auths": {"h:1": {"auth": auth}}}))

    assert login_for("h:1") is None
    stored(Path.home() / ".config/containers/auth.json", "podman's own")
    assert login_for("h:1") == Login("podman's own", "x")
    stored(tmp_path / "run/containers/auth.json", "podman's session")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert login_for("h:1") == Login("podman's session", "x")
    docker_config({"auths": {"https://h:1": {"username": "docker's", "password": "x"}}})
    assert login_for("h:1") == Login("docker's", "x")
    stored(tmp_path / "named.json", "named")
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "named.json"))
    assert login_for("h:1") == Login("named", "x")


@pytest.mark.parametrize("broken", ["{", "[]", '{"auths": 1}', '{"auths": {"h:1": {"auth": "&&&"}}}'])
def test_a_broken_file_holds_no_login(docker_config: Callable[[object], Path], broken: str) -> None:
    docker_config({}).write_text(broken)
    assert login_for("h:1") is None
