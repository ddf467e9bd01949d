"""The weights that code and documents name: repositories of hubs, and files to download."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from portside.draft.checkout import Checkout
from portside.draft.code import PythonFile, dotted, literal
from portside.draft.commands import CommandLine

_ENDS = r"\.(?:pth\.tar|pth|pt|ckpt|safetensors|bin|onnx|gguf|h5|pkl|npz|weights|caffemodel|tar\.gz|tgz|zip|tar)"
_SURE_ENDS = re.compile(r"\.(pth\.tar|pth|pt|ckpt|safetensors|onnx|gguf|h5|weights|caffemodel)$")
_URL = re.compile(r"https?://[^\s\"'<>)\]}|`\\]+")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{1,40}/[A-Za-z0-9][\w.-]{1,95}")
_LOADERS = (
    "from_pretrained",
    "snapshot_download",
    "hf_hub_download",
    "try_to_load_from_cache",
    "cached_download",
    "load_dataset_builder",
)
_URL_LOADERS = (
    "load_state_dict_from_url",
    "load_url",
    "download_url_to_file",
    "urlretrieve",
    "download",
    "cached_file",
)
_CALL = re.compile(
    r"(?:from_pretrained|snapshot_download|hf_hub_download|pipeline)\(\s*(?:\w+\s*=\s*)?[\"']([^\"'\s]+)[\"']"
)
_NOT_MODELS = {
    "datasets",
    "spaces",
    "docs",
    "collections",
    "papers",
    "blog",
    "models",
    "join",
    "organizations",
    "settings",
    "chat",
    "course",
    "learn",
}
_IS_PATH = re.compile(
    r"^(\.|path|your|checkpoints?|ckpts?|models?|weights?|data|outputs?|configs?|results?|experiments?|pretrained|exp|"
    r"save|logs?)/|\.(py|json|ya?ml|pth?|ckpt|bin|txt)$"
)
"""What looks like a repository of a hub, and is a path."""
_PLAIN = re.compile(
    r"(gpt2|bert|roberta|distilbert|xlm|t5|albert|xlnet|electra|facebook|openai-gpt|camembert|bart|opt)[\w.-]*"
)
_ARGUMENTS = re.compile(r"--(?:model|base|pretrained|tokenizer|ckpt|checkpoint|llm|vision)[\w-]*$")
_MOST = 200


@dataclass
class NamedWeights:
    """One set of weights. hub: huggingface or modelscope, "" for a URL. name: of the repository, or the file's. url:
    where the file is. files: of the repository, where single ones are named. places: where it is named, the code first.
    in_code: whether the code names it."""

    hub: str
    name: str
    url: str = ""
    files: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    in_code: bool = False
    sure: bool = True


def named_weights(
    checkout: Checkout, files: Mapping[str, PythonFile], commands: Iterable[CommandLine], main: Collection[str]
) -> list[NamedWeights]:
    """All of them, each once: those of the code first, then as documents have them. main: the modules of the programs
    that count; of the others only what they load by its name does."""
    found: dict[tuple[str, str], NamedWeights] = {}
    for path, file in files.items():
        for name, where, sure, is_loaded in _in_code(file):
            if path in main or is_loaded:
                _note(found, name, f"{path}:{where}", in_code=True, sure=sure)
    documents = [
        path for path in checkout.paths if re.search(r"(^readme[^/]*|\.md|\.rst)$", path, re.I) and path.count("/") < 3
    ]
    documents = [path for path in documents if not re.search(r"card|changelog|history|news|roadmap", path, re.I)]
    documents.sort(key=lambda path: (path.count("/"), not path.lower().startswith("readme"), path))
    for path in documents[:60]:
        if path.count("/") and not re.search(r"(^docs?/|readme|model|weight|zoo)", path, re.I):
            continue
        for number, line in checkout.lines(path):
            for url in _URL.findall(line):
                if _is_weights(url) and (path.count("/") == 0 or _hub_of(url) is None) and not _is_card(line, url):
                    _note(found, url, f"{path}:{number}", in_code=False, sure=True)
        if path.count("/") == 0:
            text = checkout.text(path) or ""
            for call in _CALL.finditer(text):
                if _REPOSITORY.fullmatch(call[1]):
                    place = f"{path}:{text.count(chr(10), 0, call.start(1)) + 1}"
                    _note(found, call[1], place, in_code=False, sure=True)
    for one in commands:
        if one.kind == "document" and one.rank <= 2:
            for name in _in_command(one):
                _note(found, name, one.place, in_code=False, sure=True)
    return list(found.values())[:_MOST]


def _is_card(line: str, url: str) -> bool:
    """Whether a link leads to the page about a model rather than to what is meant to be loaded."""
    before = line[: line.find(url)].lower()
    return bool(re.search(r"(model card|demo|space|paper|blog)[^\[\]]*\]\($", before))


def _note(found: dict[tuple[str, str], NamedWeights], text: str, place: str, *, in_code: bool, sure: bool) -> None:
    hub = _hub_of(text)
    if hub is not None:
        kind, name, file = hub
        entry = found.setdefault((kind, name), NamedWeights(kind, name))
        if file and file not in entry.files:
            entry.files.append(file)
    elif "://" in text:
        url = text.rstrip(".,;:")
        name = urlsplit(url).path.rpartition("/")[2]
        entry = found.setdefault(("", name), NamedWeights("", name, url))
    else:
        entry = found.setdefault(("huggingface", text), NamedWeights("huggingface", text, sure=sure))
    if place not in entry.places:
        entry.places.append(place)
    entry.in_code = entry.in_code or in_code


def _hub_of(url: str) -> tuple[str, str, str] | None:
    """The hub, repository and file that a URL names, None where it is no hub's."""
    parts = urlsplit(url)
    host, path = parts.netloc.lower(), parts.path.strip("/").rstrip(".,;:")
    pieces = path.split("/")
    if host in ("huggingface.co", "hf.co", "www.huggingface.co", "hf-mirror.com"):
        if len(pieces) < 2 or pieces[0] in _NOT_MODELS or not _REPOSITORY.fullmatch("/".join(pieces[:2])):
            return None
        file = "/".join(pieces[4:]) if len(pieces) > 4 and pieces[2] in ("resolve", "blob", "raw") else ""
        if file and not re.search(rf"{_ENDS}$", file):
            return None
        return "huggingface", "/".join(pieces[:2]), file
    if host.removeprefix("www.") in ("modelscope.cn", "modelscope.com") and pieces[0] == "models" and len(pieces) >= 3:
        return "modelscope", "/".join(pieces[1:3]), ""
    return None


