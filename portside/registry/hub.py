"""Docker Hub, which has other names in references and in files of logins than its host: see hub.yaml."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from portside.common.yaml_file import read_yaml


@dataclass(frozen=True, slots=True)
class Hub:
    """names: hosts that references say for it. host: what answers. login: the key of its login in Docker's files.
    folder: where repositories are whose names have no '/'."""

    names: tuple[str, ...]
    host: str
    login: str
    folder: str

    def called(self, host: str) -> bool:
        return host == self.host or host in self.names


@cache
def hub() -> Hub:
    """What hub.yaml says."""
    value, _ = read_yaml(Path(__file__).with_name("hub.yaml"))
    return Hub(tuple(value["names"]), value["host"], value["login"], value["folder"])


def login_command(host: str) -> str:
    """What a person types to log in to a registry."""
    return "docker login" if hub().called(host) else f"docker login {host}"
