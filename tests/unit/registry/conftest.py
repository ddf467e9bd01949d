"""A small project, machines that have it, and registries on loopback."""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from image_site import Site
from left_in_place import Reading, build_in_place
from made_up_registry import MadeUpRegistry
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


@pytest.fixture(scope="session")
def idle_servers() -> Iterator[dict[bool, list[RegistryServer]]]:
    """Registries that no test uses just now, by whether they want a password: starting one takes longer than a test."""
    idle: dict[bool, list[RegistryServer]] = {False: [], True: []}
    yield idle
    for server in itertools.chain(*idle.values()):
        server.kill()


@pytest.fixture
def start(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, idle_servers: dict[bool, list[RegistryServer]]
) -> Iterator[Callable[..., RegistryServer]]:
    """Gives registries that nobody has used, for as long as the test takes."""
    given: list[tuple[bool, RegistryServer]] = []
    own: list[RegistryServer] = []

    def begin(
        name: str = "registry", *, password: bool = False, certificate: tuple[Path, Path] | None = None
    ) -> RegistryServer:
        if certificate is not None:
            own.append(RegistryServer(tmp_path / name, password=password, certificate=certificate))
            return own[-1].start()
        if not idle_servers[password]:
            folder = tmp_path_factory.mktemp("registry")
            idle_servers[password].append(RegistryServer(folder, password=password).start())
        given.append((password, idle_servers[password].pop()))
        return given[-1][1]

    yield begin
    for password, server in given:
        if server.emptied():
            idle_servers[password].append(server)
        else:
            server.kill()
    for server in own:
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


@pytest.fixture
def here(machine: Callable[..., Machine]) -> Machine:
    """A machine that has built the recipe from weights that stay where they are."""
    made = machine("here")
    made.engine = Reading()
    build_in_place(made)
    return made


@pytest.fixture
def made_up() -> Iterator[MadeUpRegistry]:
    made = MadeUpRegistry()
    yield made
    made.close()


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    return lambda image, name="here", **config: Site(tmp_path / name, image, **config)
