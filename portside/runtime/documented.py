"""The `docker run` lines of others' documents, compared with what `run-container` does for the same cards."""

import fnmatch
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from portside.accelerators import AcceleratorProfile, Host
from portside.accelerators.facts import DocumentedLine
from portside.engines import RunSpec
from portside.runtime.spec import ROOT_KEEPS

_SIZE = re.compile(r"([0-9]+)([kmgt]?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}

_NAMES: Final = {
    "-v": "--volume", "-e": "--env", "-p": "--publish", "-w": "--workdir", "-u": "--user", "-h": "--hostname",
    "--net": "--network",
}  # fmt: skip
_OF_THE_CARDS: Final = (
    *("--device", "--volume", "--mount", "--env", "--group-add", "--cap-add", "--security-opt", "--ipc", "--pid"),
    *("--network", "--shm-size", "--ulimit", "--runtime", "--gpus", "--tmpfs"),
)
"""Options with a value that say what of the host a container gets."""
_OTHERS: Final = ("--name", "--publish", "--workdir", "--user", "--hostname", "--entrypoint", "--pull", "--restart")
"""Options with a value that say something else."""
_FLAGS: Final = ("--rm", "--interactive", "--tty", "--detach", "--init")


def options_of_line(line: str) -> set[str]:
    """What of the host a `docker run` line gives its container, each in one form: `--volume /a:/b`.

    Raises ValueError for an option that is not known here, so that none is passed over.
    """
    words = shlex.split(line.replace("\\\n", " "))
    if words[:2] != ["docker", "run"]:
        raise ValueError(f"not a docker run line: {line[:40]!r}")
    found: set[str] = set()
    rest = iter(words[2:])
    for word in rest:
        if not word.startswith("-"):
            break
        found.update(_option(word, rest))
    return found


def _option(word: str, rest: Iterator[str]) -> Iterator[str]:
    name, equals, value = word.partition("=")
    name = _NAMES.get(name, name)
    if name == "--privileged":
        if value != "false":
            yield name
    elif name in _OF_THE_CARDS:
        yield _in_one_form(name, value if equals else next(rest))
    elif name in _OTHERS:
        if not equals:
            next(rest)
    elif name not in _FLAGS and not re.fullmatch("-[itd]+", word):
        raise ValueError(f"an option that is not known here: {word}")


def _in_one_form(name: str, value: str) -> str:
    if name == "--device":
        parts = value.split(":")
        inside = parts[1] if len(parts) > 1 and parts[1].startswith("/") else parts[0]
        value = parts[0] if inside == parts[0] else f"{parts[0]}:{inside}"
    elif name == "--volume":
        source, _, target = value.partition(":")
        value = f"{source.rstrip('/')}:{target.partition(':')[0].rstrip('/')}"
    elif name == "--mount":
        fields = dict(field.partition("=")[::2] for field in value.split(","))
        name, value = "--volume", f"{fields.get('source', fields.get('src'))}:{fields.get('target', fields.get('dst'))}"
    elif name == "--cap-add":
        value = value.upper().removeprefix("CAP_")
    elif name == "--shm-size" and (size := _SIZE.fullmatch(value)):
        value = str(int(size[1]) << _POWERS[size[2].lower()])
    elif name == "--ulimit":
        limit, _, values = value.partition("=")
        value = f"{limit}={values.partition(':')[0]}"
    return f"{name} {value}"


def options_of_spec(spec: RunSpec, host: Host) -> set[str]:
    """The same of a container of ours, but for what every one has: no network, no capabilities, a name."""
    found = {_in_one_form("--device", device) for device in spec.devices}
    found |= {f"--device {name}" for name in spec.cdi}
    found |= {f"--volume {mount.source}:{mount.target}" for mount in spec.mounts}
    found |= {f"--env {name}={value}" for name, value in spec.env.items()}
    found |= {f"--group-add {_group(group, host)}" for group in spec.groups}
    found |= {f"--cap-add {name}" for name in set(spec.cap_add) - set(ROOT_KEEPS)}
    found |= {f"--ulimit {name}={soft}" for name, (soft, _) in spec.ulimits.items()}
    single = {
        "--security-opt seccomp": spec.seccomp,
        "--ipc": spec.ipc,
        "--runtime": spec.runtime,
        "--shm-size": spec.shm_size,
    }
    return found | {f"{name}{'=' if 'seccomp' in name else ' '}{value}" for name, value in single.items() if value}


def _group(group: str, host: Host) -> str:
    for line in (host.read("/etc/group") or "").splitlines():
        name, *fields = line.split(":")
        if fields[1:2] == [group]:
            return name
    return group


def differing(line: DocumentedLine, ours: set[str]) -> tuple[list[str], list[str]]:
    """(options that are in one of the two lines, and no `differences` of the data explains it; patterns of those that
    explain nothing), sorted."""
    apart = options_of_line(line.line) ^ ours
    patterns = [pattern for difference in line.differences for pattern in difference.options]
    unsaid = [option for option in apart if not any(_fits(option, pattern) for pattern in patterns)]
    idle = [pattern for pattern in patterns if not any(_fits(option, pattern) for option in apart)]
    return sorted(unsaid), sorted(idle)


def _fits(option: str, pattern: str) -> bool:
    return fnmatch.fnmatchcase(option, pattern.replace("[", "[[]"))


def lines_of(known: Sequence[AcceleratorProfile]) -> list[tuple[AcceleratorProfile, DocumentedLine]]:
    return [(accelerator, line) for accelerator in known for line in accelerator.documented]
