"""testinfra's way to a container from where no engine is to be had: through the broker of `invoke check`."""

import json
import os
import socket
from typing import Any

from testinfra.backend import base

SOCKET = "PORTSIDE_BROKER"
"""The variable that names the broker's socket."""


class BrokerBackend(base.BaseBackend):
    """In the place of the engines' own. Which container it is, the broker alone knows."""

    NAME = "docker"

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.name, self.user = self.parse_containerspec(name)
        super().__init__(self.name, *args, **kwargs)

    def run(self, command: str, *args: str, **kwargs: Any) -> base.CommandResult:
        line = self.get_command(command, *args)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.environ[SOCKET])
            connection.sendall(json.dumps({"command": line, "user": self.user}).encode())
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as stream:
                head = json.loads(stream.readline())
                if "problem" in head:
                    raise RuntimeError(head["problem"])
                stdout, stderr = stream.read(head["stdout"]), stream.read(head["stderr"])
        return self.result(head["code"], self.encode(line), stdout, stderr)
