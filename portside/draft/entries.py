"""What a person starts: console scripts, and the programs that documents and scripts call."""

import posixpath
import re
from collections.abc import Iterator

from portside.draft.checkout import ASIDE, VENDORED, Checkout
from portside.draft.code import CodeBase
from portside.draft.commands import CommandLine
from portside.draft.programs import EntryPoint, console_scripts, module_path, takes_arguments

_LAUNCHERS = (
    "torchrun",
    "deepspeed",
    "accelerate",
    "streamlit",
    "chainlit",
    "gradio",
    "horovodrun",
    "mpirun",
    "xvfb-run",
)
_FLAGS = {"-u", "-O", "-OO", "-B", "-E", "-s", "-S", "-I", "-i", "-v"}
_PLACEHOLDER = re.compile(
    r"<[^<>]*>|\b123\.\d+\.\d+|\[[^\]]*\]|\.{3}|…|\$|\{|\b(?:path|your|my)[_/-]|/path\b|path_to|\bpath/to\b|PATH_TO|\bXXX\b|\bxxx\b|/(?:data|home|mnt|root|Users|disk\d*)/"
    r"|--?\w[\w-]*[= ][A-Z]{2,}(?:_[A-Z]+)*(?![\w.-])|\bN\b|[A-Z]{3,}_[A-Z_]{3,}"
)
MOST_ENTRIES = 14
"""Targets of a draft."""
_MOST_LOOKED_AT = 60
_ALONE = {
    "CUDA_VISIBLE_DEVICES",
    "ASCEND_RT_VISIBLE_DEVICES",
    "MLU_VISIBLE_DEVICES",
    "NCCL_P2P_DISABLE",
    "NCCL_IB_DISABLE",
}
_ALONE |= {"NCCL_DEBUG", "PYTHONPATH", "OMP_NUM_THREADS", "WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"}


def entries(checkout: Checkout, commands: list[CommandLine], code: CodeBase) -> list[EntryPoint]:
    """The likeliest first, each program once."""
    consoles = {one.name: one for one in console_scripts(checkout, code)}
    found: dict[str, EntryPoint] = {}
    for one in sorted(commands, key=lambda one: one.rank):
        if one.kind == "notebook" or re.search(r"(^|/)(tests?|\.github)/", one.path):
            continue
        if one.kind == "ci" or VENDORED.search(one.path):
            continue
        entry = _console(one, consoles) or _called(one, checkout, code)
        if entry is None:
            continue
        key = entry.console or entry.path or entry.command
        known = found.get(key)
        if known is None:
            found[key] = entry
        elif known.open and not entry.open and entry.rank <= known.rank + 2:
            entry.place = f"{known.place}, {entry.place}" if known.rank != entry.rank else entry.place
            entry.rank = known.rank
            found[key] = entry
    for console in consoles.values():
        found.setdefault(console.console, console)
    listed = sorted(found.values(), key=lambda entry: entry.rank)
    there = {entry.path for entry in listed}
    listed += [entry for entry in _mentioned(checkout, code) if entry.path not in there]
    if any(entry.rank <= 6 for entry in listed):
        listed = [entry for entry in listed if entry.rank <= 6]
    called = {entry.path for entry in listed}
    if len(listed) < MOST_ENTRIES:
        listed += [entry for entry in _uncalled(checkout, code, bool(listed)) if entry.path not in called]
    return _named(listed[:_MOST_LOOKED_AT])


def core(listed: list[EntryPoint], *, is_package: bool = False) -> list[str]:
    """The modules of the programs that count for what the repository needs: those that documents at the top name; where
    there are none, all, or none of a package that others import."""
    first = [entry.path for entry in listed if entry.path and entry.rank <= 2]
    return first or [entry.path for entry in listed if entry.path and not is_package]


