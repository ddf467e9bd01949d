"""The way of a recipe's checks to the one container that they are about: they ask on a socket, and reach nothing else.

A request is JSON with `command`, a line for the container's shell, and `user` or null; the answer a line of JSON
(`code`, `stdout` and `stderr` as numbers of bytes, or `problem`), and those bytes. `layers/broker_backend.py` asks.
"""

import json
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

SOCKET = "engine"
LONGEST_REQUEST = 4 << 20
LARGEST_OUTPUT = 128 << 20
"""Bytes that a command may write to a stream."""

_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?")


@contextmanager
def broker(program: str, container: str, folder: Path) -> Iterator[None]:
    """Answer on `folder`/engine while the block runs. program: the engine's command line."""
    with socket.socket(socket.AF_UNIX) as listening:
        # A path of a socket has a hundred bytes; that of the store may be longer.
        at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            listening.bind(f"/proc/self/fd/{at}/{SOCKET}")
        finally:
            os.close(at)
        listening.listen()
        thread = threading.Thread(target=_serve, args=(listening, program, container), daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, program: str, container: str) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return  # it has been closed
        threading.Thread(target=_answer, args=(connection, program, container), daemon=True).start()


def _answer(connection: socket.socket, program: str, container: str) -> None:
    with connection, suppress(OSError):
        try:
            code, stdout, stderr = _carried_out(_request(connection), program, container)
        except (ValueError, OSError) as error:
            connection.sendall(json.dumps({"problem": str(error)}).encode() + b"\n")
            return
        head = {"code": code, "stdout": len(stdout), "stderr": len(stderr)}
        connection.sendall(json.dumps(head).encode() + b"\n")
        connection.sendall(stdout)
        connection.sendall(stderr)


def _request(connection: socket.socket) -> dict[str, Any]:
    """Raises ValueError."""
    with connection.makefile("rb") as stream:
        data = stream.read(LONGEST_REQUEST + 1)
    if len(data) > LONGEST_REQUEST:
        raise ValueError(f"a command has {LONGEST_REQUEST} bytes at most")
    try:
        value = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(value, dict) or not isinstance(value.get("command"), str):
        raise ValueError("expected a command")
    user = value.get("user")
    if user is not None and not (isinstance(user, str) and _USER.fullmatch(user)):
        raise ValueError(f"no user is called {user!r}")
    if "\0" in value["command"]:
        raise ValueError("a command has no null byte")
    return value


def _carried_out(request: dict[str, Any], program: str, container: str) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr. Raises ValueError for more output than anybody wants."""
    user = [] if request.get("user") is None else ["--user", request["user"]]
    command = request["command"].encode("utf-8", "surrogateescape")
    with subprocess.Popen(
        [program, "exec", *user, container, "/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # what it has started ends with it
    ) as child:
        assert child.stdout is not None and child.stderr is not None
        stderr: list[bytes] = []
        reader = threading.Thread(target=_read, args=(child.stderr, child, stderr))
        reader.start()
        stdout: list[bytes] = []
        _read(child.stdout, child, stdout)
        reader.join()
    texts = b"".join(stdout), b"".join(stderr)
    if max(map(len, texts)) > LARGEST_OUTPUT:
        raise ValueError(f"the command wrote more than {LARGEST_OUTPUT >> 20} MiB")
    return child.returncode, *texts


def _read(stream: IO[bytes], child: "subprocess.Popen[bytes]", into: list[bytes]) -> None:
    size = 0
    while piece := stream.read1(1 << 16):  # type: ignore[attr-defined]
        into.append(piece)
        size += len(piece)
        if size > LARGEST_OUTPUT:
            os.killpg(child.pid, signal.SIGKILL)
            return