def _is_weights(url: str) -> bool:
    if _hub_of(url) is not None:
        return True
    path = urlsplit(url).path.rstrip(".,;:")
    if re.search(r"/(blob|tree)/|\.(git|html?|md)$", path) and not re.search(rf"/blob/.*{_ENDS}$", path):
        return False
    if _SURE_ENDS.search(path):
        return True
    is_data = re.search(r"data(set)?s?[/_.-]|_data|[-_](val|train|test)\b|annotation", path, re.I)
    return bool(
        re.search(rf"{_ENDS}$", path) and re.search(r"model|weight|ckpt|checkpoint|pretrain", url, re.I) and not is_data
    )


def _in_command(one: CommandLine) -> Iterator[str]:
    for number, word in enumerate(one.words):
        option, equals, value = word.partition("=")
        if not _ARGUMENTS.match(option):
            continue
        value = value if equals else next(iter(one.words[number + 1 : number + 2]), "")
        if _REPOSITORY.fullmatch(value) and not _IS_PATH.search(value):
            yield value


def _in_code(file: PythonFile) -> Iterator[tuple[str, int, bool, bool]]:
    """Names and URLs that a module has, with their lines, whether that is sure, and whether they are loaded there."""
    constants = _texts(file.tree.body)
    for scope, values in _scopes(file.tree, constants):
        for node in scope:
            if isinstance(node, ast.Call):
                yield from _of_call(node, values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "://" in node.value:
                for url in _URL.findall(node.value)[:4]:
                    if _is_weights(url) and (_hub_of(url) is None or _hub_of(url)[2]):  # type: ignore[index]
                        yield url, node.lineno, True, True


def _of_call(node: ast.Call, values: Mapping[str, list[str]]) -> Iterator[tuple[str, int, bool, bool]]:
    name = dotted(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
    last = name.rpartition(".")[2]
    if last in _LOADERS:
        given = [
            keyword.value
            for keyword in node.keywords
            if keyword.arg in ("repo_id", "pretrained_model_name_or_path", "model_id")
        ]
        for value, known in _values(given[0] if given else node.args[0] if node.args else None, values):
            if (_REPOSITORY.fullmatch(value) and not _IS_PATH.search(value)) or _PLAIN.fullmatch(value):
                yield value, node.lineno, known, True
    elif last == "add_argument":
        names = [option for arg in node.args if isinstance(option := literal(arg), str)]
        default = next((literal(keyword.value) for keyword in node.keywords if keyword.arg == "default"), None)
        is_model = any(_ARGUMENTS.match(name) for name in names)
        if isinstance(default, str) and is_model and _REPOSITORY.fullmatch(default) and not _IS_PATH.search(default):
            yield default, node.lineno, True, False


def _values(node: ast.expr | None, known: Mapping[str, list[str]]) -> Iterator[tuple[str, bool]]:
    """The texts that an expression may be, and whether it is just that."""
    value = literal(node)
    if isinstance(value, str):
        yield value, True
    elif isinstance(node, ast.Name):
        for text in known.get(node.id, ()):
            yield text, len(known[node.id]) == 1
    elif isinstance(node, ast.BoolOp | ast.IfExp):
        for part in node.values if isinstance(node, ast.BoolOp) else (node.body, node.orelse):
            for text, _ in _values(part, known):
                yield text, False


def _scopes(tree: ast.Module, constants: dict[str, list[str]]) -> Iterator[tuple[list[ast.AST], dict[str, list[str]]]]:
    """The module's own nodes and those of each function, with the texts that names stand for there."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner: set[int] = set()
    for function in functions:
        nodes = list(ast.walk(function))
        inner |= {id(node) for node in nodes}
        names = {key: [*value] for key, value in constants.items()}
        arguments = function.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument, default in [
            *zip(reversed(positional), reversed(arguments.defaults), strict=False),
            *((a, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if d is not None),
        ]:
            if isinstance(value := literal(default), str):
                names[argument.arg] = [value]
        for key, texts in _texts(nodes).items():
            names[key] = texts
        for node in nodes:  # `assert x in {"a", "b"}` says which values there are
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Name) and isinstance(node.ops[0], ast.In):
                value = literal(node.comparators[0])
                if isinstance(value, set | list | tuple) and all(isinstance(item, str) for item in value):
                    names.setdefault(node.left.id, []).extend(sorted(map(str, value)))
        yield nodes, names
    yield [node for node in ast.walk(tree) if id(node) not in inner], constants


def _texts(nodes: Iterable[ast.AST]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(value := literal(node.value), str):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(value)
    return found
