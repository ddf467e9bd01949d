"""A RunSpec as Docker understands it: for the API, and as a `docker run` command line."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from portside.engines.base import RunSpec
from portside.engines.stdin import pump


def create(api: Any, spec: RunSpec) -> str:
    """Create the container (not started) through a docker.APIClient; gives its ID."""
    from docker.types import DeviceRequest, Mount, Ulimit

    mounts = [Mount(mount.target, mount.source, type="bind", read_only=mount.read_only) for mount in spec.mounts]
    ulimits = [Ulimit(name=name, soft=soft, hard=hard) for name, (soft, hard) in sorted(spec.ulimits.items())]
    bindings = {inside: _host_port(host) for host, inside in sorted(spec.ports.items())}
    host_config = api.create_host_config(
        network_mode=spec.network,
        mounts=mounts,
        devices=list(spec.devices),
        ulimits=ulimits,
        shm_size=spec.shm_size,
        port_bindings=bindings,
        cap_drop=list(spec.cap_drop),
        cap_add=list(spec.cap_add),
        security_opt=_security(spec) or None,
        runtime=spec.runtime,
        group_add=list(spec.groups) or None,
        ipc_mode=spec.ipc,
        device_requests=[DeviceRequest(driver="cdi", device_ids=list(spec.cdi))] if spec.cdi else None,
        init=True if spec.init else None,
    )
    created: dict[str, Any] = api.create_container(
        spec.image,
        command=list(spec.command) or None,
        name=spec.name,
        environment=dict(sorted(spec.env.items())),
        ports=[_port(inside) for inside in sorted(bindings)],
        working_dir=spec.workdir,
        user=spec.user,
        labels=dict(sorted(spec.labels.items())),
        entrypoint=None if spec.entrypoint is None else list(spec.entrypoint),
        host_config=host_config,
        use_config_proxy=False,
        stdin_open=spec.stdin,
        stop_timeout=spec.stop_seconds,
    )
    return str(created["Id"])


@contextmanager
def attached(api: Any, container: str, spec: RunSpec) -> Iterator[Iterator[tuple[bytes, bytes]]]:
    """The output of a container that is about to start, in pieces: (stdout, stderr), one of them empty.

    With `stdin`, what this process gets goes in from the start of the block on; its end closes the container's.
    """
    from docker.utils.socket import STDERR, frames_iter

    wanted = {"stream": 1, "stdout": 1, "stderr": 1, "stdin": int(spec.stdin)}
    connection = api.attach_socket(container, params=wanted)
    raw = getattr(connection, "_sock", connection)
    if spec.stdin:

        def end() -> None:
            raw.shutdown(socket.SHUT_WR)

        pump(raw.sendall, end)

    def pieces() -> Iterator[tuple[bytes, bytes]]:
        frames: Iterator[tuple[int, bytes]] = frames_iter(connection, tty=False)  # type: ignore[no-untyped-call]
        for kind, piece in frames:
            yield (b"", piece) if kind == STDERR else (piece, b"")

    try:
        yield pieces()
    finally:
        connection.close()


def as_command(spec: RunSpec, program: Sequence[str] = ("docker", "run", "--pull=never")) -> list[str]:
    """The command line that does the same; program: its first words, by default for Docker 20.10 and newer."""
    out = list(program)
    if spec.detach:
        out.append("--detach")
    elif not spec.keep:
        out.append("--rm")
    if spec.terminal:
        out += ["--interactive", "--tty"]
    return [*out, *arguments(spec)]


def arguments(spec: RunSpec) -> list[str]:
    """The options of `run` and `create` that Docker and Podman share, the image and its command."""
    out = ["--interactive"] if spec.stdin else []
    out += ["--init"] if spec.init else []
    if spec.stop_seconds is not None:
        out += ["--stop-timeout", str(spec.stop_seconds)]
    out += ["--network", spec.network]
    if spec.name is not None:
        out += ["--name", spec.name]
    for name, value in sorted(spec.env.items()):
        out += ["--env", f"{name}={value}"]
    for mount in spec.mounts:
        option = ["type=bind", f"source={mount.source}", f"target={mount.target}", *["readonly"] * mount.read_only]
        out += ["--mount", ",".join(map(_csv_field, option))]
    for device in (*spec.devices, *spec.cdi):
        out += ["--device", device]
    if spec.runtime is not None:
        out += ["--runtime", spec.runtime]
    if spec.workdir is not None:
        out += ["--workdir", spec.workdir]
    if spec.user is not None:
        out += ["--user", spec.user]
    for group in spec.groups:
        out += ["--group-add", group]
    for capability in spec.cap_drop:
        out += ["--cap-drop", capability]
    for capability in spec.cap_add:
        out += ["--cap-add", capability]
    for rule in _security(spec):
        out += ["--security-opt", rule]
    if spec.ipc is not None:
        out += ["--ipc", spec.ipc]
    for name, (soft, hard) in sorted(spec.ulimits.items()):
        out += ["--ulimit", f"{name}={soft}:{hard}"]
    if spec.shm_size is not None:
        out += ["--shm-size", str(spec.shm_size)]
    for host, inside in sorted(spec.ports.items()):
        out += ["--publish", f"{host}:{inside}"]
    for name, value in sorted(spec.labels.items()):
        out += ["--label", f"{name}={value}"]
    command = list(spec.command)
    if spec.entrypoint is not None:
        # The option takes one word; what follows it goes before the command.
        out += ["--entrypoint", spec.entrypoint[0] if spec.entrypoint else ""]
        command = [*spec.entrypoint[1:], *command]
    return [*out, spec.image, *command]


def _security(spec: RunSpec) -> list[str]:
    own = ["no-new-privileges"] if spec.no_new_privileges else []
    return own if spec.seccomp is None else [*own, f"seccomp={spec.seccomp}"]


def enter_command(
    container: str,
    command: Sequence[str],
    *,
    terminal: bool,
    env: Mapping[str, str],
    workdir: str | None,
    program: str = "docker",
) -> list[str]:
    """The `docker exec` command line, or another program's."""
    out = [program, "exec", "--interactive"]
    if terminal:
        out.append("--tty")
    for name, value in sorted(env.items()):
        out += ["--env", f"{name}={value}"]
    if workdir is not None:
        out += ["--workdir", workdir]
    return [*out, container, *command]


def split_ref(ref: str) -> tuple[str, str]:
    """`localhost:5000/a/b:tag` -> (`localhost:5000/a/b`, `tag`); without a tag it is `latest`."""
    repository, colon, tag = ref.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (ref, "latest")


def _csv_field(text: str) -> str:
    """A field of `--mount`, which is one line of CSV (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"' if any(char in text for char in ',"\n') else text


def _host_port(text: str) -> tuple[str, int] | int:
    address, _, port = text.rpartition(":")
    return (address, int(port)) if address else int(port)


def _port(inside: str) -> tuple[int, str]:
    number, _, protocol = inside.partition("/")
    return int(number), protocol or "tcp"
