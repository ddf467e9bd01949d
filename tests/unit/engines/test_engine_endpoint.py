"""Where the daemon is, and why it does not answer. No test here needs an engine."""

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from portside.engines import open_engine
from portside.engines.docker import clock_of
from portside.engines.endpoint import DEFAULT_HOST, Endpoint, find_endpoint
from portside.errors import EngineError


def _context(home: Path, name: str, host: str, *, tls: bool = False) -> None:
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = home / ".docker" / "contexts" / "meta" / key / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": True}}}))
    if tls:
        (home / ".docker" / "contexts" / "tls" / key / "docker").mkdir(parents=True)


def test_the_order_of_the_docker_command(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path)}
    assert find_endpoint(home) == Endpoint(DEFAULT_HOST)
    _context(tmp_path, "far", "tcp://far:2376", tls=True)
    _context(tmp_path, "near", "unix:///near.sock")
    (tmp_path / ".docker" / "config.json").write_text('{"currentContext": "near", "credsStore": "none such"}')
    assert find_endpoint(home) == Endpoint("unix:///near.sock", None, False)
    far = find_endpoint({**home, "DOCKER_CONTEXT": "far"})
    assert far.host == "tcp://far:2376" and far.certificates is not None and far.certificates.is_dir()
    assert far.environment()["DOCKER_TLS"] == "1" and "DOCKER_TLS_VERIFY" not in far.environment()
    assert find_endpoint({**home, "DOCKER_CONTEXT": "default"}) == Endpoint(DEFAULT_HOST)
    assert find_endpoint({**home, "DOCKER_CONTEXT": "far", "DOCKER_HOST": "unix:///x"}) == Endpoint("unix:///x")
    with pytest.raises(EngineError, match="none such"):
        find_endpoint({**home, "DOCKER_CONTEXT": "none such"})


def test_a_broken_configuration_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{broken")
    assert find_endpoint({"DOCKER_CONFIG": str(tmp_path)}) == Endpoint(DEFAULT_HOST)


def test_tls_only_where_it_is_asked_for(tmp_path: Path) -> None:
    host = {"DOCKER_HOST": "tcp://far:2376", "DOCKER_CERT_PATH": "/certificates", "HOME": str(tmp_path)}
    assert find_endpoint(host) == Endpoint("tcp://far:2376")
    verified = find_endpoint({**host, "DOCKER_TLS_VERIFY": "1"})
    assert verified == Endpoint("tcp://far:2376", Path("/certificates"), True)
    assert verified.environment() == {
        "DOCKER_HOST": "tcp://far:2376",
        "DOCKER_CERT_PATH": "/certificates",
        "DOCKER_TLS_VERIFY": "1",
    }
    del host["DOCKER_CERT_PATH"]
    assert find_endpoint({**host, "DOCKER_TLS": "1"}).certificates == tmp_path / ".docker"


@contextmanager
def _daemon(path: Path, answer: bytes) -> Iterator[str]:
    """A socket that gives one answer to one request."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"unix://{path}"
        thread.join()


def test_the_daemon_tells_its_version(tmp_path: Path) -> None:
    answer = b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 2\r\n\r\nOK"
    with _daemon(tmp_path / "s", answer) as host:
        assert Endpoint(host).api_version() == "1.43"


def test_something_else_at_the_socket(tmp_path: Path) -> None:
    with _daemon(tmp_path / "s", b"SSH-2.0-OpenSSH\r\n") as host, pytest.raises(EngineError, match="no Docker daemon"):
        Endpoint(host).api_version()


def test_no_daemon_and_no_rights_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/absent")
    with pytest.raises(EngineError) as absent:
        open_engine("docker")
    assert "no Docker daemon answers" in absent.value.problem
    assert "invoke setup" in (absent.value.solution or "")

    def refuse(self: socket.socket, address: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(EngineError) as denied:
        open_engine("docker")
    assert "no rights" in denied.value.problem and "docker group" not in denied.value.problem
    assert "usermod" in (denied.value.solution or "")


@pytest.mark.parametrize("host", ["tcp://", "tcp://name:port", "fd://", "nonsense"])
def test_addresses_that_are_none(host: str) -> None:
    with pytest.raises(EngineError, match="no address of a daemon"):
        Endpoint(host).api_version()


def test_the_engine_is_chosen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EngineError, match="'lxc'") as caught:
        open_engine("lxc")
    assert "docker" in (caught.value.solution or "")
    monkeypatch.setenv("PORTSIDE_ENGINE", "chroot")
    with pytest.raises(EngineError, match="'chroot'"):
        open_engine()


@pytest.mark.parametrize(
    ("host", "target"), [("ssh://me@far", "me@far"), ("ssh://far:2222", "-p 2222 far"), ("ssh://far/x", "far")]
)
def test_a_daemon_behind_ssh_is_refused_with_the_command_that_forwards_it(host: str, target: str) -> None:
    with pytest.raises(EngineError) as caught:
        Endpoint(host).api_version()
    assert "Portside does not speak SSH" in caught.value.problem
    assert caught.value.solution is not None
    assert f"/var/run/docker.sock {target};" in caught.value.solution
    assert "DOCKER_HOST=unix:///" in caught.value.solution


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-11-23T22:52:03.67803125Z", 1795474323),
        ("2026-11-23T23:52:03+01:00", 1795474323),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_daemons_clock(said: str, expected: int | None) -> None:
    assert clock_of({"SystemTime": said}) == expected
    assert clock_of({}) is None