def _mentioned(checkout: Checkout, code: CodeBase) -> Iterator[EntryPoint]:
    """Programs at the top that the README names without calling them, and that nothing imports."""
    for path in checkout.named("readme.md", "readme.rst", "readme"):
        for number, line in checkout.lines(path):
            for name in re.findall(r"(?<![\w/.-])([\w-]+\.py)\b", line):
                file = code.file(name)
                if file is None or name == "setup.py" or name in code.imported_files or not file.early:
                    continue
                has_help = takes_arguments(file)
                own = f"python3 {name}"
                yield EntryPoint(
                    name.removesuffix(".py"),
                    name,
                    own,
                    f"{path}:{number}",
                    sure=False,
                    rank=2,
                    help=f"{own} --help" if has_help else "",
                )


def _console(one: CommandLine, consoles: dict[str, EntryPoint]) -> EntryPoint | None:
    entry = consoles.get(one.words[0])
    if entry is None or one.kind != "document":
        return None
    command, is_open = _clean(one.text, one)
    if is_open or any(
        "." in word and "/" not in word and re.search(r"\.(wav|mp3|flac|jpg|png|mp4|txt)$", word) for word in one.words
    ):
        command, is_open = entry.command, True
    return EntryPoint(
        entry.name,
        entry.path,
        command,
        one.place,
        console=entry.console,
        rank=one.rank,
        open=is_open,
        program=entry.name,
        help=entry.help,
        env=_env(one),
    )


def _called(one: CommandLine, checkout: Checkout, code: CodeBase) -> EntryPoint | None:
    """The program of the repository that a command starts."""
    words = list(one.words)
    program = one.program
    if program in ("bash", "sh", "source", ".") or (program.endswith(".sh") and len(words) > 0):
        return None
    start = next((n for n, word in enumerate(words) if _is_script(word) or word == "-m"), None)
    if program == "uvicorn":
        return _server(one, code)
    if program not in ("python", *_LAUNCHERS) or start is None:
        return None
    where = posixpath.dirname(one.path)
    if words[start] == "-m":
        if start + 1 >= len(words):
            return None
        module = words[start + 1]
        if module in ("torch.distributed.launch", "torch.distributed.run", "accelerate.commands.launch", "streamlit"):
            after = next((n for n, word in enumerate(words) if n > start + 1 and _is_script(word)), None)
            if after is None:
                return None
            start = after
        else:
            path = module_path(code, module)
            if not path or not re.fullmatch(r"[\w.]+", module):
                return None
            return _entry(one, words, start + 1, path, "", code)
    if program == "python" and words[1] != "-m" and not set(words[1:start]) <= _FLAGS:
        return None
    script = words[start].removeprefix("./")
    for folder in dict.fromkeys(("", where)):
        path = posixpath.normpath(posixpath.join(folder, script))
        if checkout.has(path):
            return _entry(one, words, start, path, folder, code)
    same = [path for path in code.paths if path.endswith(f"/{script}") and not VENDORED.search(path)]
    if len(same) == 1 and where and same[0].startswith(f"{where.partition('/')[0]}/"):
        return _entry(
            one,
            words,
            start,
            same[0],
            posixpath.dirname(same[0]) if "/" not in script else same[0][: -len(script) - 1],
            code,
        )
    if len(same) == 1 and (one.rank <= 2 or "/" in script):
        return _entry(one, words, start, same[0], same[0][: -len(script)].rstrip("/"), code)
    return None


def _is_script(word: str) -> bool:
    return bool(re.fullmatch(r"[\w./-]+\.py", word))


def _server(one: CommandLine, code: CodeBase) -> EntryPoint | None:
    app = next((word for word in one.words[1:] if re.fullmatch(r"[\w.]+:\w+", word)), None)
    path = module_path(code, app.partition(":")[0], posixpath.dirname(one.path)) if app else ""
    if not path:
        return None
    command, is_open = _clean(one.text, one)
    command = f"uvicorn {app}" if is_open else command
    folder = path[: -len(str(app).partition(":")[0]) - 3].rstrip("/")
    return EntryPoint(
        posixpath.basename(path).removesuffix(".py"),
        path,
        command,
        one.place,
        folder=folder,
        rank=one.rank,
        program="uvicorn",
        env=_env(one),
    )


