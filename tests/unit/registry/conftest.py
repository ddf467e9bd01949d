"""A small project, machines that have it, and registries on loopback."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from registry_server import RegistryServer
from small_project import Machine, Small, small_project

sys.path.append(str(Path(__file__).parents[1] / "inputs"))  # for password_server.py


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    return small_project(tmp_path / "project", monkeypatch)


@pytest.fixture
def machine(small: Small, tmp_path: Path) -> Callable[..., Machine]:
    """Makes machines by name."""
    return lambda name, has_base=True: Machine(small, tmp_path / name, has_base)


@pytest.fixture(autouse=True)
def nobody_is_logged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "nobody" / ".docker"))
    for name in ("REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RegistryServer]]:
    """Starts registries that end with the test."""
    started: list[RegistryServer] = []

    def begin(name: str = "registry", **options: object) -> RegistryServer:
        server = RegistryServer(tmp_path / name, **options)  # type: ignore[arg-type]
        started.append(server)
        return server.start()

    yield begin
    for server in started:
        server.kill()


@pytest.fixture
def registry(start: Callable[..., RegistryServer]) -> RegistryServer:
    return start()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A certificate authority of our own and a certificate for 127.0.0.1 that it signed."""
    folder = tmp_path_factory.mktemp("ca")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=a test authority", "-days", "9")
    openssl("req", *key, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=127.0.0.1")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    sign = ("x509", "-req", "-in", "host.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "9")
    openssl(*sign, "-extfile", "names", "-out", "host.crt")
    return {name: folder / name for name in ("ca.crt", "host.crt", "host.key")}
