"""`--from-dockerfile`: what a Dockerfile does, in the keys of a recipe; what has no key is listed.

Its RUN lines count as commands of a document that says more than all others; the finders take what they install. The
form is that of the Dockerfile reference of Docker; nothing of it is executed, variables are those of ARG and ENV with
their defaults.
"""

import json
import posixpath
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from portside.common.values import ImageAddress
from portside.draft.checkout import LARGEST, Checkout
from portside.draft.clue import Clue
from portside.draft.commands import CommandLine, parse_command, split_commands
from portside.draft.drafted import Draft, DraftTarget
from portside.draft.facts import facts
from portside.draft.gathered import BringGit
from portside.draft.origin import source_name
from portside.errors import RecipeError

_RANK = -1
"""Of its commands: before those of every document."""
_INSTRUCTION = re.compile(r"\s*([A-Za-z]+)\s+(.*)$", re.S)
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::[-+][^}]*)?\}|(\w+))")
_FOR_BUILDING = re.compile(
    r"^(DEBIAN_FRONTEND|PIP_\w+|TZ|FORCE_CUDA|TORCH_CUDA_ARCH_LIST|MAX_JOBS|CC|CXX|MAKEFLAGS|UV_\w+)$"
)
_TIDYING = re.compile(
    r"^(apt(-get)?\s+(-\S+\s+)*(update|upgrade|dist-upgrade|clean|autoclean|autoremove|purge)\b|rm\s+-r?f?r?\s|"
    r"(python3?\s+-m\s+)?pip3?\s+(install\s+(-\S+\s+)*(pip|setuptools|wheel)(\s+(pip|setuptools|wheel))*$|cache\b)|conda\s+clean|ldconfig$|set\s+-|true$)"
)


