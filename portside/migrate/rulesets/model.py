"""The shape of a ruleset; docs/rulesets.md tells a person what each kind of rule does."""

import dataclasses
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from portside.common.canonical import digest_of

MIGRATOR_VERSION = 3
"""Goes into every ruleset's digest: raise it when the same ruleset would give other bytes, or another report."""

Action = Literal["rewrite", "keep", "unsupported", "person"]

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DOTTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_ID = re.compile(r"[a-z][a-z0-9-]*")
_PROGRAM = re.compile(r"[A-Za-z][A-Za-z0-9_.+-]*")


def _words(key: str, *values: str) -> None:
    for value in values:
        if not _WORD.fullmatch(value):
            raise ValueError(f"{key}: {value!r} is not a plain name")


def _dotted(key: str, *values: str) -> None:
    for value in values:
        if not _DOTTED.fullmatch(value):
            raise ValueError(f"{key}: {value!r} is not a dotted name")


def _map_or_names(action: str, pairs: dict[str, str], names: tuple[str, ...]) -> None:
    if (action == "rewrite") != bool(pairs) or (action == "rewrite") == bool(names):
        raise ValueError("a rule that rewrites has `map`, any other has `names`")


@dataclass(frozen=True)
class Vendor:
    """What the vendor's converter replaces, in its order, and the module that it imports."""

    module: str = field(metadata={"key": "import"})
    replace: tuple[tuple[str, str], ...]
    strict: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Converter:
    """The vendor's converter, a Python program that lies in the vendor's images: how it is called, what it leaves.

    path: where it lies. input: the option before the folder to convert. strict: its option for more replacements.
    suffix: what it appends to the folder's name for the result. report: the file that it writes into the result, a
    table with `| NUMBER | PATH:LINE | …` in each row.
    """

    path: str
    input: str
    suffix: str
    report: str
    strict: str | None = None

    def __post_init__(self) -> None:
        wrong = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\"'\\$`]|//|/\.{0,2}(/|$)"
        if not self.path.startswith("/") or re.search(wrong, self.path):
            raise ValueError(f"path: {self.path!r} is not an absolute path in the image")
        for key, value in (("suffix", self.suffix), ("report", self.report)):
            if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", value):
                raise ValueError(f"{key}: {value!r} is not a plain name")
        for key, option in (("input", self.input), ("strict", self.strict)):
            if option is not None and not re.fullmatch(r"--?[A-Za-z0-9-]+", option):
                raise ValueError(f"{key}: {option!r} is not an option such as -i")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """id: appears in reports. title: one line. why: the reason. advice: what a person can do. note: what the report
    says at each place, for what is rewritten and yet not quite the same.
    frameworks: the framework versions that the rule is for; none: all."""

    id: str
    kind: str
    title: str
    why: str = ""
    advice: str = ""
    note: str = ""
    frameworks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"id: {self.id!r} is not lower-case words with hyphens")


@dataclass(frozen=True, kw_only=True)
class ApiRule(Rule):
    """Names below a module, as imports and aliases resolve them.

    `from` with `names` stands for `from.NAME` each, `from` alone for itself, and `to` in the same way; `map`
    lists pairs. The longest name wins. `others`: every name below `from` that no rule knows.
    imports: whether the new names need the ruleset's module to be imported.
    """

    action: Action
    source: str | None = field(default=None, metadata={"key": "from"})
    to: str | None = None
    names: tuple[str, ...] = ()
    map: dict[str, str] = field(default_factory=dict)
    others: bool = False
    imports: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _dotted("names", *self.names)
        _dotted("map", *self.map, *self.map.values())
        _dotted("from, to", *filter(None, (self.source, self.to)))
        if self.source is None and not self.map:
            raise ValueError("give `from` or `map`")
        if self.action == "rewrite" and self.source is not None and self.to is None:
            raise ValueError("a rule that rewrites needs `to` beside `from`")
        if self.action != "rewrite" and (self.to is not None or self.map):
            raise ValueError("only a rule that rewrites has `to` or `map`")

    def table(self) -> dict[str, str]:
        """Every name that the rule is for -> what it becomes (itself, where the rule does not rewrite)."""
        out = dict(self.map)
        if self.source is not None and not self.others:
            target = self.to or self.source
            if not self.names:
                out[self.source] = target
            out.update({f"{self.source}.{name}": f"{target}.{name}" for name in self.names})
        return out


@dataclass(frozen=True, kw_only=True)
class MemberRule(Rule):
    """method: calls (`x.cuda()`) and definitions in classes; attribute: uses (`x.is_cuda`) and definitions.
    arguments: drop removes a method's arguments."""

    map: dict[str, str]
    arguments: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        super().__post_init__()
        _words("map", *self.map, *self.map.values())


