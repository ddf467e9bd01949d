"""What the system has to have: what documents, CI and Dockerfiles install, and what code is known to need."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping

from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.code import PythonFile, dotted, literal
from portside.draft.commands import CommandLine
from portside.draft.declared import environment
from portside.draft.facts import facts
from portside.draft.interpreter import dockerfiles

_STARTS = ("run", "call", "check_call", "check_output", "Popen", "system", "popen", "getoutput", "which")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_OF_MACHINES = re.compile(
    r"^(nvidia|cuda|libcud|libnccl|libnvinfer|tensorrt|linux-|firmware|docker|containerd|kernel)|^python[0-9.]*(-|$)(?!.*tk)"
)


def system_packages(
    checkout: Checkout,
    commands: list[CommandLine],
    reached: Mapping[str, PythonFile],
    names: Mapping[str, str],
    version: str,
) -> tuple[list[Clue[str]], list[str]]:
    """Debian packages, and what was left out, for people. names: the Python packages that are asked for."""
    found: dict[str, Clue[str]] = {}
    left: list[str] = []
    for clue in (
        *_known(reached, names, version),
        *_programs(reached),
        *_environment(checkout),
        *_installed(checkout, commands, left),
    ):
        known = found.get(clue.value)
        if known is None or (clue.sure and not known.sure):
            found[clue.value] = clue
        elif clue.place and clue.sure and clue.place not in known.place and len(known.place) < 60:
            found[clue.value] = Clue(known.value, f"{known.place}, {clue.place}", known.sure, known.note)
    return sorted(found.values(), key=lambda clue: clue.value), list(dict.fromkeys(left))


def _known(reached: Mapping[str, PythonFile], names: Mapping[str, str], version: str) -> Iterator[Clue[str]]:
    for name, place in sorted(names.items()):
        for package in facts("system")["packages"].get(name, {}).get("debian", ()):
            yield Clue(package, place, True, f"{name}: {facts('system')['packages'][name]['why']}")
    for path, file in reached.items():
        for one in file.imports:
            fact = facts("system")["imports"].get(one.top)
            if fact is None or one.guarded:
                continue
            if "until" in fact and tuple(map(int, version.split("."))) > tuple(map(int, fact["until"].split("."))):
                continue
            for package in fact["debian"]:
                yield Clue(package, f"{path}:{one.line}", True, fact["why"])


def _programs(reached: Mapping[str, PythonFile]) -> Iterator[Clue[str]]:
    """Programs that the code starts."""
    known = facts("system")["programs"]
    for path, file in reached.items():
        if not {one.top for one in file.imports} & {"subprocess", "os", "shutil"}:
            continue
        for node in ast.walk(file.tree):
            if not isinstance(node, ast.List | ast.Call):
                continue
            program = _started(node).rpartition("/")[2]
            if known.get(program):
                yield Clue(known[program], f"{path}:{node.lineno}", True, f"starts {program}")


def _started(node: ast.List | ast.Call) -> str:
    """The program that a list of arguments or a call names first, nothing where it is no such."""
    if isinstance(node, ast.List):
        value = literal(node.elts[0]) if len(node.elts) > 1 else None
        return value if isinstance(value, str) else ""
    if dotted(node.func).rpartition(".")[2] not in _STARTS or not node.args:
        return ""
    first: ast.AST = node.args[0]
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    if isinstance(first, ast.BinOp):
        first = first.left
    if isinstance(first, ast.Call) and isinstance(first.func, ast.Attribute):
        first = first.func.value
    value = literal(first)
    return value.split()[0] if isinstance(value, str) and value.split() else ""


def _environment(checkout: Checkout) -> Iterator[Clue[str]]:
    found = environment(checkout)
    yield from found.system if found is not None else ()


def _installed(checkout: Checkout, commands: list[CommandLine], left: list[str]) -> Iterator[Clue[str]]:
    whole = set(dockerfiles(checkout))
    aside: dict[str, str] = {}
    for one in commands:
        packages = list(apt_packages(one))
        conda = one.program in ("conda", "mamba") and "install" in one.words[:2]
        if conda:
            packages = [name for word in one.words[2:] if (name := word.rpartition("::")[2]) in ("ffmpeg", "sox")]
        if not packages:
            continue
        if (one.kind == "document" and one.rank <= 1) or (one.kind == "dockerfile" and one.path in whole):
            sure = True
        elif (
            one.kind == "ci"
            and re.search(r"test|ci|build|python", one.path.rpartition("/")[2])
            and one.path.count("/") < 3
        ):
            sure = False
        else:
            continue
        for name in packages:
            renamed = facts("system")["renamed"].get(name, name)
            if renamed in facts("system")["aside"] or _OF_MACHINES.match(renamed):
                if one.kind != "ci":
                    aside.setdefault(name, one.place)
                continue
            note = f"called {name} there" if renamed != name else "" if sure else "installed where the tests run"
            yield Clue(renamed, one.place, sure, note)
    if aside:
        rows = ", ".join(f"{name} ({place})" for name, place in sorted(aside.items()))
        left.append(f"Debian packages that the base has, or that building needs no more: {rows}")


def apt_packages(one: CommandLine) -> Iterator[str]:
    """The packages that a command installs by apt."""
    if one.program not in ("apt", "apt-get", "aptitude") or "install" not in one.words:
        return
    rest: Iterable[str] = one.words[one.words.index("install") + 1 :]
    for word in rest:
        name = word.partition("=")[0].partition(":")[0]
        if not word.startswith("-") and _NAME.fullmatch(name):
            yield name