@dataclass
class DockerfileParts:
    """What a Dockerfile says, by key. commands: of its RUN lines. home: where it puts the repository, "" where it does
    not. left: what has no key, for people."""

    base: Clue[str] | None = None
    commands: list[CommandLine] = field(default_factory=list)
    variables: dict[str, Clue[str]] = field(default_factory=dict)
    path: list[Clue[str]] = field(default_factory=list)
    workdir: Clue[str] | None = None
    command: Clue[str] | None = None
    ports: list[Clue[int]] = field(default_factory=list)
    clones: list[tuple[str, str, str]] = field(default_factory=list)
    installs_itself: str = ""
    home: str = ""
    left: list[str] = field(default_factory=list)

    def asked_base(self) -> dict[str, Any] | None:
        """What its FROM is in a recipe: our own Debian for Debian's, else the image; None for what is no image."""
        image = self.base.value if self.base is not None else ""
        suites = "|".join(facts("bases")["suites"])
        if found := re.fullmatch(rf"(?:docker\.io/)?(?:library/)?debian:({suites})(?:-slim)?", image):
            return {"debian": {"suite": found[1]}}
        if not re.search(r"[:@][^/]+$", image):
            image = f"{image}:latest"
        try:
            return {"image": ImageAddress(image)}
        except ValueError:
            return None

    def into(self, draft: Draft, home: str, bring: BringGit) -> None:
        """Put what it says into a draft, beside what else was found. home: where the source is in the image."""
        draft.variables |= self.variables
        draft.path += self.path
        for url, branch, place in self.clones:
            found = bring(url, branch)
            name = source_name(posixpath.basename(url))
            if found is None or name in draft.sources:
                draft.left.append(
                    f"{place}: git clone {url}" + ("" if name in draft.sources else ", which could not be reached")
                )
            else:
                draft.sources[name] = (Clue(dict(found[0]), place), {})
        if self.workdir is not None and self._is_inside(self.workdir.value):
            draft.workdir = Clue(self._moved(self.workdir.value, home), self.workdir.place)
        elif self.workdir is not None and self.home:
            draft.left.append(f"{self.workdir.place}: WORKDIR {self.workdir.value}")
        if self.command is not None:
            line = self._moved(self.command.value, home)
            if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]|<<|\\$|^[-+\[]", line) or not line.strip():
                draft.left.append(f"{self.command.place}: {self.command.note} {self.command.value}")
            else:
                draft.command = Clue(line, self.command.place)
                if self.ports:
                    ports = {f"port-{port.value}" if n else "port": port for n, port in enumerate(self.ports)}
                    draft.targets.append(DraftTarget("dockerfile", "what the Dockerfile starts", draft.command, ports))
        elif self.ports:
            draft.left.append(f"{self.ports[0].place}: EXPOSE {' '.join(str(port.value) for port in self.ports)}")
        if self.base is not None and self.asked_base() != draft.base.value:
            draft.left.append(f"{self.base.place}: FROM {self.base.value}")
        draft.left += self.left

    def _is_inside(self, folder: str) -> bool:
        return bool(self.home) and (folder == self.home or folder.startswith(f"{self.home}/"))

    def _moved(self, text: str, home: str) -> str:
        """A path or a command with the repository where the recipe has it."""
        return (
            re.sub(rf"(?<![\w/.-]){re.escape(self.home)}(?=/|\s|$)", home, text) if self.home not in ("", "/") else text
        )


def read_dockerfile(checkout: Checkout, path: str) -> DockerfileParts:
    """path: in the repository, else on this machine. Raises RecipeError where there is no such file."""
    text = checkout.text(path.removeprefix("./"))
    if text is None:
        own = Path(path).expanduser()
        if not own.is_file() or own.stat().st_size > LARGEST:
            raise RecipeError(
                f"--from-dockerfile: no file {path} in {checkout.name}, nor on this machine",
                "Give its path in the repository, such as docker/Dockerfile, or one of this machine.",
            )
        text = own.read_text(encoding="utf-8", errors="replace")
    placed = _Dockerfile(text, path.removeprefix("./")).placed()
    if placed.installs_itself:
        line = int(placed.installs_itself.rpartition(":")[2])
        words = ("pip", "install", "-e", ".")
        placed.commands.append(CommandLine(words, " ".join(words), path.removeprefix("./"), line, "document", _RANK))
    return placed


class _Dockerfile:
    def __init__(self, text: str, path: str) -> None:
        self.path = path
        self.stages: dict[str, str] = {}
        self.values: dict[str, str] = {}
        self.folder = "/"
        self.out = DockerfileParts()
        self.copies: dict[str, str] = {}
        self.rows = list(_instructions(text))

    def placed(self) -> DockerfileParts:
        last = max((n for n, (_, name, _) in enumerate(self.rows) if name == "FROM"), default=0)
        for number, (line, name, rest) in enumerate(self.rows):
            place = f"{self.path}:{line}"
            if name == "ARG":
                self._argument(rest)
            elif name == "FROM":
                self._from(rest, place)
            elif number > last:
                self._one(name, rest, place, line)
            elif name not in ("LABEL", "MAINTAINER", "COPY", "ADD", "WORKDIR", "ENV"):
                self.out.left.append(f"{place}: {name} of an earlier stage: {_shown(rest)}")
        return self.out

    def _argument(self, rest: str) -> None:
        for part in _words(rest):
            name, _, value = part.partition("=")
            self.values.setdefault(name, self._filled(value))

    def _from(self, rest: str, place: str) -> None:
        words = [word for word in rest.split() if not word.startswith("--")]
        image = self._filled(words[0]) if words else ""
        image = self.stages.get(image.lower(), image)
        if len(words) > 2 and words[1].lower() == "as":
            self.stages[words[2].lower()] = image
        self.out.base = Clue(image, place)

    def _one(self, name: str, rest: str, place: str, line: int) -> None:
        handler = {"RUN": self._run, "ENV": self._env, "WORKDIR": self._workdir, "EXPOSE": self._expose}.get(name)
        if handler is not None:
            handler(rest, place, line)
        elif name in ("COPY", "ADD"):
            self._copy(name, rest, place)
        elif name in ("CMD", "ENTRYPOINT"):
            self._command(name, rest, place)
        elif name not in ("LABEL", "MAINTAINER"):
            self.out.left.append(f"{place}: {name} {_shown(rest)}")

    def _run(self, rest: str, place: str, line: int) -> None:
        rest = re.sub(r"^(--\S+\s+)+", "", rest)
        if rest.startswith("["):
            rest = shlex.join(_json(rest) or [rest])
        if "<<" in rest:
            self.out.left.append(f"{place}: RUN {_shown(rest)}")
            return
        for part in split_commands(self._filled(rest, keep=True)):
            if _TIDYING.match(part) or re.fullmatch(r"(cd|mkdir)\s+.*", part):
                continue
            one = parse_command(part)
            if one is None:
                self.out.left.append(f"{place}: RUN {_shown(part)}")
                continue
            words, variables = one
            command = CommandLine(words, " ".join(part.split()), self.path, line, "document", _RANK, variables)
            if command.program == "git" and "clone" in words:
                self._clone(list(words), place)
            elif (
                command.program == "python"
                and words[1:2]
                and words[1].endswith("setup.py")
                and {"install", "develop"} & set(words)
            ):
                self.out.installs_itself = place
            elif command.program in ("pip", "apt", "apt-get", "conda", "mamba") and "install" in words:
                self.out.commands.append(replace(command, words=tuple(map(self._own_path, words))))
            else:
                self.out.left.append(f"{place}: RUN {_shown(part)}")

    def _own_path(self, word: str) -> str:
        """A path of the image as one of the repository, where it was copied from there."""
        extras = re.search(r"\[[^]]*\]$", word)
        plain = word[: extras.start()] if extras else word
        full = posixpath.normpath(posixpath.join(self.folder, plain))
        if full in self.copies:
            return self.copies[full] + (extras[0] if extras else "")
        if plain.startswith("/") and self.out.home not in ("", "/"):
            if full == self.out.home:
                return "." + (extras[0] if extras else "")
            return full.removeprefix(f"{self.out.home}/")
        return word

    def _clone(self, words: list[str], place: str) -> None:
        url = next((word for word in words if re.match(r"(https?|ssh|git)://|git@", word)), "")
        branch = next((words[n + 1] for n, word in enumerate(words[:-1]) if word in ("-b", "--branch")), "")
        if url and not re.search(r"[$\"'`\\]", url + branch):
            self.out.clones.append((url.removesuffix("/").removesuffix(".git"), branch, place))
        else:
            self.out.left.append(f"{place}: RUN {_shown(' '.join(words))}")

    def _env(self, rest: str, place: str, line: int) -> None:
        parts = _words(rest)
        if parts and "=" not in parts[0]:
            name, _, value = rest.strip().partition(" ")
            parts = [f"{name}={value.strip()}"]
        for part in parts:
            name, _, value = part.partition("=")
            if name == "PATH":
                folders = [self._filled(folder) for folder in value.split(":") if folder and "PATH" not in folder]
                self.out.path += [
                    Clue(folder, place) for folder in folders if re.fullmatch(r"/[\w./+@-]*[\w+@-]", folder)
                ]
                continue
            value = self._filled(value)
            self.values[name] = value
            if _FOR_BUILDING.match(name):
                self.out.left.append(f"{place}: ENV {name} (only building needs it)")
            elif re.search(r"[$\"'`\\\x00-\x1f]", value) or not re.fullmatch(r"[A-Za-z_]\w*", name):
                self.out.left.append(f"{place}: ENV {name}={_shown(value)}")
            else:
                self.out.variables[name] = Clue(value, place)

    def _workdir(self, rest: str, place: str, line: int) -> None:
        self.folder = posixpath.normpath(posixpath.join(self.folder, self._filled(rest.strip().strip("\"'"))))
        self.out.workdir = Clue(self.folder, place)

    def _expose(self, rest: str, place: str, line: int) -> None:
        for word in rest.split():
            number = self._filled(word).partition("/")[0]
            if number.isdecimal() and 0 < int(number) < 65536:
                self.out.ports.append(Clue(int(number), place))

    def _copy(self, name: str, rest: str, place: str) -> None:
        words = _json(rest) if rest.lstrip().startswith("[") else None
        options = re.findall(r"--\S+", rest)
        words = words or [word for word in _words(rest) if not word.startswith("--")]
        if any(option.startswith("--from") for option in options) or len(words) < 2 or "://" in words[0]:
            self.out.left.append(f"{place}: {name} {_shown(rest)}")
            return
        target = posixpath.normpath(posixpath.join(self.folder, self._filled(words[-1])))
        is_folder = len(words) > 2 or words[-1].endswith(("/", "."))
        for word in words[:-1]:
            path = posixpath.normpath(word).lstrip("/")
            self.copies[posixpath.join(target, posixpath.basename(path)) if is_folder else target] = path
        if words[:-1] in (["."], ["./"], [". "]):
            self.out.home = target
            return
        if not self.out.home:
            self.out.home = self.folder if target.startswith(self.folder) and self.folder != "/" else ""
        if not (self.out.home and (target == self.out.home or target.startswith(f"{self.out.home}/"))):
            self.out.left.append(
                f"{place}: {name} {_shown(rest)} (the whole repository is in the image; name the file there)"
            )

    def _command(self, name: str, rest: str, place: str) -> None:
        words = _json(rest) if rest.lstrip().startswith("[") else None
        line = shlex.join(words) if words is not None else rest.strip()
        line = self._filled(line, keep=True)
        before = self.out.command
        if name == "CMD" and before is not None and before.note == "ENTRYPOINT":
            line = f"{before.value} {line}"
        self.out.command = Clue(line, place, True, name)

    def _filled(self, text: str, *, keep: bool = False) -> str:
        """A text with the values of variables. keep: leave those that have none to the shell."""

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            return self.values.get(name, found[0])

        return _VARIABLE.sub(value, text)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and the rest of each instruction; what a backslash continues is one line, here-documents belong to
    theirs."""
    lines = text.replace("\r\n", "\n").split("\n")[:20_000]
    number = 0
    while number < len(lines):
        start, line = number, lines[number]
        number += 1
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = [line.rstrip()]
        while parts[-1].endswith("\\") and number < len(lines):
            parts[-1] = parts[-1][:-1]
            if not lines[number].lstrip().startswith("#"):
                parts.append(lines[number].rstrip())
            else:
                parts[-1] += "\\"
            number += 1
        whole = " ".join(part.strip() for part in parts).rstrip("\\ ")
        for end in re.findall(r"<<-?[\"']?(\w+)", whole):
            while number < len(lines) and lines[number].strip() != end:
                number += 1
            number += 1
        if found := _INSTRUCTION.match(whole):
            yield start + 1, found[1].upper(), found[2].strip()


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _json(text: str) -> list[str] | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [str(word) for word in value] if isinstance(value, list) else None


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 160 else f"{text[:159]}…"


def python_of_image(image: str) -> tuple[str, str]:
    """The interpreter of a well-known image, and the version of its Python, "" where nobody can know."""
    for fact in facts("bases")["images"]:
        if (found := re.search(fact["pattern"], image)) is not None:
            version = fact.get("python") or (found[1] if found.groups() else "")
            return fact["interpreter"], version or ""
    return "/usr/bin/python3", ""
