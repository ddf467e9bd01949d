"""What a repository's files and documents say is to be installed, as they say it."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from packaging.requirements import InvalidRequirement, Requirement

from portside.draft.checkout import Checkout
from portside.draft.clue import Clue
from portside.draft.commands import CommandLine
from portside.draft.facts import conda_name, normal
from portside.draft.interpreter import environment_files, line_of, pep440, toml_of
from portside.errors import RecipeError
from portside.inputs.python.project_needs import ProjectNeeds, needs_of
from portside.inputs.python.requirements_file import RefusedLineError, read_requirements

_VALUED = {"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "-t", "--target", "-c", "--constraint"}
_VALUED |= {"--trusted-host", "--cache-dir", "--timeout", "--proxy", "--prefix", "--root", "--config-settings", "-C"}
_VALUED |= {"--global-option", "--no-binary", "--only-binary", "--retries", "--platform", "--python-version", "-d"}
_MOST_LEFT_OUT = 60


@dataclass
class PipInstall:
    """One `pip install` of a document or a script. files: of `-r`. projects: folders of the repository, with extras.
    urls: of git repositories and archives, as written. packages: the rest."""

    command: CommandLine
    files: list[str] = field(default_factory=list)
    projects: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    packages: list[Requirement] = field(default_factory=list)


def pip_install(command: CommandLine) -> PipInstall | None:
    """What a command installs; None where it is no `pip install`."""
    arguments = list(command.arguments)
    if command.program != "pip" or "install" not in arguments[:3]:
        return None
    found, folder = PipInstall(command), posixpath.dirname(command.path)
    rest = iter(arguments[arguments.index("install") + 1 :])
    for word in rest:
        if word in ("-r", "--requirement", "-e", "--editable"):
            value = next(rest, "")
            if word in ("-r", "--requirement"):
                found.files.append(value)
                continue
            word = value
        elif word.startswith("-r") and len(word) > 2 and not word.startswith("--"):
            found.files.append(word[2:])
            continue
        elif word.startswith("-"):
            if word in _VALUED:
                next(rest, "")
            continue
        _item(word.strip("'\"`,"), found, folder)
    return found


def _item(word: str, found: PipInstall, folder: str) -> None:
    if "://" in word or word.startswith("git+") or re.match(r"[\w.-]+\s*@\s*\S", word):
        found.urls.append(word)
    elif local := re.fullmatch(r"(\.{1,2}(?:/[\w./-]*)?|[\w./-]+/)(?:\[([\w,\s.-]*)\])?", word):
        extras = tuple(part.strip() for part in (local[2] or "").split(",") if part.strip())
        found.projects.append((posixpath.normpath(local[1]) if local[1] != "." else ".", extras))
    elif (requirement := requirement_of(word)) is not None:
        found.packages.append(requirement)


def requirement_of(word: str) -> Requirement | None:
    """A requirement as people type it; None for a placeholder, a wheel, and whatever else is none. Builds of a place
    (`2.1.0+cu118`) lose what only that place has."""
    word = re.sub(r"\+(cu\d+|cpu|rocm[\d.]+|pt\w+)", "", word)
    if not re.match(r"[A-Za-z0-9]", word) or re.search(r"[<>]\w*[A-Za-z_]|\.whl|[{}$]", word):
        return None
    try:
        requirement = Requirement(word)
    except InvalidRequirement:
        return None
    return None if requirement.url or len(requirement.name) < 2 else requirement


def conda_installs(command: CommandLine) -> list[Requirement]:
    """What `conda install` installs that PyPI has too."""
    arguments = list(command.arguments)
    if command.program not in ("conda", "mamba", "micromamba") or "install" not in arguments[:1]:
        return []
    out, rest = [], iter(arguments[1:])
    for word in rest:
        if word.startswith("-"):
            if word in ("-c", "--channel", "-n", "--name", "-p", "--prefix"):
                next(rest, "")
            continue
        if (found := conda_requirement(word)) is not None:
            out.append(found)
    return out


def conda_requirement(word: str) -> Requirement | None:
    """A requirement of conda as one of PyPI; None for what PyPI does not have, Python included."""
    word = word.strip("'\"").rpartition("::")[2].strip()
    parts = re.fullmatch(r"([\w.-]+)\s*(?:\[[^]]*\])?\s*((?:[=<>!~].*)|\s[\d.=*]+)?", word)
    if parts is None or not (name := conda_name(parts[1])):
        return None
    limits = (parts[2] or "").strip()
    if found := re.fullmatch(r"={1,2}\s*([\w.*]+)(=[\w.*]+)?", limits):  # the second `=` names a build
        exact = found[1].rstrip("*").rstrip(".")
        limits = f"=={exact}" if exact.count(".") >= 2 or limits.startswith("==") else f"=={exact}.*"
    return requirement_of(f"{name}{limits}") or requirement_of(name)


def setup_installs(commands: list[CommandLine], checkout: Checkout) -> Iterator[tuple[CommandLine, str]]:
    """The commands that install by a setup.py, and the folder that a `cd` before has entered."""
    before: CommandLine | None = None
    for one in commands:
        if one.program == "python" and one.words[1:2] == ("setup.py",) and {"install", "develop"} & set(one.words):
            folder = ""
            if (
                before is not None
                and before.path == one.path
                and before.words[0] == "cd"
                and one.line - before.line < 4
            ):
                folder = posixpath.normpath(before.words[1]) if len(before.words) > 1 else ""
            folder = folder if checkout.has(f"{folder}/setup.py") else ""
            if folder or checkout.has("setup.py"):
                yield one, folder
        before = one


@dataclass(frozen=True)
class Environment:
    """A conda environment. pip: what its pip section has, lines as of a requirements file."""

    path: str
    packages: list[Clue[Requirement]]
    pip: list[Clue[str]]
    system: list[Clue[str]]


def environment(checkout: Checkout) -> Environment | None:
    """The likeliest description of a conda environment."""
    paths = environment_files(checkout)
    if not paths:
        return None
    found = Environment(paths[0], [], [], [])
    in_dependencies, pip_indent = False, -1
    for number, line in checkout.lines(paths[0]):
        text = re.sub(r"\s+#.*$", "", line)
        if re.match(r"\w[\w-]*\s*:", text):
            in_dependencies = text.startswith("dependencies")
            pip_indent = -1
            continue
        row = re.match(r"(\s*)-\s+(.*\S)", text)
        if not in_dependencies or row is None:
            continue
        indent, item, place = len(row[1]), row[2].strip("'\""), f"{paths[0]}:{number}"
        if re.fullmatch(r"pip\s*:", item):
            pip_indent = indent
        elif pip_indent >= 0 and indent > pip_indent:
            found.pip.append(Clue(item, place))
        else:
            pip_indent = -1
            name = item.rpartition("::")[2]
            program = re.split(r"[\s=<>]", name)[0]
            if debian := {"ffmpeg": "ffmpeg", "sox": "sox"}.get(program):
                found.system.append(Clue(debian, place))
            if (requirement := conda_requirement(item)) is not None:
                found.packages.append(Clue(requirement, place))
    return found


@dataclass(frozen=True)
class FileRead:
    """A requirements file, as a recipe can read it. without: what its `from` has to leave out, by the item; urls: what
    of that names a place."""

    path: str
    packages: list[Clue[Requirement]]
    without: list[str]
    urls: list[Clue[str]]
    problem: str = ""


def requirement_files(checkout: Checkout) -> list[str]:
    globs = (
        "requirements*.txt",
        "*requirements*.txt",
        "requirements/*.txt",
        "**/*requirements*.txt",
        "**/requirements/*.txt",
    )
    return checkout.named(*globs)[:200]


def is_for_developers(path: str) -> bool:
    """Whether a requirements file serves tests, documents and the like, by its name or its folder."""
    return bool(
        re.search(
            r"(^|[/_.-])(dev|devel|develop|test|tests|testing|doc|docs|lint|ci|build|mypy|style|bench\w*)([/_.-]|$)",
            path,
            re.I,
        )
    )


def read_file(checkout: Checkout, path: str) -> FileRead:
    """Never raises: what cannot be taken is among `without`, or the `problem`."""
    without: list[str] = []
    while True:
        try:
            lines = read_requirements(checkout.tree, path, checkout.name, without)
            break
        except RefusedLineError as error:
            if error.item in without or len(without) >= _MOST_LEFT_OUT or re.search(r"[\"'\\$`\x00-\x1f]", error.item):
                return FileRead(path, [], without, [], error.problem.partition("\n")[0])
            without.append(error.item)
        except RecipeError as error:
            return FileRead(path, [], without, [], error.problem.partition("\n")[0])
    cut = f"{checkout.name}/"
    found = [Clue(line.requirement, line.origin.removeprefix(cut)) for line in lines if not line.constraint]
    urls = [Clue(item, line_of(checkout, path, item)) for item in _places(checkout, path)]
    return FileRead(path, found, without, urls)


def _places(checkout: Checkout, path: str) -> Iterator[str]:
    for _, line in checkout.lines(path):
        text = re.sub(r"(^|\s)#.*$", "", line).strip()
        if re.search(r"(git\+|@\s*(https?|git)[:+])", text):
            yield re.sub(r"^(-e|--editable)\s+", "", text)


@dataclass(frozen=True)
class ProjectFiles:
    """The Python project at a folder ("" for the top): what it needs, or why nobody can say it without running it."""

    folder: str
    needs: ProjectNeeds | None
    problem: str = ""
    name: str = ""
    scripts: dict[str, Clue[str]] = field(default_factory=dict)
    backend: list[str] = field(default_factory=list)
    poetry: list[Clue[Requirement]] = field(default_factory=list)
    poetry_urls: list[Clue[str]] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    compiles: str = ""


def project(checkout: Checkout, folder: str = "") -> ProjectFiles | None:
    """The project there; None where nothing says that one is."""
    at = f"{folder}/" if folder else ""
    data = toml_of(checkout, f"{at}pyproject.toml")
    setup, cfg = checkout.text(f"{at}setup.py"), checkout.text(f"{at}setup.cfg")
    is_cfg = cfg is not None and re.search(r"^\s*\[(metadata|options)\]", cfg, re.M)
    tool = data.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    if not (isinstance(data.get("project"), dict) or isinstance(poetry, dict) or setup is not None or is_cfg):
        return None
    needs, problem = None, ""
    try:
        needs = needs_of(checkout.tree.below(folder) if folder else checkout.tree, checkout.name)
    except RecipeError as error:
        problem = " ".join(error.problem.partition("written down:")[2].split()) or error.problem.partition("\n")[0]
        problem = problem.replace(f"{checkout.name}/", at)
    reads = [
        path
        for path in requirement_files(checkout)
        if setup is not None and path.startswith(at) and path.rpartition("/")[2] in setup
    ]
    build = data.get("build-system")
    asked = build.get("requires") if isinstance(build, dict) else None
    backend = [str(item) for item in asked] if isinstance(asked, list) else []
    wants, urls = _poetry(checkout, f"{at}pyproject.toml", poetry if isinstance(poetry, dict) else {})
    compiles = ""
    if setup is not None and (found := re.search(r"\b(CUDAExtension|CppExtension|cythonize|Extension)\s*\(", setup)):
        compiles = f"{at}setup.py:{setup[: found.start()].count(chr(10)) + 1}"
    name = needs.name if needs is not None else ""
    name = name or str((data.get("project") or {}).get("name", "") if isinstance(data.get("project"), dict) else "")
    name = name or (str(poetry.get("name", "")) if isinstance(poetry, dict) else "")
    return ProjectFiles(folder, needs, problem, name, {}, backend, wants, urls, reads, compiles)


def _poetry(
    checkout: Checkout, path: str, poetry: dict[str, object]
) -> tuple[list[Clue[Requirement]], list[Clue[str]]]:
    """The dependencies of [tool.poetry]; those of a place apart."""
    wants: list[Clue[Requirement]] = []
    urls: list[Clue[str]] = []
    asked = poetry.get("dependencies")
    for name, value in asked.items() if isinstance(asked, dict) else ():
        place = line_of(checkout, path, f"{name} =", f"{name}=", str(name))
        if normal(str(name)) == "python":
            continue
        rows = value if isinstance(value, list) else [value]
        row = rows[0] if rows else "*"
        if isinstance(row, dict):
            if row.get("optional"):
                continue
            if "git" in row:
                revision = row.get("rev") or row.get("tag") or row.get("branch") or ""
                urls.append(Clue(f"git+{row['git']}{f'@{revision}' if revision else ''}#egg={name}", place))
                continue
            extras = ",".join(map(str, row.get("extras", ()))) if isinstance(row.get("extras"), list) else ""
            text = f"{name}{f'[{extras}]' if extras else ''}{pep440(str(row.get('version', '*')))}"
        else:
            text = f"{name}{pep440(str(row))}"
        requirement = requirement_of(text) or requirement_of(str(name))
        if requirement is not None:
            wants.append(Clue(requirement, place))
    return wants, urls
