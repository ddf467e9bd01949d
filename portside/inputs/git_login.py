"""Logins that the machine's git knows, for requests that Portside makes in its place: git-credential(1)."""

import subprocess
from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

LONGEST_WAIT = 60
"""Seconds that a credential helper may take."""


def login_headers(url: str, environment: Mapping[str, str]) -> dict[str, str] | None:
    """The header that logs in where a URL leads, by a credential helper of git; None where none knows a login.

    environment: of git. Nobody is asked, neither on the terminal nor in a window, and no secret is an argument.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    question = f"protocol={parts.scheme}\nhost={host}\npath={parts.path.lstrip('/')}\n"
    question += f"username={parts.username}\n" if parts.username else ""
    if any(sign in question for sign in "\0\r"):
        return None
    try:
        run = subprocess.run(
            ["git", "credential", "fill"],
            input=f"{question}\n".encode(),
            env={**environment, "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS": ""},
            capture_output=True,
            timeout=LONGEST_WAIT,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = dict(line.partition("=")[::2] for line in run.stdout.decode("utf-8", "replace").splitlines())
    if run.returncode or not said.get("password"):
        return None
    login = f"{said.get('username', '')}:{said['password']}".encode()
    return {"Authorization": f"Basic {b64encode(login).decode('ascii')}"}
