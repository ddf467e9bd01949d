"""What a file that is no Python module is to a migration, by its name and first line."""

import re
from typing import Literal

FileKind = Literal["python", "notebook", "configuration", "code", "document", "data"]
"""python: also programs without `.py`, by their first line. configuration: scripts of the shell, and what holds values:
rules may rewrite there. code: programs in another language, and templates of any: only reported. document: what people
read. data: never looked into."""

_CONFIGURATION = re.compile(
    r"(?i)(?:.*/)?(?:[^/]*\.(?:sh|bash|zsh|ksh|fish|slurm|sbatch|pbs|ya?ml|json|toml|ini|cfg|conf|env|mk|mak|dockerfile|"
    r"properties|service|hocon|gin|args)|\.env[^/]*|Dockerfile[^/]*|Containerfile[^/]*|(?:GNU)?Makefile[^/]*|"
    r"(?:[^/]*requirements[^/]*|constraints[^/]*)\.(?:txt|in)|environment[^/]*\.ya?ml|Pipfile|Procfile)"
)
_CODE = re.compile(
    r"(?i)(?:.*/)?(?:[^/]*\.(?:c|cc|cpp|cxx|h|hh|hpp|hxx|inl|cu|cuh|cmake|pyx|pxd|pxi|rs|go|java|kt|scala|js|ts|lua|jl|r|"
    r"rb|pl|swift|m|mm|cs|proto|thrift|s|asm|ptx|j2|jinja2?|tmpl|tpl|mako|template|in|bat|cmd|ps1|groovy|gradle|tf|"
    r"nix|bzl|bazel)|CMakeLists\.txt|BUILD|WORKSPACE|Jenkinsfile|Vagrantfile)"
)
_DATA = re.compile(
    r"(?i).*\.(?:png|jpe?g|gif|bmp|webp|ico|tiff?|pdf|mp[34]|wav|flac|ogg|avi|mov|webm|ttf|otf|woff2?|eot|zip|gz|tgz|bz2|xz|"
    r"zst|7z|tar|jar|whl|egg|so(?:\.[\d.]+)?|a|o|dll|dylib|exe|pyc|pyo|bin|pt|pth|ckpt|safetensors|onnx|pb|h5|hdf5|"
    r"npy|npz|pkl|pickle|model|parquet|arrow|mdb|db|sqlite3?|jsonl|csv|tsv|vocab|lock|sum)"
)
_PYTHON = re.compile(rb"#![^\n]*\bpython[\d.]*\b")
_SHELL = re.compile(rb"#![^\n]*\b(?:ba|da|k|z)?sh\b")


def is_python(path: str) -> bool:
    return path.endswith((".py", ".pyw", ".pyi"))


def is_data(path: str) -> bool:
    """Whether a file's name says that there is nothing for a migration in it."""
    return _DATA.fullmatch(path) is not None


def kind_of(path: str, data: bytes) -> FileKind:
    """A file's kind; bytes with a NUL near the beginning are no text."""
    if is_python(path):
        return "python"
    if is_data(path) or b"\0" in data[:8192]:
        return "data"
    if path.endswith(".ipynb"):
        return "notebook"
    if _CONFIGURATION.fullmatch(path):
        return "configuration"
    if _CODE.fullmatch(path):
        return "code"
    if _PYTHON.match(data):
        return "python"
    return "configuration" if _SHELL.match(data) else "document"