@dataclass(frozen=True, kw_only=True)
class ReportedMemberRule(Rule):
    """Attributes of objects (`x.is_cuda`) that no new name stands for."""

    action: Literal["keep", "unsupported", "person"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _words("names", *self.names)


@dataclass(frozen=True, kw_only=True)
class CallRule(Rule):
    """Calls that name the device only after the migration: of functions (map: dotted names, as in `api`) and of methods
    (methods: `x.cuda()` becomes `x.to("xpu")`).

    first: what becomes the first argument, as Python spells it. A call that has other arguments before is a person's,
    and so is a place where the function is not called.
    """

    first: str
    map: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    imports: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _dotted("map", *self.map, *self.map.values())
        _words("methods", *self.methods, *self.methods.values())
        if not re.fullmatch(r"""(["'])[A-Za-z0-9_:.-]+\1""", self.first):
            raise ValueError(f"first: {self.first!r} is not a text as Python spells it; write '\"xpu\"'")
        if not self.map and not self.methods:
            raise ValueError("give `map` or `methods`")

    def table(self) -> dict[str, str]:
        """Every name that the rule is for -> what it becomes."""
        return dict(self.map)


@dataclass(frozen=True, kw_only=True)
class LiteralRule(Rule):
    """String literals that as a whole are a device (`cuda`, `cuda:0`, `f"cuda:{i}"`) or a backend (`nccl`).
    index: drop removes a device's index."""

    map: dict[str, str]
    index: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        super().__post_init__()
        _words("map", *self.map, *self.map.values())


@dataclass(frozen=True, kw_only=True)
class StringRule(Rule):
    """Other string literals as a whole, wherever they stand (`cuda_time_total`). map: for a rule that rewrites; names:
    for one that reports."""

    action: Action = "rewrite"
    map: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _words("map, names", *self.map, *self.map.values(), *self.names)
        _map_or_names(self.action, self.map, self.names)


@dataclass(frozen=True, kw_only=True)
class KeywordRule(Rule):
    """Keyword arguments (`profile(use_cuda=True)`) in calls of the named functions.

    value: what a plain `True` becomes, as Python spells it, for a new name that takes something else. otherwise: what
    stands for `False`, so that an expression becomes `VALUE if EXPRESSION else OTHERWISE`; without it, an expression is
    a person's.
    """

    callables: tuple[str, ...]
    map: dict[str, str]
    value: str = ""
    otherwise: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _dotted("callables", *self.callables)
        _words("map", *self.map, *self.map.values())


@dataclass(frozen=True, kw_only=True)
class EnvironmentRule(Rule):
    """Environment variables, in Python strings and in files that match `files` (globs over the path or its name).
    map: for a rule that rewrites; names: for one that reports."""

    action: Action = "rewrite"
    map: dict[str, str] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _words("map, names", *self.map, *self.map.values(), *self.names)
        _map_or_names(self.action, self.map, self.names)


@dataclass(frozen=True, kw_only=True)
class ModuleRule(Rule):
    """Imports of packages that have no counterpart."""

    action: Literal["keep", "unsupported", "person"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _dotted("names", *self.names)


@dataclass(frozen=True, kw_only=True)
class FileRule(Rule):
    """Files that no edit can port, by globs over the path or its name."""

    action: Literal["keep", "unsupported", "person"]
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RequirementRule(Rule):
    """Requirements (`torch>=1.10`) on the named packages, in files that match `files`."""

    action: Literal["keep", "unsupported", "person"]
    names: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ProgramRule(Rule):
    """Programs that scripts call (`nvidia-smi`), also from Python."""

    action: Literal["keep", "unsupported", "person"]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.names:
            if not _PROGRAM.fullmatch(name):
                raise ValueError(f"names: {name!r} is not the name of a program")


@dataclass(frozen=True, kw_only=True)
class PlaceRule(Rule):
    """index: bare device numbers (`.to(0)`). dynamic: `getattr(torch, name)`."""


KINDS: dict[str, type[Rule]] = {
    "api": ApiRule,
    "method": MemberRule,
    "attribute": MemberRule,
    "member": ReportedMemberRule,
    "call": CallRule,
    "device": LiteralRule,
    "backend": LiteralRule,
    "string": StringRule,
    "keyword": KeywordRule,
    "environment": EnvironmentRule,
    "module": ModuleRule,
    "file": FileRule,
    "requirement": RequirementRule,
    "program": ProgramRule,
    "index": PlaceRule,
    "dynamic": PlaceRule,
}


@dataclass(frozen=True, kw_only=True)
class Ruleset:
    """suffix: appended to the name of a migrated tree. module: imported where the device is used, if there is
    one; namespace: where it puts the device's functions. words: what is looked for besides, so that every
    occurrence is accounted for. framework: the version whose rules count, one of `frameworks` (version -> what it is).
    vendor: for vendor mode. converter: for image mode.
    """

    name: str
    title: str
    suffix: str
    module: str | None = None
    namespace: str | None = None
    framework: str
    frameworks: dict[str, str]
    words: tuple[str, ...]
    vendor: Vendor | None = None
    converter: Converter | None = None
    rules: tuple[Rule, ...]

    def __post_init__(self) -> None:
        if not re.fullmatch(r"_[a-z0-9]+", self.suffix):
            raise ValueError(f"suffix: {self.suffix!r} is not an underscore and lower-case letters or digits")
        _words("words, module", *self.words, *filter(None, (self.module,)))
        _dotted("namespace", *filter(None, (self.namespace,)))
        for version in (self.framework, *(version for rule in self.rules for version in rule.frameworks)):
            if version not in self.frameworks:
                raise ValueError(f"framework {version!r} is not one of {', '.join(self.frameworks)}")

    @cached_property
    def digest(self) -> str:
        """sha256 (hex) over everything that decides what a migration with this ruleset gives.

        What a converter gives depends on the image that it lies in: the key of its run says that.
        """
        rules = {key: value for key, value in dataclasses.asdict(self).items() if key != "converter"}
        return digest_of({"migrator": MIGRATOR_VERSION, "ruleset": rules})

    def active(self) -> list[Rule]:
        """The rules for the chosen framework, in the file's order."""
        return [rule for rule in self.rules if not rule.frameworks or self.framework in rule.frameworks]
