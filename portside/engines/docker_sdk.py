"""The docker SDK, imported only when it is needed (0.13 s), and its errors in our words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from portside.engines.endpoint import Endpoint, no_daemon
from portside.errors import EngineError

FIRST_API = "1.41"
"""Docker 20.10's; only for the question which version the daemon speaks, which has none in its path."""


def connect(endpoint: Endpoint, version: str | None) -> Any:
    """A docker.APIClient for the daemon; version: the API version to speak, None to ask for it. Raises EngineError."""
    import docker.errors
    import requests.exceptions

    try:
        if version is None:
            version = _client(endpoint, FIRST_API).version(api_version=False)["ApiVersion"]
        return _client(endpoint, version)
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise no_daemon(endpoint.host, str(error)) from error


def _client(endpoint: Endpoint, version: str) -> Any:
    import docker
    from docker.tls import TLSConfig

    tls: TLSConfig | bool = False
    folder = endpoint.certificates
    if folder is not None:
        pair = str(folder / "cert.pem"), str(folder / "key.pem")
        has_pair = all(Path(path).is_file() for path in pair)
        ca = str(folder / "ca.pem") if endpoint.verify else None
        tls = TLSConfig(client_cert=pair if has_pair else None, ca_cert=ca, verify=endpoint.verify)
    client: Any = docker.APIClient(base_url=endpoint.host, version=version, tls=tls)
    client.trust_env = False  # proxies and certificates for the web (REQUESTS_CA_BUNDLE) are none for the daemon
    client.timeout = None  # loading a large layer is silent for minutes
    return client


_REMEDIES = (
    (
        "device driver .cdi|unresolvable CDI devices",
        "CDI wants Docker 28.2 or newer, or 25 with features.cdi in daemon.json, and a specification that has the "
        "device: invoke cdi writes one; or say --access raw.",
    ),
    (r"network \S+ not found", "List the engine's networks with `docker network ls`, or leave --network out."),
    (r"port is already allocated|address already in use", "Choose another --port; `docker ps` shows who has this one."),
    (r"unable to find user|no matching entries in passwd", "Give --user a user of the image, or UID[:GID]."),
    (r"bind source path does not exist", "The path must exist on the machine that the engine runs on."),
    (r"no space left on device", "Free some space where the engine keeps its data: docker system df"),
    (r"executable file not found|no such file or directory", "Look at the command, and at what the image has."),
)
"""What Docker complains about, and what a person can do."""


def _remedy(complaint: str) -> str:
    known = (remedy for pattern, remedy in _REMEDIES if re.search(pattern, complaint, re.IGNORECASE))
    return next(known, "The daemon's log may say more: journalctl -u docker, or the file that it writes to.")


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what the SDK raises into an EngineError that says what was being done."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        said = str(error.explanation or error)
        raise EngineError(f"Docker failed while {doing}: {said}", _remedy(said)) from error
    except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
        raise EngineError(
            f"Docker broke off while {doing}: {error}",
            "Look at the daemon's log and the free space where it keeps its data, then try again.",
        ) from error