def _entry(one: CommandLine, words: list[str], at: int, path: str, folder: str, code: CodeBase) -> EntryPoint | None:
    if VENDORED.search(path) or re.search(r"(^|/)(tests?|setup\.py$|docs?/)", path):
        return None
    file = code.file(path)
    is_module = words[at - 1] == "-m"
    own = f"python3 -m {words[at]}" if is_module else f"python3 {words[at].removeprefix('./')}"
    has_help = file is not None and takes_arguments(file)
    command, is_open = _clean(one.text, one)
    program = one.program
    if is_open:
        run = f"streamlit run {words[at]}" if program == "streamlit" else own
        command = f"{run} --help" if has_help and program != "streamlit" else run
    name = posixpath.basename(words[at].rpartition(".")[2] if is_module else words[at].removesuffix(".py"))
    return EntryPoint(
        name,
        path,
        command,
        one.place,
        folder=folder,
        rank=one.rank,
        open=is_open,
        program=program,
        help=f"{own} --help" if has_help else "",
        env=_env(one),
        sure=one.kind == "document",
    )


def _env(one: CommandLine) -> dict[str, str]:
    return {
        name: value
        for name, value in one.variables.items()
        if name not in _ALONE and not re.search(r"[$\"'\\`<>]", value)
    }


def _clean(text: str, one: CommandLine) -> tuple[str, bool]:
    """The command of a target, and whether it leaves something open that a person has to fill in."""
    text = re.sub(r"^(?:[A-Za-z_]\w*=\S*\s+)+", "", text.rstrip(" \\`"))
    text = re.sub(r"^python[0-9.]*(?=\s)", "python3", text)
    text = re.sub(r"\s+#\s.*$", "", text).rstrip("\\ ")
    text = re.sub(r"\s*(?:2>&1)?\s*>{1,2}\s*\S+\s*(?:2>&1)?\s*&?$", "", text)
    is_open = bool(_PLACEHOLDER.search(text)) or "<<" in text or text.count("'") % 2 == 1 or text.count('"') % 2 == 1
    return text, is_open or len(text) > 600


def _uncalled(checkout: Checkout, code: CodeBase, is_more: bool) -> Iterator[EntryPoint]:
    """Scripts that nothing calls: at the top, with a parser of arguments or a server."""
    for path in code.paths:
        if path.count("/") > (0 if is_more else 1) or ASIDE.search(path) or VENDORED.search(path):
            continue
        name = posixpath.basename(path).removesuffix(".py")
        if name in ("setup", "conf", "__init__", "conftest", "versioneer") or name.startswith("test_"):
            continue
        if path in code.imported_files:
            continue
        file = code.file(path)
        if file is None or not (file.is_script or (path.count("/") == 0 and takes_arguments(file))):
            continue
        has_help = takes_arguments(file)
        if is_more and not has_help and not file.is_script:
            continue
        line = next((n for n, text in checkout.lines(path) if "__main__" in text or "ArgumentParser(" in text), 1)
        yield EntryPoint(
            name,
            path,
            f"python3 {path} --help" if has_help else f"python3 {path}",
            f"{path}:{line}",
            sure=False,
            rank=9,
            open=has_help,
            help=f"python3 {path} --help" if has_help else "",
        )


def _named(listed: list[EntryPoint]) -> list[EntryPoint]:
    """The same, each with a name of its own that a recipe can hold."""
    taken: set[str] = set()
    for entry in listed:
        name = re.sub(r"[^A-Za-z0-9._-]", "-", entry.name).strip("._-") or "main"
        if name in taken and entry.path:
            folder = posixpath.basename(posixpath.dirname(entry.path))
            name = f"{folder}-{name}" if folder else name
        number = 2
        first = name
        while name in taken:
            name, number = f"{first}-{number}", number + 1
        taken.add(name)
        entry.name = name
    return listed
